//! Retained messages and who gets them.

use super::*;

#[test]
fn a_later_subscriber_gets_the_retained_message_with_its_flag_and_an_empty_one_clears_it() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, retained("a/b", "1"));
    broker.publish(publisher, retained("a/b", "2"));
    for client_id in ["s", "t", "u"] {
        let subscriber = broker.client(options(client_id));
        broker.subscribe(subscriber, filter("a/#", QoS::AtMostOnce));
        let got = broker.messages(subscriber);
        assert_eq!(got.len(), 1);
        assert!(got[0].retain);
        assert_eq!(got[0].payload, "2");
        broker.publish(publisher, retained("a/b", "2"));
        assert!(!broker.messages(subscriber)[0].retain, "to an established subscription it is not retained");
    }
    broker.publish(publisher, retained("a/b", ""));
    let subscriber = broker.client(options("v"));
    broker.subscribe(subscriber, filter("a/#", QoS::AtMostOnce));
    assert_eq!(broker.messages(subscriber), []);
}

#[test]
fn retain_handling_and_retain_as_published_are_obeyed() {
    let mut broker = Broker::new(2);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, retained("a", "1"));
    let subscriber = broker.client(options("s"));
    let with = |retain_handling, retain_as_published| Subscription {
        retain_handling,
        retain_as_published,
        ..filter("a", QoS::AtMostOnce)
    };
    broker.subscribe(subscriber, with(RetainHandling::DoNotSend, true));
    assert_eq!(broker.messages(subscriber), []);
    broker.publish(publisher, retained("a", "2"));
    assert!(broker.messages(subscriber)[0].retain);
    broker.subscribe(subscriber, with(RetainHandling::SendIfNew, false));
    assert_eq!(broker.messages(subscriber), []);
    broker.subscribe(subscriber, with(RetainHandling::Send, false));
    assert_eq!(broker.messages(subscriber).len(), 1);
}

#[test]
fn many_retained_messages_come_in_portions_and_none_is_lost() {
    let limits = Limits { output_bytes_max: 1000, ..Limits::default() };
    let mut broker = Broker::with_limits(2, limits);
    let publisher = broker.client(options("p"));
    for number in 0..500 {
        broker.publish(publisher, retained(&format!("a/{number}"), "0123456789"));
    }
    let subscriber = broker.client(options("s"));
    broker.subscribe(subscriber, filter("#", QoS::AtMostOnce));
    assert_eq!(broker.messages(subscriber).len(), 500);
}

#[test]
fn qos_0_messages_keep_their_order_behind_retained_ones_and_when_those_are_taken_back() {
    for is_taken_back in [false, true] {
        let mut broker = Broker::new(1);
        let publisher = broker.client(options("p"));
        broker.publish(publisher, retained("a/1", "old"));
        broker.publish(publisher, retained("a/2", "old"));
        let wire = broker.connected(resume("s", 1));
        broker.send(wire, Version::V5, [subscribe(1, &["b"], QoS::AtMostOnce)]);
        broker.send(wire, Version::V5, [subscribe(2, &["a/+"], QoS::AtLeastOnce)]);
        broker.publish(publisher, message("a/3", "kept", QoS::AtLeastOnce));
        broker.publish(publisher, message("b", "1", QoS::AtMostOnce));
        if is_taken_back {
            let filters = vec![TopicFilter::try_from("a/+").unwrap()];
            let (packet_id, properties) = (packet_id(3), Default::default());
            let unsubscribe = Unsubscribe { packet_id, filters, properties };
            broker.send(wire, Version::V5, [Packet::Unsubscribe(unsubscribe)]);
            broker.publish(publisher, message("b", "2", QoS::AtMostOnce));
            broker.send(wire, Version::V5, [Packet::PubAck(PublishAck::success(packet_id))]);
        } else {
            // The last retained message fills the window, so that the queue stands still.
            broker.send(wire, Version::V5, [Packet::PubAck(PublishAck::success(packet_id(1)))]);
            broker.publish(publisher, message("b", "2", QoS::AtMostOnce));
        }
        for number in 1..=4 {
            broker.send(wire, Version::V5, [Packet::PubAck(PublishAck::success(packet_id(number)))]);
        }
        let mut got = Vec::new();
        for packet in broker.received(wire, Version::V5) {
            if let Packet::Publish(publish) = packet
                && publish.topic.as_str() == "b"
            {
                got.push(publish.payload);
            }
        }
        assert_eq!(got, ["1", "2"], "taken back: {is_taken_back}");
    }
}
