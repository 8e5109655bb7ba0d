//! The web sites whose pages may open a WebSocket here.

/// Origins that are let in beside the server's own host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    any: bool,
    origins: Vec<String>,
}

impl AllowedOrigins {
    /// Reads items such as `https://panel.example`, `http://10.0.0.5:8123` or `*`.
    pub(super) fn parse(items: &[String]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for item in items {
            match item.trim() {
                "*" => allowed.any = true,
                item => {
                    let origin = normalised(item).ok_or_else(|| {
                        format!(
                            "`{item}` is no origin; write scheme and host as a browser sends them, such as \
                             https://panel.example or http://10.0.0.5:8123, or `*` for every site"
                        )
                    })?;
                    if !allowed.origins.contains(&origin) {
                        allowed.origins.push(origin);
                    }
                }
            }
        }
        Ok(allowed)
    }

    /// Whether a page of this origin (the value of its `Origin` header) may connect.
    pub fn allows(&self, origin: &str) -> bool {
        self.any || normalised(origin).is_some_and(|origin| self.origins.contains(&origin))
    }

    /// The text that [`AllowedOrigins::parse`] reads back.
    pub(super) fn show(&self) -> String {
        let any = self.any.then_some("\"*\"".to_owned());
        let items: Vec<String> =
            any.into_iter().chain(self.origins.iter().map(|origin| format!("\"{origin}\""))).collect();
        format!("[{}]", items.join(", "))
    }
}

/// The one way to write an origin (RFC 6454, section 6): lower case, without the scheme's own port.
fn normalised(origin: &str) -> Option<String> {
    let origin = origin.strip_suffix('/').unwrap_or(origin).to_ascii_lowercase();
    let (scheme, host) = origin.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !is_scheme || host.is_empty() || !host.bytes().all(is_host_byte) {
        return None;
    }
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = if own_port.is_empty() { host } else { host.strip_suffix(own_port).unwrap_or(host) };
    let port = match host.rsplit_once(':') {
        // Colons inside the brackets of an IPv6 address are not the port's.
        Some((_, rest)) if rest.ends_with(']') => None,
        Some((_, port)) => Some(port),
        None => None,
    };
    match port {
        Some(port) if port.parse::<u16>().is_err() => None,
        _ => Some(format!("{scheme}://{host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(items: &[&str]) -> Result<AllowedOrigins, String> {
        AllowedOrigins::parse(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_origin_is_compared_in_its_one_form() {
        let origins =
            allowed(&["HTTPS://Panel.Example:443/", "http://10.0.0.5:8123", "http://[::1]"]).unwrap();
        for origin in ["https://panel.example", "http://10.0.0.5:8123", "http://[::1]:80"] {
            assert!(origins.allows(origin), "{origin}");
        }
        for origin in
            ["http://panel.example", "https://panel.example:8443", "https://evil.example", "null", "", "*"]
        {
            assert!(!origins.allows(origin), "{origin}");
        }
    }

    #[test]
    fn a_star_lets_every_site_in_even_one_without_a_name() {
        let origins = allowed(&["*"]).unwrap();
        assert!(origins.allows("https://evil.example") && origins.allows("null"));
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        assert!(!AllowedOrigins::default().allows("http://localhost"));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_an_example() {
        for item in
            ["panel.example", "https://", "https://a/b", "https://a:b", "://x", "https://a b", "1http://a"]
        {
            let error = allowed(&[item]).unwrap_err();
            assert!(error.contains(item) && error.contains("https://panel.example"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        assert_eq!(allowed(&["*", "https://a.b:443"]).unwrap().show(), r#"["*", "https://a.b"]"#);
        assert_eq!(AllowedOrigins::default().show(), "[]");
    }
}
