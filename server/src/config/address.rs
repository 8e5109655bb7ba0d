//! Where a listener listens, as a person types it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Machine;

/// The forms that are understood, for error messages.
const FORMS: &str = "write a port (1883), an address with a port (192.168.1.5:1883, [::1]:1883, localhost:1883, \
                     or 0.0.0.0:1883 for every network), a unix socket (unix:/run/hearth.sock), or `none`";

/// What a unix socket begins with.
const UNIX: &str = "unix:";

/// Where a listener listens; the text is what a person types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A port of TCP.
    Tcp(SocketAddr),
    /// A unix socket, by the path of its file.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The address of TCP, where it is one.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether each time it is asked for it is another one.
    fn is_any_port(&self) -> bool {
        self.tcp().is_some_and(|address| address.port() == 0)
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "{UNIX}{}", path.display()),
        }
    }
}

/// Addresses of the items together; no item or a single `none` means nowhere.
pub(super) fn parse_all(machine: &Machine, items: &[String]) -> Result<Vec<ListenAddress>, String> {
    if let [only] = items
        && is_none(only)
    {
        return Ok(Vec::new());
    }
    let mut addresses = Vec::new();
    for item in items {
        if is_none(item) {
            return Err("`none` stands beside other addresses; write either `none` or addresses".to_owned());
        }
        for address in parse(machine, item)? {
            // Typed twice in two forms is one listener; port 0 asks for a new port each time.
            if address.is_any_port() || !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

/// The text that [`parse_all`] reads back.
pub(super) fn show(addresses: &[ListenAddress]) -> String {
    match addresses {
        [] => "\"none\"".to_owned(),
        addresses => {
            let items: Vec<String> =
                addresses.iter().map(|address| toml::Value::from(address.to_string()).to_string()).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn is_none(item: &str) -> bool {
    item.trim() == "none"
}

fn parse(machine: &Machine, item: &str) -> Result<Vec<ListenAddress>, String> {
    let item = item.trim();
    if let Some(path) = item.strip_prefix(UNIX) {
        return unix(path).map(|address| vec![address]);
    }
    if let Ok(address) = item.parse::<SocketAddr>() {
        return Ok(vec![address.into()]);
    }
    if !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit()) {
        return port(item, item).map(|port| machine.loopback(port));
    }
    // Before the last colon is looked for: an IPv6 address without brackets has colons of its own.
    let bare = item.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || item == "localhost" {
        return Err(format!("`{item}` has no port; {FORMS}"));
    }
    let Some((host, digits)) = item.rsplit_once(':') else {
        return Err(format!("`{item}` is no address; {FORMS}"));
    };
    let port = port(item, digits)?;
    if host == "localhost" {
        return Ok(machine.loopback(port));
    }
    if host.is_empty() || host.contains(['/', '[', ':']) {
        return Err(format!("`{item}` is no address; {FORMS}"));
    }
    Err(format!("`{host}` in `{item}` is not an IP address; {FORMS}"))
}

fn unix(path: &str) -> Result<ListenAddress, String> {
    if !cfg!(unix) {
        return Err(format!("`{UNIX}{path}` needs unix sockets, which this system does not have; {FORMS}"));
    }
    if path.is_empty() {
        return Err(format!("`{UNIX}` has no path; {FORMS}"));
    }
    // `unix:///run/hearth.sock` is how a URL writes it.
    Ok(ListenAddress::Unix(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
}

fn port(item: &str, digits: &str) -> Result<u16, String> {
    digits
        .parse()
        .map_err(|_| format!("`{item}` has no port that can be; a port is a number from 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { cores: 2, has_ipv6_loopback: true, memory_bytes: None };
    const WITHOUT_IPV6: Machine = Machine { cores: 2, has_ipv6_loopback: false, memory_bytes: None };

    fn parsed(machine: &Machine, items: &[&str]) -> Result<String, String> {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        parse_all(machine, &items)
            .map(|addresses| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_form_of_an_address_is_understood() {
        for (items, expected) in [
            (&["1883"][..], "127.0.0.1:1883 [::1]:1883"),
            (&["localhost:1883"], "127.0.0.1:1883 [::1]:1883"),
            (&["127.0.0.1:1883"], "127.0.0.1:1883"),
            (&["[::1]:1883"], "[::1]:1883"),
            (&["0.0.0.0:1883"], "0.0.0.0:1883"),
            (&["[::]:1883"], "[::]:1883"),
            (&[" 10.0.0.1:1 ", "2"], "10.0.0.1:1 127.0.0.1:2 [::1]:2"),
            (&["0"], "127.0.0.1:0"),
            (&["none"], ""),
            (&[], ""),
            (&["unix:/run/hearth.sock"], "unix:/run/hearth.sock"),
            (&["unix:///run/hearth.sock"], "unix:/run/hearth.sock"),
            (&["unix:hearth.sock", "1883", "unix:hearth.sock"], "unix:hearth.sock 127.0.0.1:1883 [::1]:1883"),
        ] {
            assert_eq!(parsed(&MACHINE, items).unwrap(), expected, "{items:?}");
        }
    }

    #[test]
    fn localhost_is_one_address_on_a_machine_without_ipv6() {
        assert_eq!(parsed(&WITHOUT_IPV6, &["1883"]).unwrap(), "127.0.0.1:1883");
        assert_eq!(parsed(&WITHOUT_IPV6, &["localhost:1883"]).unwrap(), "127.0.0.1:1883");
    }

    #[test]
    fn an_address_typed_twice_is_one_listener_but_two_free_ports_are_two() {
        assert_eq!(parsed(&MACHINE, &["1883", "127.0.0.1:1883"]).unwrap(), "127.0.0.1:1883 [::1]:1883");
        assert_eq!(parsed(&MACHINE, &["127.0.0.1:0", "127.0.0.1:0"]).unwrap(), "127.0.0.1:0 127.0.0.1:0");
    }

    #[test]
    fn a_wrong_address_is_named_with_what_is_wrong_about_it() {
        for (items, expected) in [
            (&["127.0.0.1"][..], "`127.0.0.1` has no port"),
            (&["::1"], "`::1` has no port"),
            (&["[::1]"], "`[::1]` has no port"),
            (&["localhost"], "`localhost` has no port"),
            (&["65536"], "`65536` has no port that can be"),
            (&["localhost:http"], "`localhost:http` has no port that can be"),
            (&["kitchen:1883"], "`kitchen` in `kitchen:1883` is not"),
            (&["*:1883"], "`*` in `*:1883` is not an IP address"),
            (&["127.0.0.1:99999"], "`127.0.0.1:99999` has no port that can be"),
            (&[""], "`` is no address"),
            (&["kitchen"], "`kitchen` is no address"),
            (&["mqtt://127.0.0.1:1883"], "`mqtt://127.0.0.1:1883` is no address"),
            (&["[::1:1883"], "`[::1:1883` has no port"),
            (&[":1883"], "`:1883` is no address"),
            (&["none", "1883"], "`none` stands beside"),
            (&["unix:"], "`unix:` has no path"),
        ] {
            let error = parsed(&MACHINE, items).unwrap_err();
            assert!(error.starts_with(expected), "{items:?}: {error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        assert_eq!(show(&MACHINE.loopback(1883)), r#"["127.0.0.1:1883", "[::1]:1883"]"#);
        assert_eq!(show(&[]), "\"none\"");
        assert_eq!(show(&[ListenAddress::Unix("a b".into())]), r#"["unix:a b"]"#);
    }
}
