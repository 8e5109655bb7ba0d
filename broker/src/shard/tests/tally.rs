//! What comes of each topic, counted for the live tree.

use std::sync::Mutex;

use super::*;
use crate::{Tally, TallySlot};

/// Long enough for a turn of a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether each call was urgent.
type Calls = Arc<Mutex<Vec<bool>>>;

fn counting(shards: u16) -> (Broker, Vec<Arc<TallySlot>>, Calls) {
    let mut broker = Broker::new(shards);
    let calls = Calls::default();
    let slot = |_| {
        let calls = Arc::clone(&calls);
        Arc::new(TallySlot::new(4, Box::new(move |is_urgent| calls.lock().unwrap().push(is_urgent))))
    };
    let slots: Vec<_> = (0..shards).map(slot).collect();
    for (shard, slot) in broker.shards.iter_mut().zip(&slots) {
        shard.set_tally(Arc::clone(slot));
    }
    (broker, slots, calls)
}

fn end_turn(broker: &mut Broker) {
    broker.shards.iter_mut().for_each(Shard::handle_turn_end);
}

/// A line for each topic of the round, by name.
fn take(slot: &TallySlot) -> Vec<String> {
    lines(&slot.exchange(Box::new(Tally::new(4)), PATIENCE).ok().unwrap())
}

fn lines(tally: &Tally) -> Vec<String> {
    let line = |it: crate::Sighting<'_>| {
        let preview = String::from_utf8_lossy(it.preview).into_owned();
        let retain = if it.is_retain { " retain" } else { "" };
        format!("{} {} {preview} of {}{retain}", it.topic.as_str(), it.messages, it.payload_len)
    };
    let mut lines: Vec<String> = tally.sightings().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn messages_of_a_topic_are_counted_together_with_the_beginning_of_the_last() {
    let (mut broker, slots, calls) = counting(1);
    let device = broker.client(options("device"));
    for payload in ["on", "off", "a long one"] {
        broker.publish(device, message("home/lamp", payload, QoS::AtMostOnce));
    }
    broker.publish(device, retained("home/door", "shut"));
    broker.publish(device, message("$own/x", "1", QoS::AtMostOnce));
    broker.publish(device, message("home/lamp", "x", QoS::AtMostOnce));
    end_turn(&mut broker);
    assert_eq!(take(&slots[0]), ["home/door 1 shut of 4 retain", "home/lamp 4 x of 1"]);
    assert_eq!(*calls.lock().unwrap(), [false]);
    assert_eq!(take(&slots[0]), [""; 0]);
    broker.publish(device, message("home/lamp", "", QoS::AtMostOnce));
    end_turn(&mut broker);
    broker.publish(device, message("home/lamp", "", QoS::AtMostOnce));
    end_turn(&mut broker);
    assert_eq!(calls.lock().unwrap().len(), 2, "once a round");
    assert_eq!(take(&slots[0]), ["home/lamp 2  of 0"]);
}

#[test]
fn each_message_is_counted_once_however_many_shards_have_subscribers() {
    let (mut broker, slots, _calls) = counting(3);
    let clients: Vec<usize> =
        (0..8).map(|number| broker.client(options(&format!("client {number}")))).collect();
    for client in &clients {
        broker.subscribe(*client, filter("a", QoS::AtLeastOnce));
    }
    for client in &clients {
        broker.publish(*client, message("a", "1", QoS::AtLeastOnce));
    }
    end_turn(&mut broker);
    let counts: Vec<u64> = slots
        .iter()
        .map(|slot| {
            slot.exchange(Box::new(Tally::new(4)), PATIENCE)
                .ok()
                .unwrap()
                .sightings()
                .map(|it| it.messages)
                .sum()
        })
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 8, "{counts:?}");
    assert!(counts.iter().all(|count| *count < 8), "{counts:?}");
}

#[test]
fn a_round_that_a_turn_has_is_waited_for_and_loses_nothing() {
    let (mut broker, slots, _calls) = counting(1);
    let device = broker.client(options("device"));
    broker.publish(device, message("a", "1", QoS::AtMostOnce));
    let impatient = slots[0].exchange(Box::new(Tally::new(4)), Duration::ZERO);
    assert!(impatient.is_err(), "the turn is not over");
    let slot = Arc::clone(&slots[0]);
    let waiting = std::thread::spawn(move || take(&slot));
    let mut taken = 1;
    while !waiting.is_finished() {
        broker.publish(device, message("a", "1", QoS::AtMostOnce));
        taken += 1;
        end_turn(&mut broker);
    }
    let first = waiting.join().unwrap();
    let rest = take(&slots[0]);
    let count = |lines: &[String]| {
        lines.iter().map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!(count(&first) + count(&rest), taken);
}
