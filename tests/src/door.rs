//! The bounds of the door: who comes too often, too fast or too slowly is told so, and everybody else is served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hearth_protocol::packet::{ConnAck, Packet};
use hearth_protocol::{ReasonCode, Version};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::hearth::{Hearth, HearthCommand};
use crate::process::PATIENCE;
use crate::proxy_protocol::{LOCAL, exchange, websocket};
use crate::wire::{Wire, connect, encoded};

#[test]
fn the_last_place_of_the_whole_broker_is_the_last_until_somebody_goes() {
    let hearth = start(&[("CONNECTIONS_MAX", "2")]);
    let first = hello(hearth.mqtt(), LOCAL, Version::V5, "first").0;
    let _second = hello(hearth.mqtt(), LOCAL, Version::V311, "second");
    assert_eq!(hello(hearth.mqtt(), LOCAL, Version::V5, "third").1.reason, ReasonCode::QuotaExceeded);
    assert_eq!(hello(hearth.mqtt(), LOCAL, Version::V311, "third").1.reason, ReasonCode::ServerUnavailable);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while hello(hearth.mqtt(), LOCAL, Version::V5, "third").1.reason != ReasonCode::Success {
        assert!(Instant::now() < deadline, "the place of the first one is free");
    }
}

#[test]
fn one_address_may_not_take_every_place_and_others_do_not_suffer() {
    let hearth = start(&[("CONNECTIONS_PER_ADDRESS_MAX", "2")]);
    let first = hello(hearth.mqtt(), &from("192.0.2.1"), Version::V5, "1").0;
    let _second = hello(hearth.mqtt(), &from("192.0.2.1"), Version::V5, "2");
    for (version, reason) in
        [(Version::V5, ReasonCode::QuotaExceeded), (Version::V311, ReasonCode::ServerUnavailable)]
    {
        let (mut wire, answer) = hello(hearth.mqtt(), &from("192.0.2.1"), version, "third");
        assert_eq!(answer.reason, reason, "{version}");
        assert_eq!(wire.read_to_end(), b"", "and then the connection ends");
    }
    let line = hearth.wait_for_log(&["turned away", "limits.connections_per_address_max"]);
    assert!(line.contains("192.0.2.1:") && line.contains("third"), "{line}");
    assert_eq!(hello(hearth.mqtt(), &from("192.0.2.2"), Version::V5, "other").1.reason, ReasonCode::Success);
    assert_eq!(hello(hearth.mqtt(), LOCAL, Version::V5, "proxy").1.reason, ReasonCode::Success);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while hello(hearth.mqtt(), &from("192.0.2.1"), Version::V5, "third").1.reason != ReasonCode::Success {
        assert!(Instant::now() < deadline, "the place of the first one is free");
    }
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    let hearth = start(&[("CONNECTIONS_PER_ADDRESS_MAX", "1")]);
    let _first = hello(hearth.mqtt(), &from("2001:db8::1"), Version::V5, "1");
    let second = hello(hearth.mqtt(), &from("2001:db8::ffff:1"), Version::V5, "2");
    assert_eq!(second.1.reason, ReasonCode::QuotaExceeded);
    let next_network = hello(hearth.mqtt(), &from("2001:db8:0:1::1"), Version::V5, "3");
    assert_eq!(next_network.1.reason, ReasonCode::Success);
}

#[test]
fn a_websocket_is_turned_away_with_a_whole_packet_in_a_frame_and_a_close_frame() {
    let hearth = start(&[("CONNECTIONS_PER_ADDRESS_MAX", "1")]);
    let _first = hello(hearth.mqtt(), &from("192.0.2.1"), Version::V5, "1");
    let mut socket = websocket(hearth.ws(), "/", &from("192.0.2.1"));
    let packet = Packet::Connect(Box::new(connect(Version::V311, "2")));
    socket.send(Message::binary(encoded(&packet, Version::V311).to_vec())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary(vec![0x20, 2, 0, 3]));
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("a close frame comes") };
    assert_eq!(close.code, CloseCode::Again);
}

#[test]
fn those_who_come_too_fast_are_told_so_in_their_version_and_the_log_is_not_flooded() {
    let hearth = start(&[("CONNECTS_PER_SECOND_PER_ADDRESS_MAX", "2")]);
    let mut refused = 0;
    for number in 0..60 {
        let version = [Version::V31, Version::V311, Version::V5][number % 3];
        let (_, answer) = hello(hearth.mqtt(), &from("192.0.2.1"), version, &number.to_string());
        if answer.reason == ReasonCode::Success {
            continue;
        }
        refused += 1;
        let expected = match version {
            Version::V5 => ReasonCode::ConnectionRateExceeded,
            Version::V31 | Version::V311 => ReasonCode::ServerUnavailable,
        };
        assert_eq!(answer.reason, expected, "{version}");
        let says_why = answer.properties.reason_string.is_some_and(|it| it.contains("_per_address_max"));
        assert_eq!(says_why, version == Version::V5);
    }
    // Sixty in a row take less than half a minute on any machine.
    assert!(refused > 0);
    assert_eq!(refusals(&hearth, "limits.connects_per_second_per_address_max"), refused);
    assert_eq!(hello(hearth.mqtt(), &from("192.0.2.2"), Version::V5, "other").1.reason, ReasonCode::Success);
    let log = hearth.stderr();
    let lines = log.lines().filter(|line| line.contains("connects_per_second_per_address_max")).count();
    assert!((1..=4).contains(&lines), "a line each ten seconds at most: {log}");
}

#[test]
fn a_storm_on_all_listeners_is_slowed_and_the_broker_answers_on() {
    let hearth = start(&[("CONNECTS_PER_SECOND_MAX", "20")]);
    let mut witness = hello(hearth.mqtt(), LOCAL, Version::V5, "witness").0;
    for _ in 0..1000 {
        drop(TcpStream::connect(hearth.mqtt()).unwrap());
    }
    witness.assert_quiet();
    let deadline = Instant::now() + PATIENCE;
    while refusals(&hearth, "limits.connects_per_second_max") == 0 {
        assert!(Instant::now() < deadline, "a thousand come faster than twenty a second");
    }
    while !exchange(hearth.http(), &[LOCAL, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"].concat())
        .starts_with("HTTP/1.1 503 Service Unavailable\r\n")
    {
        assert!(Instant::now() < deadline, "of pages that come too fast some are told so");
    }
    while hello(hearth.mqtt(), LOCAL, Version::V5, "late").1.reason != ReasonCode::Success {
        assert!(Instant::now() < deadline, "after the storm everybody is served");
    }
}

#[test]
fn who_does_not_say_in_time_who_it_is_is_let_go() {
    let hearth = start(&[("CONNECT_SECONDS_MAX", "1")]);
    let whole = encoded(&Packet::Connect(Box::new(connect(Version::V5, "slow"))), Version::V5);
    // Without a header, a client id, or the end of CONNECT.
    for bytes in
        [&b""[..], LOCAL, &[LOCAL, &whole[..4]].concat(), &[LOCAL, &b"\x10\x40"[..], &whole[2..]].concat()]
    {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(bytes);
        assert_eq!(wire.read_to_end(), b"", "{bytes:02x?}");
    }
    let mut socket = websocket(hearth.ws(), "/", LOCAL);
    assert!(socket.read().is_err(), "a WebSocket without CONNECT ends as well");
    hearth.wait_for_log(&["turned away", "limits.connect_seconds_max"]);
    assert!(refusals(&hearth, "limits.connect_seconds_max") >= 4);
    let (_wire, answer) = hello(hearth.mqtt(), LOCAL, Version::V5, "quick");
    assert_eq!(answer.reason, ReasonCode::Success);
}

#[test]
fn those_who_say_nothing_make_others_wait_and_not_longer_than_their_own_time() {
    let hearth = start(&[("HALF_OPEN_MAX", "2"), ("CONNECT_SECONDS_MAX", "2")]);
    let _silent = [(); 2].map(|()| TcpStream::connect(hearth.mqtt()).unwrap());
    let (_wire, answer) = hello(hearth.mqtt(), LOCAL, Version::V5, "patient");
    assert_eq!(answer.reason, ReasonCode::Success);
    assert!(refusals(&hearth, "limits.half_open_max") > 0, "the log and the counter tell of the wait");
}

#[test]
fn a_request_that_comes_letter_by_letter_ends_and_an_idle_browser_is_no_matter() {
    let hearth = start(&[("HTTP_HEAD_SECONDS_MAX", "1")]);
    let idle = exchange(hearth.http(), &[LOCAL, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
    assert!(idle.starts_with("HTTP/1.1 200"), "{idle}");
    assert_eq!(refusals(&hearth, "limits.http_head_seconds_max"), 0);
    let slow = exchange(hearth.http(), &[LOCAL, b"GET /healthz HTTP/1.1\r\nHos"].concat());
    assert!(!slow.contains("200"), "{slow}");
    hearth.wait_for_log(&["turned away", "limits.http_head_seconds_max"]);
}

#[test]
fn a_page_beyond_the_last_place_is_told_to_come_again() {
    let hearth = start(&[("HTTP_CONNECTIONS_MAX", "1")]);
    let mut first = TcpStream::connect(hearth.http()).unwrap();
    first.write_all(&[LOCAL, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"].concat()).unwrap();
    first.read_exact(&mut [0; 16]).unwrap();
    let second = exchange(hearth.http(), &[LOCAL, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"].concat());
    assert!(second.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{second}");
    assert!(second.contains("Retry-After: 1\r\n"), "{second}");
    drop(first);
    assert_eq!(refusals(&hearth, "limits.http_connections_max"), 1);
}

#[test]
fn a_reader_that_takes_nothing_of_its_responses_is_given_up() {
    let hearth = start(&[("HTTP_WRITE_SECONDS_MAX", "1")]);
    let mut stream = TcpStream::connect(hearth.http()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    stream.write_all(LOCAL).unwrap();
    let requests = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
    let deadline = Instant::now() + PATIENCE;
    // Until the broker reads no more, since nobody reads its responses, and then gives up.
    while stream
        .write_all(&requests)
        .map_or_else(|error| error.kind() == std::io::ErrorKind::WouldBlock, |()| true)
    {
        assert!(Instant::now() < deadline, "the broker gives up");
    }
    hearth.wait_for_log(&["turned away", "limits.http_write_seconds_max"]);
}

/// What it says for a client with an address: this machine is a proxy here, so that the tests can have any.
fn from(ip: &str) -> Vec<u8> {
    let family = if ip.contains(':') { "TCP6" } else { "TCP4" };
    format!("PROXY {family} {ip} {ip} 40000 1883\r\n").into_bytes()
}

/// A broker with these bounds, which takes this machine for a proxy.
#[track_caller]
fn start(limits: &[(&str, &str)]) -> Hearth {
    let any = "127.0.0.1:0";
    let mut command = HearthCommand::new()
        .args(["--mqtt", any, "--http", any, "--ws", any, "--shards", "2", "--anonymous", "yes"])
        .env("HEARTH_PROXY_PROTOCOL_TRUSTED", "127.0.0.1");
    for (name, value) in limits {
        command = command.env(&format!("HEARTH_LIMITS_{name}"), value);
    }
    command.start()
}

/// A connection after CONNECT, and its CONNACK.
#[track_caller]
fn hello(broker: SocketAddr, header: &[u8], version: Version, client_id: &str) -> (Wire, ConnAck) {
    let mut wire = Wire::open(broker, version);
    wire.send_bytes(header);
    wire.send(&Packet::Connect(Box::new(connect(version, client_id))));
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
    (wire, *answer)
}

/// How often a setting has turned somebody away, as the broker tells.
#[track_caller]
fn refusals(hearth: &Hearth, setting: &str) -> u64 {
    let request = b"GET /api/v1/door HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = exchange(hearth.http(), &[LOCAL, request].concat());
        if let Some((head, body)) = answer.split_once("\r\n\r\n")
            && head.starts_with("HTTP/1.1 200")
        {
            let door: serde_json::Value = serde_json::from_str(body).unwrap();
            return door["refused"][setting].as_u64().unwrap_or(0);
        }
        assert!(Instant::now() < deadline, "the door tells how it is: {answer}");
    }
}
