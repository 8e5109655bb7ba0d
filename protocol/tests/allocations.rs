//! Counts what is allocated: nothing for a message on its way, and never more than the bytes at hand account for.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions, OutboundAliases, TopicNaming};
use hearth_protocol::generate::malformed_input;
use hearth_protocol::packet::{ConnAck, ConnAckProperties, Packet, Publish, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicName, Version};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; a counter of the own thread is all that is added.
#[expect(unsafe_code, reason = "an allocator is the only place that sees every allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(size: usize) {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
    LARGEST.with(|largest| largest.set(largest.get().max(size)));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A connected client, its input buffer, and buffers for what the other side reads and writes.
struct Flow {
    client: Client,
    input: BytesMut,
    wire: BytesMut,
    answers: VecDeque<Packet>,
    topic: TopicName,
    payload: Bytes,
}

impl Flow {
    fn new() -> Self {
        let mut flow = Self {
            client: Client::new(ClientOptions::new(Text::try_from("counted").unwrap())),
            input: BytesMut::new(),
            wire: BytesMut::new(),
            answers: VecDeque::new(),
            topic: TopicName::try_from("home/kitchen/temperature").unwrap(),
            payload: Bytes::from_static(b"21.5"),
        };
        flow.client.handle_open(Time::ZERO);
        drop(flow.client.take_output());
        let (reason, properties) = (ReasonCode::Success, ConnAckProperties::default());
        let connack = ConnAck { session_present: false, reason, properties };
        flow.answer(&Packet::ConnAck(Box::new(connack)));
        flow
    }

    fn message(&self, qos: QoS) -> Publish {
        Publish {
            dup: false,
            qos,
            retain: false,
            topic: self.topic.clone(),
            packet_id: None,
            payload: self.payload.clone(),
            properties: None,
        }
    }

    /// The server sends a packet.
    fn answer(&mut self, packet: &Packet) {
        encode(packet, Version::V5, &mut self.input).unwrap();
        self.client.handle_input(Time::ZERO, &mut self.input).unwrap();
        self.take_events();
    }

    fn take_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            assert!(!matches!(event, ClientEvent::Refused { .. }));
        }
    }

    /// The server reads all there is, and answers but for the last `behind` answers.
    fn serve(&mut self, behind: usize) {
        self.take_events();
        loop {
            if let Some(output) = self.client.take_output() {
                self.wire.extend_from_slice(&output);
            }
            while let Some(packet) = decode(&mut self.wire, Version::V5, usize::MAX).unwrap() {
                if let Packet::Publish(Publish { packet_id: Some(id), qos, .. }) = packet {
                    let ack = PublishAck::success(id);
                    self.answers.push_back(match qos {
                        QoS::ExactlyOnce => Packet::PubRec(ack),
                        QoS::AtMostOnce | QoS::AtLeastOnce => Packet::PubAck(ack),
                    });
                } else if let Packet::PubRel(ack) = packet {
                    self.answers.push_back(Packet::PubComp(PublishAck::success(ack.packet_id)));
                }
            }
            if self.answers.len() <= behind {
                return;
            }
            let Some(answer) = self.answers.pop_front() else { return };
            self.answer(&answer);
        }
    }

    fn publish(&mut self, qos: QoS, burst: usize, behind: usize) {
        for _ in 0..burst {
            let message = self.message(qos);
            self.client.publish(Time::ZERO, message).unwrap();
        }
        self.serve(behind);
    }

    fn receive(&mut self, qos: QoS, number: u16) {
        let packet_id = (qos > QoS::AtMostOnce).then(|| number.try_into().unwrap());
        self.answer(&Packet::Publish(Publish { packet_id, ..self.message(qos) }));
        if let (QoS::ExactlyOnce, Some(id)) = (qos, packet_id) {
            self.answer(&Packet::PubRel(PublishAck::success(id)));
        }
        self.serve(0);
    }
}

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_warm_client_publishes_without_allocating() {
    let mut flow = Flow::new();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        // One at a time, and a stream with some messages always under way.
        for (burst, behind) in [(1, 0), (20, 10)] {
            (0..1_000).for_each(|_| flow.publish(qos, burst, behind));
            let count = allocations(|| (0..5_000).for_each(|_| flow.publish(qos, burst, behind)));
            assert_eq!(count, 0, "{qos:?} in bursts of {burst}");
            flow.serve(0);
        }
    }
}

#[test]
fn a_warm_client_receives_without_allocating() {
    let mut flow = Flow::new();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        (1..=1_000).for_each(|number| flow.receive(qos, number));
        let count = allocations(|| (1..=10_000).for_each(|number| flow.receive(qos, number)));
        assert_eq!(count, 0, "{qos:?}");
    }
}

#[test]
fn a_publish_without_properties_is_read_and_written_without_allocating() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: TopicName::try_from("home/kitchen/temperature").unwrap(),
            packet_id: Some(7.try_into().unwrap()),
            payload: Bytes::from_static(b"21.5"),
            properties: None,
        };
        let mut wire = BytesMut::with_capacity(1 << 16);
        let packet = Packet::Publish(publish);
        assert_eq!(allocations(|| (0..1_000).for_each(|_| encode(&packet, version, &mut wire).unwrap())), 0);
        // The first slice makes the buffer a shared one.
        decode(&mut wire, version, usize::MAX).unwrap().unwrap();
        let count = allocations(|| {
            (1..1_000).for_each(|_| drop(decode(&mut wire, version, usize::MAX).unwrap().unwrap()));
        });
        assert_eq!((count, wire.len()), (0, 0), "MQTT {version}");
    }
}

#[test]
fn lengths_that_promise_what_does_not_come_allocate_nothing_for_it() {
    // Packets of 64 MiB, blocks of properties of 16 MiB, strings and data of 65,535 bytes: and then nothing.
    let table: [&[u8]; 8] = [
        b"\x30\x80\x80\x80\x20\x00\x01t",
        b"\x10\x80\x80\x80\x20\x00\x04MQTT",
        b"\x82\x80\x80\x80\x20\x00\x01\x00\x00\x01a\x00",
        b"\x30\x06\xff\xffhome",
        b"\x30\x08\x00\x01t\xff\xff\xff\x07\x26",
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\xff\xffa",
        b"\x82\x05\x00\x01\x00\xff\xff",
        b"\x90\x07\x00\x01\xff\xff\xff\x07\x00",
    ];
    for bytes in table {
        LARGEST.with(|largest| largest.set(0));
        let mut input = BytesMut::from(bytes);
        // Refused or waiting for more: no packet comes of it.
        assert!(!matches!(decode(&mut input, Version::V5, usize::MAX), Ok(Some(_))), "{bytes:02x?}");
        let largest = LARGEST.with(Cell::get);
        assert!(largest < 1_024, "{bytes:02x?} made the decoder ask for {largest} bytes");
    }
}

#[test]
fn damaged_bytes_allocate_in_proportion_to_their_number() {
    for number in 0..20_000 {
        let bytes = malformed_input(13, number);
        let mut input = BytesMut::from(&bytes[..]);
        LARGEST.with(|largest| largest.set(0));
        while let Ok(Some(packet)) = decode(&mut input, Version::V5, usize::MAX) {
            drop(packet);
        }
        let largest = LARGEST.with(Cell::get);
        // A list of the smallest entries takes tens of times its bytes; a boxed packet takes its own size.
        assert!(largest <= 1_024 + 64 * bytes.len(), "input {number}: {largest} for {} bytes", bytes.len());
    }
}

#[test]
fn aliases_of_known_and_unknown_topics_allocate_nothing_once_the_table_stands() {
    let topics: Vec<String> = (0..100).map(|number| format!("home/room/{number:03}")).collect();
    let mut aliases = OutboundAliases::new(u16::MAX, 16);
    let mut name_all = || {
        let (mut known, mut unknown) = (0, 0);
        for (place, topic) in topics.iter().enumerate() {
            for _ in 0..=place % 4 {
                match aliases.name(topic) {
                    TopicNaming::Alias(_) => known += 1,
                    TopicNaming::TopicAndAlias(_) | TopicNaming::Topic => unknown += 1,
                }
            }
        }
        (known, unknown)
    };
    name_all();
    let before = ALLOCATIONS.with(Cell::get);
    let (known, unknown) = name_all();
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(known > 0 && unknown > 0);
}
