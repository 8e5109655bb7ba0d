//! The proxies that may say for whom they connect.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// What stands for those who connect over a unix socket.
const UNIX: &str = "unix";

/// Addresses and networks from which the PROXY protocol is spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Reads items such as `10.0.0.5`, `10.0.0.0/8`, `fd00::/8` or `unix`.
    pub(super) fn parse(items: &[String]) -> Result<Self, String> {
        let mut trusted = Self::default();
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            if item == UNIX {
                trusted.unix = true;
                continue;
            }
            let network = network(item).ok_or_else(|| {
                format!(
                    "`{item}` is no network; write an address (10.0.0.5), a network (10.0.0.0/8, fd00::/8), or `unix` \
                     for those who connect over a unix socket"
                )
            })?;
            if !trusted.networks.contains(&network) {
                trusted.networks.push(network);
            }
        }
        Ok(trusted)
    }

    /// Whether who connects from `address`, or over a unix socket where there is none, is one of them.
    pub fn trusts(&self, address: Option<SocketAddr>) -> bool {
        match address {
            // On a socket for both families IPv4 comes dressed as IPv6.
            Some(address) => {
                let ip = address.ip().to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
            None => self.unix,
        }
    }

    /// The text that [`TrustedProxies::parse`] reads back.
    pub(super) fn show(&self) -> String {
        let unix = self.unix.then(|| format!("\"{UNIX}\""));
        let items: Vec<String> =
            self.networks.iter().map(|network| format!("\"{network}\"")).chain(unix).collect();
        format!("[{}]", items.join(", "))
    }
}

fn network(item: &str) -> Option<IpNet> {
    match item.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => item.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(items: &[&str]) -> Result<TrustedProxies, String> {
        TrustedProxies::parse(&items.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn from(ip: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(ip.parse().unwrap(), 1))
    }

    #[test]
    fn only_who_is_named_is_trusted() {
        let proxies = trusted(&["10.0.0.0/8", "192.0.2.7", "fd00::/8"]).unwrap();
        for ip in ["10.255.0.1", "::ffff:10.1.2.3", "192.0.2.7", "fd12::1"] {
            assert!(proxies.trusts(from(ip)), "{ip}");
        }
        for ip in ["11.0.0.1", "192.0.2.8", "fe80::1", "127.0.0.1", "::1"] {
            assert!(!proxies.trusts(from(ip)), "{ip}");
        }
        assert!(!proxies.trusts(None));
        assert!(trusted(&["unix"]).unwrap().trusts(None));
        assert!(!TrustedProxies::default().trusts(from("127.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_refused_with_an_example() {
        for item in ["10.0.0.0/33", "10.0.0", "proxy.example", "10.0.0.1:80", "*"] {
            let error = trusted(&[item]).unwrap_err();
            assert!(error.contains(item) && error.contains("10.0.0.0/8"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        let proxies = trusted(&["unix", "10.1.2.3/8", "::1"]).unwrap();
        assert_eq!(proxies.show(), r#"["10.0.0.0/8", "::1/128", "unix"]"#);
    }
}
