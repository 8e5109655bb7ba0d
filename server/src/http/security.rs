//! Headers that keep a page of Hearth to what it needs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::assets::SCRIPT_HASHES;
use crate::config::WebBrokers;

/// What a page may use of the device it is shown on. The web app needs none of these.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
     midi=(), payment=(), usb=()",
);

/// The content security policy, but for the host.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    script_hashes: &'static [&'static str],
    /// The sources of other brokers, each with a blank before it.
    brokers: Arc<str>,
}

impl Policy {
    /// The policy of the embedded web app.
    pub(super) fn embedded(brokers: &WebBrokers) -> Self {
        Self { script_hashes: SCRIPT_HASHES, brokers: brokers.sources().into() }
    }

    #[cfg(test)]
    pub(super) fn with(script_hashes: &'static [&'static str], brokers: &WebBrokers) -> Self {
        Self { script_hashes, brokers: brokers.sources().into() }
    }

    /// The text of the header for a page that was asked for at `host`.
    fn text(&self, host: Option<&str>) -> String {
        let scripts: String = self.script_hashes.iter().map(|hash| format!(" {hash}")).collect();
        // Browsers of before 2022 do not count WebSockets of the same host under 'self'.
        let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
        let brokers = &self.brokers;
        format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self'; \
             connect-src 'self'{sockets}{brokers}; img-src 'self' data:; font-src 'self'; manifest-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
        )
    }
}

/// Puts the headers on every answer.
///
/// There is no Cross-Origin-Opener-Policy: panels are shown inside of other pages and opened by them.
pub(super) async fn guard(State(policy): State<Policy>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_plain(host));
    let policy = HeaderValue::from_str(&policy.text(host));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Every letter of the policy is plain: the host was looked at, the rest is ours.
    if let Ok(policy) = policy {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    response
}

/// Whether this is a host with or without a port and nothing that would mean something in a policy.
fn is_plain(host: &str) -> bool {
    // A name has at most 253 letters, and a port five digits.
    !host.is_empty()
        && host.len() <= 260
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_host_for_sockets_and_the_hash_of_each_script() {
        let brokers = WebBrokers::default();
        let policy = Policy::with(&["'sha256-abc='", "'sha256-def='"], &brokers);
        let text = policy.text(Some("panel.local:8080"));
        assert!(
            text.contains("connect-src 'self' ws://panel.local:8080 wss://panel.local:8080 ws: wss:;"),
            "{text}"
        );
        assert!(text.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-abc=' 'sha256-def=';"), "{text}");
        assert!(policy.text(None).contains("connect-src 'self' ws: wss:;"));
    }

    #[test]
    fn a_host_that_would_widen_the_policy_is_left_out() {
        for host in ["panel.local", "10.0.0.5:8080", "[::1]:8080"] {
            assert!(is_plain(host), "{host}");
        }
        let long = "a".repeat(300);
        for host in ["", "*", "a b", "a;script-src *", "a,b", "'none'", "a/b", "ä", &long] {
            assert!(!is_plain(host), "{host}");
        }
    }
}
