//! CONNECT (3.1).

use hearth_protocol::packet::{Auth, AuthProperties, Will, WillProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};

use super::super::raw::field;
use super::*;

const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL: u8 = 0x04;
const CLEAN_START: u8 = 0x02;

/// The bytes of CONNECT behind its fixed header.
#[track_caller]
fn connect_body(options: ClientOptions) -> Vec<u8> {
    let bytes = Stage::connecting(options).heard_bytes();
    let header = 1 + bytes[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    bytes[header..].to_vec()
}

/// Connect flags and payload; the tests' properties fit a length of one byte.
#[track_caller]
fn flags_and_payload(options: ClientOptions) -> (u8, Vec<u8>) {
    let version = options.version;
    let body = connect_body(options);
    let properties = if version.is_v5() { 1 + usize::from(body[10]) } else { 0 };
    (body[7], body[10 + properties..].to_vec())
}

/// A client that says no more than it must.
fn plain(version: Version) -> ClientOptions {
    ClientOptions { version, packet_size_max: usize::MAX, ..ClientOptions::new(text("c")) }
}

fn will(qos: QoS, retain: bool) -> Will {
    let topic = TopicName::try_from("will/topic").unwrap();
    Will { topic, payload: Bytes::from_static(b"gone"), qos, retain, properties: WillProperties::default() }
}

// MQTT 3.1.1 client: MQTT-3.1.0-1
// MQTT 5.0 client: MQTT-3.1.0-1
#[test]
fn connect_is_the_first_packet_whatever_is_asked_for_before() {
    for version in VERSIONS {
        let mut stage = Stage::new(options(version));
        let queued = message("t", b"x", QoS::AtLeastOnce);
        stage.publish(queued.clone());
        let unkept = stage.client.publish(stage.now, message("t", b"x", QoS::AtMostOnce));
        assert_eq!(unkept, Err(PublishError::NotConnected));
        stage.client.ping(stage.now);
        stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::Success));
        assert_eq!(stage.heard(), []);
        stage.client.handle_open(stage.now);
        stage.client.ping(stage.now);
        stage.publish(queued.clone());
        assert!(matches!(stage.heard()[..], [Packet::Connect(_)]), "{version}");
        stage.tell(&connack(false, ConnAckProperties::default()));
        assert_eq!(stage.heard(), [numbered(1, queued.clone()), numbered(2, queued)]);
    }
}

// MQTT 5.0 client: MQTT-3.1.2-1
#[test]
fn the_protocol_is_named_as_its_version_has_it() {
    for (version, start) in [
        (Version::V5, &b"\0\x04MQTT\x05"[..]),
        (Version::V311, b"\0\x04MQTT\x04"),
        (Version::V31, b"\0\x06MQIsdp\x03"),
    ] {
        let body = connect_body(plain(version));
        assert!(body.starts_with(start), "{body:02x?}");
    }
}

// MQTT 3.1.1 client: MQTT-3.1.2-9 MQTT-3.1.2-14
// MQTT 5.0 client: MQTT-3.1.2-9 MQTT-3.1.2-12
#[test]
fn a_will_is_in_the_flags_and_in_the_payload() {
    for version in VERSIONS {
        for (qos_bits, qos) in [(0, QoS::AtMostOnce), (1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            for retain in [false, true] {
                let options = ClientOptions { will: Some(will(qos, retain)), ..plain(version) };
                let (flags, payload) = flags_and_payload(options);
                let expected = WILL | qos_bits << 3 | if retain { WILL_RETAIN } else { 0 };
                assert_eq!(flags, CLEAN_START | expected);
                let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
                let parts = [&field("c")[..], properties, &field("will/topic"), &field("gone")];
                assert_eq!(payload, parts.concat());
            }
        }
    }
}

// MQTT 3.1.1 client: MQTT-3.1.2-11 MQTT-3.1.2-13 MQTT-3.1.2-15
// MQTT 5.0 client: MQTT-3.1.2-11 MQTT-3.1.2-13
#[test]
fn without_a_will_nothing_speaks_of_one() {
    for version in VERSIONS {
        assert_eq!(flags_and_payload(plain(version)), (CLEAN_START, field("c")), "{version}");
    }
}

// MQTT 3.1.1 client: MQTT-3.1.2-18 MQTT-3.1.2-19 MQTT-3.1.2-20 MQTT-3.1.2-21
// MQTT 5.0 client: MQTT-3.1.2-16 MQTT-3.1.2-17 MQTT-3.1.2-18 MQTT-3.1.2-19
#[test]
fn user_name_and_password_are_there_exactly_when_their_flags_say_so() {
    for version in VERSIONS {
        for (user_name, password) in
            [(None, None), (Some("u"), None), (Some("u"), Some("p")), (Some(""), Some(""))]
        {
            let options = ClientOptions {
                user_name: user_name.map(text),
                password: password.map(|password| Bytes::from_static(password.as_bytes())),
                ..plain(version)
            };
            let (flags, payload) = flags_and_payload(options);
            let of = |field: Option<&str>, flag| field.map_or(0, |_| flag);
            assert_eq!(flags, CLEAN_START | of(user_name, USER_NAME) | of(password, PASSWORD));
            let parts = [Some("c"), user_name, password].into_iter().flatten().flat_map(field);
            assert_eq!(payload, Vec::from_iter(parts));
        }
    }
    let alone = ClientOptions { password: Some(Bytes::from_static(b"p")), ..plain(Version::V5) };
    assert_eq!(flags_and_payload(alone), (CLEAN_START | PASSWORD, [field("c"), field("p")].concat()));
}

/// The client keeps this CONNECT to itself and says why.
#[track_caller]
fn assert_unsent(options: ClientOptions, reason: ReasonCode) {
    let mut stage = Stage::connecting(options);
    assert_eq!(stage.heard_bytes(), b"");
    assert!(stage.client.is_closing());
    let events = stage.events();
    assert!(
        matches!(&events[..], [ClientEvent::Refused { reason: told, .. }] if *told == reason),
        "{events:?}"
    );
}

// MQTT 3.1.1 client: MQTT-3.1.2-22
#[test]
fn a_password_without_a_user_name_is_not_sent() {
    let options = ClientOptions { password: Some(Bytes::from_static(b"p")), ..plain(Version::V311) };
    assert_unsent(options, ReasonCode::BadUserNameOrPassword);
}

// MQTT 3.1.1 client: MQTT-3.1.3-7
#[test]
fn an_empty_client_id_asks_for_a_clean_session_or_is_not_sent() {
    let unnamed = ClientOptions { client_id: Text::EMPTY, ..plain(Version::V311) };
    assert_eq!(flags_and_payload(unnamed.clone()), (CLEAN_START, field("")));
    assert_unsent(ClientOptions { clean_start: false, ..unnamed }, ReasonCode::ClientIdentifierNotValid);
}

/// Everything that a payload can hold.
fn full(version: Version) -> ClientOptions {
    let properties = WillProperties {
        delay: Some(5),
        payload_format: Some(PayloadFormat::Utf8),
        content_type: Some(text("text/plain")),
        user_properties: UserProperties::from_iter([(text("k"), text("v"))]),
        ..WillProperties::default()
    };
    ClientOptions {
        client_id: text("client-ä"),
        will: Some(Will { properties, ..will(QoS::AtLeastOnce, true) }),
        user_name: Some(text("user-ö")),
        password: Some(Bytes::from_static(b"\0\xff")),
        ..plain(version)
    }
}

// MQTT 3.1.1 client: MQTT-3.1.3-1 MQTT-3.1.3-3 MQTT-3.1.3-4 MQTT-3.1.3-10 MQTT-3.1.3-11
// MQTT 5.0 client: MQTT-3.1.3-1 MQTT-3.1.3-3 MQTT-3.1.3-4 MQTT-3.1.3-11 MQTT-3.1.3-12
#[test]
fn the_fields_of_the_payload_are_strings_in_their_order_with_the_client_id_first() {
    for version in VERSIONS {
        let (_, payload) = flags_and_payload(full(version));
        let properties: &[u8] = if version.is_v5() {
            b"\x1b\x18\0\0\0\x05\x01\x01\x03\0\x0atext/plain\x26\0\x01k\0\x01v"
        } else {
            b""
        };
        let parts: [&[u8]; 6] = [
            &field("client-ä"),
            properties,
            &field("will/topic"),
            &field("gone"),
            &field("user-ö"),
            &field(b"\0\xff"),
        ];
        assert_eq!(payload, parts.concat(), "{version}");
        // That they are UTF-8 is a matter of their types: `Text` takes nothing else.
        for bytes in [&b"\xff"[..], b"\xed\xa0\x80", b"\0"] {
            assert!(Text::from_bytes(Bytes::from_static(bytes)).is_err());
        }
    }
}

// MQTT 3.1.1 client: MQTT-3.1.3-2
// MQTT 5.0 client: MQTT-3.1.3-2
#[test]
fn the_client_id_names_the_session_on_every_connection() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        stage.publish(message("t", b"x", QoS::AtLeastOnce));
        for _ in 0..3 {
            let (sent, _) = stage.connect(true, ConnAckProperties::default());
            let Packet::Connect(connect) = &sent[0] else { panic!("{sent:?}") };
            assert_eq!(&*connect.client_id, "conformance");
            assert_eq!(sent[1..], [again(1, message("t", b"x", QoS::AtLeastOnce))], "its state goes on");
        }
    }
    let unnamed = ClientOptions { client_id: Text::EMPTY, ..options(Version::V5) };
    let assigned = ConnAckProperties { assigned_client_id: Some(text("chosen")), ..Default::default() };
    let mut stage = Stage::open(unnamed, assigned);
    let (sent, _) = stage.connect(true, ConnAckProperties::default());
    assert!(matches!(&sent[0], Packet::Connect(connect) if &*connect.client_id == "chosen"));
}

// MQTT 3.1.1 client: MQTT-3.1.2-6
// MQTT 5.0 client: MQTT-3.1.2-4
#[test]
fn a_clean_start_leaves_nothing_of_the_session_before() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for (qos, payload) in [(QoS::ExactlyOnce, b"1"), (QoS::ExactlyOnce, b"2"), (QoS::AtLeastOnce, b"3")] {
            stage.publish(message("t", payload, qos));
        }
        stage.tell(&Packet::PubRec(ok(1)));
        let incoming = numbered(9, message("in", b"x", QoS::ExactlyOnce));
        stage.tell(&incoming);
        assert_eq!(stage.messages().len(), 1);
        stage.client.options_mut().clean_start = true;
        let (sent, _) = stage.connect(false, ConnAckProperties::default());
        assert!(matches!(&sent[0], Packet::Connect(connect) if connect.clean_start));
        // Neither PUBREL nor DUP: what the server never took over are new messages of a new session.
        let new = [
            numbered(1, message("t", b"2", QoS::ExactlyOnce)),
            numbered(2, message("t", b"3", QoS::AtLeastOnce)),
        ];
        assert_eq!(sent[1..], new, "{version}");
        stage.tell(&incoming);
        assert_eq!(stage.messages().len(), 1, "an identifier that was held means nothing any more");
    }
}

// MQTT 3.1.1 client: MQTT-3.1.2-4
// MQTT 5.0 client: MQTT-3.1.2-23
#[test]
fn the_session_is_kept_after_the_connection_where_that_was_asked_for() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for (qos, payload) in [(QoS::ExactlyOnce, b"1"), (QoS::ExactlyOnce, b"2"), (QoS::AtLeastOnce, b"3")] {
            stage.publish(message("t", payload, qos));
        }
        stage.tell(&Packet::PubRec(ok(1)));
        let incoming = message("in", b"x", QoS::ExactlyOnce);
        stage.tell(&numbered(9, incoming.clone()));
        assert_eq!(stage.messages().len(), 1);
        stage.client.handle_close(stage.now);
        stage.now = stage.now.saturating_add(Duration::from_secs(3000));
        let (sent, _) = stage.connect(true, ConnAckProperties::default());
        let expected = [
            Packet::PubRel(ok(1)),
            again(2, message("t", b"2", QoS::ExactlyOnce)),
            again(3, message("t", b"3", QoS::AtLeastOnce)),
        ];
        assert_eq!(sent[1..], expected, "{version}");
        stage.tell(&again(9, incoming));
        assert_eq!((stage.heard(), stage.messages()), (vec![Packet::PubRec(ok(9))], vec![]));
    }
}

// MQTT 3.1.1 client: MQTT-3.1.2-23
// MQTT 5.0 client: MQTT-3.1.2-20
#[test]
fn a_client_with_nothing_to_say_pings_within_its_keep_alive() {
    for version in VERSIONS {
        let mut stage =
            Stage::open(ClientOptions { keep_alive: 20, ..options(version) }, ConnAckProperties::default());
        let mut since_last = 0;
        for second in 0..300 {
            stage.pass(Duration::from_secs(1)).unwrap();
            since_last += 1;
            match &stage.heard()[..] {
                [] => {}
                [Packet::PingReq] => {
                    since_last = 0;
                    stage.tell(&Packet::PingResp);
                }
                other => panic!("{other:?}"),
            }
            assert!(since_last < 20, "silent for {since_last} s at second {second}");
            // What the server says is no packet of the client.
            stage.tell(&Packet::Publish(message("t", b"x", QoS::AtMostOnce)));
        }
        let never = ClientOptions { keep_alive: 0, ..options(version) };
        let mut stage = Stage::open(never, ConnAckProperties::default());
        stage.pass(Duration::from_secs(100_000)).unwrap();
        assert_eq!(stage.heard(), []);
    }
}

// MQTT 5.0 client: MQTT-3.1.2-30
#[test]
fn a_client_that_authenticates_says_nothing_else_before_connack() {
    let mut options = options(Version::V5);
    options.properties.authentication_method = Some(text("m"));
    let mut stage = Stage::connecting(options);
    assert!(matches!(stage.heard()[..], [Packet::Connect(_)]));
    let properties = AuthProperties { authentication_method: Some(text("m")), ..Default::default() };
    let auth =
        Packet::Auth(Auth { reason: ReasonCode::ContinueAuthentication, properties: properties.clone() });
    for _ in 0..2 {
        stage.publish(message("t", b"x", QoS::AtLeastOnce));
        let now = stage.now;
        assert!(stage.client.publish(now, message("t", b"x", QoS::AtMostOnce)).is_err());
        let filter = hearth_protocol::TopicFilter::try_from("t").unwrap();
        assert!(stage.client.unsubscribe(now, vec![filter], Default::default()).is_err());
        stage.client.ping(now);
        assert_eq!(stage.heard(), []);
        stage.tell(&auth);
        stage.client.answer_challenge(now, None).unwrap();
        assert_eq!(stage.heard(), std::slice::from_ref(&auth));
    }
    stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::Success));
    assert_eq!(stage.heard(), [goodbye(ReasonCode::Success)]);
}
