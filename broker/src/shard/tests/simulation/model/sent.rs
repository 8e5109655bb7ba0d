//! What the broker writes to a client, held against what it has to write.

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};

use super::session::{Flight, Origin, Session};
use super::shares::Found;
use super::{Invariant, Model, key_of, unexpected};

impl Model {
    /// A shard has written a packet of `len` bytes.
    pub(in super::super) fn on_sent(&mut self, link: usize, packet: &Packet, len: usize) {
        let connection = &self.connections[link];
        let client = connection.client;
        match packet {
            Packet::ConnAck(connack) => {
                let is_told = connection.version > Version::V31;
                let expected = connection.session_present;
                if !connack.reason.is_failure() {
                    self.promise_session(client, connection.session);
                }
                let connection = &self.connections[link];
                if connack.reason.is_failure() {
                    if connection.session.is_some() {
                        let detail = format!("client {client} was refused: {}", connack.reason);
                        self.fail(Invariant::ConnectionsEndForAReason, detail);
                    }
                } else if is_told && connack.session_present != expected {
                    let detail = format!("client {client} was told {connack:?}, had a session: {expected}");
                    self.fail(Invariant::SessionsEndInTime, detail);
                }
            }
            Packet::PubAck(ack) => self.on_answered(link, QoS::AtLeastOnce, ack),
            Packet::PubRec(ack) => self.on_answered(link, QoS::ExactlyOnce, ack),
            Packet::PubRel(ack) => self.promise_release(client, connection.session, ack),
            Packet::PubComp(ack) => self.promise_completion(client, connection.session, ack),
            Packet::SubAck(suback) => self.promise_filters(link, suback.packet_id, true),
            Packet::UnsubAck(unsuback) => self.promise_filters(link, unsuback.packet_id, false),
            Packet::Publish(publish) => {
                // What a connection was sent before its session ended in the same call matters to nobody.
                let number = connection.session;
                let session = self.sessions.remove(&client);
                let Some(mut session) = session.filter(|session| Some(session.number) == number) else {
                    return;
                };
                self.on_message(link, &mut session, publish.clone(), len);
                self.sessions.insert(client, session);
            }
            Packet::PingResp | Packet::Disconnect(_) => {}
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Auth(_) => {
                self.fail(Invariant::ConnectionsEndForAReason, format!("a broker does not send {packet:?}"));
            }
        }
    }

    fn on_message(&mut self, link: usize, session: &mut Session, mut publish: Publish, len: usize) {
        let client = self.connections[link].client;
        if !self.connections[link].outbound.resolve(&mut publish) {
            let detail = format!("client {client} was sent an alias that stands for nothing");
            return self.fail(Invariant::DeliveredAsSubscribed, detail);
        }
        if session.packet_max.is_some_and(|max| len > max) {
            let detail = format!("client {client} was sent {len} bytes in one packet");
            return self.fail(Invariant::DeliveredAsSubscribed, detail);
        }
        if publish.dup && !self.is_first_again(link, session, &publish) {
            return self.on_message_again(link, session, &publish);
        }
        let key = key_of(&publish);
        let Some((message, origin)) = self.find(client, session, &key, &publish) else { return };
        self.check_message(client, message, &publish, link);
        let ids = ids_of(&publish);
        session.seen.insert(key.clone());
        let Some(packet_id) = publish.packet_id else { return };
        if publish.qos == QoS::ExactlyOnce {
            *self.sent_once.entry((client, key.clone())).or_default() += 1;
        }
        session.flights_begun += 1;
        let flight = Flight {
            message,
            qos: publish.qos,
            link,
            place: session.flights_begun,
            is_released: false,
            is_again: publish.dup,
            is_told: false,
            may_be_over: false,
            origin,
            retain: publish.retain,
            ids,
        };
        session.moved.remove(&packet_id.get());
        let old = session.flights.insert(packet_id.get(), flight);
        if let Some(old) = old.filter(|old| !self.is_given_up(old.origin)) {
            let old = &self.messages[old.message].key;
            let detail = format!("client {client}: identifier {packet_id} is {old}'s and was given to {key}");
            self.fail(Invariant::NothingLeaks, detail);
        }
        self.check_window(link, session);
    }

    /// The message that a PUBLISH is, and why it is sent.
    fn find(
        &mut self,
        client: usize,
        session: &mut Session,
        key: &str,
        publish: &Publish,
    ) -> Option<(usize, Origin)> {
        let ids = ids_of(publish);
        if let Some(found) = self.find_returned(session, key, publish) {
            return Some(found);
        }
        if publish.retain && !session.as_published {
            let found = self.take_replayed(session, publish, &ids);
            if found.is_none() {
                let detail =
                    format!("client {client} was sent {key} as the retained message of {}", publish.topic);
                self.fail(Invariant::RetainedIsTheLast, detail);
            }
            return found.map(|message| (message, Origin::Replay));
        }
        if let Some(place) = self.find_waiting(session, key, publish, &ids) {
            let entry = session.waiting.remove(place);
            let is_key = |entry: &super::Entry| self.messages[entry.message].key == key;
            let may_miss = |entry: &super::Entry| self.may_miss(session, entry);
            let mut others = session.waiting.iter().filter(|entry| is_key(entry));
            if others.any(|other| may_miss(other) || may_miss(&entry)) {
                session.unclear.insert(key.to_owned());
            }
            if entry.ids != ids && self.connections[session.link_last].version.is_v5() {
                let detail = format!("client {client}: {key} came with {ids:?}, not {:?}", entry.ids);
                self.fail(Invariant::DeliveredAsSubscribed, detail);
            }
            // What had an identifier when it expired may come after the broker has ended, and late.
            if !(publish.dup && self.is_expired(entry.message)) {
                self.check_order(client, session, entry.message, publish.qos, place);
            }
            return Some((entry.message, Origin::Live));
        }
        if let Some(entry) = session.waiting.iter().find(|entry| self.messages[entry.message].key == key) {
            let detail = format!(
                "client {client}: {key} came with {:?}, retain {}, not as {entry:?}",
                publish.qos, publish.retain
            );
            self.fail(Invariant::DeliveredAsSubscribed, detail);
            return None;
        }
        match self.find_share(session, key, publish) {
            Found::Free(share) => return Some((self.give_share(share, session), Origin::Share(share))),
            Found::Taken => {
                let detail = format!("client {client} was sent {key}, which is another member's");
                self.fail(Invariant::SharedGoesToOne, detail);
            }
            Found::None if session.lost.contains(key) => {
                let detail = format!("client {client} was sent {key} after what came behind it");
                self.fail(Invariant::OrderIsKept, detail);
            }
            Found::None if session.seen.contains(key) => {
                let detail = format!("client {client} was sent {key} a second time");
                self.fail(Invariant::ExactlyOnce, detail);
            }
            Found::None => {
                let is_known = self.has_taken(key);
                let detail = format!("client {client} was sent {key}, published: {is_known}");
                self.fail(if is_known { Invariant::DeliveredAsSubscribed } else { unexpected(key) }, detail);
            }
        }
        None
    }

    /// Where the message that a PUBLISH is waits. There may be several: QoS 1 may have been taken twice, and messages
    /// without payload have one key. Then it is the one that fits best.
    fn find_waiting(&self, session: &Session, key: &str, publish: &Publish, ids: &[u32]) -> Option<usize> {
        let told = publish.properties.as_ref().and_then(|properties| properties.message_expiry);
        let is_v5 = self.connections[session.link_last].version.is_v5();
        let waiting = &session.waiting;
        let rank = |place: usize| {
            let entry = &waiting[place];
            let is_told = !is_v5 || (self.seconds_left(entry.message) == told && entry.ids == ids);
            let is_first = !waiting[..place].iter().any(|before| {
                before.qos == entry.qos
                    && self.are_in_order(before.message, entry.message)
                    && !self.may_miss(session, before)
            });
            // What was taken twice because of a crash may be there once: then as what has to be.
            let is_owed = !self.may_miss(session, entry);
            // What had an identifier when it expired may come all the same.
            let may_come = publish.dup || !self.is_expired(entry.message);
            (is_told, may_come, is_first, is_owed, std::cmp::Reverse(place))
        };
        let is_it = |place: &usize| {
            let entry = &waiting[*place];
            self.messages[entry.message].key == key
                && entry.qos == publish.qos
                && entry.retain == publish.retain
        };
        (0..waiting.len()).filter(is_it).max_by_key(|place| rank(*place))
    }

    /// Nothing of the same publisher, topic and QoS may be left behind by a message that stood at `place`.
    fn check_order(&mut self, client: usize, session: &mut Session, message: usize, qos: QoS, place: usize) {
        let key = &self.messages[message].key;
        let is_before = |entry: &super::Entry| entry.qos == qos && self.are_in_order(entry.message, message);
        if qos == QoS::AtMostOnce {
            // It may be lost, but must not come later.
            let mut at = 0;
            let lost = session.waiting.extract_if(.., |entry| {
                at += 1;
                at <= place && is_before(entry)
            });
            let lost = lost.map(|entry| self.messages[entry.message].key.clone());
            session.lost.extend(lost);
            return;
        }
        // Of several with one key it may have been another that came before.
        let is_clear = |entry: &super::Entry| {
            let other = &self.messages[entry.message].key;
            other != key && !session.unclear.contains(other)
        };
        let skipped = session.waiting[..place]
            .iter()
            .find(|entry| is_before(entry) && !self.may_miss(session, entry) && is_clear(entry));
        // Of a message that nobody acknowledged the row may be gone, and PUBREL come for what is left of it.
        let unsent = session.flights.values().find(|flight| {
            flight.origin == Origin::Live
                && flight.qos == qos
                && !flight.is_released
                && !flight.may_be_over
                && Some(flight.link) != session.link
                && session.link.is_some()
                && self.are_in_order(flight.message, message)
                && !self.is_lost(flight.message)
        });
        let first = skipped.map(|entry| entry.message).or(unsent.map(|flight| flight.message));
        if let Some(first) = first {
            let detail = format!("client {client} was sent {key} before {}", self.messages[first].key);
            self.fail(Invariant::OrderIsKept, detail);
        }
    }

    fn check_message(&mut self, client: usize, number: usize, publish: &Publish, link: usize) {
        let message = &self.messages[number];
        let key = &message.key;
        if message.topic != publish.topic {
            let detail =
                format!("client {client}: {key} came on {} instead of {}", publish.topic, message.topic);
            return self.fail(Invariant::DeliveredAsSubscribed, detail);
        }
        if publish.dup {
            // It was under way before it expired.
            return;
        }
        // A message that was taken twice may be either: a client before version 5 does not show which one it got.
        let known = &self.by_key[key];
        if known.iter().all(|number| self.is_expired(*number)) {
            let detail = format!("client {client} was sent {key}, which has expired");
            return self.fail(Invariant::ExpiredIsNotDelivered, detail);
        }
        let told = publish.properties.as_ref().and_then(|properties| properties.message_expiry);
        let is_told = known.iter().any(|number| self.seconds_left(*number) == told);
        if self.connections[link].version.is_v5() && !is_told {
            let left = self.seconds_left(number);
            let detail = format!("client {client}: {key} came with an expiry of {told:?}, not {left:?}");
            self.fail(Invariant::ExpiredIsNotDelivered, detail);
        }
    }

    fn check_window(&mut self, link: usize, session: &Session) {
        let connection = &self.connections[link];
        let under_way = session.flights.values().filter(|flight| flight.link == link).count();
        if under_way > connection.receive_max {
            let detail = format!(
                "client {} was sent {under_way} messages at once, and takes {}",
                connection.client, connection.receive_max
            );
            self.fail(Invariant::NothingLeaks, detail);
        }
    }

    /// A message is sent again: it must be one that a connection before this one left unacknowledged.
    fn on_message_again(&mut self, link: usize, session: &mut Session, publish: &Publish) {
        let client = self.connections[link].client;
        let key = key_of(publish);
        let packet_id = publish.packet_id.map_or(0, std::num::NonZeroU16::get);
        if !session.flights.contains_key(&packet_id) {
            self.take_moved_back(session, packet_id, &key, publish.qos);
        }
        let flight = session.flights.get(&packet_id).filter(|flight| {
            !flight.is_released
                && flight.link != link
                && flight.qos == publish.qos
                && self.messages[flight.message].key == key
        });
        let Some(flight) = flight else {
            let detail = format!(
                "client {client} was sent {key} again under {packet_id}, where there is {:?}",
                session.flights.get(&packet_id)
            );
            return self.fail(Invariant::ExactlyOnce, detail);
        };
        let (place, message, origin) = (flight.place, flight.message, flight.origin);
        // What had an identifier when it expired, and had not gone out, may come after the broker has ended, and late.
        let is_in_order = !self.is_expired(message);
        let first = session.flights.values().find(|other| {
            is_in_order
                && other.place < place
                && other.link != link
                && !other.is_released
                && !other.may_be_over
                && other.origin == Origin::Live
                && origin == Origin::Live
                && other.qos == publish.qos
                && self.are_in_order(other.message, message)
                && self.messages[other.message].key != key
        });
        if let Some(first) = first {
            let first = &self.messages[first.message].key;
            let detail = format!("client {client} was sent {key} again before {first}");
            self.fail(Invariant::OrderIsKept, detail);
        }
        if let Origin::Share(share) = origin
            && !self.give_share_again(share, session)
        {
            let detail = format!("client {client} was sent {key} again, which is another member's");
            self.fail(Invariant::SharedGoesToOne, detail);
        }
        if let Some(flight) = session.flights.get_mut(&packet_id) {
            flight.link = link;
        }
        self.check_window(link, session);
    }
}

fn ids_of(publish: &Publish) -> Vec<u32> {
    let properties = publish.properties.as_ref();
    let mut ids = properties.map_or_else(Vec::new, |properties| properties.subscription_ids.clone());
    ids.sort_unstable();
    ids
}
