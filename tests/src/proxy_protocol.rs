//! The PROXY protocol: believed from those who are trusted, and bad bytes from everybody else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hearth_protocol::packet::Packet;
use hearth_protocol::{ReasonCode, Version};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::hearth::{Hearth, HearthCommand};
use crate::process::PATIENCE;
use crate::wire::{Wire, connect, encoded};

/// Addresses for documentation, which nobody has (RFC 5737, RFC 3849).
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 40001 1883\r\n";
const V1_IPV6: &[u8] = b"PROXY TCP6 2001:db8::1 2001:db8::2 40002 1883\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(source: [u8; 4], port: u16) -> Vec<u8> {
    // A unique id follows the addresses, which nobody here needs.
    let addresses = [&source[..], &[198, 51, 100, 1], &port.to_be_bytes(), &[0x07, 0x5b]].concat();
    let block = [&addresses[..], &[5, 0, 1, 7]].concat();
    [SIGNATURE, &[0x21, 0x11, 0, block.len() as u8], &block].concat()
}

/// What a proxy says when it comes for itself.
pub const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[test]
fn the_address_of_a_trusted_header_is_the_clients_in_every_version() {
    let hearth = trusting("127.0.0.1");
    for (client_id, header, address) in [
        ("text", V1.to_vec(), "192.0.2.1:40001"),
        ("text-6", V1_IPV6.to_vec(), "[2001:db8::1]:40002"),
        ("binary", v2([192, 0, 2, 3], 40_003), "192.0.2.3:40003"),
        ("itself", LOCAL.to_vec(), "127.0.0.1:"),
        ("unknown", b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1:"),
    ] {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(&header);
        wire.send(&Packet::Connect(Box::new(connect(Version::V5, client_id))));
        assert!(matches!(wire.next(), Packet::ConnAck(_)), "{client_id}");
        let line = hearth.wait_for_log(&[&format!("client_id={client_id} "), "connected"]);
        assert!(line.contains(&format!("address={address}")), "{line}");
    }
}

#[test]
fn a_header_may_come_byte_by_byte_and_together_with_what_follows() {
    let hearth = trusting("127.0.0.0/8");
    for header in [V1.to_vec(), v2([192, 0, 2, 1], 40_000)] {
        let packet = encoded(&Packet::Connect(Box::new(connect(Version::V311, "slow"))), Version::V311);
        let bytes = [&header[..], &packet].concat();
        let mut slow = Wire::open(hearth.mqtt(), Version::V311);
        for byte in &bytes {
            slow.send_bytes(&[*byte]);
        }
        assert!(matches!(slow.next(), Packet::ConnAck(_)));
        let mut fast = Wire::open(hearth.mqtt(), Version::V311);
        fast.send_bytes(&bytes);
        assert!(matches!(fast.next(), Packet::ConnAck(_)));
    }
}

#[test]
fn from_those_who_are_not_trusted_a_header_is_bad_bytes_everywhere() {
    let hearth = trusting("10.0.0.0/8");
    for header in [V1.to_vec(), v2([10, 0, 0, 1], 40_000), LOCAL.to_vec()] {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(&header);
        wire.send(&Packet::Connect(Box::new(connect(Version::V5, "liar"))));
        assert_eq!(wire.read_to_end(), b"", "not even a CONNACK");
        for address in [hearth.http(), hearth.ws()] {
            let answer = exchange(address, &[&header[..], b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
            assert!(!answer.contains("200 OK") && !answer.contains("101 Switching"), "{answer}");
        }
    }
    assert!(!hearth.stderr().contains("192.0.2.1"), "a claim of theirs stands nowhere");
    assert!(!hearth.stderr().contains("client_id=liar"), "{}", hearth.stderr());
}

#[test]
fn a_trusted_proxy_must_say_for_whom_it_comes() {
    let hearth = trusting("127.0.0.1");
    let bad_length = [SIGNATURE, &[0x21, 0x11, 0, 4, 192, 0, 2, 1]].concat();
    let long_line = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    for bytes in [
        encoded(&Packet::Connect(Box::new(connect(Version::V5, "bare"))), Version::V5).to_vec(),
        b"PROXY TCP4 nonsense\r\n".to_vec(),
        bad_length,
        long_line,
    ] {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(&bytes);
        assert_eq!(wire.read_to_end(), b"", "{bytes:02x?}");
    }
    assert_eq!(exchange(hearth.http(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "");
    let line = hearth.wait_for_log(&["proxy_protocol.trusted", "turned away"]);
    assert!(line.contains("address=Some(127.0.0.1:"), "{line}");
}

#[test]
fn the_web_app_and_websockets_come_through_a_proxy_too() {
    let hearth = trusting("127.0.0.1");
    let request = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = exchange(hearth.http(), &[V1, request].concat());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    for (address, path) in [(hearth.http(), "/mqtt"), (hearth.ws(), "/")] {
        let mut socket = websocket(address, path, &v2([192, 0, 2, 9], 40_009));
        let packet = Packet::Connect(Box::new(connect(Version::V5, "page")));
        socket.send(Message::binary(encoded(&packet, Version::V5).to_vec())).unwrap();
        assert!(matches!(socket.read().unwrap(), Message::Binary(_)), "CONNACK");
        let line = hearth.wait_for_log(&["client_id=page ", "connected"]);
        assert!(line.contains("192.0.2.9:40009"), "{line}");
    }
}

#[test]
fn a_proxy_may_be_believed_on_some_listeners_alone() {
    let hearth = command("127.0.0.1").env("HEARTH_PROXY_PROTOCOL_LISTENERS", "mqtt").start();
    let answer = exchange(hearth.http(), b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    wire.send_bytes(V1);
    wire.send(&Packet::Connect(Box::new(connect(Version::V5, "through"))));
    assert!(matches!(wire.next(), Packet::ConnAck(answer) if answer.reason == ReasonCode::Success));
}

#[test]
fn the_simulated_home_lives_where_this_machine_is_a_proxy() {
    let hearth = command("127.0.0.1").args(["--demo"]).start();
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    wire.send_bytes(LOCAL);
    wire.send(&Packet::Connect(Box::new(connect(Version::V5, "watcher"))));
    assert!(matches!(wire.next(), Packet::ConnAck(_)));
    wire.subscribe("home/#", hearth_protocol::QoS::AtMostOnce);
    assert!(wire.next_publish().topic.as_str().starts_with("home/"));
}

#[test]
fn nobody_is_on_this_machine_because_the_proxy_is() {
    let hearth = command("127.0.0.1").args(["--anonymous", "local"]).start();
    let forwarded =
        [V1.to_vec(), b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n".to_vec(), b"PROXY UNKNOWN\r\n".to_vec()];
    for header in forwarded {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(&header);
        wire.send(&Packet::Connect(Box::new(connect(Version::V5, "stranger"))));
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
        assert!(answer.reason.is_failure(), "{}: {answer:?}", String::from_utf8_lossy(&header));
    }
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    wire.send_bytes(LOCAL);
    wire.send(&Packet::Connect(Box::new(connect(Version::V5, "proxy"))));
    assert!(matches!(wire.next(), Packet::ConnAck(answer) if answer.reason == ReasonCode::Success));
}

fn command(trusted: &str) -> HearthCommand {
    let any = "127.0.0.1:0";
    HearthCommand::new()
        .args(["--mqtt", any, "--http", any, "--ws", any, "--shards", "2", "--log", "info,hearth=debug"])
        .env("HEARTH_ANONYMOUS", "yes")
        .env("HEARTH_PROXY_PROTOCOL_TRUSTED", trusted)
}

#[track_caller]
fn trusting(trusted: &str) -> Hearth {
    command(trusted).start()
}

/// Sends bytes and gives everything up to the end of the connection.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is the end as well.
    let _ended = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A WebSocket whose TCP connection begins with `header`.
#[track_caller]
pub fn websocket(address: SocketAddr, path: &str, header: &[u8]) -> WebSocket<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(header).unwrap();
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    tungstenite::client(request, stream).expect("the broker takes the handshake").0
}
