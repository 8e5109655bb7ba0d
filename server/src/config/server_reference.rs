//! The other server that clients are sent to.

use std::net::Ipv6Addr;

use hearth_protocol::Text;

/// The form of MQTT 5.0, 4.11: names or addresses, each with a port where it is another than the usual one.
pub(super) fn check(text: &str) -> Result<(), String> {
    let is_right = Text::try_from(text).is_ok() && text.split(' ').all(is_server);
    if text.is_empty() || is_right {
        return Ok(());
    }
    Err("this is no server reference; write names or addresses with their ports and a space between, such as \
         \"other.example:1883 [2001:db8::1]:1883\""
        .to_owned())
}

fn is_server(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of a bare address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    };
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let is_letter = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '.' | '_');
            !host.is_empty() && host.chars().all(is_letter)
        }
    };
    has_port && is_host
}
