//! What the web app's port serves: files with their headers, health, and WebSockets only to those who may.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use crate::hearth::{Hearth, HearthCommand};
use crate::http::{Answer, exchange, fetch, upgrade};
use crate::process::PATIENCE;

#[test]
fn the_index_is_never_cached_and_lets_only_its_own_wasm_run() {
    let hearth = Hearth::start();
    for path in ["/", "/index.html"] {
        let index = fetch(hearth.http(), path, &[]);
        assert_eq!(index.status, 200, "{path}");
        assert!(index.expect_header("content-type").starts_with("text/html"), "{index:?}");
        let caching = index.expect_header("cache-control");
        assert!(caching.contains("no-cache") || caching.contains("no-store"), "{caching}");
        assert_eq!(index.expect_header("x-content-type-options"), "nosniff");
        let policy = index.expect_header("content-security-policy");
        let directive = |name: &str| {
            let found = policy.split(';').map(str::trim).find(|it| it.split(' ').next() == Some(name));
            found.unwrap_or_else(|| panic!("no {name} in {policy}")).to_owned()
        };
        assert_eq!(directive("default-src"), "default-src 'none'");
        let scripts = directive("script-src");
        assert!(scripts.contains("'wasm-unsafe-eval'"), "{scripts}");
        assert!(!scripts.contains("'unsafe-inline'") && !scripts.contains("'unsafe-eval'"), "{scripts}");
        for name in ["connect-src", "style-src", "img-src", "base-uri", "form-action"] {
            assert!(!directive(name).contains('*'), "{policy}");
        }
    }
}

#[test]
fn files_with_hashed_names_are_cached_forever_and_come_compressed() {
    let hearth = Hearth::start();
    let files = hashed_files(&fetch(hearth.http(), "/", &[]));
    assert!(files.iter().any(|it| it.ends_with(".wasm")), "{files:?}");
    for file in files {
        let path = format!("/{file}");
        let get = |encodings: &str| fetch(hearth.http(), &path, &[("Accept-Encoding", encodings)]);
        let plain = get("identity");
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{path}");
        assert_eq!(plain.expect_header("cache-control"), "public, max-age=31536000, immutable", "{path}");
        let kind = plain.expect_header("content-type").split(';').next().unwrap();
        let wanted = match file.rsplit('.').next().unwrap() {
            "wasm" => "application/wasm",
            "js" => "text/javascript",
            "css" => "text/css",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            other => panic!("{path}: a test of the type of {other} files is missing"),
        };
        assert_eq!(kind, wanted, "{path}");
        if wanted == "image/png" {
            continue;
        }
        for (asked, given) in
            [("br", "br"), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip", "gzip")]
        {
            let packed = get(asked);
            assert_eq!(packed.header("content-encoding"), Some(given), "{path} for {asked}");
            assert!(packed.expect_header("vary").eq_ignore_ascii_case("accept-encoding"), "{path}");
            assert!(packed.body.len() < plain.body.len(), "{path} for {asked}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let hearth = Hearth::start();
    for path in ["/missing", "/assets/../../etc/passwd", "/%2e%2e/etc/passwd", "/hearth.wasm", "//", "/%00"] {
        let answer = fetch(hearth.http(), path, &[]);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
}

#[test]
fn an_unchanged_index_is_not_sent_again() {
    let hearth = Hearth::start();
    let tag = fetch(hearth.http(), "/", &[]).expect_header("etag").to_owned();
    let again = fetch(hearth.http(), "/", &[("If-None-Match", &tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn health_and_readiness_answer() {
    let hearth = Hearth::start();
    for path in ["/healthz", "/readyz"] {
        let answer = fetch(hearth.http(), path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.expect_header("cache-control").contains("no-store"), "{path}");
    }
}

#[test]
fn a_plain_request_to_a_websocket_address_is_told_what_is_there() {
    let hearth = Hearth::start();
    for (server, path) in [(hearth.ws(), "/"), (hearth.ws(), "/mqtt"), (hearth.http(), "/mqtt")] {
        let answer = fetch(server, path, &[]);
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        assert!(answer.text().contains("WebSocket"), "{path}: {}", answer.text());
    }
}

#[test]
fn the_handshake_agrees_on_the_subprotocol_mqtt() {
    let hearth = Hearth::start();
    for (server, path) in [(hearth.ws(), "/"), (hearth.ws(), "/any/where?x=1"), (hearth.http(), "/mqtt")] {
        let answer = upgrade(server, path, &[("Sec-WebSocket-Protocol", "chat, mqtt")]);
        assert_eq!(answer.status, 101, "{path}: {}", answer.text());
        assert_eq!(answer.expect_header("sec-websocket-protocol"), "mqtt", "{path}");
        // The key of RFC 6455, 1.3 and its answer.
        assert_eq!(answer.expect_header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}

#[test]
fn a_page_of_another_site_gets_no_websocket() {
    let hearth = Hearth::start();
    for (server, path) in [(hearth.ws(), "/mqtt"), (hearth.http(), "/mqtt")] {
        let ask =
            |origin: &str| upgrade(server, path, &[("Sec-WebSocket-Protocol", "mqtt"), ("Origin", origin)]);
        for origin in ["http://evil.example", "http://127.0.0.1.evil.example", "null", "file://", "https://"]
        {
            let answer = ask(origin);
            assert_eq!(answer.status, 403, "{origin} at {server}{path}");
            assert!(answer.text().contains("origin"), "{origin}: {}", answer.text());
        }
        for origin in
            [format!("http://{}", hearth.http()), "http://127.0.0.1".into(), "https://127.0.0.1:1".into()]
        {
            assert_eq!(ask(&origin).status, 101, "{origin} at {server}{path}");
        }
    }
}

#[test]
fn a_site_that_the_settings_name_gets_a_websocket() {
    let hearth = HearthCommand::new()
        .args(["--mqtt", "none", "--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
        .env("HEARTH_HTTP_ALLOWED_ORIGINS", "https://panel.example,http://10.0.0.5:8123")
        .env("HEARTH_WS_ALLOWED_ORIGINS", "*")
        .start();
    let ask = |server, origin| {
        upgrade(server, "/mqtt", &[("Sec-WebSocket-Protocol", "mqtt"), ("Origin", origin)]).status
    };
    for (origin, status) in [
        ("https://panel.example", 101),
        ("http://10.0.0.5:8123", 101),
        ("http://10.0.0.5", 403),
        ("http://panel.example", 403),
    ] {
        assert_eq!(ask(hearth.http(), origin), status, "{origin}");
        assert_eq!(ask(hearth.ws(), origin), 101, "{origin}");
    }
}

#[test]
fn a_connection_that_never_says_what_it_wants_is_closed() {
    let hearth = Hearth::start();
    let handshake = "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let cases: [(&str, SocketAddr, &str); 9] = [
        ("HTTP, silent", hearth.http(), ""),
        ("HTTP, half a head", hearth.http(), "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "),
        ("WebSocket port, silent", hearth.ws(), ""),
        ("WebSocket port, half a head", hearth.ws(), "GET / HTTP/1.1\r\n"),
        ("WebSocket port, no CONNECT", hearth.ws(), handshake),
        ("/mqtt, no CONNECT", hearth.http(), handshake),
        ("MQTT, silent", hearth.mqtt(), ""),
        ("MQTT, half a CONNECT", hearth.mqtt(), "\u{10}\u{20}\0\u{4}MQ"),
        ("MQTT, a huge CONNECT that does not come", hearth.mqtt(), "\u{10}\u{7f}\0\u{4}MQTT\u{4}"),
    ];
    let waiting = cases.map(|(what, server, bytes)| {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // What the server says before it closes (an error page, a close frame) is its own business.
        (what, thread::spawn(move || stream.read_to_end(&mut Vec::new())))
    });
    for (what, end) in waiting {
        match end.join().unwrap() {
            Ok(_bytes) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{what}: the server still holds the connection after a minute: {error}"),
        }
    }
    assert_eq!(fetch(hearth.http(), "/healthz", &[]).status, 200);
}

#[test]
fn a_request_that_is_no_http_is_refused() {
    let hearth = Hearth::start();
    let answer = exchange(hearth.http(), "HELO example\r\n\r\n");
    assert_eq!(answer.status, 400);
    let long = "x".repeat(1 << 20);
    let mut stream = TcpStream::connect(hearth.http()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may close before it has read all of it.
    let _sent = stream.write_all(format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n\r\n").as_bytes());
    let mut bytes = Vec::new();
    let _received = stream.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP/1.1 200"), "a head of a megabyte is not taken");
    assert_eq!(fetch(hearth.http(), "/healthz", &[]).status, 200);
}

/// The files beside the index that it names and whose names carry a hash.
fn hashed_files(index: &Answer) -> Vec<String> {
    let text = index.text();
    let mut files: Vec<String> = text
        // The built page has no more quotes than HTML needs.
        .split(['"', '\'', '=', ' ', '>'])
        .map(|part| part.trim_start_matches("./"))
        .filter(|part| {
            let stem = part.rsplit_once('.').map(|(stem, _ending)| stem.trim_end_matches("_bg"));
            let hash = stem.and_then(|stem| stem.rsplit('-').next());
            hash.is_some_and(|hash| hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    files
}
