//! Messages in both directions, with and without connections that break.

use super::*;
use crate::packet::PublishProperties;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use ReasonCode::Success;

#[test]
fn qos_0_is_told_when_it_is_handed_over_and_refused_without_a_connection() {
    let mut bench = Bench::new(options());
    let error = bench.client.publish(bench.now, message(AtMostOnce, "lost")).unwrap_err();
    assert_eq!(error.to_string(), "not connected: a QoS 0 message is not kept for later");
    bench.connect(false, ConnAckProperties::default());
    let token = bench.publish(AtMostOnce, "now");
    assert_eq!(bench.events(), [published(token, Success)]);
    assert_eq!(bench.sent(), [Packet::Publish(message(AtMostOnce, "now"))]);
}

#[test]
fn qos_1_is_told_at_puback_with_its_reason() {
    let mut bench = Bench::open_default();
    let token = bench.publish(AtLeastOnce, "a");
    assert_eq!(bench.sent(), [Packet::Publish(publish(1, AtLeastOnce, "a"))]);
    assert_eq!(bench.events(), []);
    bench.hear(&Packet::PubAck(ack(1, ReasonCode::NoMatchingSubscribers))).unwrap();
    assert_eq!(bench.events(), [published(token, ReasonCode::NoMatchingSubscribers)]);
    assert_eq!(bench.client.pending_len(), 0);
}

#[test]
fn qos_2_is_told_at_pubcomp() {
    let mut bench = Bench::open_default();
    let token = bench.publish(ExactlyOnce, "a");
    bench.sent();
    bench.hear(&Packet::PubRec(ok(1))).unwrap();
    assert_eq!((bench.sent(), bench.events()), (vec![Packet::PubRel(ok(1))], vec![]));
    bench.hear(&Packet::PubRec(ok(1))).unwrap();
    assert_eq!(bench.sent(), [Packet::PubRel(ok(1))], "a PUBREC that comes again is answered again");
    bench.hear(&Packet::PubComp(ok(1))).unwrap();
    assert_eq!(bench.events(), [published(token, Success)]);
    bench.hear(&Packet::PubComp(ok(1))).unwrap();
    assert_eq!((bench.events(), bench.client.pending_len()), (vec![], 0));
}

#[test]
fn the_words_of_a_refusal_and_a_pubrec_without_listeners_are_told() {
    let mut bench = Bench::open_default();
    let told = |token, reason, words: &str| ClientEvent::Published {
        token,
        reason,
        reason_string: Some(Text::try_from(words).unwrap()),
    };
    let with_words = |mut ack: PublishAck, words: &str| {
        ack.properties.reason_string = Some(Text::try_from(words).unwrap());
        ack
    };
    let token = bench.publish(AtLeastOnce, "a");
    bench.hear(&Packet::PubAck(with_words(ack(1, ReasonCode::QuotaExceeded), "come back later"))).unwrap();
    assert_eq!(bench.events(), [told(token, ReasonCode::QuotaExceeded, "come back later")]);

    let token = bench.publish(ExactlyOnce, "b");
    let sent = bench.sent();
    let Some(Packet::Publish(publish)) = sent.last() else { panic!("{sent:?}") };
    let number = publish.packet_id.unwrap().get();
    let pubrec = with_words(ack(number, ReasonCode::NoMatchingSubscribers), "nobody is there");
    bench.hear(&Packet::PubRec(pubrec)).unwrap();
    bench.hear(&Packet::PubComp(ok(number))).unwrap();
    assert_eq!(bench.events(), [told(token, ReasonCode::NoMatchingSubscribers, "nobody is there")]);
}

#[test]
fn a_failing_pubrec_ends_the_flow() {
    let mut bench = Bench::open_default();
    let token = bench.publish(ExactlyOnce, "a");
    bench.hear(&Packet::PubRec(ack(1, ReasonCode::QuotaExceeded))).unwrap();
    assert_eq!(bench.events(), [published(token, ReasonCode::QuotaExceeded)]);
    bench.sent();
    assert_eq!(bench.reconnect(true), (vec![], vec![]));
}

#[test]
fn a_pubrec_that_belongs_to_nothing_is_answered_with_not_found() {
    let mut bench = Bench::open_default();
    bench.hear(&Packet::PubRec(ok(77))).unwrap();
    assert_eq!(bench.sent(), [Packet::PubRel(ack(77, ReasonCode::PacketIdentifierNotFound))]);
}

#[test]
fn the_receive_maximum_of_the_server_holds_the_rest_in_the_queue() {
    let properties = ConnAckProperties { receive_maximum: Some(2), ..Default::default() };
    let mut bench = Bench::open(options(), properties);
    for (qos, payload) in [(ExactlyOnce, "1"), (AtLeastOnce, "2"), (AtLeastOnce, "3"), (AtLeastOnce, "4")] {
        bench.publish(qos, payload);
    }
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.client.pending_len(), 4);
    bench.hear(&Packet::PubRec(ok(1))).unwrap();
    assert_eq!(bench.sent(), [Packet::PubRel(ok(1))], "PUBREC makes no room [MQTT-3.3.4-7]");
    bench.hear(&Packet::PubAck(ok(2))).unwrap();
    bench.hear(&Packet::PubComp(ok(1))).unwrap();
    let expected = [publish(3, AtLeastOnce, "3"), publish(4, AtLeastOnce, "4")];
    assert_eq!(bench.sent(), expected.map(Packet::Publish));
}

#[test]
fn the_queue_has_a_bound() {
    let mut bench = Bench::new(ClientOptions { queue_max: 2, ..options() });
    bench.publish(AtLeastOnce, "1");
    bench.publish(ExactlyOnce, "2");
    let error = bench.client.publish(bench.now, message(AtLeastOnce, "3")).unwrap_err();
    assert_eq!(error, PublishError::QueueFull(2));
    let (_, sent) = bench.connect(false, ConnAckProperties::default());
    assert_eq!(sent, [publish(1, AtLeastOnce, "1"), publish(2, ExactlyOnce, "2")].map(Packet::Publish));
    bench.publish(AtLeastOnce, "3");
}

#[test]
fn messages_that_the_client_may_not_send_are_not_taken() {
    let mut bench = Bench::open_default();
    let cases = [
        (PublishProperties { topic_alias: Some(1), ..Default::default() }, PublishError::Topic),
        (PublishProperties { subscription_ids: vec![1], ..Default::default() }, PublishError::SubscriptionId),
    ];
    for (properties, error) in cases {
        let publish = Publish { properties: Some(Box::new(properties)), ..message(AtLeastOnce, "") };
        assert_eq!(bench.client.publish(bench.now, publish), Err(error));
    }
    let nowhere = Publish { topic: TopicName::ALIASED, ..message(AtMostOnce, "") };
    assert_eq!(bench.client.publish(bench.now, nowhere), Err(PublishError::Topic));
    assert_eq!((bench.sent(), bench.events()), (vec![], vec![]));
}

#[test]
fn what_the_server_does_not_take_is_told_and_not_sent() {
    let cases = [
        (
            ConnAckProperties { maximum_qos: Some(AtMostOnce), ..Default::default() },
            message(AtLeastOnce, "a"),
            ReasonCode::QoSNotSupported,
        ),
        (
            ConnAckProperties { retain_available: Some(false), ..Default::default() },
            Publish { retain: true, ..message(AtMostOnce, "a") },
            ReasonCode::RetainNotSupported,
        ),
        (
            ConnAckProperties { packet_size_max: Some(15), ..Default::default() },
            message(AtMostOnce, "a"),
            ReasonCode::Success,
        ),
        (
            ConnAckProperties { packet_size_max: Some(15), ..Default::default() },
            message(AtLeastOnce, "a"),
            ReasonCode::PacketTooLarge,
        ),
        (
            ConnAckProperties { packet_size_max: Some(14), ..Default::default() },
            message(AtMostOnce, "a"),
            ReasonCode::PacketTooLarge,
        ),
    ];
    for (properties, publish, reason) in cases {
        let mut bench = Bench::open(options(), properties);
        let token = bench.client.publish(bench.now, publish).unwrap();
        assert_eq!(bench.events(), [published(token, reason)]);
        assert_eq!(bench.sent().len(), usize::from(reason == Success));
        assert_eq!(bench.client.pending_len(), 0);
    }
}

#[test]
fn a_resumed_session_sends_again_in_order_before_anything_new() {
    let mut bench = Bench::open_default();
    for (qos, payload) in [(AtLeastOnce, "1"), (ExactlyOnce, "2"), (ExactlyOnce, "3")] {
        bench.publish(qos, payload);
    }
    bench.sent();
    bench.hear(&Packet::PubRec(ok(2))).unwrap();
    bench.client.handle_close(bench.now);
    bench.publish(AtLeastOnce, "4");
    let (events, sent) = bench.reconnect(true);
    assert_eq!(events, []);
    assert_eq!(
        sent,
        [
            Packet::PubRel(ok(2)),
            again(publish(1, AtLeastOnce, "1")),
            again(publish(3, ExactlyOnce, "3")),
            Packet::Publish(publish(4, AtLeastOnce, "4")),
        ]
    );
}

#[test]
fn pubrels_go_out_again_in_the_order_of_their_pubrecs() {
    let mut bench = Bench::open_default();
    for payload in ["1", "2", "3", "4"] {
        bench.publish(ExactlyOnce, payload);
    }
    for packet_id in [4, 1, 2] {
        bench.hear(&Packet::PubRec(ok(packet_id))).unwrap();
    }
    bench.sent();
    for _ in 0..2 {
        let (_, mut sent) = bench.reconnect(true);
        assert_eq!(sent.pop(), Some(again(publish(3, ExactlyOnce, "3"))));
        assert_eq!(sent, [4, 1, 2].map(|packet_id| Packet::PubRel(ok(packet_id))));
    }
}

#[test]
fn a_resumed_session_obeys_the_new_terms() {
    let mut bench = Bench::open_default();
    let tokens = ["1", "2", "a longer one", "4"].map(|payload| bench.publish(AtLeastOnce, payload));
    bench.client.handle_close(bench.now);
    let properties = ConnAckProperties {
        receive_maximum: Some(2),
        packet_size_max: Some(20),
        server_keep_alive: Some(9),
        ..Default::default()
    };
    let (events, sent) = bench.connect(true, properties);
    assert_eq!((events, sent.len()), (vec![], 2));
    bench.hear(&Packet::PubAck(ok(1))).unwrap();
    assert_eq!(bench.sent(), [again(publish(4, AtLeastOnce, "4"))]);
    assert_eq!(
        bench.events(),
        [published(tokens[0], Success), published(tokens[2], ReasonCode::PacketTooLarge)]
    );
}

#[test]
fn a_lost_session_starts_over_with_new_messages() {
    let mut bench = Bench::open_default();
    let tokens = [(ExactlyOnce, "1"), (ExactlyOnce, "2"), (AtLeastOnce, "3")]
        .map(|(qos, payload)| bench.publish(qos, payload));
    bench.hear(&Packet::PubRec(ok(1))).unwrap();
    bench.hear(&Packet::Publish(publish(5, ExactlyOnce, "in"))).unwrap();
    bench.events();
    bench.sent();
    bench.client.handle_close(bench.now);
    bench.publish(AtLeastOnce, "4");
    let (events, sent) = bench.reconnect(false);
    assert_eq!(events, [published(tokens[0], Success)], "the server had taken it over");
    let expected = [publish(1, ExactlyOnce, "2"), publish(2, AtLeastOnce, "3"), publish(3, AtLeastOnce, "4")];
    assert_eq!(sent, expected.map(Packet::Publish));
    bench.hear(&Packet::Publish(publish(5, ExactlyOnce, "new"))).unwrap();
    assert_eq!(bench.events(), [ClientEvent::Message(publish(5, ExactlyOnce, "new"))]);
    bench.hear(&Packet::PubAck(ok(2))).unwrap();
    assert_eq!(bench.events(), [published(tokens[2], Success)], "the token is the same as before");
}

#[test]
fn version_3_1_does_not_tell_of_the_session_so_the_client_is_careful() {
    let mut bench =
        Bench::open(ClientOptions { version: Version::V31, ..options() }, ConnAckProperties::default());
    bench.publish(ExactlyOnce, "out");
    bench.hear(&Packet::Publish(publish(5, ExactlyOnce, "in"))).unwrap();
    bench.hear(&Packet::Publish(publish(6, ExactlyOnce, "in"))).unwrap();
    bench.events();
    bench.sent();
    let (_, sent) = bench.reconnect(false);
    assert_eq!(sent, [again(publish(1, ExactlyOnce, "out"))]);
    bench.hear(&again(publish(5, ExactlyOnce, "in"))).unwrap();
    assert_eq!(bench.events(), [], "the same message");
    bench.hear(&Packet::Publish(publish(6, ExactlyOnce, "new"))).unwrap();
    assert_eq!(bench.events().len(), 1, "the session was lost");
}

#[test]
fn messages_are_acknowledged_and_qos_2_comes_once() {
    let mut bench = Bench::open_default();
    for packet in [
        Packet::Publish(message(AtMostOnce, "0")),
        Packet::Publish(publish(1, AtLeastOnce, "1")),
        Packet::Publish(publish(2, ExactlyOnce, "2")),
        again(publish(2, ExactlyOnce, "2")),
        Packet::PubRel(ok(2)),
        Packet::PubRel(ok(2)),
        Packet::Publish(publish(2, ExactlyOnce, "3")),
    ] {
        bench.hear(&packet).unwrap();
    }
    let expected = [
        message(AtMostOnce, "0"),
        publish(1, AtLeastOnce, "1"),
        publish(2, ExactlyOnce, "2"),
        publish(2, ExactlyOnce, "3"),
    ];
    assert_eq!(bench.events(), expected.map(ClientEvent::Message));
    assert_eq!(
        bench.sent(),
        [
            Packet::PubAck(ok(1)),
            Packet::PubRec(ok(2)),
            Packet::PubRec(ok(2)),
            Packet::PubComp(ok(2)),
            Packet::PubComp(ack(2, ReasonCode::PacketIdentifierNotFound)),
            Packet::PubRec(ok(2)),
        ]
    );
}

#[test]
fn qos_2_comes_once_across_connections_of_one_session() {
    let mut bench = Bench::open_default();
    bench.hear(&Packet::Publish(publish(2, ExactlyOnce, "2"))).unwrap();
    bench.events();
    bench.sent();
    bench.reconnect(true);
    bench.hear(&again(publish(2, ExactlyOnce, "2"))).unwrap();
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![Packet::PubRec(ok(2))]));
}

#[test]
fn what_is_not_sent_again_on_a_new_connection_is_new_though_the_server_has_a_session() {
    let mut bench = Bench::open_default();
    bench.hear(&Packet::Publish(publish(2, ExactlyOnce, "old"))).unwrap();
    bench.events();
    // The session ended, and the CONNACK that told so was lost.
    bench.reconnect(true);
    for packet in [
        Packet::Publish(publish(2, ExactlyOnce, "new")),
        Packet::Publish(publish(2, ExactlyOnce, "new")),
        Packet::PubRel(ok(2)),
        Packet::Publish(publish(2, ExactlyOnce, "newer")),
    ] {
        bench.hear(&packet).unwrap();
    }
    let expected = ["new", "newer"].map(|payload| ClientEvent::Message(publish(2, ExactlyOnce, payload)));
    assert_eq!(bench.events(), expected);
}

#[test]
fn a_server_that_exceeds_the_receive_maximum_of_the_client_hears_why() {
    let mut options = options();
    options.properties.receive_maximum = Some(2);
    let mut bench = Bench::open(options, ConnAckProperties::default());
    for number in 1..=2 {
        bench.hear(&Packet::Publish(publish(number, ExactlyOnce, ""))).unwrap();
    }
    bench.hear(&again(publish(2, ExactlyOnce, ""))).unwrap();
    let error = bench.hear(&Packet::Publish(publish(3, ExactlyOnce, ""))).unwrap_err();
    assert_eq!(error.reason, ReasonCode::ReceiveMaximumExceeded);
    assert_eq!(bench.sent().pop(), Some(goodbye(ReasonCode::ReceiveMaximumExceeded)));
    bench.events();
    bench.reconnect(true);
    for number in 1..=3 {
        bench.hear(&again(publish(number, ExactlyOnce, ""))).unwrap();
    }
    let refused = ClientEvent::Message(Publish { dup: true, ..publish(3, ExactlyOnce, "") });
    assert_eq!(bench.events(), [refused], "it was not taken over, so it is new");
}

#[test]
fn aliases_of_the_server_are_resolved_up_to_the_stated_maximum() {
    let mut options = options();
    options.properties.topic_alias_maximum = Some(3);
    let mut bench = Bench::open(options, ConnAckProperties::default());
    let aliased = |topic: &str, alias| {
        Packet::Publish(Publish {
            topic: TopicName::try_from(topic).unwrap_or(TopicName::ALIASED),
            properties: Some(Box::new(PublishProperties { topic_alias: Some(alias), ..Default::default() })),
            ..message(AtMostOnce, "x")
        })
    };
    for packet in [aliased("a", 3), aliased("", 3), aliased("b", 3), aliased("", 3)] {
        bench.hear(&packet).unwrap();
    }
    let topic = |event| if let ClientEvent::Message(publish) = event { Some(publish.topic) } else { None };
    let topics: Vec<String> =
        bench.events().into_iter().filter_map(topic).map(|topic| topic.to_string()).collect();
    assert_eq!(topics, ["a", "a", "b", "b"]);
    assert_eq!(bench.hear(&aliased("a", 4)).unwrap_err().reason, ReasonCode::TopicAliasInvalid);
}

#[test]
fn aliases_end_with_the_connection() {
    let mut options = options();
    options.properties.topic_alias_maximum = Some(3);
    let mut bench = Bench::open(options, ConnAckProperties::default());
    let properties = PublishProperties { topic_alias: Some(1), ..Default::default() };
    let named = Publish { properties: Some(Box::new(properties)), ..message(AtMostOnce, "x") };
    bench.hear(&Packet::Publish(named.clone())).unwrap();
    bench.events();
    bench.reconnect(true);
    let nameless = Publish { topic: TopicName::ALIASED, ..named };
    assert_eq!(bench.hear(&Packet::Publish(nameless)).unwrap_err().reason, ReasonCode::ProtocolError);
}

#[test]
fn a_queue_that_was_long_gives_its_memory_back() {
    let mut bench = Bench::new(options());
    for _ in 0..1000 {
        bench.publish(AtLeastOnce, "x");
    }
    bench.connect(false, ConnAckProperties::default());
    assert_eq!((bench.client.queue.capacity(), bench.client.pending_len()), (0, 1000));
}
