//! A client under whatever a server may send, and under what none may.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{Random, damage, packet};
use crate::codec;
use crate::connection::{Client, ClientEvent, ClientOptions, Token};
use crate::packet::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Disconnect, Packet, PacketId, Publish, PublishAck,
    PublishProperties, ReasonProperties, SubAck, SubscribeProperties, Subscription, UnsubAck,
    UnsubscribeProperties,
};
use crate::{QoS, ReasonCode, Text, Time, Version};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Messages that may wait in the client.
const QUEUE_MAX: usize = 20;

/// A server that a tape describes, and what its client must be true to.
struct Run {
    random: Random,
    client: Client,
    now: Time,
    version: Version,
    /// The transport is up.
    is_open: bool,
    is_connect_sent: bool,
    /// What the client wrote and the server has not read.
    written: BytesMut,
    /// Answers that the server owes, in order.
    owed: Vec<Packet>,
    /// QoS 1 and 2 messages that came on this connection and are not acknowledged.
    unacknowledged: HashSet<PacketId>,
    receive_maximum: u16,
    /// Set when the server sent bytes of which nobody knows whether they acknowledge something.
    is_wild: bool,
    /// QoS 1 and 2 messages that were taken and of whose fate nothing is told yet.
    untold: HashSet<Token>,
    /// SUBSCRIBE and UNSUBSCRIBE by what they ask for.
    requests: HashMap<Token, usize>,
    events: usize,
}

/// Drives a [`Client`] through connections as the tape says, and in the end through one with a good server. How many
/// events it told.
///
/// # Panics
/// When it writes what a client may not send, tells the fate of a message twice or never, or goes over the window.
pub fn client(tape: &[u8]) -> usize {
    let mut run = Run::new(Random::of_tape(tape));
    while !run.random.is_over() {
        run.step();
        run.check();
    }
    run.end_well();
    run.events
}

impl Run {
    fn new(mut random: Random) -> Self {
        let version = random.pick(&VERSIONS);
        let mut options = ClientOptions::new(Text::try_from("client").unwrap_or_default());
        options.version = version;
        options.clean_start = random.one_in(3);
        options.keep_alive = random.below(4) as u16;
        options.queue_max = QUEUE_MAX;
        options.packet_size_max = 4096;
        options.properties.session_expiry = Some(100);
        options.properties.authentication_method = random.one_in(4).then(method);
        options.properties.receive_maximum = random.maybe(|random| 1 + random.below(5) as u16);
        options.properties.topic_alias_maximum = random.maybe(|random| random.below(4) as u16);
        Self {
            random,
            client: Client::new(options),
            now: Time::ZERO,
            version,
            is_open: false,
            is_connect_sent: false,
            written: BytesMut::new(),
            owed: Vec::new(),
            unacknowledged: HashSet::new(),
            receive_maximum: u16::MAX,
            is_wild: false,
            untold: HashSet::new(),
            requests: HashMap::new(),
            events: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            _ if !self.is_open && !self.random.one_in(4) => self.open(),
            0 => self.close(),
            1 => {
                let milliseconds = self.random.below(4000) as u64;
                self.now = self.now.saturating_add(Duration::from_millis(milliseconds));
                let is_silent = self.client.handle_timeout(self.now).is_err();
                self.after(is_silent);
            }
            2 => {
                let packet = packet(&mut self.random, self.version);
                self.say(&packet);
            }
            3 => self.say_damaged(),
            4 => {
                let bytes = self.random.bytes(12);
                self.is_wild = true;
                self.hear(&bytes);
            }
            5..8 => self.message_to_client(),
            8 => self.request(),
            9 => match self.random.below(4) {
                0 => self.client.ping(self.now),
                1 => self.challenge(),
                2 => drop(self.client.answer_challenge(self.now, None)),
                _ => drop(self.client.reauthenticate(self.now, None)),
            },
            10 if self.random.one_in(8) => {
                self.client.disconnect(self.now, Disconnect::new(ReasonCode::Success));
                assert!(!self.client.is_connected());
            }
            10..14 => self.publish(),
            _ => self.answer(),
        }
        self.read();
    }

    fn open(&mut self) {
        self.close();
        self.client.handle_open(self.now);
        self.is_open = true;
    }

    fn close(&mut self) {
        self.client.handle_close(self.now);
        self.is_open = false;
        self.is_connect_sent = false;
        self.is_wild = false;
        self.written.clear();
        self.owed.clear();
        self.unacknowledged.clear();
        self.requests.clear();
    }

    /// The driver closes the transport after an error.
    fn after(&mut self, is_error: bool) {
        if is_error {
            assert!(!self.client.is_connected());
            self.read();
            self.close();
        }
    }

    fn say(&mut self, packet: &Packet) {
        if let Packet::PubAck(ack) | Packet::PubComp(ack) | Packet::PubRec(ack) = packet
            && (packet.packet_type() != crate::packet::PacketType::PubRec || ack.reason.is_failure())
        {
            // Of the wrong QoS it ends the connection, and then nothing is checked any more.
            self.unacknowledged.remove(&ack.packet_id);
        }
        let mut bytes = BytesMut::new();
        // A packet of the tape may be larger than the client takes, and is refused by it.
        if codec::encode(packet, self.version, &mut bytes).is_ok() {
            self.hear(&bytes);
        }
    }

    fn say_damaged(&mut self) {
        let packet = packet(&mut self.random, self.version);
        let mut bytes = BytesMut::new();
        assert_eq!(codec::encode(&packet, self.version, &mut bytes), Ok(()), "generated packets are valid");
        bytes.truncate(4096);
        let mut bytes = bytes.to_vec();
        damage(&mut self.random, &mut bytes);
        self.is_wild = true;
        self.hear(&bytes);
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.is_open {
            let heard = self.client.handle_input(self.now, &mut BytesMut::from(bytes));
            self.after(heard.is_err());
        }
    }

    fn message_to_client(&mut self) {
        let qos = self.random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let number = 1 + self.random.below(6) as u16;
        let packet_id = PacketId::new(number).filter(|_| qos > QoS::AtMostOnce);
        let (dup, topic) = (qos > QoS::AtMostOnce && self.random.one_in(2), self.random.topic_name());
        let payload = Bytes::from_static(b"x");
        let publish = Publish { dup, qos, retain: false, topic, packet_id, payload, properties: None };
        self.say(&Packet::Publish(publish));
    }

    fn challenge(&mut self) {
        let properties = AuthProperties {
            authentication_method: Some(method()),
            authentication_data: Some(Bytes::from_static(b"?")),
            ..AuthProperties::default()
        };
        self.say(&Packet::Auth(Auth { reason: ReasonCode::ContinueAuthentication, properties }));
    }

    fn publish(&mut self) {
        let qos = self.random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let properties = self.version.is_v5().then(|| {
            let user_properties = self.random.user_properties();
            Box::new(PublishProperties { user_properties, ..PublishProperties::EMPTY })
        });
        let publish = Publish {
            dup: false,
            qos,
            retain: self.random.one_in(4),
            topic: self.random.topic_name(),
            packet_id: None,
            payload: self.random.bytes(40),
            properties: properties.filter(|properties| **properties != PublishProperties::EMPTY),
        };
        if let Ok(token) = self.client.publish(self.now, publish)
            && qos > QoS::AtMostOnce
        {
            assert!(self.untold.insert(token), "a token is given out once");
        }
    }

    fn request(&mut self) {
        let filters: Vec<_> = (0..=self.random.below(3)).map(|_| self.random.topic_filter()).collect();
        let count = filters.len();
        let taken = if self.random.one_in(2) {
            self.client.unsubscribe(self.now, filters, UnsubscribeProperties::default())
        } else {
            let subscriptions = filters.into_iter().map(|filter| Subscription::new(filter, QoS::ExactlyOnce));
            self.client.subscribe(self.now, subscriptions.collect(), SubscribeProperties::default())
        };
        if let Ok(token) = taken {
            assert!(self.requests.insert(token, count).is_none(), "a token is given out once");
        }
    }

    /// Sends one of the answers that are owed, most often the oldest.
    fn answer(&mut self) {
        if self.owed.is_empty() {
            return;
        }
        let place = if self.random.one_in(4) { self.random.below(self.owed.len()) } else { 0 };
        let mut answer = self.owed.remove(place);
        if let Packet::ConnAck(connack) = &mut answer {
            connack.session_present = self.version > Version::V31 && self.random.one_in(2);
            if self.version.is_v5() {
                let receive_maximum = 1 + self.random.below(4) as u16;
                self.receive_maximum = receive_maximum;
                connack.properties.receive_maximum = Some(receive_maximum);
                connack.properties.packet_size_max = self.random.maybe(|random| 1 + random.below(100) as u32);
            }
        }
        if let Packet::PubAck(ack) | Packet::PubRec(ack) = &mut answer
            && self.version.is_v5()
            && self.random.one_in(4)
        {
            ack.reason = ReasonCode::QuotaExceeded;
        }
        self.say(&answer);
    }

    /// Reads what the client wrote and takes note of what it is owed for it.
    fn read(&mut self) {
        while let Some(bytes) = self.client.take_output() {
            assert!(self.is_open, "nothing is written to a connection that is over");
            self.written.extend_from_slice(&bytes);
        }
        while let Some(packet) = self.next_written() {
            assert_eq!(self.is_connect_sent, !matches!(packet, Packet::Connect(_)), "{packet:?}");
            self.is_connect_sent = true;
            self.on_written(packet);
        }
    }

    fn next_written(&mut self) -> Option<Packet> {
        match codec::decode(&mut self.written, self.version, usize::MAX) {
            Ok(packet) => packet,
            Err(error) => panic!("the client wrote what it must not: {error}"),
        }
    }

    fn on_written(&mut self, packet: Packet) {
        let success = ReasonCode::Success;
        match packet {
            Packet::Connect(connect) => {
                self.receive_maximum = u16::MAX;
                let properties = ConnAckProperties::default();
                let mut connack = ConnAck { session_present: false, reason: success, properties };
                connack
                    .properties
                    .authentication_method
                    .clone_from(&connect.properties.authentication_method);
                self.owed.push(Packet::ConnAck(Box::new(connack)));
            }
            Packet::Publish(publish) => {
                let Some(packet_id) = publish.packet_id else { return };
                let is_new = self.unacknowledged.insert(packet_id);
                let under_way = self.unacknowledged.len();
                assert!(is_new || self.is_wild, "identifier {packet_id} is in use");
                assert!(self.is_wild || under_way <= usize::from(self.receive_maximum), "{under_way}");
                let ack = PublishAck::success(packet_id);
                let is_qos_1 = publish.qos == QoS::AtLeastOnce;
                self.owed.push(if is_qos_1 { Packet::PubAck(ack) } else { Packet::PubRec(ack) });
            }
            Packet::PubRec(ack) => self.owed.push(Packet::PubRel(PublishAck::success(ack.packet_id))),
            Packet::PubRel(ack) => self.owed.push(Packet::PubComp(PublishAck::success(ack.packet_id))),
            Packet::Subscribe(subscribe) => {
                let reasons = vec![success; subscribe.subscriptions.len()];
                let properties = ReasonProperties::default();
                self.owed.push(Packet::SubAck(SubAck {
                    packet_id: subscribe.packet_id,
                    reasons,
                    properties,
                }));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let count = if self.version.is_v5() { unsubscribe.filters.len() } else { 0 };
                let (reasons, properties) = (vec![success; count], ReasonProperties::default());
                let packet_id = unsubscribe.packet_id;
                self.owed.push(Packet::UnsubAck(UnsubAck { packet_id, reasons, properties }));
            }
            Packet::PingReq => self.owed.push(Packet::PingResp),
            Packet::Auth(auth) => {
                assert_eq!(auth.properties.authentication_method, Some(method()));
                self.owed.push(Packet::Auth(Auth { reason: success, ..auth }));
            }
            Packet::PubAck(_) | Packet::PubComp(_) | Packet::Disconnect(_) => {}
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                panic!("a server's packet: {packet:?}")
            }
        }
    }

    fn check(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.events += 1;
            match event {
                ClientEvent::Published { token, .. } => drop(self.untold.remove(&token)),
                ClientEvent::Subscribed { token, reasons } => {
                    assert_eq!(self.requests.remove(&token), Some(reasons.len()), "{token:?}");
                }
                ClientEvent::Unsubscribed { token, .. } => drop(self.requests.remove(&token)),
                ClientEvent::Connected { .. }
                | ClientEvent::Challenge { .. }
                | ClientEvent::Reauthenticated { .. }
                | ClientEvent::Refused { .. }
                | ClientEvent::Message(_)
                | ClientEvent::Pong { .. }
                | ClientEvent::Disconnected(_) => {}
            }
        }
        let pending = self.client.pending_len();
        assert_eq!(pending, self.untold.len(), "messages whose fate is open");
    }

    /// A server that forgot everything takes all messages: none is left, and no identifier of one.
    fn end_well(&mut self) {
        let options = self.client.options_mut();
        options.clean_start = true;
        options.properties.authentication_method = None;
        self.open();
        self.read();
        let mut rounds = 0;
        while !self.owed.is_empty() {
            let answer = self.owed.remove(0);
            self.say(&answer);
            self.read();
            self.check();
            rounds += 1;
            assert!(rounds < 10_000, "the exchange comes to no end");
        }
        assert!(self.client.is_connected());
        assert_eq!((self.client.pending_len(), self.untold.len()), (0, 0));
    }
}

/// The authentication method of all.
fn method() -> Text {
    Text::try_from("m").unwrap_or_default()
}
