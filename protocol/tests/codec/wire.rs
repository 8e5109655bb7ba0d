//! Packets and their bytes, each way; a row a form.

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{decode, encode, encoded_len, frame_len};
use hearth_protocol::packet::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    DisconnectProperties, Packet, Publish, PublishAck, PublishProperties, ReasonProperties, RetainHandling,
    SubAck, Subscribe, SubscribeProperties, Subscription, UnsubAck, Unsubscribe, UnsubscribeProperties, Will,
    WillProperties,
};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};

use super::values::{connect, filter, hex, id, publish, text, topic, user, why, will};
use Version::{V5, V31, V311};

type Row = (Version, &'static str, Packet);

fn connects() -> Vec<Row> {
    let row = |bytes, connect: Connect| (connect.version, bytes, Packet::Connect(Box::new(connect)));
    let properties = ConnectProperties {
        session_expiry: Some(10),
        receive_maximum: Some(5),
        packet_size_max: Some(256),
        topic_alias_maximum: Some(3),
        request_response_information: Some(true),
        request_problem_information: Some(false),
        user_properties: user("k", "v"),
        authentication_method: Some(text("m")),
        authentication_data: Some(Bytes::from_static(b"d")),
    };
    let will_properties = WillProperties {
        delay: Some(5),
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry: Some(60),
        content_type: Some(text("c")),
        response_topic: Some(topic("r")),
        correlation_data: Some(Bytes::from_static(b"d")),
        user_properties: user("k", "v"),
    };
    let names = |connect: Connect| Connect {
        user_name: Some(text("u")),
        password: Some(Bytes::from_static(b"p")),
        ..connect
    };
    vec![
        row("10 0f 0006 4d5149736470 03 02 003c 0001 61", connect(V31)),
        row("10 0d 0004 4d515454 04 02 003c 0001 61", connect(V311)),
        row("10 0e 0004 4d515454 05 02 003c 00 0001 61", connect(V5)),
        // A bridge of Mosquitto.
        row("10 0d 0004 4d515454 84 02 003c 0001 61", Connect { bridge: true, ..connect(V311) }),
        row("10 0f 0006 4d5149736470 83 02 003c 0001 61", Connect { bridge: true, ..connect(V31) }),
        row(
            "10 0c 0004 4d515454 04 00 0000 0000",
            Connect { clean_start: false, keep_alive: 0, client_id: text(""), ..connect(V311) },
        ),
        row(
            "10 13 0004 4d515454 04 34 003c 0001 61 0001 77 0001 78",
            Connect { clean_start: false, will: Some(will(QoS::ExactlyOnce, true)), ..connect(V311) },
        ),
        row(
            "10 1b 0006 4d5149736470 03 c6 003c 0001 61 0001 77 0001 78 0001 75 0001 70",
            names(Connect { will: Some(will(QoS::AtMostOnce, false)), ..connect(V31) }),
        ),
        row(
            "10 10 0004 4d515454 04 82 003c 0001 61 0001 75",
            Connect { user_name: Some(text("u")), ..connect(V311) },
        ),
        // From version 5 on a password may stand alone.
        row(
            "10 10 0004 4d515454 05 42 003c 00 0001 61 0000",
            Connect { password: Some(Bytes::new()), ..connect(V5) },
        ),
        row(
            "10 31 0004 4d515454 05 02 003c 23 11 0000000a 21 0005 27 00000100 22 0003 19 01 17 00 26 0001 6b 0001 76 15 0001 6d 16 0001 64 0001 61",
            Connect { properties, ..connect(V5) },
        ),
        row(
            "10 3a 0004 4d515454 05 ee 003c 00 0001 61 1f 18 00000005 01 01 02 0000003c 03 0001 63 08 0001 72 09 0001 64 26 0001 6b 0001 76 0001 77 0001 78 0001 75 0001 70",
            names(Connect {
                will: Some(Will { properties: will_properties, ..will(QoS::AtLeastOnce, true) }),
                ..connect(V5)
            }),
        ),
    ]
}

fn connacks() -> Vec<Row> {
    let row = |version, bytes, session_present, reason, properties| {
        (version, bytes, Packet::ConnAck(Box::new(ConnAck { session_present, reason, properties })))
    };
    let plain = ConnAckProperties::default;
    let all = ConnAckProperties {
        session_expiry: Some(10),
        receive_maximum: Some(5),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        packet_size_max: Some(256),
        assigned_client_id: Some(text("i")),
        topic_alias_maximum: Some(3),
        reason_string: Some(text("r")),
        user_properties: user("k", "v"),
        wildcard_subscription_available: Some(true),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(true),
        server_keep_alive: Some(30),
        response_information: Some(text("o")),
        server_reference: Some(text("s")),
        authentication_method: Some(text("m")),
        authentication_data: Some(Bytes::from_static(b"d")),
    };
    vec![
        row(V31, "20 02 00 00", false, ReasonCode::Success, plain()),
        row(V311, "20 02 01 00", true, ReasonCode::Success, plain()),
        row(V311, "20 02 00 01", false, ReasonCode::UnsupportedProtocolVersion, plain()),
        row(V311, "20 02 00 02", false, ReasonCode::ClientIdentifierNotValid, plain()),
        row(V311, "20 02 00 03", false, ReasonCode::ServerUnavailable, plain()),
        row(V311, "20 02 00 04", false, ReasonCode::BadUserNameOrPassword, plain()),
        row(V31, "20 02 00 05", false, ReasonCode::NotAuthorized, plain()),
        row(V5, "20 03 01 00 00", true, ReasonCode::Success, plain()),
        row(V5, "20 03 00 87 00", false, ReasonCode::NotAuthorized, plain()),
        row(
            V5,
            "20 3f 00 00 3c 11 0000000a 21 0005 24 01 25 00 27 00000100 12 0001 69 22 0003 1f 0001 72 26 0001 6b 0001 76 28 01 29 00 2a 01 13 001e 1a 0001 6f 1c 0001 73 15 0001 6d 16 0001 64",
            false,
            ReasonCode::Success,
            all,
        ),
    ]
}

fn publishes() -> Vec<Row> {
    let row = |version, bytes, publish| (version, bytes, Packet::Publish(publish));
    let all = PublishProperties {
        payload_format: Some(PayloadFormat::Bytes),
        message_expiry: Some(60),
        topic_alias: Some(7),
        response_topic: Some(topic("r")),
        correlation_data: Some(Bytes::from_static(b"d")),
        user_properties: [(text("k"), text("1")), (text("k"), text("2"))].into_iter().collect(),
        subscription_ids: vec![1, 268_435_455],
        content_type: Some(text("c")),
    };
    let alias = Some(Box::new(PublishProperties { topic_alias: Some(1), ..PublishProperties::default() }));
    let with_id = |qos, publish: Publish| Publish { qos, packet_id: Some(id(10)), ..publish };
    vec![
        row(V31, "30 05 0001 74 6869", publish("t", b"hi")),
        row(V311, "30 05 0001 74 6869", publish("t", b"hi")),
        row(V5, "30 06 0001 74 00 6869", publish("t", b"hi")),
        row(V311, "31 03 0001 74", Publish { retain: true, ..publish("t", b"") }),
        row(V311, "32 05 0001 74 000a", with_id(QoS::AtLeastOnce, publish("t", b""))),
        row(
            V311,
            "3a 05 0001 74 000a",
            Publish { dup: true, ..with_id(QoS::AtLeastOnce, publish("t", b"")) },
        ),
        row(
            V311,
            "3d 06 0001 74 000a ff",
            Publish { dup: true, retain: true, ..with_id(QoS::ExactlyOnce, publish("t", b"\xff")) },
        ),
        row(V31, "34 06 0001 74 000a 00", with_id(QoS::ExactlyOnce, publish("t", b"\0"))),
        row(V5, "34 07 0001 74 000a 00 78", with_id(QoS::ExactlyOnce, publish("t", b"x"))),
        // The alias stands for the topic, or gives it one.
        row(
            V5,
            "32 0a 0000 000a 03 23 0001 6869",
            Publish {
                topic: TopicName::ALIASED,
                properties: alias.clone(),
                ..with_id(QoS::AtLeastOnce, publish("t", b"hi"))
            },
        ),
        row(V5, "30 07 0001 74 03 23 0001", Publish { properties: alias, ..publish("t", b"") }),
        row(
            V5,
            "30 31 0002 c3a9 2b 01 00 02 0000003c 23 0007 08 0001 72 09 0001 64 26 0001 6b 0001 31 26 0001 6b 0001 32 0b 01 0b ffffff7f 03 0001 63 21",
            Publish { properties: Some(Box::new(all)), ..publish("é", b"!") },
        ),
    ]
}

fn acknowledgements() -> Vec<Row> {
    let ack = |properties, reason| PublishAck { packet_id: id(0x1234), reason, properties };
    let plain = ReasonProperties::default;
    let explained = || ReasonProperties { user_properties: user("k", "v"), ..why("no") };
    vec![
        (V31, "40 02 1234", Packet::PubAck(PublishAck::success(id(0x1234)))),
        (V31, "50 02 1234", Packet::PubRec(PublishAck::success(id(0x1234)))),
        (V31, "62 02 1234", Packet::PubRel(PublishAck::success(id(0x1234)))),
        (V31, "70 02 1234", Packet::PubComp(PublishAck::success(id(0x1234)))),
        (V311, "40 02 1234", Packet::PubAck(PublishAck::success(id(0x1234)))),
        (V311, "50 02 1234", Packet::PubRec(PublishAck::success(id(0x1234)))),
        (V311, "62 02 1234", Packet::PubRel(PublishAck::success(id(0x1234)))),
        (V311, "70 02 1234", Packet::PubComp(PublishAck::success(id(0x1234)))),
        (V5, "40 02 1234", Packet::PubAck(PublishAck::success(id(0x1234)))),
        (V5, "40 03 1234 10", Packet::PubAck(ack(plain(), ReasonCode::NoMatchingSubscribers))),
        (V5, "40 09 1234 97 05 1f 0002 6e6f", Packet::PubAck(ack(why("no"), ReasonCode::QuotaExceeded))),
        (V5, "50 03 1234 91", Packet::PubRec(ack(plain(), ReasonCode::PacketIdentifierInUse))),
        (
            V5,
            "50 10 1234 99 0c 1f 0002 6e6f 26 0001 6b 0001 76",
            Packet::PubRec(ack(explained(), ReasonCode::PayloadFormatInvalid)),
        ),
        (V5, "62 02 1234", Packet::PubRel(PublishAck::success(id(0x1234)))),
        (V5, "62 03 1234 92", Packet::PubRel(ack(plain(), ReasonCode::PacketIdentifierNotFound))),
        (V5, "70 09 1234 00 05 1f 0002 6e6f", Packet::PubComp(ack(why("no"), ReasonCode::Success))),
        (V5, "70 03 1234 92", Packet::PubComp(ack(plain(), ReasonCode::PacketIdentifierNotFound))),
    ]
}

fn subscriptions() -> Vec<Row> {
    let plain = |filters: &[(&str, QoS)]| {
        let subscriptions = filters.iter().map(|(name, qos)| Subscription::new(filter(name), *qos)).collect();
        Subscribe { packet_id: id(1), subscriptions, properties: SubscribeProperties::default() }
    };
    let one = || plain(&[("a/#", QoS::ExactlyOnce)]);
    let two = || plain(&[("+", QoS::AtMostOnce), ("b", QoS::AtLeastOnce)]);
    let optional = Subscribe {
        packet_id: id(2),
        subscriptions: vec![
            Subscription {
                no_local: true,
                retain_as_published: true,
                retain_handling: RetainHandling::SendIfNew,
                ..Subscription::new(filter("a"), QoS::AtLeastOnce)
            },
            Subscription {
                retain_handling: RetainHandling::DoNotSend,
                ..Subscription::new(filter("$share/g/b"), QoS::AtMostOnce)
            },
        ],
        properties: SubscribeProperties { subscription_id: Some(128), user_properties: user("k", "v") },
    };
    let suback = |version, bytes, reasons, properties| {
        (version, bytes, Packet::SubAck(SubAck { packet_id: id(1), reasons, properties }))
    };
    use ReasonCode as R;
    let granted = || vec![R::Success, R::GrantedQoS1, R::GrantedQoS2, R::UnspecifiedError];
    vec![
        (V31, "82 08 0001 0003 612f23 02", Packet::Subscribe(one())),
        (V311, "82 0a 0001 0001 2b 00 0001 62 01", Packet::Subscribe(two())),
        (V5, "82 09 0001 00 0003 612f23 02", Packet::Subscribe(one())),
        (
            V5,
            "82 1e 0002 0a 0b 8001 26 0001 6b 0001 76 0001 61 1d 000a 24736861 72652f672f62 20",
            Packet::Subscribe(optional),
        ),
        suback(V31, "90 03 0001 02", vec![R::GrantedQoS2], ReasonProperties::default()),
        suback(V311, "90 06 0001 00 01 02 80", granted(), ReasonProperties::default()),
        suback(V5, "90 07 0001 00 00 01 02 80", granted(), ReasonProperties::default()),
        suback(
            V5,
            "90 10 0001 05 1f 0002 6e6f 83 87 8f 91 97 9e a1 a2",
            vec![
                R::ImplementationSpecificError,
                R::NotAuthorized,
                R::TopicFilterInvalid,
                R::PacketIdentifierInUse,
                R::QuotaExceeded,
                R::SharedSubscriptionsNotSupported,
                R::SubscriptionIdentifiersNotSupported,
                R::WildcardSubscriptionsNotSupported,
            ],
            why("no"),
        ),
    ]
}

fn unsubscriptions() -> Vec<Row> {
    let unsubscribe = |version, bytes, filters: &[&str], user_properties| {
        let filters = filters.iter().map(|name| filter(name)).collect();
        let properties = UnsubscribeProperties { user_properties };
        (version, bytes, Packet::Unsubscribe(Unsubscribe { packet_id: id(3), filters, properties }))
    };
    let unsuback = |version, bytes, reasons, properties| {
        (version, bytes, Packet::UnsubAck(UnsubAck { packet_id: id(3), reasons, properties }))
    };
    use ReasonCode as R;
    vec![
        unsubscribe(V31, "a2 05 0003 0001 61", &["a"], Default::default()),
        unsubscribe(V311, "a2 09 0003 0001 61 0002 2f23", &["a", "/#"], Default::default()),
        unsubscribe(V5, "a2 0d 0003 07 26 0001 6b 0001 76 0001 61", &["a"], user("k", "v")),
        unsuback(V31, "b0 02 0003", vec![], ReasonProperties::default()),
        unsuback(V311, "b0 02 0003", vec![], ReasonProperties::default()),
        unsuback(V5, "b0 05 0003 00 00 11", vec![R::Success, R::NoSubscriptionExisted], Default::default()),
        unsuback(
            V5,
            "b0 0d 0003 05 1f 0002 6e6f 80 83 87 8f 91",
            vec![
                R::UnspecifiedError,
                R::ImplementationSpecificError,
                R::NotAuthorized,
                R::TopicFilterInvalid,
                R::PacketIdentifierInUse,
            ],
            why("no"),
        ),
    ]
}

fn the_rest() -> Vec<Row> {
    let disconnect =
        |bytes, reason, properties| (V5, bytes, Packet::Disconnect(Disconnect { reason, properties }));
    let auth = |bytes, reason, properties| (V5, bytes, Packet::Auth(Auth { reason, properties }));
    let method = AuthProperties { authentication_method: Some(text("m")), ..AuthProperties::default() };
    let all = AuthProperties {
        authentication_data: Some(Bytes::from_static(b"d")),
        reason_string: Some(text("r")),
        user_properties: user("k", "v"),
        ..method.clone()
    };
    let leave = DisconnectProperties {
        session_expiry: Some(0),
        reason_string: Some(text("r")),
        user_properties: user("k", "v"),
        server_reference: Some(text("s")),
    };
    vec![
        (V31, "c0 00", Packet::PingReq),
        (V311, "c0 00", Packet::PingReq),
        (V5, "c0 00", Packet::PingReq),
        (V31, "d0 00", Packet::PingResp),
        (V311, "d0 00", Packet::PingResp),
        (V5, "d0 00", Packet::PingResp),
        (V31, "e0 00", Packet::Disconnect(Disconnect::new(ReasonCode::Success))),
        (V311, "e0 00", Packet::Disconnect(Disconnect::new(ReasonCode::Success))),
        disconnect("e0 00", ReasonCode::Success, DisconnectProperties::default()),
        disconnect("e0 01 04", ReasonCode::DisconnectWithWill, DisconnectProperties::default()),
        disconnect("e0 01 8b", ReasonCode::ServerShuttingDown, DisconnectProperties::default()),
        disconnect(
            "e0 16 9c 14 11 00000000 1f 0001 72 26 0001 6b 0001 76 1c 0001 73",
            ReasonCode::UseAnotherServer,
            leave,
        ),
        auth("f0 00", ReasonCode::Success, AuthProperties::default()),
        auth("f0 06 19 04 15 0001 6d", ReasonCode::ReAuthenticate, method),
        auth(
            "f0 15 18 13 15 0001 6d 16 0001 64 1f 0001 72 26 0001 6b 0001 76",
            ReasonCode::ContinueAuthentication,
            all,
        ),
    ]
}

fn rows() -> Vec<Row> {
    [connects(), connacks(), publishes(), acknowledgements(), subscriptions(), unsubscriptions(), the_rest()]
        .concat()
}

#[test]
fn packets_and_their_bytes_turn_into_each_other() {
    for (version, wire, packet) in rows() {
        let mut input = hex(wire);
        let whole = input.len();
        assert_eq!(frame_len(&input, version, usize::MAX), Ok(Some(whole)), "{wire}");
        let decoded = decode(&mut input, version, whole).unwrap_or_else(|error| panic!("{wire}: {error}"));
        assert_eq!(decoded.as_ref(), Some(&packet), "{wire}");
        assert!(input.is_empty(), "{wire}");
        let mut output = BytesMut::from(&b"before"[..]);
        assert_eq!(encode(&packet, version, &mut output), Ok(()), "{wire}");
        assert_eq!(output[6..], hex(wire), "{wire}: {packet:?}");
        assert_eq!(encoded_len(&packet, version), Ok(whole), "{wire}");
    }
}

#[test]
fn the_rows_hold_every_packet_of_every_version() {
    let rows = rows();
    for version in [V31, V311, V5] {
        let mut kinds: Vec<u8> = rows
            .iter()
            .filter(|(of, ..)| *of == version)
            .map(|(.., packet)| packet.packet_type() as u8)
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let missing: Vec<u8> =
            (1..if version.is_v5() { 16 } else { 15 }).filter(|kind| !kinds.contains(kind)).collect();
        assert_eq!(missing, [], "packet types that MQTT {version} has no row for");
    }
}

#[test]
fn other_forms_of_a_packet_are_read_and_the_shortest_is_written() {
    let ack = || Packet::PubAck(PublishAck::success(id(1)));
    let bye = || Packet::Disconnect(Disconnect::new(ReasonCode::Success));
    let order = ConnectProperties { session_expiry: Some(1), receive_maximum: Some(2), ..Default::default() };
    let order = Packet::Connect(Box::new(Connect { properties: order, ..connect(V5) }));
    let table: Vec<(Version, &str, &str, Packet)> = vec![
        (V5, "40 03 0001 00", "40 02 0001", ack()),
        (V5, "40 04 0001 00 00", "40 02 0001", ack()),
        (
            V5,
            "40 04 0001 10 00",
            "40 03 0001 10",
            Packet::PubAck(PublishAck::new(id(1), ReasonCode::NoMatchingSubscribers)),
        ),
        (V5, "e0 01 00", "e0 00", bye()),
        (V5, "e0 02 00 00", "e0 00", bye()),
        // Properties come in any order.
        (
            V5,
            "10 16 0004 4d515454 05 02 003c 08 21 0002 11 00000001 0001 61",
            "10 16 0004 4d515454 05 02 003c 08 11 00000001 21 0002 0001 61",
            order,
        ),
        // In 3.1 the flags are DUP, QoS and RETAIN, which most packets have no use for; byte 1 of CONNACK is reserved.
        (
            V31,
            "8a 06 0001 0001 61 00",
            "82 06 0001 0001 61 00",
            Packet::Subscribe(Subscribe {
                packet_id: id(1),
                subscriptions: vec![Subscription::new(filter("a"), QoS::AtMostOnce)],
                properties: SubscribeProperties::default(),
            }),
        ),
        (V31, "48 02 0001", "40 02 0001", ack()),
        (V31, "c2 00", "c0 00", Packet::PingReq),
        (
            V31,
            "20 02 ff 00",
            "20 02 00 00",
            Packet::ConnAck(Box::new(ConnAck {
                session_present: false,
                reason: ReasonCode::Success,
                properties: ConnAckProperties::default(),
            })),
        ),
    ];
    for (version, read, written, packet) in table {
        assert_eq!(decode(&mut hex(read), version, usize::MAX), Ok(Some(packet.clone())), "{read}");
        let mut output = BytesMut::new();
        encode(&packet, version, &mut output).unwrap();
        assert_eq!(output, hex(written), "{read}");
    }
}

#[test]
fn what_a_version_lacks_is_left_out() {
    let full: Vec<Row> = rows().into_iter().filter(|(version, ..)| version.is_v5()).collect();
    let mut written = 0;
    for (_, wire, packet) in full {
        // A CONNECT carries its version with it.
        if matches!(packet, Packet::Connect(_)) {
            continue;
        }
        let mut output = BytesMut::new();
        if encode(&packet, V311, &mut output).is_ok() {
            written += 1;
            let read = decode(&mut output.clone(), V311, usize::MAX);
            let Ok(Some(read)) = read else { panic!("{wire} becomes {output:02x?}, which is {read:?}") };
            assert_eq!(read.packet_type(), packet.packet_type(), "{wire}");
            let mut again = BytesMut::new();
            encode(&read, V5, &mut again).or_else(|_| encode(&read, V311, &mut again)).unwrap();
            assert!(
                again.len() <= hex(wire).len(),
                "{wire} keeps what MQTT 3.1.1 has no place for: {read:?}"
            );
        }
    }
    assert!(written > 20, "{written}");
    let version_3 = |packet: Packet, wire: &str| {
        let mut output = BytesMut::new();
        encode(&packet, V311, &mut output).unwrap();
        assert_eq!(output, hex(wire));
    };
    let reasons = vec![ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized, ReasonCode::TopicFilterInvalid];
    version_3(
        Packet::SubAck(SubAck { packet_id: id(1), reasons, properties: why("no") }),
        "90 05 0001 01 80 80",
    );
    let banned =
        ConnAck { session_present: false, reason: ReasonCode::Banned, properties: Default::default() };
    version_3(Packet::ConnAck(Box::new(banned)), "20 02 00 05");
    let reasons = vec![ReasonCode::Success];
    version_3(Packet::UnsubAck(UnsubAck { packet_id: id(1), reasons, properties: why("no") }), "b0 02 0001");
}

#[test]
fn a_packet_that_is_not_whole_is_left_where_it_is() {
    for (version, wire, _) in rows() {
        let whole = hex(wire);
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            assert_eq!(decode(&mut input, version, usize::MAX), Ok(None), "{wire} cut at {cut}");
            assert_eq!(input, whole[..cut]);
        }
    }
}

#[test]
fn a_packet_shortened_within_its_body_is_refused_or_another_packet() {
    for (version, wire, packet) in rows() {
        // Both bytes of the header stay; the length tells the truth about a body that ends early.
        let whole = hex(wire);
        if whole[1] & 0x80 != 0 {
            continue;
        }
        for cut in 2..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            input[1] = (cut - 2) as u8;
            match decode(&mut input, version, usize::MAX) {
                Ok(other) => assert_ne!(other, Some(packet.clone()), "{wire} cut at {cut}"),
                Err(error) => assert!(error.reason().is_failure(), "{error}"),
            }
        }
    }
}

#[test]
fn strings_and_payloads_share_the_memory_of_the_input() {
    let mut input = hex("30 0f 0003 612f62 04 03 0001 63 68656c6c6f");
    let range = input.as_ptr_range();
    let decoded = decode(&mut input, V5, usize::MAX);
    let Ok(Some(Packet::Publish(publish))) = decoded else { panic!("{decoded:?}") };
    let content_type = publish.properties.as_ref().unwrap().content_type.clone().unwrap();
    for bytes in [publish.topic.as_text().as_bytes(), &publish.payload, content_type.as_bytes()] {
        assert!(range.contains(&bytes.as_ptr()), "{bytes:?} was copied");
    }
}
