//! The hidden chore that passes the server's lines on and says where to point a browser.

use std::io::{BufRead, Write, stdin, stdout};
use std::net::SocketAddr;

use anyhow::Result;

use crate::step::say;

/// Its name on the command line.
pub(crate) const CHORE: &str = "relay";

/// Copies lines until the server closes its standard output.
pub(crate) fn relay() -> Result<()> {
    let mut is_told = false;
    for line in stdin().lock().lines() {
        let line = line?;
        writeln!(stdout(), "{line}")?;
        if !is_told && let Some(place) = place(&line) {
            say(&place);
            is_told = true;
        }
    }
    Ok(())
}

/// What a person does with `listening http ADDRESS`.
fn place(line: &str) -> Option<String> {
    let address: SocketAddr = line.strip_prefix("listening http ")?.parse().ok()?;
    let port = address.port();
    if address.ip().is_loopback() {
        return Some(format!("open http://localhost:{port} in a browser"));
    }
    if address.ip().is_unspecified() {
        return Some(format!(
            "open http://localhost:{port} in a browser, or http://<address of this machine>:{port} on another device"
        ));
    }
    Some(format!("open http://{address} in a browser"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_web_listener_becomes_an_address_to_open() {
        assert_eq!(
            place("listening http 127.0.0.1:8080").as_deref(),
            Some("open http://localhost:8080 in a browser")
        );
        assert!(place("listening http 0.0.0.0:80").unwrap().contains("on another device"));
        assert_eq!(
            place("listening http [fd00::1]:8080").as_deref(),
            Some("open http://[fd00::1]:8080 in a browser")
        );
        assert_eq!(place("listening mqtt 127.0.0.1:1883"), None);
    }
}
