//! Who looks at every message that is taken.

use std::sync::Mutex;

use super::*;
use crate::{Decision, Subject, Tap};

/// What the taps of all shards have seen.
type Seen = Arc<Mutex<Vec<String>>>;

struct Noted(Seen);

impl Tap for Noted {
    fn on_message(&mut self, topic: &str, payload: &[u8]) {
        self.0.lock().unwrap().push(format!("{topic}={}", String::from_utf8_lossy(payload)));
    }

    fn on_turn_end(&mut self) {
        self.0.lock().unwrap().push("end".to_owned());
    }
}

/// Refuses messages of one topic.
struct Forbidding;

impl Access for Forbidding {
    fn connect(&self, peer: &Peer, connect: &Connect) -> crate::Admission {
        AllowAll.connect(peer, connect)
    }

    fn publish(&self, _: Subject<'_>, topic: &TopicName) -> Decision {
        if topic.as_str() == "forbidden" { Decision::Deny } else { Decision::Allow }
    }

    fn subscribe(&self, _: Subject<'_>, _: &TopicFilter) -> Decision {
        Decision::Allow
    }
}

fn tapped(shards: u16) -> (Broker, Seen) {
    let mut broker = Broker::with_access(shards, Limits::default(), Forbidding);
    let seen = Seen::default();
    for shard in &mut broker.shards {
        shard.set_tap(Box::new(Noted(Arc::clone(&seen))));
    }
    (broker, seen)
}

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap())
}

#[test]
fn each_message_is_seen_once_however_many_subscribers_and_shards_there_are() {
    for shards in 1..=3 {
        let (mut broker, seen) = tapped(shards);
        let clients: Vec<usize> =
            (0..8).map(|number| broker.client(options(&format!("client {number}")))).collect();
        for qos in ALL_QOS {
            broker.publish(clients[0], message("nobody/wants", "1", qos));
            assert_eq!(take(&seen), ["nobody/wants=1"], "{qos:?}");
        }
        for client in &clients {
            broker.subscribe(*client, filter("a", QoS::ExactlyOnce));
        }
        for client in &clients {
            broker.publish(*client, message("a", "21.5", QoS::ExactlyOnce));
            assert_eq!(take(&seen), ["a=21.5"], "{shards} shards");
        }
    }
}

#[test]
fn what_is_refused_is_not_seen_and_a_will_is() {
    let (mut broker, seen) = tapped(1);
    let publisher = broker.client(options("p"));
    assert_eq!(
        broker.publish(publisher, message("forbidden", "1", QoS::AtLeastOnce)),
        Some(ReasonCode::NotAuthorized)
    );
    assert_eq!(take(&seen), [""; 0]);
    let dying = broker.client(ClientOptions { will: Some(will("gone", None)), ..options("w") });
    broker.cut(dying);
    broker.run();
    assert_eq!(take(&seen).len(), 1);
    broker.shards[0].handle_turn_end();
    assert_eq!(take(&seen), ["end"]);
}
