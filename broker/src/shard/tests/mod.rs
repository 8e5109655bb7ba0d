//! Whole brokers in memory: shards, clients and a clock that stands still until it is moved.

mod authentication;
mod chaos;
mod choices;
mod crossing;
mod delivery;
mod disk;
mod durable;
mod failing;
mod limits;
mod oracle;
mod pressure;
mod retained;
mod sessions;
mod shared;
mod simulation;
mod tally;
mod tap;
mod untaken;
mod view;
mod wills;
mod wire;

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec;
use hearth_protocol::connection::client::{Client, ClientEvent, ClientOptions, Token};
use hearth_protocol::packet::{
    Connect, ConnectProperties, Disconnect, Packet, PacketId, Publish, PublishAck, PublishProperties,
    RetainHandling, Subscribe, SubscribeProperties, Subscription, Unsubscribe, Will, WillProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter, TopicName, Version};

use super::Shard;
use crate::{
    Access, AllowAll, AuthRequest, ConnectionId, DropReason, Effect, Event, Limit, Limits, Options, Peer,
    ShardCount, ShardId, Shared, Stats, Transport, ViewChange,
};
use disk::Disk;

struct Broker {
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    links: HashMap<usize, (usize, ConnectionId)>,
    clients: Vec<Client>,
    heard: Vec<Vec<ClientEvent>>,
    /// What came to connections that no client machine serves.
    wires: HashMap<Wire, BytesMut>,
    /// Connections whose peer does not read.
    stalled: HashSet<Wire>,
    closed: HashSet<Wire>,
    events: Vec<Event>,
    /// Who began and ended to look at the live tree.
    views: Vec<ViewChange>,
    /// What nobody has answered yet.
    asked: VecDeque<(Wire, AuthRequest)>,
    now: Time,
    /// Where what must outlive the broker goes, if it is to.
    disk: Option<Disk>,
}

/// A connection by its shard.
type Wire = (usize, ConnectionId);

impl Broker {
    fn new(shards: u16) -> Self {
        Self::with_limits(shards, Limits::default())
    }

    fn with_limits(shards: u16, limits: Limits) -> Self {
        Self::with(shards, limits, Options::default(), AllowAll)
    }

    fn with_options(shards: u16, limits: Limits, options: Options) -> Self {
        Self::with(shards, limits, options, AllowAll)
    }

    fn with_access(shards: u16, limits: Limits, access: impl Access + 'static) -> Self {
        Self::with(shards, limits, Options::default(), access)
    }

    fn with(shards: u16, limits: Limits, options: Options, access: impl Access + 'static) -> Self {
        Self::with_disk(shards, limits, options, access, Some(Disk::default()))
    }

    /// A broker that begins with what is on the disk.
    fn with_disk(
        shards: u16,
        limits: Limits,
        options: Options,
        access: impl Access + 'static,
        mut disk: Option<Disk>,
    ) -> Self {
        let count = ShardCount::new(NonZeroU16::new(shards).unwrap());
        let mut shared = Shared::with_access(count, limits, [3, 5], Box::new(access)).with_options(options);
        if let Some(disk) = &disk {
            shared = shared.with_store(disk.epoch_millis);
        }
        let shared = Arc::new(shared);
        let mut shards: Vec<Shard> =
            (0..shards).map(|id| Shard::new(Arc::clone(&shared), ShardId::new(id))).collect();
        let now = Time::from_millis(1000);
        if let Some(disk) = &mut disk {
            disk.restore(&shared, &mut shards, now);
        }
        Self {
            disk,
            shared,
            shards,
            links: HashMap::new(),
            clients: Vec::new(),
            heard: Vec::new(),
            wires: HashMap::new(),
            stalled: HashSet::new(),
            closed: HashSet::new(),
            events: Vec::new(),
            views: Vec::new(),
            asked: VecDeque::new(),
            now,
        }
    }

    fn client(&mut self, options: ClientOptions) -> usize {
        self.clients.push(Client::new(options));
        self.heard.push(Vec::new());
        let client = self.clients.len() - 1;
        self.connect(client);
        client
    }

    fn connect(&mut self, client: usize) {
        let client_id = self.clients[client].options().client_id.clone();
        let assigned_client_id = Text::try_from("assigned").unwrap();
        let hashed = if client_id.is_empty() { &assigned_client_id } else { &client_id };
        let shard = self.shared.shard_of(hashed).as_index();
        let peer = Peer { address: None, is_local: true, transport: Transport::Tcp, assigned_client_id };
        let id = self.shards[shard].handle_open(self.now, peer);
        self.links.insert(client, (shard, id));
        self.clients[client].handle_open(self.now);
        self.run();
    }

    /// The network between client and broker is gone.
    fn cut(&mut self, client: usize) {
        if let Some((shard, id)) = self.links.remove(&client) {
            self.shards[shard].handle_closed(self.now, id);
        }
        self.clients[client].handle_close(self.now);
        self.run();
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        while self.now < end {
            self.now = self.now.saturating_add(Duration::from_secs(1)).min(end);
            for shard in &mut self.shards {
                shard.handle_timeout(self.now);
            }
            for client in &mut self.clients {
                client.handle_timeout(self.now).unwrap();
            }
            self.run();
        }
    }

    /// Moves bytes and effects until nothing moves any more.
    fn run(&mut self) {
        while self.step() {}
        for (client, heard) in self.clients.iter_mut().zip(&mut self.heard) {
            heard.extend(std::iter::from_fn(|| client.poll_event()));
        }
    }

    fn step(&mut self) -> bool {
        let mut moved = false;
        for (&client, &(shard, id)) in &self.links {
            if let Some(mut bytes) = self.clients[client].take_output() {
                moved = true;
                self.shards[shard].handle_input(self.now, id, &mut bytes);
            }
        }
        for shard in 0..self.shards.len() {
            while let Some(effect) = self.shards[shard].poll_effect() {
                moved = true;
                match effect {
                    Effect::Forward { to, forward } => {
                        self.shards[to.as_index()].handle_forward(self.now, forward);
                    }
                    Effect::Close(id, _) => self.close(shard, id),
                    Effect::Authenticate { connection, request } => {
                        self.asked.push_back(((shard, connection), *request));
                    }
                    Effect::View(change) => self.views.push(change),
                    Effect::Event(event) => self.events.push(event),
                }
            }
            while let Some(id) = self.shards[shard].poll_dirty() {
                moved = true;
                if self.stalled.contains(&(shard, id)) {
                    self.shards[shard].handle_sent(id);
                } else {
                    self.flush((shard, id));
                }
            }
        }
        moved || self.commit()
    }

    /// Writes what has come together; whether there was something.
    fn commit(&mut self) -> bool {
        let Some(disk) = self.disk.as_mut().filter(|disk| !disk.is_stuck) else { return false };
        let committed = disk.commit(&self.shared, &mut self.shards);
        for (shard, batch) in &committed {
            self.shards[*shard].handle_committed(self.now, *batch);
        }
        !committed.is_empty()
    }

    fn flush(&mut self, (shard, id): Wire) {
        let bytes = self.shards[shard].output(id).unwrap().take_contiguous();
        self.receive(shard, id, &bytes);
        self.shards[shard].handle_flushed(self.now, id);
    }

    fn receive(&mut self, shard: usize, id: ConnectionId, bytes: &[u8]) {
        if let Some(received) = self.wires.get_mut(&(shard, id)) {
            received.extend_from_slice(bytes);
        }
        let client = self.links.iter().find(|(_, link)| **link == (shard, id)).map(|(client, _)| *client);
        if let Some(client) = client {
            self.clients[client].handle_input(self.now, &mut BytesMut::from(bytes)).unwrap();
        }
    }

    fn close(&mut self, shard: usize, id: ConnectionId) {
        let bytes = self.shards[shard].take_output(id).take_contiguous();
        self.receive(shard, id, &bytes);
        self.closed.insert((shard, id));
        if let Some(client) =
            self.links.iter().find(|(_, link)| **link == (shard, id)).map(|(client, _)| *client)
        {
            self.links.remove(&client);
            self.clients[client].handle_close(self.now);
        }
    }

    /// A transport to the shard of a client id.
    fn wire(&mut self, client_id: &str) -> Wire {
        let assigned_client_id = Text::try_from("assigned").unwrap();
        let hashed = if client_id.is_empty() { "assigned" } else { client_id };
        let shard = self.shared.shard_of(hashed).as_index();
        let peer = Peer { address: None, is_local: true, transport: Transport::Tcp, assigned_client_id };
        let wire = (shard, self.shards[shard].handle_open(self.now, peer));
        self.wires.insert(wire, BytesMut::new());
        wire
    }

    /// A connection that has its CONNACK.
    fn connected(&mut self, connect: Connect) -> Wire {
        let wire = self.wire(&connect.client_id);
        let version = connect.version;
        self.send(wire, version, [Packet::Connect(Box::new(connect))]);
        let answer = self.received(wire, version);
        assert!(
            matches!(&answer[..], [Packet::ConnAck(connack), ..] if connack.reason == ReasonCode::Success),
            "{answer:?}"
        );
        wire
    }

    fn send(&mut self, wire: Wire, version: Version, packets: impl IntoIterator<Item = Packet>) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            codec::encode(&packet, version, &mut bytes).unwrap();
        }
        self.send_bytes(wire, &bytes);
    }

    fn send_bytes(&mut self, (shard, id): Wire, bytes: &[u8]) {
        self.shards[shard].handle_input(self.now, id, &mut BytesMut::from(bytes));
        self.run();
    }

    /// What came since it was asked last.
    fn received(&mut self, wire: Wire, version: Version) -> Vec<Packet> {
        let bytes = self.wires.get_mut(&wire).unwrap();
        std::iter::from_fn(|| codec::decode(bytes, version, usize::MAX).unwrap()).collect()
    }

    fn hang_up(&mut self, wire: Wire) {
        self.closed.insert(wire);
        self.shards[wire.0].handle_closed(self.now, wire.1);
        self.run();
    }

    /// The peer reads again.
    fn unstall(&mut self, wire: Wire) {
        if self.stalled.remove(&wire) && !self.closed.contains(&wire) {
            self.flush(wire);
            self.run();
        }
    }

    /// A counter of all shards together.
    fn count(&self, counter: impl Fn(&Stats) -> u64) -> u64 {
        self.shards.iter().map(|shard| counter(&shard.stats())).sum()
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.count(|stats| stats.dropped[reason.as_index()])
    }

    fn limited(&self, limit: Limit) -> u64 {
        self.count(|stats| stats.limited[limit.as_index()])
    }

    fn subscribe(&mut self, client: usize, subscription: Subscription) -> ReasonCode {
        self.subscribe_with_id(client, subscription, None)
    }

    fn subscribe_with_id(
        &mut self,
        client: usize,
        subscription: Subscription,
        id: Option<u32>,
    ) -> ReasonCode {
        let properties = SubscribeProperties { subscription_id: id, ..Default::default() };
        let token = self.clients[client].subscribe(self.now, vec![subscription], properties).unwrap();
        self.run();
        let answer = self.heard[client].iter().find_map(|event| {
            let ClientEvent::Subscribed { token: other, reasons } = event else { return None };
            (*other == token).then(|| reasons[0])
        });
        answer.unwrap()
    }

    fn publish(&mut self, client: usize, publish: Publish) -> Option<ReasonCode> {
        let token = self.clients[client].publish(self.now, publish).unwrap();
        self.run();
        self.published(client, token)
    }

    fn published(&self, client: usize, token: Token) -> Option<ReasonCode> {
        self.heard[client].iter().find_map(|event| {
            let ClientEvent::Published { token: other, reason, .. } = event else { return None };
            (*other == token).then_some(*reason)
        })
    }

    /// What came to a client since it was asked last.
    fn messages(&mut self, client: usize) -> Vec<Publish> {
        let heard = std::mem::take(&mut self.heard[client]);
        let message = |event| if let ClientEvent::Message(publish) = event { Some(publish) } else { None };
        heard.into_iter().filter_map(message).collect()
    }

    fn payloads(&mut self, client: usize) -> Vec<Bytes> {
        self.messages(client).into_iter().map(|publish| publish.payload).collect()
    }
}

fn options(client_id: &str) -> ClientOptions {
    ClientOptions::new(Text::try_from(client_id).unwrap())
}

fn persistent(client_id: &str) -> ClientOptions {
    let mut options = options(client_id);
    options.clean_start = false;
    options.adopt_session = true;
    options.properties.session_expiry = Some(3600);
    options
}

fn connect(client_id: &str, version: Version) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_id: Text::try_from(client_id).unwrap(),
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// A CONNECT of version 5 for a session that is kept, with this receive maximum.
fn resume(client_id: &str, receive_maximum: u16) -> Connect {
    let properties = ConnectProperties {
        session_expiry: Some(3600),
        receive_maximum: Some(receive_maximum),
        ..ConnectProperties::default()
    };
    Connect { clean_start: false, properties, ..connect(client_id, Version::V5) }
}

fn packet_id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn subscribe(number: u16, filters: &[&str], qos: QoS) -> Packet {
    let subscriptions = filters.iter().map(|pattern| filter(pattern, qos)).collect();
    let properties = SubscribeProperties::default();
    Packet::Subscribe(Subscribe { packet_id: packet_id(number), subscriptions, properties })
}

fn publish(number: u16, topic: &str, payload: &'static str, qos: QoS) -> Packet {
    Packet::Publish(Publish { packet_id: PacketId::new(number), ..message(topic, payload, qos) })
}

fn filter(filter: &str, qos: QoS) -> Subscription {
    Subscription::new(TopicFilter::try_from(filter).unwrap(), qos)
}

fn message(topic: &str, payload: &'static str, qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::try_from(topic).unwrap(),
        packet_id: None,
        payload: Bytes::from_static(payload.as_bytes()),
        properties: None,
    }
}

fn retained(topic: &str, payload: &'static str) -> Publish {
    Publish { retain: true, ..message(topic, payload, QoS::AtLeastOnce) }
}

fn will(topic: &str, delay: Option<u32>) -> Will {
    Will {
        topic: TopicName::try_from(topic).unwrap(),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: WillProperties { delay, ..WillProperties::default() },
    }
}

const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
