//! Answers to clients and other shards, each once what it stands for is on disk.

use hearth_protocol::packet::{Packet, PacketId, PublishAck};
use hearth_protocol::{QoS, ReasonCode, Time};

use super::Shard;
use super::deliver::Delivered;
use crate::delivery::Delivery;
use crate::durable::{Hold, Lane, Release};
use crate::effect::{Awaited, Effect, EndReason, Forward};
use crate::faults::{self, Fault};
use crate::ids::{ConnectionId, SessionId, ShardId};
use crate::limits::Limit;

impl Shard {
    /// Every batch up to this one is on disk: who waited for it goes on.
    pub fn handle_committed(&mut self, now: Time, batch: u64) {
        self.journal.handle_committed(batch);
        self.release(now);
    }

    /// The disk does not take batches for now. Clients of version 5 are told so of their messages
    /// [0x97, 3.4.2.1], the others are not answered; what is no promise about messages goes out.
    pub fn handle_commit_failed(&mut self, now: Time) {
        for shard in 0..self.shared.shard_count().get() {
            // There are fewer than 16 bits count.
            let lane = Lane::Receipts(ShardId::new(shard as u16));
            for (hold, release) in self.holds.held(lane) {
                if let Release::Receipt(to, number) = release {
                    self.send_word_of_failure(hold, to, number);
                }
            }
        }
        for (hold, release) in self.holds.held(Lane::Answers) {
            let Release::Answer(_, packet) = release else { continue };
            // What waits for another shard alone is that one's to tell of.
            if self.holds.waits_here(hold) || !matches!(*packet, Packet::PubAck(_) | Packet::PubRec(_)) {
                self.fail(now, hold);
            }
        }
    }

    /// Gives the answer that there is while the disk does not work, if there is one.
    fn fail(&mut self, now: Time, hold: Hold) {
        let Some((id, packet)) = self.holds.answer(hold) else { return };
        let Some(packet) = self.answer_of_failure(id, packet) else { return };
        self.holds.cancel(hold);
        if let Some(connection) = self.open_connection(id) {
            connection.held = connection.held.saturating_sub(1);
            self.hand_out(now, id, packet);
        }
    }

    /// Another shard cannot write now what it has to for a message.
    pub(super) fn handle_unkept(&mut self, now: Time, from: ShardId, number: u64) {
        if let Some(hold) = self.holds.awaiting(from, number) {
            self.fail(now, hold);
        }
    }

    /// Tells the shard of the publisher that nobody here has taken a message, if it awaits word of that.
    pub(super) fn tell_untaken(&mut self, delivered: Delivered, awaited: Option<Awaited>) {
        if let Some(Awaited { from: to, number }) = awaited.filter(|_| delivered.taken == 0) {
            let forward = Forward::Untaken { from: self.id, number, met: delivered.met };
            self.effects.push_back(Effect::Forward { to, forward });
        }
    }

    /// Nobody on another shard has taken a message.
    pub(super) fn handle_untaken(&mut self, from: ShardId, number: u64, met: Option<Limit>) {
        if let Some(hold) = self.holds.awaiting(from, number) {
            self.on_untaken(hold, met);
        }
    }

    /// One less may have taken a message of a client. Once nobody is left, it is answered as if all subscribers were here.
    pub(super) fn on_untaken(&mut self, hold: Hold, met: Option<Limit>) {
        let Some(met) = self.holds.handle_untaken(hold, met) else { return };
        let Some((id, packet)) = self.holds.answer(hold) else { return };
        let Some(session) = self.connection(id).and_then(|connection| connection.session) else { return };
        if let Some(limit) = met {
            self.tell_limit(session, limit);
        }
        let (Packet::PubAck(ack) | Packet::PubRec(ack)) = &packet else { return };
        if ack.reason.is_failure() || !self.sessions[session].version.is_v5() {
            return;
        }
        let packet_id = ack.packet_id;
        let reason = met.map_or(ReasonCode::NoMatchingSubscribers, |_| ReasonCode::QuotaExceeded);
        let is_of_qos_2 = matches!(packet, Packet::PubRec(_));
        if reason.is_failure() && is_of_qos_2 {
            // A refused message is over with its PUBREC (4.3.3). No other shard is asked about that of a session with rows.
            self.sessions[session].flow_mut().inbound.release(packet_id);
        }
        let of = if is_of_qos_2 { Packet::PubRec } else { Packet::PubAck };
        let ack = |properties| of(PublishAck { packet_id, reason, properties });
        let answer = self.worded(id, met.map(Limit::detail), ack);
        self.holds.amend_answer(hold, answer);
    }

    /// One thing that another shard has sent here is taken care of.
    pub(super) fn handle_done(&mut self, now: Time, from: ShardId, number: u64) {
        self.holds.handle_one_receipt(from, number);
        self.release(now);
    }

    /// Tells of a receipt that may have to wait long whether what it is for waits for the disk.
    fn send_word_of_failure(&mut self, hold: Hold, to: ShardId, number: u64) {
        let from = self.id;
        let forward = if self.holds.waits_here(hold) {
            Forward::Unkept { from, number }
        } else {
            Forward::Done { from, number }
        };
        self.effects.push_back(Effect::Forward { to, forward });
    }

    /// From here to [`Shard::reply`], what changes is what the answer waits for.
    pub(super) fn begin_hold(&mut self) {
        if self.journal.is_on() {
            self.hold = Some(self.holds.begin(Lane::Answers));
        }
    }

    /// There was no answer.
    pub(super) fn end_hold(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.holds.cancel(hold);
        }
    }

    /// Answers once everything is on disk that the packet has changed, and after the answers before it.
    pub(super) fn reply(&mut self, now: Time, id: ConnectionId, packet: Packet) {
        let held = self.connection(id).map_or(0, |connection| connection.held);
        let hold = match self.hold.take() {
            Some(hold) => hold,
            None if held == 0 => return self.hand_out(now, id, packet),
            None => self.holds.begin(Lane::Answers),
        };
        let is_waiting = self.holds.is_waiting(hold) && !is_early(&packet);
        if held == 0 && !is_waiting {
            self.holds.cancel(hold);
            return self.hand_out(now, id, packet);
        }
        let is_about_message = matches!(packet, Packet::PubAck(_) | Packet::PubRec(_));
        if self.shared.is_store_failing()
            && (!is_about_message || self.holds.waits_here(hold))
            && let Some(packet) = self.answer_of_failure(id, packet.clone())
        {
            self.holds.cancel(hold);
            return self.hand_out(now, id, packet);
        }
        if let Some(connection) = self.open_connection(id) {
            connection.held += 1;
        }
        if let Some(release) = self.holds.end(hold, Release::Answer(id, Box::new(packet))) {
            self.carry_out(now, release);
        }
    }

    /// What to answer at once while the disk does not work; `None`: nothing.
    fn answer_of_failure(&mut self, id: ConnectionId, packet: Packet) -> Option<Packet> {
        let connection = self.connection(id)?;
        let is_v5 = connection.protocol.version().is_some_and(|version| version.is_v5());
        let session = connection.session;
        match packet {
            Packet::PubAck(_) | Packet::PubRec(_) if !is_v5 => None,
            Packet::PubAck(ack) => Some(Packet::PubAck(refused(ack))),
            Packet::PubRec(ack) => {
                if let Some(session) = session {
                    if self.sessions[session].has_rows() && !faults::has(Fault::RefusedRouted) {
                        // It is on its way to sessions. A client that does not hear the refusal sends it again, and they would get
                        // it twice; and after a crash the next message under its identifier could be taken for this one.
                        return None;
                    }
                    // A refused message is over with its PUBREC (4.3.3).
                    self.sessions[session].flow_mut().inbound.release(ack.packet_id);
                }
                Some(Packet::PubRec(refused(ack)))
            }
            Packet::PubRel(_) | Packet::PubComp(_) => None,
            packet @ (Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Publish(_)
            | Packet::Subscribe(_)
            | Packet::SubAck(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::PingReq
            | Packet::PingResp
            | Packet::Disconnect(_)
            | Packet::Auth(_)) => Some(packet),
        }
    }

    /// Carries out what waited for changes that were taken back.
    pub(super) fn release_if_due(&mut self, now: Time) {
        if std::mem::take(&mut self.may_release) {
            self.release(now);
        }
    }

    fn release(&mut self, now: Time) {
        let committed = self.journal.committed();
        while let Some(release) = self.holds.poll(committed) {
            self.carry_out(now, release);
        }
        if self.shared.is_store_failing() {
            while let Some(release) = self.holds.poll_answer_past_others(committed) {
                self.carry_out(now, release);
            }
        }
    }

    pub(super) fn carry_out(&mut self, now: Time, release: Release) {
        match release {
            Release::Answer(id, packet) => {
                if let Some(connection) = self.open_connection(id) {
                    connection.held = connection.held.saturating_sub(1);
                    self.hand_out(now, id, *packet);
                }
            }
            Release::Publish(id, session, packet_id) => self.publish_kept(now, id, session, packet_id),
            Release::Receipt(to, up_to) => {
                let forward = Forward::Receipt { from: self.id, up_to };
                self.effects.push_back(Effect::Forward { to, forward });
            }
            Release::Forward(to, forward, answer) => self.send_later(to, *forward, answer),
            Release::Nothing => {}
        }
    }

    /// Sends an answer, and what waited for it.
    fn hand_out(&mut self, now: Time, id: ConnectionId, packet: Packet) {
        match packet {
            Packet::ConnAck(_) => self.greet(now, id, &packet),
            Packet::SubAck(_) | Packet::UnsubAck(_) => {
                self.answer(now, id, &packet);
                if let Some(session) = self.connection(id).and_then(|connection| connection.session) {
                    // Retained messages of new subscriptions, and what waited behind those of ones that are gone.
                    self.send_queue(now, session);
                    self.sessions[session].forget_flow();
                }
            }
            Packet::Connect(_)
            | Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::PingResp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => self.answer(now, id, &packet),
        }
    }

    fn greet(&mut self, now: Time, id: ConnectionId, connack: &Packet) {
        let Some(connection) = self.open_connection(id) else { return };
        let Some(session) = connection.session else { return };
        connection.is_greeted = true;
        if self.send(id, connack) {
            self.send_queue(now, session);
        } else {
            // Nothing may come before CONNACK, not even words of farewell [MQTT-3.2.0-1].
            let detail = "CONNACK is larger than the maximum packet size of the client [MQTT-3.1.2-24]";
            let reason = ReasonCode::PacketTooLarge;
            self.finish(now, id, EndReason::Violation { reason, detail: detail.to_owned() });
        }
    }

    /// Has a QoS 2 message go out once its identifier is on disk, and others behind it; whether it waits. Without that
    /// it could come again under another one after a crash. The next connection may come to it before the disk does.
    pub(super) fn hold_publish(
        &mut self,
        connection: u32,
        index: u32,
        delivery: &Delivery,
        packet_id: PacketId,
    ) -> bool {
        let Some(batch) = self.batch_of_row(delivery) else { return false };
        let Some(id) = self.connection_id(connection) else { return false };
        let is_written = batch <= self.journal.committed();
        let place = &mut self.connections[connection as usize];
        let is_free =
            is_written || delivery.qos < QoS::ExactlyOnce || faults::has(Fault::PublishBeforeCommit);
        if is_free && place.held_publishes == 0 {
            return false;
        }
        place.held_publishes += 1;
        let session = self.sessions[index].id(index);
        let hold = self.holds.begin(Lane::Publishes);
        self.holds.add_change(hold, batch);
        let release = self.holds.end(hold, Release::Publish(id, session, packet_id));
        debug_assert!(release.is_none(), "what it waits for was counted");
        true
    }

    /// Writes a message whose identifier is on disk now, unless its connection or the message is gone.
    fn publish_kept(&mut self, now: Time, id: ConnectionId, session: SessionId, packet_id: PacketId) {
        let Some(connection) =
            self.open_connection(id).filter(|connection| connection.session == Some(session.index))
        else {
            return;
        };
        connection.held_publishes = connection.held_publishes.saturating_sub(1);
        let delivery = self.sessions[session.index].flow_mut().outbound.message(packet_id).cloned();
        if let Some(delivery) = delivery {
            self.write_again(now, id.index, session.index, &delivery, packet_id);
        }
        if self.sessions[session.index].flow_mut().outbound.message(packet_id).is_none() {
            // What was not sent after all has made room.
            self.send_queue(now, session.index);
        }
    }

    /// What another shard has to say that it is taken care of, where something waits for that.
    pub(super) fn awaited(&mut self, to: ShardId) -> Option<Awaited> {
        let hold = self.hold.filter(|_| self.is_awaited(to))?;
        Some(Awaited { from: self.id, number: self.holds.add_receipt(hold, to) })
    }

    /// Whether another shard has sessions with rows.
    pub(super) fn is_awaited(&self, to: ShardId) -> bool {
        self.shared.keeps(to) && !faults::has(Fault::ReceiptNotAwaited)
    }

    /// From here on, what changes is what another shard has to be told of.
    pub(super) fn begin_receipt(&mut self, awaited: Option<Awaited>) {
        self.hold = awaited.map(|awaited| self.holds.begin(Lane::Receipts(awaited.from)));
    }

    pub(super) fn end_receipt(&mut self, now: Time, awaited: Option<Awaited>) {
        let (Some(hold), Some(Awaited { from, number })) = (self.hold.take(), awaited) else { return };
        if self.shared.is_store_failing() {
            self.send_word_of_failure(hold, from, number);
        }
        if let Some(release) = self.holds.end(hold, Release::Receipt(from, number)) {
            self.carry_out(now, release);
        }
    }

    /// Everything up to a number is taken care of by another shard.
    pub(super) fn handle_receipt(&mut self, now: Time, from: ShardId, up_to: u64) {
        self.holds.handle_receipt(from, up_to);
        self.release(now);
    }
}

/// Whether a test has an answer not wait for the disk.
fn is_early(packet: &Packet) -> bool {
    faults::has(Fault::AnswerBeforeCommit)
        || (faults::has(Fault::PubRelBeforeCommit) && matches!(packet, Packet::PubRel(_)))
        || (faults::has(Fault::PubCompBeforeCommit) && matches!(packet, Packet::PubComp(_)))
}

/// The same acknowledgement, of a message that is not taken.
fn refused(ack: PublishAck) -> PublishAck {
    if ack.reason.is_failure() { ack } else { PublishAck::new(ack.packet_id, ReasonCode::QuotaExceeded) }
}
