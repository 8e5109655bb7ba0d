//! Aliases that the client gives to its topics.

use super::*;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

fn granting(topic_alias_maximum: u16) -> ConnAckProperties {
    ConnAckProperties { topic_alias_maximum: Some(topic_alias_maximum), ..Default::default() }
}

/// Topics and aliases of the messages that the client wrote.
fn names(bench: &mut Bench) -> Vec<(String, Option<u16>)> {
    let name = |packet| {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        let alias = publish.properties.and_then(|properties| properties.topic_alias);
        (publish.topic.as_str().to_owned(), alias)
    };
    bench.sent().into_iter().map(name).collect()
}

fn named(topic: &str, alias: Option<u16>) -> (String, Option<u16>) {
    (topic.to_owned(), alias)
}

#[test]
fn a_topic_goes_out_once_and_its_alias_from_then_on_where_the_server_grants_one() {
    let mut bench = Bench::open(options(), granting(9));
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        bench.publish(qos, "x");
    }
    assert_eq!(names(&mut bench), [named("home/lamp", Some(1)), named("", Some(1)), named("", Some(1))]);
    let mut bench = Bench::open_default();
    bench.publish(AtMostOnce, "x");
    bench.publish(AtMostOnce, "x");
    assert_eq!(names(&mut bench), [named("home/lamp", None), named("home/lamp", None)]);
}

#[test]
fn the_options_bound_the_aliases_that_the_server_grants() {
    let mut bench = Bench::open(ClientOptions { topic_aliases_max: 1, ..options() }, granting(u16::MAX));
    for topic in ["home/lamp", "home/door", "home/lamp"] {
        let topic = TopicName::try_from(topic).unwrap();
        bench.client.publish(bench.now, Publish { topic, ..message(AtMostOnce, "x") }).unwrap();
    }
    let expected = [named("home/lamp", Some(1)), named("home/door", None), named("", Some(1))];
    assert_eq!(names(&mut bench), expected);
    let mut bench = Bench::open(ClientOptions { topic_aliases_max: 0, ..options() }, granting(9));
    bench.publish(AtMostOnce, "x");
    assert_eq!(names(&mut bench), [named("home/lamp", None)]);
}

#[test]
fn what_goes_out_again_carries_its_topic_and_the_first_new_message_makes_its_alias_known() {
    let mut bench = Bench::open(options(), granting(9));
    bench.publish(AtLeastOnce, "1");
    bench.publish(ExactlyOnce, "2");
    bench.client.handle_close(bench.now);
    bench.publish(AtLeastOnce, "3");
    let (_, sent) = bench.connect(true, granting(9));
    assert_eq!(
        sent[..2],
        [again(publish(1, AtLeastOnce, "1")), again(publish(2, ExactlyOnce, "2"))],
        "an alias ended with its connection [MQTT-3.3.2-7]"
    );
    let Packet::Publish(third) = &sent[2] else { panic!("{sent:?}") };
    let alias = third.properties.as_ref().and_then(|properties| properties.topic_alias);
    assert_eq!((third.topic.as_str(), alias, third.dup), ("home/lamp", Some(1), false));
    bench.publish(AtMostOnce, "4");
    assert_eq!(names(&mut bench), [named("", Some(1))]);
}

#[test]
fn a_message_that_an_alias_would_make_too_large_goes_out_without() {
    // Two bytes of fixed header, two and nine of the topic, one of properties, one of payload.
    let properties = ConnAckProperties { packet_size_max: Some(15), ..granting(9) };
    let mut bench = Bench::open(options(), properties.clone());
    for _ in 0..2 {
        bench.publish(AtMostOnce, "x");
    }
    assert_eq!(names(&mut bench), [named("home/lamp", None), named("home/lamp", None)]);
    let token = bench.publish(AtMostOnce, "much too long for this server");
    let token_after = bench.publish(AtMostOnce, "x");
    assert!(bench.events().contains(&published(token, ReasonCode::PacketTooLarge)));
    assert!(token_after > token);
    assert_eq!(names(&mut bench), [named("home/lamp", None)], "no alias that the server never heard of");
}
