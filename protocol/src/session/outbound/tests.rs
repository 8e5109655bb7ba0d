//! Flows of packet identifiers, step by step.

use std::collections::HashSet;

use super::*;
use crate::QoS::{AtLeastOnce, ExactlyOnce};

fn id(id: u16) -> PacketId {
    NonZeroU16::new(id).unwrap()
}

fn unknown<T>(number: u16) -> Result<T, UnknownPacketId> {
    Err(UnknownPacketId(id(number)))
}

/// As numbers: positive for a PUBLISH, negative for a PUBREL.
fn drain(outbound: &mut Outbound<&str>) -> Vec<i32> {
    std::iter::from_fn(|| outbound.poll_redelivery().map(number)).collect()
}

fn number(redelivery: Redelivery<'_, &str>) -> i32 {
    match redelivery {
        Redelivery::Publish { packet_id, .. } => i32::from(packet_id.get()),
        Redelivery::PubRel { packet_id } => -i32::from(packet_id.get()),
    }
}

#[test]
fn a_qos_1_message_ends_with_puback() {
    let mut outbound = Outbound::new(10);
    let packet_id = outbound.begin(AtLeastOnce, "a").unwrap();
    assert_eq!(outbound.message(packet_id), Some(&"a"));
    assert_eq!(outbound.handle_pubrec(packet_id), unknown(1), "PUBREC is for QoS 2");
    assert_eq!(outbound.handle_puback(packet_id), Ok("a"));
    assert_eq!(outbound.handle_puback(packet_id), unknown(1));
    assert!(outbound.is_empty() && outbound.inflight_len() == 0);
}

#[test]
fn a_qos_2_message_ends_with_pubcomp() {
    let mut outbound = Outbound::new(10);
    let packet_id = outbound.begin(ExactlyOnce, "a").unwrap();
    assert_eq!(outbound.handle_puback(packet_id), unknown(1), "PUBACK is for QoS 1");
    assert_eq!(outbound.handle_pubcomp(packet_id), unknown(1), "PUBCOMP comes after PUBREC");
    assert_eq!(outbound.handle_pubrec(packet_id), Ok(Some("a")));
    assert_eq!(outbound.handle_pubrec(packet_id), Ok(None), "a repeat has nothing to hand back");
    assert_eq!(outbound.handle_pubrec_failed(packet_id), unknown(1), "it was taken already");
    assert_eq!((outbound.inflight_len(), outbound.message(packet_id)), (1, None));
    assert_eq!(outbound.handle_pubcomp(packet_id), Ok(()));
    assert_eq!(outbound.handle_pubcomp(packet_id), unknown(1));
    assert!(outbound.is_empty());
}

#[test]
fn a_refused_or_abandoned_message_is_handed_back() {
    let mut outbound = Outbound::new(10);
    let refused = outbound.begin(ExactlyOnce, "a").unwrap();
    let abandoned = outbound.begin(AtLeastOnce, "b").unwrap();
    assert_eq!(outbound.handle_pubrec_failed(refused), Ok("a"));
    assert_eq!(outbound.abandon(abandoned), Ok("b"));
    assert_eq!(outbound.abandon(abandoned), unknown(2));
    assert!(outbound.is_empty() && outbound.inflight_len() == 0);
}

#[test]
fn the_window_bounds_what_is_under_way() {
    let mut outbound = Outbound::new(2);
    let first = outbound.begin(ExactlyOnce, "a").unwrap();
    outbound.begin(AtLeastOnce, "b").unwrap();
    assert_eq!(outbound.begin(AtLeastOnce, "c"), None);
    outbound.handle_pubrec(first).unwrap();
    assert!(!outbound.has_room(), "PUBREC makes no room [MQTT-3.3.4-9]");
    outbound.handle_pubcomp(first).unwrap();
    assert!(outbound.has_room());
    outbound.set_window(1);
    assert!(!outbound.has_room());
}

#[test]
fn a_request_takes_an_identifier_but_no_room() {
    let mut outbound = Outbound::new(1);
    let request = outbound.begin_request().unwrap();
    let message = outbound.begin(AtLeastOnce, "a").unwrap();
    assert_ne!(request, message);
    assert_eq!(outbound.handle_puback(request), unknown(request.get()));
    assert_eq!(outbound.finish_request(message), unknown(message.get()));
    assert_eq!(outbound.finish_request(request), Ok(()));
    assert_eq!(outbound.finish_request(request), unknown(request.get()));
}

#[test]
fn identifiers_are_unique_while_in_use_and_never_zero() {
    let mut outbound = Outbound::new(u16::MAX);
    let mut used = HashSet::new();
    while let Some(packet_id) = outbound.begin(AtLeastOnce, ()) {
        assert!(used.insert(packet_id));
    }
    assert_eq!(used.len(), 65_535);
    assert_eq!(outbound.begin_request(), None);
    // From the last to the first, so that all but one are over and none can be dropped before the end.
    for number in (1..=u16::MAX).rev() {
        assert_eq!(outbound.handle_puback(id(number)), Ok(()));
    }
    assert!(outbound.is_empty());
    assert!(outbound.begin_request().is_some());
}

#[test]
fn redelivery_keeps_order_and_identifiers() {
    let mut outbound = Outbound::new(10);
    for (qos, message) in [(AtLeastOnce, "1"), (ExactlyOnce, "2"), (AtLeastOnce, "3"), (ExactlyOnce, "4")] {
        outbound.begin(qos, message).unwrap();
    }
    outbound.begin_request().unwrap();
    outbound.handle_pubrec(id(2)).unwrap();
    outbound.handle_puback(id(1)).unwrap();
    outbound.handle_resume(10);
    assert!(!outbound.has_room(), "what is old goes before what is new");
    assert_eq!(drain(&mut outbound), [-2, 3, 4]);
    assert!(outbound.has_room());
    assert_eq!(drain(&mut outbound), [], "each goes out once a connection");
    outbound.handle_resume(10);
    assert_eq!(drain(&mut outbound), [-2, 3, 4], "but on every connection");
}

#[test]
fn redelivery_obeys_a_smaller_window_of_the_new_connection() {
    let mut outbound = Outbound::new(10);
    for message in ["1", "2", "3", "4", "5"] {
        outbound.begin(ExactlyOnce, message).unwrap();
    }
    outbound.handle_pubrec(id(5)).unwrap();
    outbound.handle_resume(2);
    assert_eq!(drain(&mut outbound), [-5, 1], "a PUBREL does not wait [MQTT-3.3.4-8]");
    outbound.handle_pubcomp(id(5)).unwrap();
    assert_eq!(drain(&mut outbound), [2]);
    outbound.handle_pubrec(id(1)).unwrap();
    assert_eq!(drain(&mut outbound), [], "PUBREC makes no room");
    outbound.handle_pubcomp(id(1)).unwrap();
    assert_eq!(drain(&mut outbound), [3]);
    outbound.handle_pubrec_failed(id(2)).unwrap();
    assert_eq!(drain(&mut outbound), [4]);
    assert!(!outbound.has_room());
    outbound.abandon(id(3)).unwrap();
    assert!(outbound.has_room());
}

#[test]
fn acknowledgements_that_come_before_the_second_try_are_taken() {
    let mut outbound = Outbound::new(10);
    for message in ["1", "2", "3"] {
        outbound.begin(AtLeastOnce, message).unwrap();
    }
    outbound.handle_resume(1);
    assert_eq!(drain(&mut outbound), [1]);
    assert_eq!(outbound.handle_puback(id(3)), Ok("3"));
    assert_eq!(drain(&mut outbound), [], "the room is taken by the first still");
    assert_eq!(outbound.handle_puback(id(1)), Ok("1"));
    assert_eq!(outbound.handle_puback(id(2)), Ok("2"));
    let packet_id = outbound.begin(AtLeastOnce, "4").unwrap();
    assert_eq!(drain(&mut outbound), [], "the new one has just gone out");
    assert_eq!(outbound.handle_puback(packet_id), Ok("4"));
    assert!(outbound.is_empty() && outbound.has_room());
}

#[test]
fn requests_may_start_while_redelivery_waits() {
    let mut outbound = Outbound::new(10);
    for message in ["1", "2"] {
        outbound.begin(AtLeastOnce, message).unwrap();
    }
    outbound.handle_resume(1);
    let request = outbound.begin_request().unwrap();
    assert_eq!(drain(&mut outbound), [1]);
    outbound.finish_request(request).unwrap();
    outbound.handle_puback(id(1)).unwrap();
    assert_eq!(drain(&mut outbound), [2]);
    outbound.handle_puback(id(2)).unwrap();
    assert!(outbound.is_empty() && outbound.has_room());
}

#[test]
fn one_message_that_is_never_acknowledged_holds_the_rest_back_at_last() {
    let mut outbound = Outbound::new(2);
    outbound.begin(AtLeastOnce, "stuck").unwrap();
    let mut overtaking = 0;
    while let Some(packet_id) = outbound.begin(AtLeastOnce, "quick") {
        outbound.handle_puback(packet_id).unwrap();
        overtaking += 1;
    }
    assert_eq!(overtaking, SPAN_MIN - 1);
    assert_eq!(outbound.handle_puback(id(1)), Ok("stuck"));
    assert!(outbound.is_empty() && outbound.has_room());
    assert!(outbound.flights.capacity() <= IDLE_CAPACITY);
}

#[test]
fn clearing_hands_back_what_the_peer_did_not_take() {
    let mut outbound = Outbound::new(10);
    for (qos, message) in [(AtLeastOnce, "1"), (ExactlyOnce, "2"), (ExactlyOnce, "3")] {
        outbound.begin(qos, message).unwrap();
    }
    outbound.handle_pubrec(id(2)).unwrap();
    outbound.handle_resume(1);
    assert_eq!(outbound.clear().collect::<Vec<_>>(), [(AtLeastOnce, "1"), (ExactlyOnce, "3")]);
    assert!(outbound.is_empty() && outbound.inflight_len() == 0);
    assert_eq!(outbound.begin(AtLeastOnce, "4"), Some(id(1)));
}

#[test]
fn a_steady_flow_allocates_nothing() {
    let mut outbound = Outbound::new(4);
    let mut capacity = None;
    for _ in 0..200_000 {
        let packet_id = outbound.begin(ExactlyOnce, ()).unwrap();
        outbound.handle_pubrec(packet_id).unwrap();
        outbound.handle_pubcomp(packet_id).unwrap();
        assert_eq!(*capacity.get_or_insert(outbound.flights.capacity()), outbound.flights.capacity());
    }
}
