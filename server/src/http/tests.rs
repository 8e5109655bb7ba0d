//! The router as a browser, a proxy and a health check meet it.

use std::future::ready;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::any;
use hearth_api::{Door, Info, Listener, ListenerKind, Readiness, ReadyState, ShardState, StoreState};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::admission::Admission;
use crate::assets::File;
use crate::auth::{self, Anonymous, Policies};
use crate::config::{DoorLimits, WebBrokers};

const SCRIPT: &[u8] = b"export default 1; // a file long enough to be worth it";

static SAMPLE: &[File] = &[
    File {
        path: "app-0123456789abcdef.js",
        content_type: "text/javascript; charset=utf-8",
        tag: "aa11",
        is_hashed: true,
        identity: SCRIPT,
        brotli: Some(b"as brotli"),
        gzip: Some(b"as gzip, longer"),
    },
    File {
        path: "icons/icon.png",
        content_type: "image/png",
        tag: "bb22",
        is_hashed: false,
        identity: b"a picture",
        brotli: None,
        gzip: None,
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "cc33",
        is_hashed: false,
        identity: b"<!doctype html>",
        brotli: None,
        gzip: None,
    },
    File {
        path: "tokens-0123.css",
        content_type: "text/css; charset=utf-8",
        tag: "dd44",
        is_hashed: true,
        identity: b":root {}",
        brotli: None,
        gzip: None,
    },
];

#[derive(Clone)]
struct TestShards(Vec<bool>);

impl Shards for TestShards {
    fn connections(&self) -> u64 {
        7
    }

    fn count(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap()
    }

    fn store(&self) -> StoreState {
        StoreState::Writing
    }

    fn answers(&self, _patience: Duration) -> impl Future<Output = Vec<bool>> + Send {
        ready(self.0.clone())
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("a header {name} in {:?}", self.headers))
            .to_str()
            .unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn site(files: &'static [File], shards: &[bool], stop: CancellationToken) -> Router {
    let listeners = vec![Listener { kind: ListenerKind::Mqtt, address: "127.0.0.1:1883".to_owned() }];
    let status =
        Status::new(TestShards(shards.to_vec()), Admission::new(DoorLimits::default()), listeners, stop);
    let mqtt = any(|| ready("the way to MQTT"));
    let policies = Policies::new(auth::Policy { users: None, anonymous: Anonymous::Yes });
    let past = Past { history: None, policies };
    let metrics = any(|| ready("what was measured"));
    router_of(
        WebApp::of(files),
        Policy::with(&["'sha256-abc='"], &WebBrokers::default()),
        mqtt,
        status,
        past,
        metrics,
    )
}

fn sample() -> Router {
    site(SAMPLE, &[true, true], CancellationToken::new())
}

async fn ask(router: Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "panel.local:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn fetch(path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(sample(), Method::GET, path, headers).await
}

#[tokio::test]
async fn the_index_is_asked_for_anew_each_time_and_stands_at_the_root() {
    for path in ["/", "/index.html", "/?source=home-screen"] {
        let answer = fetch(path, &[("accept-encoding", "br, gzip")]).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "<!doctype html>"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(answer.header("etag"), "\"cc33\"");
        assert!(!answer.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn a_hashed_name_is_kept_forever_in_the_form_that_the_client_likes_best() {
    for (accepted, coding, body, tag) in [
        ("gzip, deflate, br", Some("br"), &b"as brotli"[..], "\"aa11-br\""),
        ("gzip", Some("gzip"), b"as gzip, longer", "\"aa11-gzip\""),
        ("br;q=0", None, SCRIPT, "\"aa11\""),
    ] {
        let answer = fetch("/app-0123456789abcdef.js", &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers.get("content-encoding").map(|coding| coding.to_str().unwrap()), coding);
        assert_eq!(answer.body, body, "{accepted}");
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("vary"), "accept-encoding");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    for known in ["\"cc33\"", "W/\"cc33\"", "\"x\", \"cc33\"", "*"] {
        let answer = fetch("/", &[("if-none-match", known)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(answer.header("etag"), "\"cc33\"");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for other in ["\"aa11\"", "cc33", ""] {
        assert_eq!(fetch("/", &[("if-none-match", other)]).await.status, StatusCode::OK, "{other}");
    }
    let path = "/app-0123456789abcdef.js";
    let gzip_is_not_brotli = [("if-none-match", "\"aa11-gzip\""), ("accept-encoding", "br")];
    assert_eq!(fetch(path, &gzip_is_not_brotli).await.status, StatusCode::OK);
}

#[tokio::test]
async fn head_says_what_get_would_without_the_body() {
    for path in ["/", "/app-0123456789abcdef.js", "/missing"] {
        let get = fetch(path, &[]).await;
        let head = ask(sample(), Method::HEAD, path, &[]).await;
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn files_can_only_be_read() {
    for path in ["/", "/missing"] {
        let answer = ask(sample(), Method::POST, path, &[]).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_small_page_that_leads_home_below_any_proxy() {
    for (path, home) in
        [("/missing", "\"./\""), ("/a/b/c", "\"../../\""), ("//", "\"../\""), ("/icons/", "\"../\"")]
    {
        let answer = fetch(path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        assert!(answer.text().contains(&format!("href={home}")), "{path}: {}", answer.text());
    }
    for path in ["/icons/../index.html", "/%69ndex.html", "/index.html/", "/%2e%2e/etc/passwd", "/%00"] {
        assert_eq!(fetch(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

const BROWSER: &[(&str, &str)] = &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];

#[tokio::test]
async fn a_browser_that_asks_for_an_unknown_path_sees_a_page_in_the_looks_of_the_app() {
    for (path, home) in
        [("/missing", "./"), ("/a/b/c", "../../"), ("/about/nothing", "../"), ("/topic", "./")]
    {
        let answer = fetch(path, BROWSER).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!((answer.header("vary"), answer.header("cache-control")), ("accept", "no-cache"), "{path}");
        for part in [
            format!("<link rel=\"stylesheet\" href=\"{home}tokens-0123.css\">"),
            format!("<a class=\"button button--primary\" href=\"{home}\">"),
            "<h1>There is no such page</h1>".to_owned(),
        ] {
            assert!(answer.text().contains(&part), "{path}: {part} in {}", answer.text());
        }
        assert!(!answer.text().contains("style="), "{}", answer.text());
    }
    let longest = fetch(&"/a".repeat(1000), BROWSER).await;
    assert!(longest.status == StatusCode::NOT_FOUND && longest.body.len() < 2000, "{}", longest.body.len());
    // Nothing of what was asked for comes back.
    let answer = fetch("/%3Cscript%3Ealert(1)%3C/script%3E", BROWSER).await;
    assert!(!answer.text().contains("script"), "{}", answer.text());
}

#[tokio::test]
async fn a_path_that_is_a_page_of_the_app_leads_a_browser_to_it() {
    for (path, address) in [
        ("/topics", "./#/topics"),
        ("/about/", "../#/about/"),
        ("/publish", "./#/publish"),
        ("/subscribe", "./#/subscribe"),
        ("/retained", "./#/retained"),
        ("/connections", "./#/connections"),
        ("/topics/home/door", "../../#/topics/home/door"),
        ("/chart/car/speed?last=3600", "../../#/chart/car/speed?last=3600"),
        ("/chart/a%2Fb%23c", "../#/chart/a%2Fb%23c"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(sample(), method, path, BROWSER).await;
            assert_eq!((answer.status, answer.header("location")), (StatusCode::FOUND, address), "{path}");
            assert_eq!((answer.header("vary"), answer.header("cache-control")), ("accept", "no-cache"));
        }
        let answer = fetch(path, &[("accept", "*/*")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} for a program");
    }
}

#[tokio::test]
async fn a_build_without_web_app_says_how_to_get_one() {
    let answer = ask(site(&[], &[true], CancellationToken::new()), Method::GET, "/", &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().contains("cargo xtask build"), "{}", answer.text());
}

#[tokio::test]
async fn every_answer_keeps_the_page_to_what_it_needs() {
    for path in ["/", "/missing", "/healthz", "/mqtt", "/api/v1/info"] {
        let answer = fetch(path, &[]).await;
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none';",
            "script-src 'self' 'wasm-unsafe-eval' 'sha256-abc=';",
            "connect-src 'self' ws://panel.local:8080 wss://panel.local:8080 ws: wss:;",
            "base-uri 'none';",
            "frame-ancestors 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
    }
}

#[tokio::test]
async fn a_living_process_says_so() {
    let answer = fetch("/healthz", &[]).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, r#"{"state":"alive"}"#));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn readiness_names_the_state_of_the_whole_and_of_each_shard() {
    let stopped = CancellationToken::new();
    stopped.cancel();
    for (shards, stop, status, state) in [
        (&[true, true][..], CancellationToken::new(), StatusCode::OK, ReadyState::Ready),
        (&[true, false], CancellationToken::new(), StatusCode::SERVICE_UNAVAILABLE, ReadyState::Stuck),
        (&[true, true], stopped, StatusCode::SERVICE_UNAVAILABLE, ReadyState::Stopping),
    ] {
        let answer = ask(site(SAMPLE, shards, stop), Method::GET, "/readyz", &[]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("cache-control"), "no-store");
        let readiness: Readiness = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(readiness.state, state);
        let serving: Vec<bool> =
            readiness.shards.iter().map(|shard| shard.state == ShardState::Serving).collect();
        assert_eq!(serving, shards);
        assert!(readiness.shards.iter().enumerate().all(|(index, shard)| usize::from(shard.number) == index));
    }
    let text = ask(site(SAMPLE, &[false], CancellationToken::new()), Method::GET, "/readyz", &[]).await;
    assert_eq!(
        text.text(),
        r#"{"state":"stuck","shards":[{"number":0,"state":"silent"}],"store":"writing"}"#
    );
}

#[tokio::test]
async fn the_info_tells_version_and_listeners() {
    let answer = fetch("/api/v1/info", &[]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let info: Info = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(info.shards, 2);
    assert_eq!(info.listeners, [Listener { kind: ListenerKind::Mqtt, address: "127.0.0.1:1883".to_owned() }]);
}

#[tokio::test]
async fn the_door_tells_how_many_are_in_and_nothing_of_settings_that_turned_nobody_away() {
    let answer = fetch("/api/v1/door", &[]).await;
    let door: Door = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(door, Door { connections: 7, refused: Default::default() });
}

#[tokio::test]
async fn mqtt_has_its_own_way_with_every_method() {
    for method in [Method::GET, Method::POST] {
        assert_eq!(ask(sample(), method, "/mqtt", &[]).await.text(), "the way to MQTT");
    }
}

#[test]
fn the_sample_is_sorted_as_the_embedded_files_are() {
    assert!(SAMPLE.is_sorted_by(|one, other| one.path < other.path));
}
