//! Wills, and the ends of connections that bring them.

use super::*;

#[test]
fn a_will_goes_out_when_the_connection_is_lost_and_not_after_a_goodbye() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let mortal = broker.client(ClientOptions { will: Some(will("will", None)), ..options("m") });
    broker.cut(mortal);
    assert_eq!(broker.payloads(watcher), ["gone"]);
    broker.connect(mortal);
    let now = broker.now;
    broker.clients[mortal].disconnect(now, Disconnect::new(ReasonCode::Success));
    broker.run();
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.connect(mortal);
    broker.clients[mortal].disconnect(now, Disconnect::new(ReasonCode::DisconnectWithWill));
    broker.run();
    assert_eq!(broker.payloads(watcher), ["gone"]);
}

#[test]
fn a_delayed_will_waits_and_is_taken_back_by_a_return() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let mortal = broker.client(ClientOptions { will: Some(will("will", Some(10))), ..persistent("m") });
    broker.cut(mortal);
    broker.wait(Duration::from_secs(5));
    broker.connect(mortal);
    broker.wait(Duration::from_secs(20));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.cut(mortal);
    broker.wait(Duration::from_secs(9));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.payloads(watcher), ["gone"]);
}

#[test]
fn a_silent_client_is_disconnected_and_its_will_published() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let silent = ClientOptions { keep_alive: 10, will: Some(will("will", None)), ..options("m") };
    let mortal = broker.client(silent);
    // Its bytes go nowhere from now on.
    let link = broker.links.remove(&mortal);
    broker.clients[mortal].handle_close(broker.now);
    broker.wait(Duration::from_secs(14));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.payloads(watcher), ["gone"]);
    assert!(link.is_some());
}

#[test]
fn a_stop_is_announced_with_its_reason_and_wills_go_out() {
    let mut broker = Broker::new(2);
    let client = broker.client(options("s"));
    broker.heard[client].clear();
    let now = broker.now;
    for shard in &mut broker.shards {
        shard.handle_shutdown(now);
    }
    broker.run();
    let told = Disconnect::new(ReasonCode::ServerShuttingDown);
    assert_eq!(broker.heard[client], [ClientEvent::Disconnected(told)]);
    assert!(broker.shards.iter().all(|shard| shard.stats().connections == 0));
}

#[test]
fn a_will_goes_out_when_another_connection_takes_over_unless_the_session_goes_on_within_its_delay() {
    // Clean start of the new connection, delay, and whether the will goes out.
    for (clean_start, delay, is_published) in
        [(true, None, true), (false, None, true), (true, Some(10), true), (false, Some(10), false)]
    {
        let mut broker = Broker::new(2);
        let watcher = broker.client(options("w"));
        broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
        broker.client(ClientOptions { will: Some(will("will", delay)), ..persistent("m") });
        broker.client(ClientOptions { clean_start, ..persistent("m") });
        let expected: &[&str] = if is_published { &["gone"] } else { &[] };
        assert_eq!(broker.payloads(watcher), expected, "clean start {clean_start}, delay {delay:?}");
        broker.wait(Duration::from_secs(20));
        assert_eq!(broker.payloads(watcher), [""; 0], "clean start {clean_start}, delay {delay:?}");
    }
}

#[test]
fn a_delayed_will_goes_out_when_the_session_ends_before() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let mut short = persistent("m");
    short.properties.session_expiry = Some(5);
    let mortal = broker.client(ClientOptions { will: Some(will("will", Some(60))), ..short });
    broker.cut(mortal);
    broker.wait(Duration::from_secs(4));
    assert_eq!(broker.payloads(watcher), [""; 0]);
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.payloads(watcher), ["gone"]);
    assert_eq!(broker.count(|stats| stats.sessions as u64), 1, "the watcher's");

    let briefest = broker.client(ClientOptions { will: Some(will("will", Some(60))), ..options("n") });
    broker.cut(briefest);
    assert_eq!(broker.payloads(watcher), ["gone"], "a session that ends with its connection has no delay");
}

#[test]
fn a_protocol_error_brings_the_will() {
    let mut broker = Broker::new(2);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let wire = broker.connected(Connect { will: Some(will("will", None)), ..connect("m", Version::V311) });
    broker.send_bytes(wire, b"\x36\x00");
    assert_eq!(broker.payloads(watcher), ["gone"]);
}

#[test]
fn a_retained_will_is_there_for_those_who_come_later() {
    let mut broker = Broker::new(2);
    let last_words = Will { retain: true, ..will("will", None) };
    let mortal = broker.client(ClientOptions { will: Some(last_words), ..options("m") });
    broker.cut(mortal);
    let watcher = broker.client(options("w"));
    broker.subscribe(watcher, filter("will", QoS::AtLeastOnce));
    let got = broker.messages(watcher);
    assert_eq!(got.len(), 1);
    assert!(got[0].retain);
    assert_eq!(got[0].payload, "gone");
}
