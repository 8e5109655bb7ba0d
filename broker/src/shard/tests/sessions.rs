//! Sessions that outlive their connections.

use super::*;

#[test]
fn a_persistent_session_gets_what_it_missed_in_order() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    for (payload, qos) in [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)] {
        broker.publish(publisher, message("a", payload, qos));
    }
    broker.connect(subscriber);
    assert!(
        broker.heard[subscriber]
            .iter()
            .any(|event| matches!(event, ClientEvent::Connected { session_present: true, .. }))
    );
    assert_eq!(broker.payloads(subscriber), ["1", "2"]);
}

#[test]
fn a_session_ends_with_its_expiry_and_a_clean_start_begins_a_new_one() {
    let mut broker = Broker::new(2);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    broker.wait(Duration::from_secs(3602));
    assert!(
        broker.shards.iter().all(|shard| shard.stats().sessions == 0 && shard.stats().subscriptions == 0)
    );
    broker.connect(subscriber);
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    broker.clients[subscriber].options_mut().clean_start = true;
    broker.connect(subscriber);
    assert!(broker.shards.iter().all(|shard| shard.stats().subscriptions == 0));
}

#[test]
fn the_same_client_id_takes_the_session_over_and_the_old_connection_is_told() {
    let mut broker = Broker::new(2);
    let first = broker.client(persistent("s"));
    broker.subscribe(first, filter("a", QoS::AtLeastOnce));
    broker.heard[first].clear();
    let second = broker.client(persistent("s"));
    let told = Disconnect::new(ReasonCode::SessionTakenOver);
    assert_eq!(broker.heard[first], [ClientEvent::Disconnected(told)]);
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("a", "1", QoS::AtLeastOnce));
    assert_eq!(broker.payloads(second), ["1"]);
    assert_eq!(broker.payloads(first), [""; 0]);
}

#[test]
fn an_empty_client_id_is_assigned() {
    let mut broker = Broker::new(1);
    let v5 = broker.client(options(""));
    assert_eq!(broker.clients[v5].options().client_id.as_str(), "assigned");
}

#[test]
fn a_full_queue_refuses_is_counted_and_told_once() {
    let limits = Limits { queued_messages_max: 2, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    let reasons: Vec<_> =
        (0..4).map(|_| broker.publish(publisher, message("a", "x", QoS::AtLeastOnce)).unwrap()).collect();
    use ReasonCode::{QuotaExceeded, Success};
    assert_eq!(reasons, [Success, Success, QuotaExceeded, QuotaExceeded]);
    let told = broker.events.iter().filter(|event| matches!(event, Event::Dropping { .. })).count();
    assert_eq!(told, 1);
    assert_eq!(broker.shards[0].stats().dropped[crate::DropReason::QueueFull as usize], 2);
}
