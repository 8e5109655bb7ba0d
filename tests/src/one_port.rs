//! One port for everything: MQTT, the web app and MQTT over WebSocket, told apart by their first byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, ReasonCode, Version};
use tempfile::TempDir;
use tungstenite::Message;

use crate::hearth::{Hearth, HearthCommand};
use crate::http::{fetch, upgrade};
use crate::mosquitto::{Subscriber, V5, VERSIONS, publish};
use crate::process::PATIENCE;
use crate::proxy_protocol::{LOCAL, exchange, websocket};
use crate::wire::{Wire, connect, encoded};

/// What every TLS client says first: a handshake record with a ClientHello, as far as it matters here.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03";

/// For documentation (RFC 5737): nobody has this address.
const PROXIED: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 40001 1883\r\n";

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn the_page_and_mosquitto_and_a_websocket_meet_on_one_port() {
    let hearth = start(&[]);
    let port = hearth.one();
    let page = fetch(port, "/", &[]);
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("<title>Hearth"), "the web app");
    let mut socket = websocket(port, "/mqtt", b"");
    let mut say = |packet: &[u8]| {
        socket.send(Message::binary(packet.to_vec())).unwrap();
        socket.read().unwrap().into_data()
    };
    let connack = say(&encoded(&Packet::Connect(Box::new(connect(Version::V311, "page"))), Version::V311));
    assert_eq!(connack[..], *b"\x20\x02\0\0");
    let suback = say(b"\x82\x0a\0\x01\0\x05one/#\0");
    assert_eq!(suback[..], *b"\x90\x03\0\x01\0");
    for version in VERSIONS {
        let mut subscriber = Subscriber::start(port, version, &["-t", "one/#", "-q", "1"]);
        publish(port, version, &["-t", "one/x", "-m", version.0, "-q", "1"]);
        subscriber.expect(1, false, &format!("one/x {}", version.0));
        let heard = socket.read().unwrap().into_data();
        assert!(heard.ends_with(version.0.as_bytes()), "{heard:02x?}");
    }
}

#[test]
fn the_first_bytes_may_come_one_by_one_and_together() {
    let hearth = start(&[]);
    let hello = encoded(&Packet::Connect(Box::new(connect(Version::V5, ""))), Version::V5).to_vec();
    let handshake = b"GET /mqtt HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    for (bytes, answer) in [
        (&hello[..], &b"\x20"[..]),
        (HEALTH, b"HTTP/1.1 200 OK\r\n"),
        (handshake, b"HTTP/1.1 101 Switching Protocols\r\n"),
    ] {
        for first in 0..bytes.len() {
            assert_answer(hearth.one(), [&bytes[..first], &bytes[first..]], answer);
        }
        assert_answer(hearth.one(), bytes.chunks(1), answer);
    }
}

#[test]
fn a_proxy_says_for_whom_it_comes_before_each_of_them() {
    let hearth = start(&[("HEARTH_PROXY_PROTOCOL_TRUSTED", "127.0.0.1"), ("HEARTH_ANONYMOUS", "yes")]);
    let mut wire = Wire::open(hearth.one(), Version::V5);
    wire.send_bytes(PROXIED);
    wire.send(&Packet::Connect(Box::new(connect(Version::V5, "lamp"))));
    assert!(matches!(wire.next(), Packet::ConnAck(answer) if answer.reason == ReasonCode::Success));
    let line = hearth.wait_for_log(&["client_id=lamp ", "connected"]);
    assert!(line.contains("192.0.2.1:40001"), "{line}");
    let answer = exchange(hearth.one(), &[PROXIED, HEALTH].concat());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut socket = websocket(hearth.one(), "/mqtt", PROXIED);
    let packet = Packet::Connect(Box::new(connect(Version::V5, "panel")));
    socket.send(Message::binary(encoded(&packet, Version::V5).to_vec())).unwrap();
    assert!(matches!(socket.read().unwrap(), Message::Binary(_)), "CONNACK");
    let line = hearth.wait_for_log(&["client_id=panel ", "connected"]);
    assert!(line.contains("192.0.2.1:40001"), "{line}");
    let mut bare = Wire::open(hearth.one(), Version::V5);
    bare.send(&Packet::Connect(Box::new(connect(Version::V5, "bare"))));
    assert_eq!(bare.read_to_end(), b"", "a proxy that does not say for whom it comes");
}

#[test]
fn a_header_of_those_who_are_not_trusted_is_no_request_and_no_connect() {
    let hearth = start(&[("HEARTH_PROXY_PROTOCOL_TRUSTED", "10.0.0.0/8")]);
    let hello = encoded(&Packet::Connect(Box::new(connect(Version::V5, "liar"))), Version::V5);
    for header in [PROXIED, LOCAL] {
        for follows in [&hello[..], HEALTH] {
            let answer = exchange(hearth.one(), &[header, follows].concat());
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
    }
    assert!(!hearth.stderr().contains("192.0.2.1"), "a claim of theirs stands nowhere");
    assert!(!hearth.stderr().contains("client_id=liar"), "{}", hearth.stderr());
}

#[test]
fn tls_is_told_that_it_is_not_served_and_the_log_says_so() {
    let hearth = start(&[]);
    for sent in [&CLIENT_HELLO[..1], CLIENT_HELLO] {
        let mut stream = TcpStream::connect(hearth.one()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(sent).unwrap();
        let mut alert = Vec::new();
        stream.read_to_end(&mut alert).unwrap();
        // A fatal alert, handshake_failure.
        assert_eq!(alert, [0x15, 3, 3, 0, 2, 2, 40]);
    }
    let line = hearth.wait_for_log(&["speaks TLS", "without TLS"]);
    assert!(line.contains("127.0.0.1:") && line.contains("one.listen"), "{line}");
    assert_eq!(refusals(&hearth, b"", "one.listen"), 2);
}

#[test]
fn who_says_nothing_or_not_enough_in_time_is_let_go() {
    let hearth =
        start(&[("HEARTH_LIMITS_CONNECT_SECONDS_MAX", "1"), ("HEARTH_LIMITS_HTTP_HEAD_SECONDS_MAX", "1")]);
    for bytes in [&b""[..], b"\x10", b"\x10\x40\0\x04MQTT"] {
        assert_eq!(exchange(hearth.one(), bytes), "", "{bytes:02x?}");
    }
    assert_eq!(refusals(&hearth, b"", "limits.connect_seconds_max"), 3);
    for bytes in [&b"G"[..], b"GET /healthz HTTP/1.1\r\nHos"] {
        let answer = exchange(hearth.one(), bytes);
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(refusals(&hearth, b"", "limits.http_head_seconds_max"), 2);
}

#[test]
fn the_bounds_of_an_address_hold_for_whatever_it_speaks() {
    let hearth = start(&[
        ("HEARTH_PROXY_PROTOCOL_TRUSTED", "127.0.0.1"),
        ("HEARTH_ANONYMOUS", "yes"),
        ("HEARTH_LIMITS_CONNECTIONS_PER_ADDRESS_MAX", "1"),
        ("HEARTH_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS_MAX", "4"),
    ]);
    let hello = |client_id| {
        let mut wire = Wire::open(hearth.one(), Version::V5);
        wire.send_bytes(PROXIED);
        wire.send(&Packet::Connect(Box::new(connect(Version::V5, client_id))));
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
        (wire, answer.reason)
    };
    let (_first, reason) = hello("first");
    assert_eq!(reason, ReasonCode::Success);
    assert_eq!(hello("second").1, ReasonCode::QuotaExceeded);
    let mut answers = (0..200).map(|_| exchange(hearth.one(), &[PROXIED, HEALTH].concat()));
    assert!(answers.any(|answer| answer.starts_with("HTTP/1.1 503 ")), "requests come too fast from there");
    assert!(refusals(&hearth, LOCAL, "limits.connects_per_second_per_address_max") > 0);
    assert_eq!(refusals(&hearth, LOCAL, "limits.connections_per_address_max"), 1);
}

#[test]
fn pages_of_strange_sites_are_kept_out_and_those_of_allowed_ones_are_not() {
    let hearth = start(&[("HEARTH_HTTP_ALLOWED_ORIGINS", "https://panel.example")]);
    for (origin, status) in [("https://evil.example", 403), ("https://panel.example", 101)] {
        let answer =
            upgrade(hearth.one(), "/mqtt", &[("Sec-WebSocket-Protocol", "mqtt"), ("Origin", origin)]);
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[test]
fn what_begins_like_nothing_that_is_served_ends_the_connection_and_nothing_else() {
    let hearth = start(&[]);
    let mut witness = Wire::connect(hearth.one(), connect(Version::V5, "witness")).0;
    for bytes in
        [&b"\0\0\0\0"[..], b"\xff\xff\xff\xff\xff", b"SSH-2.0-x\r\n\r\n", b"\xc0\0", b"\x80\x2e\x01\0\x02"]
    {
        let answer = exchange(hearth.one(), bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{bytes:02x?}: {answer}");
    }
    witness.assert_quiet();
}

#[test]
fn the_simulated_home_lives_on_one_port_alone() {
    let hearth = command(&[]).args(["--demo"]).start();
    let mut wire = Wire::connect(hearth.one(), connect(Version::V5, "watcher")).0;
    wire.subscribe("home/#", QoS::AtMostOnce);
    assert!(wire.next_publish().topic.as_str().starts_with("home/"));
}

#[cfg(unix)]
#[test]
fn a_unix_socket_may_be_the_one_port() {
    use std::os::unix::net::UnixStream;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("one.sock");
    let unix = format!("unix:{}", path.display());
    let _hearth = HearthCommand::new()
        .args(["--mqtt", "none", "--http", "none", "--ws", "none", "--one", &unix, "--shards", "2"])
        .start();
    let hello = encoded(&Packet::Connect(Box::new(connect(Version::V311, "file"))), Version::V311).to_vec();
    for (bytes, expected) in [(&hello[..], &b"\x20\x02\0\0"[..]), (HEALTH, b"HTTP/1.1 200 OK\r\n")] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected);
    }
}

#[test]
fn what_is_retained_there_waits_for_the_next_one_who_comes() {
    let hearth = start(&[]);
    publish(hearth.one(), V5, &["-t", "kept", "-m", "yes", "-q", "2", "-r"]);
    Subscriber::start(hearth.one(), V5, &["-t", "kept", "-q", "2"]).expect(2, true, "kept yes");
}

/// A broker with nothing but the one port.
fn command(variables: &[(&str, &str)]) -> HearthCommand {
    let command = HearthCommand::new()
        .args(["--mqtt", "none", "--http", "none", "--ws", "none", "--one", "127.0.0.1:0"])
        .args(["--shards", "2", "--log", "info,hearth=debug"]);
    variables.iter().fold(command, |command, (name, value)| command.env(name, value))
}

#[track_caller]
fn start(variables: &[(&str, &str)]) -> Hearth {
    command(variables).start()
}

/// Sends the parts one by one, and reads as much as the answer is long.
#[track_caller]
fn assert_answer<'a>(address: SocketAddr, parts: impl IntoIterator<Item = &'a [u8]>, expected: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    for part in parts {
        stream.write_all(part).unwrap();
    }
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, expected, "{}", String::from_utf8_lossy(&answer));
}

/// How often a setting has turned somebody away, as the broker tells.
#[track_caller]
fn refusals(hearth: &Hearth, header: &[u8], setting: &str) -> u64 {
    let request = b"GET /api/v1/door HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = exchange(hearth.one(), &[header, request].concat());
    let (_, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("the door tells how it is: {answer}"));
    let door: serde_json::Value = serde_json::from_str(body).unwrap();
    door["refused"][setting].as_u64().unwrap_or(0)
}
