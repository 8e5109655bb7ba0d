//! What the operator chooses, the bounds of CONNECT, and the words that go with a refusal.

use hearth_protocol::packet::{ConnAck, ConnAckProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};

use super::*;
use crate::Redirect;

const V5: Version = Version::V5;

fn connack(broker: &mut Broker, connect: Connect) -> ConnAck {
    let version = connect.version;
    let wire = broker.wire(&connect.client_id);
    broker.send(wire, version, [Packet::Connect(Box::new(connect))]);
    let answer = broker.received(wire, version);
    let [Packet::ConnAck(connack)] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!(connack.reason.is_failure(), broker.closed.contains(&wire));
    (**connack).clone()
}

fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

fn user_properties(bytes: usize) -> UserProperties {
    // A pair has five bytes beside its strings.
    [(text("k"), text(&"v".repeat(bytes - 6)))].into_iter().collect()
}

fn redirect(is_for_all: bool, is_permanent: bool) -> Options {
    let server = text("other.example:1883");
    Options { redirect: Some(Redirect { server, is_for_all, is_permanent }), ..Options::default() }
}

#[test]
fn every_client_is_sent_to_the_other_server_when_told_to() {
    for (is_permanent, reason) in [(false, ReasonCode::UseAnotherServer), (true, ReasonCode::ServerMoved)] {
        let mut broker = Broker::with_options(1, Limits::default(), redirect(true, is_permanent));
        let answer = connack(&mut broker, connect("c", V5));
        assert_eq!(answer.reason, reason);
        assert_eq!(answer.properties.server_reference.as_deref(), Some("other.example:1883"));
        let answer = connack(&mut broker, connect("old", Version::V311));
        assert_eq!(answer.reason, ReasonCode::ServerUnavailable, "which is what its version has for it");
        assert_eq!(answer.properties, ConnAckProperties::default());
    }
}

#[test]
fn without_room_clients_are_sent_to_the_other_server_and_at_the_stop_all_are() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let mut broker = Broker::with_options(1, limits, redirect(false, false));
    let first = broker.connected(connect("first", V5));
    let answer = connack(&mut broker, connect("second", V5));
    assert_eq!(answer.reason, ReasonCode::UseAnotherServer);
    assert_eq!(answer.properties.server_reference.as_deref(), Some("other.example:1883"));
    assert_eq!(broker.limited(Limit::Connections), 1);
    let now = broker.now;
    broker.shards[0].handle_shutdown(now);
    broker.run();
    let goodbye = broker.received(first, V5);
    let [Packet::Disconnect(disconnect)] = &goodbye[..] else { panic!("{goodbye:?}") };
    assert_eq!(disconnect.reason, ReasonCode::UseAnotherServer);
    assert_eq!(disconnect.properties.server_reference.as_deref(), Some("other.example:1883"));
}

#[test]
fn response_information_comes_to_who_asks_for_it_and_names_the_client() {
    let mut broker = Broker::new(1);
    for (client_id, asked, expected) in [
        ("lamp", Some(true), Some("responses/lamp")),
        ("lamp", Some(false), None),
        ("lamp", None, None),
        ("a+b", Some(true), None),
    ] {
        let properties = ConnectProperties { request_response_information: asked, ..Default::default() };
        let answer = connack(&mut broker, Connect { properties, ..connect(client_id, V5) });
        assert_eq!(answer.properties.response_information.as_deref(), expected, "{client_id} {asked:?}");
    }
}

#[test]
fn birth_certificates_are_kept_for_those_who_come_later_where_that_is_chosen() {
    const NODE: &str = "spBv1.0/plant/NBIRTH/edge";
    const DEVICE: &str = "spBv1.0/plant/DBIRTH/edge/press";
    for (is_kept, shards) in [(true, 1), (true, 2), (false, 2)] {
        let choices = Options { sparkplug_certificates: is_kept, ..Options::default() };
        let mut broker = Broker::with_options(shards, Limits::default(), choices);
        let (edge, early) = (broker.client(super::options("edge")), broker.client(super::options("early")));
        broker.subscribe(early, filter("$sparkplug/certificates/#", QoS::AtMostOnce));
        broker.subscribe(early, filter("spBv1.0/#", QoS::AtMostOnce));
        for (topic, payload, qos) in [
            (NODE, "old", QoS::AtMostOnce),
            (DEVICE, "press", QoS::AtLeastOnce),
            ("spBv1.0/plant/NDATA/edge", "data", QoS::AtMostOnce),
            (NODE, "new", QoS::ExactlyOnce),
        ] {
            let reason = broker.publish(edge, message(topic, payload, qos));
            assert_eq!(reason.unwrap_or_default(), ReasonCode::Success);
        }
        let names = |messages: Vec<Publish>| -> Vec<(String, Bytes, bool)> {
            let it = |it: Publish| {
                (
                    it.topic.as_str().trim_start_matches("$sparkplug/certificates/").to_owned(),
                    it.payload,
                    it.retain,
                )
            };
            messages.into_iter().filter(|it| it.topic.as_str().starts_with('$')).map(it).collect()
        };
        let own =
            |topic: &str, payload: &'static str, retain| (topic.to_owned(), Bytes::from(payload), retain);
        let heard = broker.messages(early);
        assert_eq!(heard.iter().filter(|it| !it.topic.as_str().starts_with('$')).count(), 4);
        let live = [own(NODE, "old", false), own(DEVICE, "press", false), own(NODE, "new", false)];
        assert_eq!(names(heard), if is_kept { live.to_vec() } else { vec![] });
        let late = broker.client(super::options("late"));
        broker.subscribe(late, filter("$sparkplug/certificates/#", QoS::AtMostOnce));
        let kept = [own(DEVICE, "press", true), own(NODE, "new", true)];
        assert_eq!(names(broker.messages(late)), if is_kept { kept.to_vec() } else { vec![] });
        let forged = "$sparkplug/certificates/spBv1.0/plant/NBIRTH/edge";
        let reason = broker.publish(edge, retained(forged, "forged")).unwrap();
        assert_eq!(reason == ReasonCode::NotAuthorized, is_kept);
    }
}

#[test]
fn a_payload_that_is_not_the_text_it_says_is_refused_where_that_is_checked() {
    for is_checked in [false, true] {
        let options = Options { check_payload_format: is_checked, ..Options::default() };
        let mut broker = Broker::with_options(2, Limits::default(), options);
        let subscriber = broker.client(super::options("s"));
        broker.subscribe(subscriber, filter("a", QoS::AtMostOnce));
        let publisher = broker.client(super::options("p"));
        let publish = |payload: &'static [u8], qos| {
            let properties =
                PublishProperties { payload_format: Some(PayloadFormat::Utf8), ..Default::default() };
            Publish {
                payload: Bytes::from_static(payload),
                properties: Some(Box::new(properties)),
                ..message("a", "", qos)
            }
        };
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let good = broker.publish(publisher, publish("grün".as_bytes(), qos));
            assert_eq!(good, Some(ReasonCode::Success));
            let bad = broker.publish(publisher, publish(b"\xff", qos));
            let expected = if is_checked { ReasonCode::PayloadFormatInvalid } else { ReasonCode::Success };
            assert_eq!(bad, Some(expected));
        }
        broker.publish(publisher, publish(b"\xff", QoS::AtMostOnce));
        assert_eq!(broker.messages(subscriber).len(), if is_checked { 2 } else { 5 });
        assert_eq!(broker.dropped(DropReason::PayloadFormat), if is_checked { 3 } else { 0 });
        let gone = Will {
            payload: Bytes::from_static(b"\xff"),
            properties: WillProperties { payload_format: Some(PayloadFormat::Utf8), ..Default::default() },
            ..will("a", None)
        };
        let answer = connack(&mut broker, Connect { will: Some(gone), ..connect("w", V5) });
        assert_eq!(answer.reason == ReasonCode::PayloadFormatInvalid, is_checked);
    }
}

#[test]
fn a_connect_over_a_bound_is_told_which_one_and_it_is_counted_with_its_client() {
    let limits = Limits {
        client_id_bytes_max: 23,
        user_property_bytes_max: 100,
        will_bytes_max: 200,
        wills_per_shard_max: 1,
        sessions_per_shard_max: 2,
        topic_levels_max: 8,
        ..Limits::default()
    };
    let mut broker = Broker::with_limits(1, limits);
    let large = Will { payload: Bytes::from(vec![0; 200]), ..will("w", None) };
    let talkative = WillProperties { user_properties: user_properties(101), ..Default::default() };
    let talkative = Will { properties: talkative, ..will("w", None) };
    let properties = ConnectProperties { user_properties: user_properties(101), ..Default::default() };
    broker.connected(Connect { will: Some(will("w", None)), ..connect("has a will", V5) });
    broker.connected(connect("has none", V5));
    let known = |will| Connect { will: Some(will), ..connect("has none", V5) };
    let table = [
        (connect(&"x".repeat(24), V5), ReasonCode::ClientIdentifierNotValid, Limit::ClientIdBytes),
        (connect("third", V5), ReasonCode::QuotaExceeded, Limit::Sessions),
        (
            Connect { properties, ..connect("has none", V5) },
            ReasonCode::QuotaExceeded,
            Limit::UserPropertyBytes,
        ),
        (known(large), ReasonCode::PacketTooLarge, Limit::WillBytes),
        (known(talkative), ReasonCode::QuotaExceeded, Limit::UserPropertyBytes),
        (known(will("1/2/3/4/5/6/7/8/9", None)), ReasonCode::TopicNameInvalid, Limit::TopicLevels),
        (known(will("w", None)), ReasonCode::QuotaExceeded, Limit::Wills),
    ];
    for (connect, reason, limit) in table {
        let (before, client_id) = (broker.limited(limit), connect.client_id.clone());
        let answer = connack(&mut broker, connect);
        assert_eq!(answer.reason, reason, "{limit:?}");
        let words = answer.properties.reason_string.unwrap();
        assert!(words.contains(limit.name()), "{words}");
        assert_eq!(broker.limited(limit), before + 1);
        let client_id = if limit == Limit::ClientIdBytes { Text::EMPTY } else { client_id };
        let is_told = broker.events.iter().any(|event| {
            matches!(event, Event::Limited { client_id: told, limit: name, .. } if *told == client_id && *name == limit.name())
        });
        assert!(is_told, "{limit:?}");
    }
}

#[test]
fn a_will_that_is_gone_makes_room_for_another() {
    let limits = Limits { wills_per_shard_max: 1, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let with_will = |client_id| Connect { will: Some(will("w", None)), ..connect(client_id, V5) };
    for round in 0..3 {
        let wire = broker.connected(with_will("a"));
        assert_eq!(connack(&mut broker, with_will("b")).reason, ReasonCode::QuotaExceeded, "{round}");
        match round {
            0 => broker.send(wire, V5, [Packet::Disconnect(Disconnect::new(ReasonCode::Success))]),
            1 => broker.hang_up(wire),
            _ => drop(broker.connected(connect("a", V5))),
        }
        let other = broker.connected(with_will("b"));
        broker.hang_up(other);
    }
}

#[test]
fn keep_alive_is_kept_between_its_bounds() {
    let limits = Limits { keep_alive_min_seconds: 5, keep_alive_max_seconds: 60, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    for (asked, granted) in [(1, Some(5)), (5, None), (60, None), (61, Some(60)), (0, Some(60))] {
        let answer = connack(&mut broker, Connect { keep_alive: asked, ..connect("c", V5) });
        assert_eq!(answer.properties.server_keep_alive, granted, "{asked}");
    }
}

#[test]
fn a_refusal_comes_with_words_where_the_client_wants_them_and_has_room() {
    let limits = Limits { topic_levels_max: 8, user_property_bytes_max: 50, ..Limits::default() };
    let deep = "1/2/3/4/5/6/7/8/9";
    for (wants_words, size_max, has_words) in
        [(None, None, true), (Some(true), None, true), (Some(false), None, false), (None, Some(20), false)]
    {
        let mut broker = Broker::with_limits(1, limits.clone());
        let properties = ConnectProperties {
            request_problem_information: wants_words,
            packet_size_max: size_max,
            ..Default::default()
        };
        let wire = broker.wire("c");
        broker.send(wire, V5, [Packet::Connect(Box::new(Connect { properties, ..connect("c", V5) }))]);
        broker.wires.get_mut(&wire).unwrap().clear();
        let talkative = PublishProperties { user_properties: user_properties(51), ..Default::default() };
        let talkative = Publish {
            packet_id: Some(packet_id(5)),
            properties: Some(Box::new(talkative)),
            ..message("a", "", QoS::AtLeastOnce)
        };
        broker.send(
            wire,
            V5,
            [
                publish(1, deep, "x", QoS::AtLeastOnce),
                publish(2, deep, "x", QoS::ExactlyOnce),
                publish(3, "$SYS/x", "x", QoS::AtLeastOnce),
                subscribe(4, &[deep], QoS::AtMostOnce),
                Packet::Publish(talkative),
            ],
        );
        let answer = broker.received(wire, V5);
        let got: Vec<(ReasonCode, bool)> = answer
            .iter()
            .map(|packet| {
                let (reason, properties) = if let Packet::PubAck(ack) | Packet::PubRec(ack) = packet {
                    (ack.reason, &ack.properties)
                } else if let Packet::SubAck(suback) = packet {
                    (suback.reasons[0], &suback.properties)
                } else {
                    panic!("{packet:?}")
                };
                (reason, properties.reason_string.is_some())
            })
            .collect();
        let reasons = [
            ReasonCode::TopicNameInvalid,
            ReasonCode::TopicNameInvalid,
            ReasonCode::NotAuthorized,
            ReasonCode::TopicFilterInvalid,
            ReasonCode::QuotaExceeded,
        ];
        assert_eq!(got, reasons.map(|reason| (reason, has_words)));
    }
}
