//! A shard with clients, driven as the server does it, with memory in place of sockets.

use std::io::IoSlice;
use std::num::NonZeroU16;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use hearth_broker::{
    ConnectionId, Effect, Limits, Peer, Sending, Shard, ShardCount, ShardId, Shared, Stats, TallySlot,
    Transport,
};
use hearth_protocol::codec::encode;
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, PublishAck, Subscribe, SubscribeProperties,
    Subscription,
};
use hearth_protocol::{QoS, Text, Time, TopicFilter, TopicName, Version};

/// What a read of the server makes room for.
const READ_BYTES: usize = 64 << 10;

/// What the server keeps of the beginning of a payload.
const PREVIEW_BYTES: usize = 128;

/// The shard and its clients, each under a number from 0.
pub(crate) struct World {
    shard: Shard,
    now: Time,
    input: BytesMut,
    clients: Vec<Client>,
    /// Kept for the next turn, as the server does.
    flushed: Vec<ConnectionId>,
}

struct Client {
    connection: ConnectionId,
    version: Version,
    /// The identifier of the next acknowledged message to it, which a broker gives out in a circle.
    next_id: u16,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        let shared = Shared::new(ShardCount::new(NonZeroU16::MIN), limits, [1, 2]);
        Self {
            shard: Shard::new(Arc::new(shared), ShardId::new(0)),
            now: Time::ZERO,
            input: BytesMut::new(),
            clients: Vec::new(),
            flushed: Vec::new(),
        }
    }

    /// The same with a live tree that somebody looks at now and then.
    pub(crate) fn with_tree(limits: Limits) -> Self {
        let mut world = Self::new(limits);
        world.shard.set_tally(Arc::new(TallySlot::new(PREVIEW_BYTES, Box::new(|_| {}))));
        world
    }

    pub(crate) fn stats(&self) -> Stats {
        self.shard.stats()
    }

    /// Connects a client that subscribes to these filters; its number.
    pub(crate) fn join(&mut self, version: Version, qos: QoS, filters: &[String]) -> Result<usize> {
        let number = self.clients.len();
        let connection = self.open();
        self.clients.push(Client { connection, version, next_id: 1 });
        self.send(number, &connect(number, version)?);
        if !filters.is_empty() {
            self.send(number, &subscribe(version, qos, filters)?);
        }
        self.flush();
        let stats = self.stats();
        ensure!(stats.connected == self.clients.len(), "client {number} is not let in");
        Ok(number)
    }

    pub(crate) fn open(&mut self) -> ConnectionId {
        let peer = Peer {
            address: None,
            is_local: true,
            transport: Transport::Tcp,
            assigned_client_id: Text::EMPTY,
        };
        self.shard.handle_open(self.now, peer)
    }

    /// Lets a client send.
    pub(crate) fn send(&mut self, client: usize, bytes: &[u8]) {
        self.receive(self.clients[client].connection, bytes);
    }

    /// Bytes come from a connection.
    pub(crate) fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.input.reserve(READ_BYTES);
        self.input.extend_from_slice(bytes);
        self.shard.handle_input(self.now, connection, &mut self.input);
        self.carry_out_effects();
    }

    /// Lets clients acknowledge the message that each got last, in this way.
    pub(crate) fn acknowledge(&mut self, clients: std::ops::Range<usize>, packet: Acknowledgement) {
        for client in clients {
            let [high, low] = self.clients[client].next_id.to_be_bytes();
            self.send(client, &[packet.first_byte(), 2, high, low]);
        }
    }

    /// The clients have done with the message that each got last.
    pub(crate) fn finish(&mut self, clients: std::ops::Range<usize>) {
        for client in &mut self.clients[clients] {
            client.next_id = client.next_id.checked_add(1).unwrap_or(1);
        }
    }

    /// Ends the turn: takes all output, as if each socket took all of it.
    pub(crate) fn flush(&mut self) {
        loop {
            while let Some(id) = self.shard.poll_dirty() {
                let Some(mut output) = self.shard.output(id) else { continue };
                match output.only_chunk().map(|only| std::hint::black_box(only).len()) {
                    Some(len) => output.advance(len),
                    None => advance_pieces(output),
                }
                self.flushed.push(id);
            }
            if self.flushed.is_empty() {
                break;
            }
            let mut flushed = std::mem::take(&mut self.flushed);
            for id in flushed.drain(..) {
                self.shard.handle_flushed(self.now, id);
            }
            self.flushed = flushed;
            self.carry_out_effects();
        }
        self.shard.handle_turn_end();
    }

    /// The version of a client.
    pub(crate) fn version(&self, client: usize) -> Version {
        self.clients[client].version
    }

    fn carry_out_effects(&mut self) {
        while let Some(effect) = self.shard.poll_effect() {
            if let Effect::Close(id, _) = effect {
                drop(self.shard.take_output(id));
            }
        }
    }
}

/// Takes what is several pieces.
fn advance_pieces(mut output: Sending<'_>) {
    let mut slices = [IoSlice::new(&[]); 32];
    while output.chunks(&mut slices) > 0 {
        let written = slices.iter().map(|slice| slice.len()).sum();
        slices = [IoSlice::new(&[]); 32];
        output.advance(written);
    }
}

/// An acknowledgement without a reason.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Acknowledgement {
    /// PUBACK.
    Taken,
    /// PUBREC.
    Received,
    /// PUBCOMP.
    Complete,
}

impl Acknowledgement {
    const fn first_byte(self) -> u8 {
        match self {
            Self::Taken => 0x40,
            Self::Received => 0x50,
            Self::Complete => 0x70,
        }
    }
}

pub(crate) fn topic(name: &str) -> Result<TopicName> {
    TopicName::try_from(name).context("a topic of a scenario")
}

/// A message of 64 bytes, as it comes from a client.
pub(crate) fn publish(topic_name: &str, qos: QoS, version: Version, payload: usize) -> Result<Vec<u8>> {
    encoded(
        &Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: topic(topic_name)?,
            packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::MIN),
            payload: vec![b'x'; payload].into(),
            properties: None,
        }),
        version,
    )
}

/// PUBREL of the message above.
pub(crate) fn pubrel(version: Version) -> Result<Vec<u8>> {
    encoded(&Packet::PubRel(PublishAck::success(PacketId::MIN)), version)
}

pub(crate) fn connect(number: usize, version: Version) -> Result<Vec<u8>> {
    let packet = Packet::Connect(Box::new(Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::try_from(format!("client-{number}")).context("a client id of a scenario")?,
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }));
    encoded(&packet, version)
}

pub(crate) fn subscribe(version: Version, qos: QoS, filters: &[String]) -> Result<Vec<u8>> {
    let subscription = |filter: &String| {
        let filter = TopicFilter::try_from(filter.as_str()).context("a filter of a scenario")?;
        Ok(Subscription::new(filter, qos))
    };
    let subscriptions = filters.iter().map(subscription).collect::<Result<_>>()?;
    let properties = SubscribeProperties::default();
    encoded(&Packet::Subscribe(Subscribe { packet_id: PacketId::MIN, subscriptions, properties }), version)
}

pub(crate) fn encoded(packet: &Packet, version: Version) -> Result<Vec<u8>> {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes)?;
    Ok(bytes.to_vec())
}
