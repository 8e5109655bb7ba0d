//! The brokers that the web app may connect to beside its own.

/// Addresses of WebSockets, as the content security policy takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebBrokers {
    any: bool,
    sources: Vec<String>,
}

impl Default for WebBrokers {
    /// Any.
    fn default() -> Self {
        Self { any: true, sources: Vec::new() }
    }
}

impl WebBrokers {
    /// Reads items such as `wss://broker.example`, `ws://10.0.0.5:9001`, `*`, or `none` alone.
    pub(super) fn parse(items: &[String]) -> Result<Self, String> {
        let mut brokers = Self { any: false, sources: Vec::new() };
        if let [item] = items
            && item.trim() == "none"
        {
            return Ok(brokers);
        }
        for item in items {
            match item.trim() {
                "*" => brokers.any = true,
                item => {
                    let source = source(item).ok_or_else(|| {
                        format!(
                            "`{item}` is no address of a broker; write scheme, host and port without a path, such as \
                             wss://broker.example:8884 or ws://10.0.0.5:9001, `*` for every broker, or `none`"
                        )
                    })?;
                    if !brokers.sources.contains(&source) {
                        brokers.sources.push(source);
                    }
                }
            }
        }
        Ok(brokers)
    }

    /// The sources for `connect-src`, each with a blank before it.
    pub(crate) fn sources(&self) -> String {
        if self.any {
            return " ws: wss:".to_owned();
        }
        self.sources.iter().map(|source| format!(" {source}")).collect()
    }

    /// The text that [`WebBrokers::parse`] reads back.
    pub(super) fn show(&self) -> String {
        let any = self.any.then_some("\"*\"".to_owned());
        let items: Vec<String> =
            any.into_iter().chain(self.sources.iter().map(|source| format!("\"{source}\""))).collect();
        if items.is_empty() { "[\"none\"]".to_owned() } else { format!("[{}]", items.join(", ")) }
    }
}

/// The one way to write it. Nothing may pass that means something else in a policy.
fn source(item: &str) -> Option<String> {
    let item = item.strip_suffix('/').unwrap_or(item).to_ascii_lowercase();
    let (scheme, host) = item.split_once("://")?;
    let is_host = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let port = match host.rsplit_once(':') {
        // Colons inside the brackets of an IPv6 address are not the port's.
        Some((_, rest)) if rest.ends_with(']') => None,
        Some((_, port)) => Some(port),
        None => None,
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (matches!(scheme, "ws" | "wss") && is_host && is_port).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(items: &[&str]) -> Result<WebBrokers, String> {
        WebBrokers::parse(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn any_broker_may_be_reached_unless_some_are_named() {
        assert_eq!(WebBrokers::default().sources(), " ws: wss:");
        let named = brokers(&["WSS://Broker.example:8884/", "ws://[::1]:9001", "ws://[::1]:9001"]).unwrap();
        assert_eq!(named.sources(), " wss://broker.example:8884 ws://[::1]:9001");
        assert_eq!(brokers(&["none"]).unwrap().sources(), "");
    }

    #[test]
    fn what_would_mean_something_else_in_a_policy_is_refused() {
        for item in [
            "broker.example",
            "https://a",
            "ws://",
            "ws://a b",
            "ws://a;script-src",
            "ws://a/mqtt",
            "ws://*",
            "ws://a:0",
            "ws://a:x",
            "'self'",
            "",
        ] {
            let error = brokers(&[item]).unwrap_err();
            assert!(error.contains("wss://broker.example:8884"), "{item}: {error}");
        }
        assert!(brokers(&["none", "ws://a"]).is_err(), "none stands alone");
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        for items in [&["*"][..], &["none"], &["ws://a:1", "wss://b"]] {
            let brokers = brokers(items).unwrap();
            let shown: toml::Table = format!("it = {}", brokers.show()).parse().unwrap();
            let read: Vec<String> = shown["it"].clone().try_into().unwrap();
            assert_eq!(WebBrokers::parse(&read), Ok(brokers));
        }
    }
}
