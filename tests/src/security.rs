//! What is known to have hurt MQTT brokers, against this one; docs/security.md says which attack is shown where.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::encode;
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, PublishAck, PublishProperties, Subscribe,
    SubscribeProperties, Subscription, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, ReasonCode, Text, TopicName, Version};

use crate::hearth::{Hearth, HearthCommand};
use crate::process::PATIENCE;
use crate::wire::{Wire, connect, message, topic_filter};

const MIB: u64 = 1 << 20;

/// Connections that are open at once; both ends fit into the 1,024 files that many systems allow.
const CROWD: usize = 400;

#[test]
fn what_a_stranger_claims_before_connect_costs_no_memory() {
    let hearth = Hearth::start();
    assert_served(hearth.mqtt(), "before");
    let before = hearth.resident_bytes();
    // 256 MiB, 16 MiB and a little below; of packets that may come first and of such that may not.
    let claims: [&[u8]; 7] = [
        b"\x10\xff\xff\xff\x7f\x00\x04MQTT",
        b"\x10\xf0\xff\xff\x07\x00\x04MQTT\x05\x02\x00\x00\xd0\xff\xff\x07\x26\xff\xff",
        b"\x10\xff\xff\xff\x07\x00\x04MQTT\x04\x02\x00\x00\xff\xff",
        b"\x30\xff\xff\xff\x7f\xff\xff",
        b"\x82\xff\xff\xff\x7f\x00\x01",
        b"\xe0\xff\xff\xff\x7f\x00",
        b"\xf0\xff\xff\xff\xff\xff\xff\xff",
    ];
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
        // Some are closed at once, and the reset that follows is no failure of the attack.
        let _sent = stream.write_all(claims[number % claims.len()]);
        crowd.push(stream);
    }
    assert_served(hearth.mqtt(), "meanwhile");
    if let (Some(before), Some(now)) = (before, hearth.resident_bytes()) {
        let grown = now.saturating_sub(before);
        // What was claimed is above 20 GiB; 32 KiB for each connection would be 13 MiB.
        assert!(grown < 32 * MIB, "{CROWD} claims cost {} KiB", grown >> 10);
    }
}

#[test]
fn who_is_slow_to_say_who_he_is_is_closed_and_keeps_nobody_out() {
    let hearth = Hearth::start();
    let silent = || TcpStream::connect(hearth.mqtt()).unwrap();
    let crowd: Vec<TcpStream> = (0..CROWD).map(|_| silent()).collect();
    assert_served(hearth.mqtt(), "beside a crowd that says nothing");
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a";
    let upgrade = b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let drops: [(SocketAddr, &[u8]); 4] = [
        (hearth.mqtt(), connect),
        (hearth.http(), b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
        (hearth.ws(), b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"),
        (hearth.ws(), upgrade),
    ];
    thread::scope(|scope| {
        for (server, bytes) in drops {
            scope.spawn(move || assert_closed_though_bytes_drip(server, bytes));
        }
    });
    for mut stream in crowd {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0, "the silent are closed without a word");
    }
}

#[test]
fn connections_that_say_nothing_take_no_time_of_the_processor() {
    let hearth = Hearth::start();
    let beginnings: [&[u8]; 3] = [b"", b"\x10", b"\x10\x0d\x00\x04MQ"];
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
        stream.write_all(beginnings[number % beginnings.len()]).unwrap();
        crowd.push(stream);
    }
    assert_served(hearth.mqtt(), "beside them");
    let before = hearth.processor_time();
    // A loop that waits for nothing would take most of it, and an idle broker takes a hundredth.
    thread::sleep(Duration::from_secs(2));
    if let (Some(before), Some(now)) = (before, hearth.processor_time()) {
        assert!(now - before < Duration::from_millis(300), "{:?} of two seconds", now - before);
    }
}

#[test]
fn a_head_of_a_request_that_is_longer_than_any_browser_sends_is_refused() {
    let any = "127.0.0.1:0";
    // Its time is not what ends it.
    let hearth = HearthCommand::new()
        .args(["--mqtt", any, "--http", any, "--ws", any])
        .env("HEARTH_LIMITS_HTTP_HEAD_SECONDS_MAX", "3600")
        .env("HEARTH_LIMITS_CONNECT_SECONDS_MAX", "3600")
        .start();
    for server in [hearth.http(), hearth.ws()] {
        let mut stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = b"GET /mqtt HTTP/1.1\r\nHost: a\r\nX-Long: ".to_vec();
        head.resize(1 << 20, b'a');
        // Closed in the middle, or answered at its end.
        let _sent = stream.write_all(&head);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{server} waits for more");
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{server}: {answer}");
        let mut stream = TcpStream::connect(server).unwrap();
        stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0, "{server} answers the next one");
    }
}

#[test]
fn a_client_id_behind_more_than_any_honest_client_says_is_not_waited_for() {
    let hearth = Hearth::start();
    let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // 8 MiB of properties, which stand before the client id.
    let mut bytes = b"\x10\xff\xff\xff\x03\x00\x04MQTT\x05\x02\x00\x00\x80\x80\x80\x04".to_vec();
    bytes.extend(b"\x26\x00\x01a\x00\x01b".repeat(100_000));
    let sent = stream.write_all(&bytes).and_then(|()| stream.read(&mut [0]));
    assert!(matches!(sent, Ok(0) | Err(_)), "{sent:?}");
    assert_served(hearth.mqtt(), "afterwards");
}

#[test]
fn a_stranger_cannot_send_megabytes_before_it_is_let_in() {
    let any = "127.0.0.1:0";
    // Its time is not what ends it.
    let hearth = HearthCommand::new()
        .args(["--mqtt", any, "--http", any, "--ws", any])
        .env("HEARTH_LIMITS_CONNECT_SECONDS_MAX", "3600")
        .start();
    let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The client id comes soon, then four MiB of properties of a will begin.
    let mut bytes = b"\x10\x80\x80\x80\x02\x00\x04MQTT\x05\x06\x00\x3c\x00\x00\x01a\xf0\xff\xff\x01".to_vec();
    bytes.extend(b"\x26\x00\x01a\x00\x01b".repeat(100_000));
    // Closed in the middle.
    let _sent = stream.write_all(&bytes);
    let end = stream.read(&mut [0; 64]);
    let is_closed = match &end {
        Ok(len) => *len == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    };
    assert!(is_closed, "{end:?}");
    assert_served(hearth.mqtt(), "afterwards");
}

#[test]
fn thousands_of_user_properties_are_refused_though_they_say_nothing() {
    let hearth = Hearth::start();
    let pairs = |count| vec![(Text::EMPTY, Text::EMPTY); count].into_iter().collect::<UserProperties>();
    // More than is granted, and more than is looked at.
    for (count, is_told) in [(4_000, true), (200_000, false)] {
        let properties = ConnectProperties { user_properties: pairs(count), ..ConnectProperties::default() };
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        // In the middle of it the broker may close the connection.
        let bomb = Connect { properties, ..connect(Version::V5, "bomb") };
        let _sent = wire.try_send(&Packet::Connect(Box::new(bomb)));
        match wire.next_or_end() {
            Some(Packet::ConnAck(connack)) => assert_eq!(connack.reason, ReasonCode::QuotaExceeded),
            None => assert!(!is_told, "{count}"),
            other => panic!("{count}: {other:?}"),
        }
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "bomb"));
        let properties = PublishProperties { user_properties: pairs(count), ..PublishProperties::EMPTY };
        let publish = Publish {
            packet_id: Some(PacketId::MIN),
            properties: Some(Box::new(properties)),
            ..message("a", b"", QoS::AtLeastOnce)
        };
        wire.send(&Packet::Publish(publish));
        match wire.next_or_end() {
            Some(Packet::PubAck(puback)) => assert_eq!(puback.reason, ReasonCode::QuotaExceeded),
            Some(Packet::Disconnect(disconnect)) => {
                assert!(!is_told && disconnect.reason.is_failure(), "{count}: {disconnect:?}");
            }
            other => panic!("{count}: {other:?}"),
        }
    }
    assert_served(hearth.mqtt(), "afterwards");
}

#[test]
fn topics_of_tens_of_thousands_of_levels_are_refused_wherever_they_stand() {
    let hearth = Hearth::start();
    let deep = "/".repeat(65_000);
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "deep"));
    wire.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: ["", "#", "+"]
            .map(|end| Subscription::new(topic_filter(&format!("{deep}{end}")), QoS::AtMostOnce))
            .to_vec(),
        properties: SubscribeProperties::default(),
    }));
    let Packet::SubAck(suback) = wire.next() else { panic!("SUBACK comes") };
    assert!(suback.reasons.iter().all(|reason| reason.is_failure()), "{:?}", suback.reasons);
    let publish = message(&deep, b"", QoS::AtLeastOnce);
    wire.send(&Packet::Publish(Publish { packet_id: Some(PacketId::MIN), retain: true, ..publish }));
    let Packet::PubAck(puback) = wire.next() else { panic!("PUBACK comes") };
    assert_eq!(puback.reason, ReasonCode::TopicNameInvalid);
    let will = will(&deep, WillProperties::default());
    let mut wire = Wire::open(hearth.mqtt(), Version::V5);
    wire.send(&Packet::Connect(Box::new(Connect { will: Some(will), ..connect(Version::V5, "deep") })));
    let Packet::ConnAck(connack) = wire.next() else { panic!("CONNACK comes") };
    assert_eq!(connack.reason, ReasonCode::TopicNameInvalid);
    assert_served(hearth.mqtt(), "afterwards");
}

#[test]
fn a_packet_that_is_longer_than_its_frame_waits_for_the_next_one() {
    let hearth = Hearth::start();
    let mut listener = Wire::connect(hearth.mqtt(), connect(Version::V311, "listener")).0;
    listener.subscribe("a", QoS::AtMostOnce);
    let mut socket = websocket(hearth.ws());
    let mut bytes = BytesMut::new();
    encode(&Packet::Connect(Box::new(connect(Version::V311, "framed"))), Version::V311, &mut bytes).unwrap();
    // PUBLISH says that 4,096 bytes follow; its frame ends after three of them.
    bytes.extend_from_slice(b"\x30\x80\x20\x00\x01a");
    socket.write_all(&frame(&bytes)).unwrap();
    assert_served(hearth.mqtt(), "while a packet is not whole");
    listener.assert_quiet();
    socket.write_all(&frame(&vec![b'x'; 4093])).unwrap();
    assert_eq!(listener.next_publish().payload.len(), 4093);
    // The other way round: a frame that says that it has more than ever comes holds nobody up either.
    socket.write_all(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xc0\x00").unwrap();
    assert_served(hearth.mqtt(), "while a frame is not whole");
}

#[test]
fn of_all_who_connect_by_one_client_id_at_once_one_stays() {
    let hearth = Hearth::start();
    let rounds = 20;
    let properties = ConnectProperties { session_expiry: Some(60), ..ConnectProperties::default() };
    let connect = Connect { clean_start: false, properties, ..connect(Version::V5, "contested") };
    let taken_over = thread::scope(|scope| {
        let fighters: Vec<_> = (0..8)
            .map(|_| {
                let connect = connect.clone();
                let broker = hearth.mqtt();
                scope.spawn(move || (0..rounds).filter(|_| fight(broker, &connect)).count())
            })
            .collect();
        fighters.into_iter().map(|fighter| fighter.join().unwrap()).sum::<usize>()
    });
    assert!(taken_over > 0, "nobody met anybody");
    let (mut last, connack) = Wire::connect(hearth.mqtt(), connect.clone());
    assert!(connack.session_present, "the session went from hand to hand");
    last.assert_quiet();
    assert_served(hearth.mqtt(), "afterwards");
}

#[test]
fn a_will_to_the_topics_of_its_own_session_comes_once_and_stirs_no_other() {
    let hearth = Hearth::start();
    let properties = ConnectProperties { session_expiry: Some(60), ..ConnectProperties::default() };
    let connect = Connect {
        clean_start: false,
        will: Some(will("loop", WillProperties::default())),
        properties,
        ..connect(Version::V5, "ouroboros")
    };
    for round in 0..5 {
        let (mut wire, connack) = Wire::connect(hearth.mqtt(), connect.clone());
        assert_eq!(connack.session_present, round > 0);
        if round > 0 {
            let publish = wire.next_publish();
            assert_eq!(publish.topic.as_str(), "loop", "the will of the connection before");
            wire.send(&Packet::PubAck(PublishAck::success(publish.packet_id.unwrap())));
        } else {
            wire.subscribe("loop", QoS::AtLeastOnce);
        }
        wire.assert_quiet();
        wire.reset();
    }
}

#[test]
fn subscribing_and_leaving_again_and_again_leaves_no_memory_behind() {
    let hearth = Hearth::start();
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "restless"));
    churn(&mut wire, 2_000);
    let before = hearth.resident_bytes();
    churn(&mut wire, 20_000);
    wire.assert_quiet();
    if let (Some(before), Some(now)) = (before, hearth.resident_bytes()) {
        let grown = now.saturating_sub(before);
        assert!(grown < 16 * MIB, "20,000 filters that are gone hold {} KiB", grown >> 10);
    }
}

#[test]
fn refused_connects_leave_no_connection_behind() {
    let hearth = Hearth::start();
    assert_served(hearth.mqtt(), "before");
    let before = hearth.open_files();
    for _ in 0..CROWD {
        // 3.1.1 without a client id and without a clean session.
        let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"\x20\x02\x00\x02", "refused and closed");
    }
    if let (Some(before), Some(now)) = (before, hearth.open_files()) {
        assert!(now <= before + 8, "{now} files are open, {before} before");
    }
}

#[test]
fn every_test_that_the_table_of_attacks_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| attack");
    let rows: Vec<&str> = table.lines().filter(is_row).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let mut named = 0;
    for row in rows {
        let tests: Vec<(&str, &str)> =
            row.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")).collect();
        assert!(!tests.is_empty(), "a row without a test: {row}");
        for (file, test) in tests {
            let source = std::fs::read_to_string(root.join(format!("{file}.rs")))
                .unwrap_or_else(|error| panic!("{file}.rs: {error}"));
            let place = source.find(&format!("fn {test}("));
            let place = place.unwrap_or_else(|| panic!("there is no test {test} in {file}.rs"));
            let before = &source[..place];
            let is_test = before.lines().rev().take(4).any(|line| line.contains("test]"));
            assert!(is_test, "{test} in {file}.rs is no test");
            named += 1;
        }
    }
    assert!(named > 50, "{named} tests are named");
}

/// A newcomer is served over the whole way.
#[track_caller]
fn assert_served(broker: SocketAddr, when: &str) {
    let (mut wire, _) = Wire::connect(broker, connect(Version::V5, &format!("guest {when}")));
    wire.subscribe("guests", QoS::AtLeastOnce);
    wire.send(&Packet::Publish(message("guests", when.as_bytes(), QoS::AtMostOnce)));
    assert_eq!(wire.next_publish().payload, when.as_bytes());
}

/// Sends a byte every half second, which keeps any reader from falling asleep, until the broker closes.
fn assert_closed_though_bytes_drip(server: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let is_upgrade = bytes.ends_with(b"\r\n\r\n") && bytes.windows(7).any(|part| part == b"Upgrade");
    // An upgrade is said at once, and then frames drip: each is an empty one.
    let drops: Vec<Vec<u8>> = if is_upgrade {
        stream.write_all(bytes).unwrap();
        let mut answer = [0; 512];
        let len = stream.read(&mut answer).unwrap();
        assert!(answer[..len].starts_with(b"HTTP/1.1 101"), "{:?}", String::from_utf8_lossy(&answer[..len]));
        (0..120).map(|_| vec![0x82, 0x80, 0, 0, 0, 0]).collect()
    } else {
        // The last byte never comes.
        let (_last, most) = bytes.split_last().unwrap();
        most.iter().map(|byte| vec![*byte]).chain((0..60).map(|_| Vec::new())).collect()
    };
    for drop in drops {
        if stream.write_all(&drop).is_err() {
            return;
        }
        match stream.read(&mut [0; 512]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
    panic!("{server} still waits for what never comes");
}

/// Connects, says a little, and tells whether another took the session away meanwhile.
fn fight(broker: SocketAddr, connect: &Connect) -> bool {
    let mut wire = Wire::open(broker, Version::V5);
    wire.send(&Packet::Connect(Box::new(connect.clone())));
    let mut is_taken_over = false;
    while let Some(packet) = wire.next_or_end() {
        match packet {
            // Whoever says nothing more is taken over by the next, or goes.
            Packet::ConnAck(connack) => {
                assert_eq!(connack.reason, ReasonCode::Success);
                thread::sleep(Duration::from_millis(2));
                break;
            }
            Packet::Disconnect(disconnect) => {
                assert_eq!(disconnect.reason, ReasonCode::SessionTakenOver);
                is_taken_over = true;
            }
            other => panic!("{other:?}"),
        }
    }
    is_taken_over
        || wire.try_send(&Packet::PingReq).is_err()
        || matches!(wire.next_or_end(), Some(Packet::Disconnect(_)) | None)
}

/// Subscribes to so many filters, each of which is new, and leaves each.
fn churn(wire: &mut Wire, count: usize) {
    for first in (0..count).step_by(500) {
        let filters: Vec<_> =
            (first..first + 500).map(|number| topic_filter(&format!("churn/{number}/+/{number}"))).collect();
        let subscriptions = filters.iter().cloned().map(|filter| Subscription::new(filter, QoS::AtMostOnce));
        wire.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscriptions: subscriptions.collect(),
            properties: SubscribeProperties::default(),
        }));
        let Packet::SubAck(suback) = wire.next() else { panic!("SUBACK comes") };
        assert!(suback.reasons.iter().all(|reason| !reason.is_failure()));
        let properties = UnsubscribeProperties::default();
        wire.send(&Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::MIN, filters, properties }));
        assert!(matches!(wire.next(), Packet::UnsubAck(_)));
    }
}

fn will(topic: &str, properties: WillProperties) -> Will {
    Will {
        topic: TopicName::try_from(topic).unwrap(),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties,
    }
}

/// A WebSocket after its handshake, to write any bytes to.
fn websocket(server: SocketAddr) -> TcpStream {
    use tungstenite::client::IntoClientRequest;
    let stream = TcpStream::connect(server).unwrap();
    let mut request = format!("ws://{server}/").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    tungstenite::client(request, stream).expect("the broker takes the handshake").0.into_inner()
}

/// A binary frame, masked with zeros, which leaves its bytes as they are.
fn frame(payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![0x82, 0x80 | 126, len[0], len[1], 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}
