//! Where the broker is: beside the page.

/// The WebSocket address of the broker that served the page at `href`: same host, same folder, `mqtt`.
/// `None` for a page that no server sent (`file:` and the like).
pub fn broker_address(href: &str) -> Option<String> {
    let (scheme, rest) = href.split_once("://")?;
    let scheme = match scheme {
        "http" => "ws",
        "https" => "wss",
        _ => return None,
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let place = &rest[..end];
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    if host.is_empty() {
        return None;
    }
    let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    Some(format!("{scheme}://{host}{folder}{}", hearth_api::path::MQTT))
}

/// Where Trunk serves a page that is being written, and where the broker beside it is.
const DEVELOPMENT_PORTS: (&str, &str) = (":8081/", ":8080/");

/// As [`broker_address`]; a page that Trunk serves finds the broker that was started beside it.
pub fn development_address(href: &str) -> Option<String> {
    let (page, broker) = DEVELOPMENT_PORTS;
    broker_address(href).map(|address| address.replacen(page, broker, 1))
}

/// The port of an address such as `127.0.0.1:1883` or `[::1]:1883`.
pub fn port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

/// The host of the page without its port, for the examples that the page shows.
pub fn host_name(href: &str) -> &str {
    let rest = href.split_once("://").map_or(href, |(_, rest)| rest);
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match host.rfind(':') {
        // The colons of an IPv6 address stand inside brackets.
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_is_in_the_folder_of_the_page() {
        for (href, address) in [
            ("http://localhost:8080/", Some("ws://localhost:8080/mqtt")),
            ("http://localhost:8080", Some("ws://localhost:8080/mqtt")),
            (
                "https://intra.example/tools/hearth/index.html?x=/y#/topics/a",
                Some("wss://intra.example/tools/hearth/mqtt"),
            ),
            ("http://[::1]:8080/#/about", Some("ws://[::1]:8080/mqtt")),
            ("file:///tmp/index.html", None),
            ("http:///x", None),
        ] {
            assert_eq!(broker_address(href).as_deref(), address, "{href}");
        }
    }

    #[test]
    fn a_page_that_is_being_written_finds_the_broker_beside_it() {
        for (href, address) in [
            ("http://localhost:8081/#/topics", "ws://localhost:8080/mqtt"),
            ("http://localhost:8080/", "ws://localhost:8080/mqtt"),
        ] {
            assert_eq!(development_address(href).as_deref(), Some(address), "{href}");
        }
    }

    #[test]
    fn the_port_stands_behind_the_last_colon() {
        assert_eq!(port("127.0.0.1:1883"), Some(1883));
        assert_eq!(port("[::1]:18830"), Some(18830));
        assert_eq!(port("localhost"), None);
    }

    #[test]
    fn the_host_of_an_example_has_no_port() {
        assert_eq!(host_name("http://panel.local:8080/#/"), "panel.local");
        assert_eq!(host_name("http://[::1]:8080/"), "[::1]");
        assert_eq!(host_name("http://[::1]/"), "[::1]");
        assert_eq!(host_name("https://a.example"), "a.example");
    }
}
