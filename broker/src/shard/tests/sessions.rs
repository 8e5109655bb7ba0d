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
    let told: Vec<_> = broker
        .events
        .iter()
        .filter_map(|event| {
            if let Event::Dropping { client_id, limit, .. } | Event::Limited { client_id, limit, .. } = event
            {
                Some((client_id.as_str(), *limit))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(told, [("s", "queued_messages_max"), ("p", "queued_messages_max")]);
    assert_eq!(broker.shards[0].stats().dropped[crate::DropReason::QueueFull as usize], 2);
    assert_eq!(broker.limited(crate::Limit::QueuedMessages), 2);
}

#[test]
fn a_queue_with_too_many_bytes_is_told_from_one_with_too_many_messages() {
    let limits = Limits { queued_bytes_max: 10, ..Limits::default() };
    let mut broker = Broker::with_limits(1, limits);
    let subscriber = broker.client(persistent("s"));
    broker.subscribe(subscriber, filter("a", QoS::AtLeastOnce));
    broker.cut(subscriber);
    let publisher = broker.client(options("p"));
    let reason = broker.publish(publisher, message("a", "0123456789", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::QuotaExceeded));
    assert_eq!(broker.limited(crate::Limit::QueuedBytes), 1);
    assert_eq!(broker.limited(crate::Limit::QueuedMessages), 0);
}

#[test]
fn a_wish_that_is_cut_to_a_bound_is_counted_each_time_and_told_for_a_new_session() {
    let limits = Limits {
        keep_alive_min_seconds: 10,
        keep_alive_max_seconds: 20,
        session_expiry_max_seconds: 5,
        ..Limits::default()
    };
    let mut broker = Broker::with_limits(1, limits);
    for (keep_alive, limit) in
        [(9, crate::Limit::KeepAliveMin), (21, crate::Limit::KeepAliveMax), (0, crate::Limit::KeepAliveMax)]
    {
        let before = broker.limited(limit);
        let asked = Connect { keep_alive, ..connect("k", Version::V5) };
        broker.connected(asked);
        assert_eq!(broker.limited(limit), before + 1, "{keep_alive}");
    }
    broker.connected(Connect { keep_alive: 15, ..connect("fits", Version::V5) });
    broker.connected(Connect { keep_alive: 0, ..connect("old", Version::V311) });
    for _ in 0..2 {
        let wire = broker.connected(Connect { keep_alive: 15, ..resume("s", 6) });
        broker.hang_up(wire);
    }
    assert_eq!(broker.limited(crate::Limit::SessionExpiry), 2);
    let told: Vec<_> = broker
        .events
        .iter()
        .filter_map(|event| {
            if let Event::Adjusted { client_id, limit } = event {
                Some((client_id.as_str(), *limit))
            } else {
                None
            }
        })
        .collect();
    let expected = [
        ("k", "keep_alive_min_seconds"),
        ("k", "keep_alive_max_seconds"),
        ("k", "keep_alive_max_seconds"),
        ("s", "session_expiry_max_seconds"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_waits_is_counted_in_messages_and_bytes() {
    let mut broker = Broker::new(2);
    for id in ["s 1", "s 2"] {
        let subscriber = broker.client(persistent(id));
        broker.subscribe(subscriber, filter("topic", QoS::AtLeastOnce));
        broker.cut(subscriber);
    }
    let publisher = broker.client(options("p"));
    broker.publish(publisher, message("topic", "12345", QoS::AtLeastOnce));
    broker.publish(publisher, message("topic", "", QoS::AtLeastOnce));
    let sizes = |stats: &Stats| (stats.waiting + stats.waiting_bytes) as u64;
    assert_eq!(broker.count(|stats| stats.waiting as u64), 4);
    assert_eq!(broker.count(sizes), 4 + 2 * (10 + 5));
}
