//! The bytes between clients and shards, and the packets in them, which the model sees too.

use std::io::IoSlice;
use std::num::NonZeroU16;

use bytes::{Buf, BytesMut};
use hearth_protocol::codec;
use hearth_protocol::packet::Packet;

use super::invariants::Invariant;
use super::model::key_of;
use super::network::{Link, UNKNOWN};
use super::world::World;

impl World {
    /// Bytes reach the server.
    pub(super) fn receive(&mut self, link: usize, bytes: &[u8]) {
        self.links[link].inbox.extend_from_slice(bytes);
        self.links[link].seen.extend_from_slice(bytes);
        while self.links[link].server_is_open {
            let len = self.take_packets(link);
            let is_partial = len == 0;
            // The shard looks at the start of a packet too, and leaves it.
            let mut piece = match len {
                0 => std::mem::take(&mut self.links[link].inbox),
                _ => self.links[link].inbox.split_to(len),
            };
            let now = self.time();
            let Link { shard, id, .. } = self.links[link];
            self.shards[shard].handle_input(now, id, &mut piece);
            self.collect(shard);
            self.model.end_call();
            if is_partial {
                self.links[link].inbox = piece;
                return;
            }
        }
    }

    /// Tells the model of the packets that the shard gets next, and how many bytes they are. Those that only move
    /// messages come to the shard together, others one by one, so that it is known which of them found the session.
    fn take_packets(&mut self, link: usize) -> usize {
        // A script may acknowledge what the shard writes for the packet before that. Of what is refused nobody may hear, which is known
        // from the answer.
        let is_failing = self.shared.is_store_failing();
        let is_alone = is_failing || self.clients[self.links[link].client].is_raw();
        let mut len = 0;
        loop {
            let version = self.model.version(link);
            let at = &mut self.links[link];
            let before = at.seen.len();
            if len > 0 && at.seen.first().is_some_and(|first| !is_plain(*first)) {
                return len;
            }
            let is_stranger = version.is_none() && at.seen.first().is_some_and(|first| *first != 0x10);
            if at.is_broken || is_stranger {
                self.note(|| format!("link {link} → no packet that may come"));
                self.model.on_violation(link);
                return self.links[link].inbox.len();
            }
            let packet_max = self.shared.limits.packet_bytes_max;
            match codec::decode(&mut at.seen, version.unwrap_or(UNKNOWN), packet_max) {
                Ok(None) => return len,
                Ok(Some(packet)) => {
                    let first = self.links[link].inbox[len];
                    len += before - self.links[link].seen.len();
                    self.note(|| format!("link {link} → {}", describe(&packet)));
                    self.model.on_packet(link, &packet);
                    if !is_plain(first) || is_alone {
                        return len;
                    }
                }
                Err(_) => {
                    at.is_broken = true;
                    if len > 0 {
                        return len;
                    }
                }
            }
        }
    }

    /// The model sees what a shard has written, before the network does.
    pub(super) fn tap(&mut self, link: usize) {
        let Link { shard, id, tapped, .. } = self.links[link];
        let Some(output) = self.shards[shard].output(id) else { return };
        let mut slices = [IoSlice::new(&[]); 256];
        let filled = output.chunks(&mut slices);
        let mut skipped = tapped;
        let told = &mut self.links[link].told;
        for slice in &slices[..filled] {
            let from = skipped.min(slice.len());
            skipped -= from;
            told.extend_from_slice(&slice[from..]);
        }
        self.links[link].tapped = output.len();
        self.tell(link);
    }

    pub(super) fn tell(&mut self, link: usize) {
        let version = self.model.version(link).unwrap_or(UNKNOWN);
        loop {
            let told = &mut self.links[link].told;
            let before = told.len();
            match codec::decode(told, version, usize::MAX) {
                Ok(None) => return,
                Ok(Some(packet)) => {
                    let len = before - told.len();
                    self.note(|| format!("link {link} ← {}", describe(&packet)));
                    self.model.on_sent(link, &packet, len);
                }
                Err(error) => {
                    let detail = format!("link {link} was sent what is no packet: {error}");
                    return self.model.fail(Invariant::DeliveredAsSubscribed, detail);
                }
            }
        }
    }

    /// Writes to the network what it takes of a shard's output; whether anything moved.
    pub(super) fn flush(&mut self, link: usize) -> bool {
        let Link { shard, id, capacity, server_is_open, is_stalled, .. } = self.links[link];
        if !server_is_open || is_stalled {
            return false;
        }
        let mut has_moved = false;
        loop {
            let Some(mut output) = self.shards[shard].output(id) else { return has_moved };
            let room = capacity.saturating_sub(self.links[link].down.len());
            let count = output.len().min(room);
            if count == 0 {
                return has_moved;
            }
            let mut slices = [IoSlice::new(&[]); 256];
            let filled = output.chunks(&mut slices);
            let mut left = count;
            for slice in &slices[..filled] {
                let taken = left.min(slice.len());
                left -= taken;
                self.links[link].down.extend_from_slice(&slice[..taken]);
            }
            output.advance(count - left);
            let is_empty = output.is_empty();
            self.links[link].tapped -= count - left;
            if !self.links[link].client_is_open {
                self.links[link].down.clear();
            }
            has_moved = true;
            if is_empty {
                let now = self.time();
                self.shards[shard].handle_flushed(now, id);
                self.collect(shard);
                self.model.end_call();
            }
        }
    }

    /// Moves up to `max` bytes of a client to the server; whether anything moved.
    pub(super) fn pump_up(&mut self, link: usize, max: usize) -> bool {
        let at = &mut self.links[link];
        if !at.server_is_open || !self.shards[at.shard].wants_input(at.id) {
            return false;
        }
        if at.up.is_empty() {
            if at.up_ended {
                self.flush(link);
                if self.links[link].server_is_open {
                    self.end_transport(link);
                }
                return true;
            }
            return false;
        }
        let bytes = at.up.split_to(max.min(at.up.len()));
        self.receive(link, &bytes);
        true
    }

    /// Moves up to `max` bytes of the server to a client; whether anything moved.
    pub(super) fn pump_down(&mut self, link: usize, max: usize) -> bool {
        let at = &mut self.links[link];
        if !at.client_is_open || at.is_stalled {
            return false;
        }
        if at.down.is_empty() {
            if at.down_ended {
                self.on_client_end(link);
                return true;
            }
            return false;
        }
        let mut bytes = BytesMut::from(&at.down[..max.min(at.down.len())]);
        at.down.advance(bytes.len());
        self.on_client_input(link, &mut bytes);
        true
    }
}

/// Whether a packet with this first byte neither begins, changes nor ends anything but messages.
const fn is_plain(first: u8) -> bool {
    // PUBLISH and its four acknowledgements, and PINGREQ.
    matches!(first >> 4, 3..=7 | 12)
}

fn describe(packet: &Packet) -> String {
    let kind = packet.packet_type();
    match packet {
        Packet::Publish(publish) => {
            let again = if publish.dup { " again" } else { "" };
            let retained = if publish.retain { " retained" } else { "" };
            let (topic, key, bytes) = (publish.topic.as_str(), key_of(publish), publish.payload.len());
            let (qos, id) = (publish.qos as u8, publish.packet_id.map_or(0, NonZeroU16::get));
            format!("{kind} {key} on {topic}{again}{retained}, QoS {qos}, id {id}, {bytes} bytes")
        }
        Packet::Connect(connect) => {
            let (version, clean, properties) = (connect.version, connect.clean_start, &connect.properties);
            let (expiry, window) = (properties.session_expiry, properties.receive_maximum);
            let will = connect.will.as_ref().map(|will| (&will.payload, will.properties.delay));
            format!("{kind} {version:?}, clean {clean}, expiry {expiry:?}, window {window:?}, will {will:?}")
        }
        Packet::ConnAck(connack) => format!("{kind} {}, present {}", connack.reason, connack.session_present),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            format!("{kind} {} {}", ack.packet_id, ack.reason)
        }
        Packet::Subscribe(subscribe) => {
            let id = subscribe.properties.subscription_id;
            format!("{kind} {:?}, identifier {id:?}", subscribe.subscriptions)
        }
        Packet::Unsubscribe(unsubscribe) => format!("{kind} {:?}", unsubscribe.filters),
        Packet::Disconnect(disconnect) => {
            format!("{kind} {}, expiry {:?}", disconnect.reason, disconnect.properties.session_expiry)
        }
        Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingReq | Packet::PingResp | Packet::Auth(_) => {
            kind.to_string()
        }
    }
}
