//! What a request must say to become a WebSocket that carries MQTT.

use axum::http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::config::AllowedOrigins;

/// The subprotocols that are MQTT, the best first: `mqtt` is the standard's [MQTT-6.0.0-3], the other one
/// what clients said before there was a standard.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// The answer to a good request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Acceptance {
    pub(super) accept_key: String,
    /// The chosen one; a client that offers none gets none.
    pub(super) subprotocol: Option<&'static str>,
}

/// Why a request is no such WebSocket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    #[error("This address speaks MQTT over WebSocket: connect with an MQTT client, subprotocol mqtt.")]
    NoWebSocket,
    #[error("Only version 13 of WebSocket is spoken here (RFC 6455).")]
    Version,
    #[error("The request has no usable Sec-WebSocket-Key (RFC 6455, 4.1).")]
    Key,
    #[error("None of the offered subprotocols is MQTT; offer mqtt [MQTT-6.0.0-3].")]
    Subprotocol,
    #[error(
        "Pages of {0} may not connect here. To let them, add this origin to allowed_origins in the settings."
    )]
    Origin(String),
    #[error("Too many connections have not said who they are; try again in a moment.")]
    Crowded,
}

impl Rejection {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoWebSocket | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Subprotocol => StatusCode::BAD_REQUEST,
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Checks a request (RFC 6455, 4.2.1).
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    allowed: &AllowedOrigins,
) -> Result<Acceptance, Rejection> {
    let is_upgrade = has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket");
    if method != Method::GET || !is_upgrade {
        return Err(Rejection::NoWebSocket);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Rejection::Version);
    }
    // Sixteen bytes in base64.
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if key.len() != 24 || !key.ends_with(b"==") {
        return Err(Rejection::Key);
    }
    check_origin(headers, allowed)?;
    Ok(Acceptance { accept_key: derive_accept_key(key), subprotocol: choose_subprotocol(headers)? })
}

/// A page's origin must be this very host, on any port, or one that the settings let in. Programs that are
/// no browsers send no origin.
fn check_origin(headers: &HeaderMap, allowed: &AllowedOrigins) -> Result<(), Rejection> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("an unreadable origin");
    let own_host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(host_name);
    let origin_host = origin.split_once("://").and_then(|(_, host)| host_name(host));
    let is_own = match (own_host, origin_host) {
        (Some(own), Some(host)) => own.eq_ignore_ascii_case(host),
        (None, _) | (_, None) => false,
    };
    if is_own || allowed.allows(origin) { Ok(()) } else { Err(Rejection::Origin(origin.to_owned())) }
}

/// The host of `host:port` or `[v6]:port`.
fn host_name(authority: &str) -> Option<&str> {
    let name = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!name.is_empty()).then_some(name)
}

fn choose_subprotocol(headers: &HeaderMap) -> Result<Option<&'static str>, Rejection> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    let best = SUBPROTOCOLS.into_iter().find(|name| has_token(headers, &SEC_WEBSOCKET_PROTOCOL, name));
    best.map(Some).ok_or(Rejection::Subprotocol)
}

/// Whether a header that is a list, in one line or several, has `token`.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 6] = [
        ("host", "panel.local:8080"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "mqtt"),
    ];

    fn check_with(changes: &[(&'static str, &'static str)]) -> Result<Acceptance, Rejection> {
        let mut headers = HeaderMap::new();
        for (name, value) in GOOD.iter().chain(changes) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers.retain_non_empty();
        check(&Method::GET, &headers, &AllowedOrigins::default())
    }

    /// In the tests an empty value takes a header away.
    trait RetainNonEmpty {
        fn retain_non_empty(&mut self);
    }

    impl RetainNonEmpty for HeaderMap {
        fn retain_non_empty(&mut self) {
            *self = self
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        }
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted_with_its_key() {
        let acceptance = check_with(&[]).unwrap();
        assert_eq!(acceptance.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(acceptance.subprotocol, Some("mqtt"));
    }

    #[test]
    fn the_best_subprotocol_is_chosen_and_none_is_fine() {
        for (offer, chosen) in [("mqttv3.1, mqtt", Some("mqtt")), ("mqttv3.1", Some("mqttv3.1")), ("", None)]
        {
            assert_eq!(
                check_with(&[("sec-websocket-protocol", offer)]).unwrap().subprotocol,
                chosen,
                "{offer}"
            );
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (change, rejection) in [
            (("connection", "keep-alive"), Rejection::NoWebSocket),
            (("upgrade", ""), Rejection::NoWebSocket),
            (("sec-websocket-version", "8"), Rejection::Version),
            (("sec-websocket-key", ""), Rejection::Key),
            (("sec-websocket-key", "c2hvcnQ="), Rejection::Key),
            (("sec-websocket-protocol", "chat, wamp"), Rejection::Subprotocol),
        ] {
            assert_eq!(check_with(&[change]), Err(rejection), "{change:?}");
        }
        let allowed = AllowedOrigins::default();
        assert_eq!(check(&Method::POST, &HeaderMap::new(), &allowed), Err(Rejection::NoWebSocket));
    }

    #[test]
    fn pages_of_the_same_host_may_connect_and_strange_ones_may_not() {
        for origin in ["http://panel.local", "https://PANEL.local:9001", ""] {
            assert!(check_with(&[("origin", origin)]).is_ok(), "{origin}");
        }
        for origin in ["http://panel.local.evil.example", "https://evil.example", "null", "http://"] {
            let rejection = Rejection::Origin(origin.to_owned());
            assert_eq!(check_with(&[("origin", origin)]), Err(rejection), "{origin}");
        }
        assert!(check_with(&[("host", "[::1]:8080"), ("origin", "http://[::1]:3000")]).is_ok());
        assert!(check_with(&[("host", "[::1]:8080"), ("origin", "http://[::2]:8080")]).is_err());
        assert!(check_with(&[("host", ""), ("origin", "http://panel.local")]).is_err());
    }
}
