//! What clients and network do, one step at a time.

use bytes::Bytes;
use hearth_protocol::generate::Random;
use hearth_protocol::packet::{
    Disconnect, Packet, Publish, PublishAck, Subscribe, Unsubscribe, UnsubscribeProperties,
};
use hearth_protocol::{ReasonCode, TopicFilter};

use super::clients::{Actor, CLIENTS, WITNESS};
use super::profile::MEMBERS;
use super::world::{World, is_fast, is_of_groups};

impl World {
    /// One step. It draws from numbers of its own, so that it is the same whichever steps came before.
    pub(super) fn step(&mut self, seed: u64, number: usize) {
        self.random = Random::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(number as u64));
        let client = self.random.below(CLIENTS);
        match self.random.below(100) {
            _ if is_of_groups(seed) && self.random.one_in(3) => self.lose_member(),
            0..30 => self.publish(client),
            30..48 => self.connect(client),
            48..58 => self.subscribe(client),
            58..61 => self.unsubscribe(client),
            61..65 => self.cut(client),
            65..67 => self.disconnect(client),
            67..71 => self.stall(client),
            71..76 => self.unstall(),
            76..86 => {
                let seconds = self.random.pick(&[1, 1, 1, 2, 5, 15]);
                self.wait(seconds);
            }
            _ => self.misbehave(7 + client % 2),
        }
        let moves_max = if is_fast(seed) { 60 } else { 8 };
        for _ in 0..self.random.below(moves_max) {
            self.move_something();
        }
        self.move_store();
    }

    fn move_something(&mut self) {
        let ring = self.random.below(self.rings.len() * 2);
        if ring < self.rings.len() && !self.rings[ring].is_empty() {
            for _ in 0..=self.random.below(3) {
                self.forward(ring);
            }
        }
        if self.alive.is_empty() {
            return;
        }
        let link = self.random.pick(&self.alive);
        let max = if self.random.one_in(3) { 1 + self.random.below(40) } else { usize::MAX };
        if self.random.one_in(2) {
            self.pump_up(link, max);
        } else {
            self.flush(link);
            self.pump_down(link, max);
        }
        self.alive.retain(|link| self.links[*link].is_alive());
    }

    /// One message, or a few on one topic.
    fn publish(&mut self, client: usize) {
        let key = self.key("m");
        let first = self.clients[client].profile.message(&mut self.random, &key);
        self.publish_message(client, key, first.clone());
        let more = if self.random.one_in(4) { self.random.below(6) } else { 0 };
        for _ in 0..more {
            let key = self.key("m");
            let payload = Bytes::from(key.clone());
            self.publish_message(client, key, Publish { payload, ..first.clone() });
        }
    }

    fn publish_message(&mut self, client: usize, key: String, message: Publish) {
        let now = self.now;
        match &mut self.clients[client].actor {
            Actor::Machine(machine) => {
                // A QoS 0 message is not taken without a connection.
                if let Ok(token) = machine.client.publish(now, message) {
                    machine.sent.insert(token, key);
                }
                self.on_client_output(client);
            }
            Actor::Raw(raw) => {
                let packet = raw.publish(message);
                self.send_raw(client, &packet);
            }
        }
    }

    fn connect(&mut self, client: usize) {
        if self.clients[client].link.is_some() {
            // A script may begin again while its connection stands.
            if matches!(self.clients[client].actor, Actor::Machine(_)) || !self.random.one_in(4) {
                return;
            }
        }
        let last_words = self.random.one_in(2).then(|| self.key("will"));
        let capacity = self.random.pick(&[60, 1000, 1 << 20]);
        self.connect_with(client, last_words, capacity);
        if client == WITNESS || self.random.one_in(2) {
            self.pump_up(self.links.len() - 1, usize::MAX);
        }
    }

    pub(super) fn connect_with(&mut self, client: usize, last_words: Option<String>, capacity: usize) {
        let link = self.open(client, capacity);
        let at = &mut self.clients[client];
        match &mut at.actor {
            Actor::Machine(machine) => {
                machine.prepare(&at.profile, &mut self.random, last_words);
                machine.client.handle_open(self.now);
            }
            Actor::Raw(raw) => {
                let bytes = raw.open(&at.profile, &mut self.random, last_words);
                self.links[link].up.extend_from_slice(&bytes);
            }
        }
        self.on_client_output(client);
    }

    fn subscribe(&mut self, client: usize) {
        let at = &mut self.clients[client];
        let (subscription, properties) = at.profile.subscription(&mut self.random);
        let mut subscriptions = vec![subscription];
        if self.random.one_in(5) {
            subscriptions.push(at.profile.subscription(&mut self.random).0);
        }
        match &mut at.actor {
            Actor::Machine(machine) => {
                // Without a connection it is not taken.
                let _token = machine.client.subscribe(self.now, subscriptions, properties);
                self.on_client_output(client);
            }
            Actor::Raw(raw) => {
                let packet_id = raw.packet_id();
                let subscribe = Subscribe { packet_id, subscriptions, properties };
                self.send_raw(client, &Packet::Subscribe(subscribe));
            }
        }
    }

    fn unsubscribe(&mut self, client: usize) {
        let filters = self.model.filters_of(client);
        if filters.is_empty() || client == WITNESS {
            return;
        }
        let filter = self.random.pick(&filters);
        self.unsubscribe_from(client, vec![TopicFilter::try_from(filter.as_str()).unwrap()]);
    }

    pub(super) fn unsubscribe_from(&mut self, client: usize, filters: Vec<TopicFilter>) {
        let properties = UnsubscribeProperties::default();
        match &mut self.clients[client].actor {
            Actor::Machine(machine) => {
                // Without a connection it is not taken.
                let _token = machine.client.unsubscribe(self.now, filters, properties);
                self.on_client_output(client);
            }
            Actor::Raw(raw) => {
                let packet_id = raw.packet_id();
                self.send_raw(client, &Packet::Unsubscribe(Unsubscribe { packet_id, filters, properties }));
            }
        }
    }

    fn disconnect(&mut self, client: usize) {
        let mut disconnect = Disconnect::new(ReasonCode::Success);
        if self.clients[client].profile.version.is_v5() {
            if self.random.one_in(3) {
                disconnect.reason = ReasonCode::DisconnectWithWill;
            }
            // From 0 to more is an error, which only a script makes.
            if client >= 7 && self.random.one_in(3) {
                disconnect.properties.session_expiry = Some(self.random.pick(&[0, 5, 50]));
            } else if self.random.one_in(8) {
                disconnect.properties.session_expiry = Some(0);
            }
        }
        self.say_goodbye(client, disconnect);
    }

    pub(super) fn say_goodbye(&mut self, client: usize, disconnect: Disconnect) {
        let Some(link) = self.clients[client].link else { return };
        match &mut self.clients[client].actor {
            Actor::Machine(machine) => {
                machine.client.disconnect(self.now, disconnect);
                self.on_client_output(client);
            }
            Actor::Raw(_) => self.send_raw(client, &Packet::Disconnect(disconnect)),
        }
        // It reads until the server closes its end too.
        self.links[link].up_ended = true;
    }

    /// The network between a client and the broker breaks, in one of several ways.
    fn cut(&mut self, client: usize) {
        let Some(link) = self.clients[client].link else { return };
        let way = self.random.below(4);
        self.note(|| format!("link {link} is cut in way {way}"));
        match way {
            // What the client sent is lost from some byte on, and the server finds out later.
            0 | 1 => {
                let kept = self.random.below(self.links[link].up.len() + 1);
                self.links[link].up.truncate(kept);
                self.close_client(link);
            }
            // The server finds out first.
            2 if self.links[link].server_is_open => {
                self.end_transport(link);
                let kept = self.random.below(self.links[link].down.len() + 1);
                self.links[link].down.truncate(kept);
            }
            // The client closes its half, and reads on.
            _ => self.links[link].up_ended = true,
        }
    }

    /// A client comes, joins a group and does not read what there is to do; then the server finds it gone.
    fn lose_member(&mut self) {
        let client = self.random.pick(&MEMBERS);
        let is_member = self.model.filters_of(client).iter().any(|filter| filter.starts_with("$share"));
        match self.clients[client].link {
            None => self.connect(client),
            Some(_) if !is_member => self.subscribe(client),
            Some(link) if self.links[link].is_stalled && self.links[link].server_is_open => {
                self.end_transport(link);
            }
            Some(_) => {
                self.stall(client);
                for _ in 0..4 {
                    let publisher = self.random.below(CLIENTS);
                    self.publish(publisher);
                }
            }
        }
    }

    fn stall(&mut self, client: usize) {
        if let Some(link) = self.clients[client].link {
            self.links[link].is_stalled = true;
        }
    }

    fn unstall(&mut self) {
        for link in self.alive.clone() {
            self.links[link].is_stalled = false;
        }
    }

    /// A script does what no good client would do, or answers late.
    fn misbehave(&mut self, client: usize) {
        let Some(link) = self.clients[client].link else { return };
        let is_member = self.clients[client].profile.is_member;
        let Actor::Raw(raw) = &mut self.clients[client].actor else { return };
        if self.random.one_in(30) {
            let garbage = self.random.bytes(20);
            return self.send_bytes(link, &garbage);
        }
        let packet = match self.random.below(20) {
            0..12 => raw.answer(),
            12 | 13 => {
                raw.forget(&mut self.random);
                None
            }
            14 | 15 => raw.publish_again(),
            16 if self.random.one_in(4) => Some(Packet::PingResp),
            17 if !is_member => Some(Packet::PubAck(PublishAck::success(raw.packet_id()))),
            18 if !is_member => Some(Packet::PubRec(PublishAck::success(raw.packet_id()))),
            19 if !is_member => Some(Packet::PubComp(PublishAck::success(raw.packet_id()))),
            _ => Some(Packet::PingReq),
        };
        if let Some(packet) = packet {
            self.send_raw(client, &packet);
        }
    }
}
