//! QoS 1 and 2 messages that went out and are not through yet.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU16;

use crate::QoS;
use crate::packet::PacketId;

/// The sender's half of QoS 1 and 2, in the order of sending (MQTT 5.0, 4.3 and 4.4).
///
/// Identifiers are given out in a circle without a gap, so the place of one in the queue is its distance from
/// the first: looking up, finishing and adding are O(1), and nothing is allocated once the queue has grown.
#[derive(Clone, Debug)]
pub struct Outbound<M> {
    /// Messages under way at most: the receive maximum of the peer.
    window: u16,
    /// How many of `flights` are `Sent` or `Released`.
    inflight: u16,
    /// How many of `flights`, at their end, this connection has not searched for a PUBREL to send again.
    unsent_pubrels: u16,
    /// The same for a PUBLISH.
    unsent: u16,
    /// How many of `unsent` are `Sent`.
    unsent_publishes: u16,
    first: PacketId,
    flights: VecDeque<Flight<M>>,
}

#[derive(Clone, Debug)]
enum Flight<M> {
    /// Sent; neither PUBACK nor PUBREC came.
    Sent { qos: QoS, message: M },
    /// PUBREC came: only PUBREL and PUBCOMP are left [MQTT-4.3.3-6].
    Released,
    /// An identifier of a SUBSCRIBE or UNSUBSCRIBE.
    Request,
    /// Over; its place waits until it is the first.
    Done,
}

/// What must be sent again on a new connection, in the order of the first time [MQTT-4.4.0-1], [MQTT-4.6.0-1].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery<'a, M> {
    /// The PUBLISH, with DUP set [MQTT-3.3.1-1].
    Publish {
        /// Its identifier, the same as before.
        packet_id: PacketId,
        /// 1 or 2.
        qos: QoS,
        /// What was sent.
        message: &'a M,
    },
    /// The PUBREL.
    PubRel {
        /// Of the PUBLISH before it.
        packet_id: PacketId,
    },
}

/// An acknowledgement names a packet identifier that waits for no such packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no packet with identifier {0} waits for this acknowledgement")]
pub struct UnknownPacketId(pub PacketId);

const FIRST: PacketId = NonZeroU16::MIN;
const IDS: usize = u16::MAX as usize;

/// Identifiers from the oldest open one to the newest, as a multiple of the window. A peer that never acknowledges
/// one message, but all behind it, makes the queue grow; with this bound it makes itself wait instead.
const SPAN_WINDOWS: usize = 16;

/// The span that each window may have: QoS 1 messages overtake QoS 2 messages, which take two round trips.
const SPAN_MIN: usize = 1024;

/// Kept when the queue runs empty, so that one message at a time does not allocate each time.
const IDLE_CAPACITY: usize = 4;

impl<M> Outbound<M> {
    /// Nothing is under way; `window` is the receive maximum of the peer.
    pub const fn new(window: u16) -> Self {
        Self {
            window,
            inflight: 0,
            unsent_pubrels: 0,
            unsent: 0,
            unsent_publishes: 0,
            first: FIRST,
            flights: VecDeque::new(),
        }
    }

    /// What was under way when it was written down, in any order: identifiers with the message, or without one where
    /// PUBREC had come. All of it waits for [`Outbound::handle_resume`]; of an identifier that comes twice the first counts.
    pub fn restore(window: u16, under_way: impl IntoIterator<Item = (PacketId, Option<(QoS, M)>)>) -> Self {
        let mut by_id = BTreeMap::new();
        for (id, message) in under_way {
            by_id.entry(id).or_insert(message);
        }
        let mut outbound = Self::new(window);
        // They were given out in a circle: the oldest one follows the widest gap.
        let ids: Vec<usize> = by_id.keys().map(|id| usize::from(id.get())).collect();
        let before = ids.iter().cycle().skip(ids.len().saturating_sub(1));
        let gaps = ids.iter().zip(before).map(|(id, before)| ((id + IDS - before - 1) % IDS, *id));
        let Some((_, first)) = gaps.max_by_key(|(gap, id)| (*gap, std::cmp::Reverse(*id))) else {
            return outbound;
        };
        // It is one of the identifiers.
        outbound.first = PacketId::new(first as u16).unwrap_or(FIRST);
        let (wrapped, oldest): (Vec<_>, Vec<_>) = by_id.into_iter().partition(|(id, _)| *id < outbound.first);
        for (id, message) in oldest.into_iter().chain(wrapped) {
            let place = outbound.place(id);
            outbound.flights.resize_with(place, || Flight::Done);
            outbound.inflight += 1;
            outbound.flights.push_back(match message {
                Some((qos, message)) => Flight::Sent { qos, message },
                None => Flight::Released,
            });
        }
        outbound.handle_resume(window);
        outbound
    }

    /// Takes the receive maximum of a new connection.
    pub const fn set_window(&mut self, window: u16) {
        self.window = window;
    }

    /// Whether one more message may go out [MQTT-3.3.4-9].
    pub fn has_room(&self) -> bool {
        let span_max = (usize::from(self.window) * SPAN_WINDOWS).clamp(SPAN_MIN, IDS);
        self.unsent_publishes == 0 && self.inflight < self.window && self.flights.len() < span_max
    }

    /// Messages under way.
    pub const fn inflight_len(&self) -> usize {
        self.inflight as usize
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Takes a QoS 1 or 2 message and says which identifier it goes out with; `None` when the window is full.
    pub fn begin(&mut self, qos: QoS, message: M) -> Option<PacketId> {
        if !self.has_room() {
            return None;
        }
        self.unsent = 0;
        self.inflight += 1;
        Some(self.append(Flight::Sent { qos, message }))
    }

    /// An identifier for a SUBSCRIBE or UNSUBSCRIBE, which no window bounds; `None` when all are in use.
    pub fn begin_request(&mut self) -> Option<PacketId> {
        if self.flights.len() == IDS {
            return None;
        }
        Some(self.append(Flight::Request))
    }

    /// The request is answered.
    ///
    /// # Errors
    /// No request has this identifier.
    pub fn finish_request(&mut self, id: PacketId) -> Result<(), UnknownPacketId> {
        match self.flight_mut(id) {
            Some(flight @ Flight::Request) => {
                *flight = Flight::Done;
                self.trim();
                Ok(())
            }
            Some(Flight::Sent { .. } | Flight::Released | Flight::Done) | None => Err(UnknownPacketId(id)),
        }
    }

    /// PUBACK: hands the message back, which is through [MQTT-4.3.2-3].
    ///
    /// # Errors
    /// No QoS 1 message waits for it.
    pub fn handle_puback(&mut self, id: PacketId) -> Result<M, UnknownPacketId> {
        let message = self.take_sent(id, |qos| qos == QoS::AtLeastOnce, Flight::Done)?;
        self.on_done();
        Ok(message)
    }

    /// PUBREC: hands the message back the first time; from now on only PUBREL is sent.
    ///
    /// # Errors
    /// No QoS 2 message waits for it.
    pub fn handle_pubrec(&mut self, id: PacketId) -> Result<Option<M>, UnknownPacketId> {
        if let Some(Flight::Released) = self.flight_mut(id) {
            return Ok(None);
        }
        self.take_sent(id, |qos| qos == QoS::ExactlyOnce, Flight::Released).map(Some)
    }

    /// PUBREC with a failure: the message will not be taken and the flow is over [MQTT-4.3.3-4].
    ///
    /// # Errors
    /// No QoS 2 message waits for it.
    pub fn handle_pubrec_failed(&mut self, id: PacketId) -> Result<M, UnknownPacketId> {
        let message = self.take_sent(id, |qos| qos == QoS::ExactlyOnce, Flight::Done)?;
        self.on_done();
        Ok(message)
    }

    /// PUBCOMP: the QoS 2 message is through.
    ///
    /// # Errors
    /// No released message has this identifier.
    pub fn handle_pubcomp(&mut self, id: PacketId) -> Result<(), UnknownPacketId> {
        match self.flight_mut(id) {
            Some(flight @ Flight::Released) => {
                *flight = Flight::Done;
                self.on_done();
                Ok(())
            }
            Some(Flight::Sent { .. } | Flight::Request | Flight::Done) | None => Err(UnknownPacketId(id)),
        }
    }

    /// Ends the flow of a message that cannot be sent on the terms of this connection, and hands it back.
    ///
    /// # Errors
    /// No message waits for PUBACK or PUBREC under this identifier.
    pub fn abandon(&mut self, id: PacketId) -> Result<M, UnknownPacketId> {
        let message = self.take_sent(id, |_| true, Flight::Done)?;
        self.on_done();
        Ok(message)
    }

    /// Ends, in order, the flows of the messages that are wanted and got neither PUBACK nor PUBREC, and hands them
    /// back. What the peer still says of them is unknown then: for a session without a connection.
    pub fn extract(&mut self, is_wanted: impl Fn(PacketId, QoS, &M) -> bool) -> Vec<M> {
        let wanted: Vec<PacketId> = (0..)
            .zip(&self.flights)
            .filter_map(|(place, flight)| match flight {
                Flight::Sent { qos, message } if is_wanted(self.id_at(place), *qos, message) => {
                    Some(self.id_at(place))
                }
                Flight::Sent { .. } | Flight::Released | Flight::Request | Flight::Done => None,
            })
            .collect();
        wanted.into_iter().filter_map(|id| self.abandon(id).ok()).collect()
    }

    /// The message that waits for PUBACK or PUBREC under this identifier.
    pub fn message(&self, id: PacketId) -> Option<&M> {
        match self.flights.get(self.place(id))? {
            Flight::Sent { message, .. } => Some(message),
            Flight::Released | Flight::Request | Flight::Done => None,
        }
    }

    /// The messages that wait for PUBACK or PUBREC, in the order of sending.
    pub fn messages(&self) -> impl Iterator<Item = &M> {
        self.flights.iter().filter_map(|flight| match flight {
            Flight::Sent { message, .. } => Some(message),
            Flight::Released | Flight::Request | Flight::Done => None,
        })
    }

    /// The same, to change what is held of them.
    pub fn messages_mut(&mut self) -> impl Iterator<Item = &mut M> {
        self.flights.iter_mut().filter_map(|flight| match flight {
            Flight::Sent { message, .. } => Some(message),
            Flight::Released | Flight::Request | Flight::Done => None,
        })
    }

    /// A new connection resumes the session: all that is under way goes out again through `poll_redelivery`, before
    /// anything new and within the window of the new connection.
    pub fn handle_resume(&mut self, window: u16) {
        self.window = window;
        // There are fewer flights than identifiers.
        self.unsent = self.flights.len() as u16;
        self.unsent_pubrels = self.unsent;
        let publishes = self.flights.iter().filter(|flight| matches!(flight, Flight::Sent { .. }));
        self.unsent_publishes = publishes.count() as u16;
    }

    /// What goes out again next; `None` when all did, or until an acknowledgement makes room. Each PUBREL comes before
    /// the first PUBLISH, because it must not wait for room [MQTT-3.3.4-8].
    pub fn poll_redelivery(&mut self) -> Option<Redelivery<'_, M>> {
        while self.unsent_pubrels > 0 {
            let place = self.flights.len() - usize::from(self.unsent_pubrels);
            self.unsent_pubrels -= 1;
            if matches!(self.flights[place], Flight::Released) {
                return Some(Redelivery::PubRel { packet_id: self.id_at(place) });
            }
        }
        if self.unsent_publishes == 0 {
            self.unsent = 0;
            return None;
        }
        if self.inflight - self.unsent_publishes >= self.window {
            return None;
        }
        let tail = self.flights.len() - usize::from(self.unsent);
        let is_publish = |flight: &Flight<M>| matches!(flight, Flight::Sent { .. });
        let place = tail + self.flights.range(tail..).position(is_publish)?;
        // Below `unsent`, which is 16 bits wide.
        self.unsent -= (place - tail) as u16 + 1;
        self.unsent_publishes -= 1;
        Redelivery::of(&self.flights[place], self.id_at(place))
    }

    /// Whether `poll_redelivery` has more to give, now or when an acknowledgement makes room.
    pub const fn is_redelivering(&self) -> bool {
        self.unsent_pubrels > 0 || self.unsent_publishes > 0
    }

    /// Forgets everything and hands back, in order, the messages that got neither PUBACK nor PUBREC.
    pub fn clear(&mut self) -> impl Iterator<Item = (QoS, M)> + use<M> {
        let flights = std::mem::replace(self, Self::new(self.window)).flights;
        flights.into_iter().filter_map(|flight| match flight {
            Flight::Sent { qos, message } => Some((qos, message)),
            Flight::Released | Flight::Request | Flight::Done => None,
        })
    }

    fn append(&mut self, flight: Flight<M>) -> PacketId {
        let id = self.id_at(self.flights.len());
        // What counts from the end still means the same flights.
        self.unsent_pubrels += u16::from(self.unsent_pubrels > 0);
        self.unsent += u16::from(self.unsent > 0);
        self.flights.push_back(flight);
        id
    }

    fn take_sent(
        &mut self,
        id: PacketId,
        is_expected: impl FnOnce(QoS) -> bool,
        next: Flight<M>,
    ) -> Result<M, UnknownPacketId> {
        let place = self.place(id);
        let is_unsent = place + usize::from(self.unsent) >= self.flights.len();
        let Some(flight) = self.flights.get_mut(place) else { return Err(UnknownPacketId(id)) };
        match std::mem::replace(flight, next) {
            Flight::Sent { qos, message } if is_expected(qos) => {
                self.unsent_publishes -= u16::from(is_unsent);
                Ok(message)
            }
            other @ (Flight::Sent { .. } | Flight::Released | Flight::Request | Flight::Done) => {
                *flight = other;
                Err(UnknownPacketId(id))
            }
        }
    }

    fn on_done(&mut self) {
        self.inflight -= 1;
        self.trim();
    }

    /// Drops what is over from the front, and the memory when nothing is left.
    fn trim(&mut self) {
        while let Some(Flight::Done) = self.flights.front() {
            self.flights.pop_front();
            self.first = next(self.first, 1);
        }
        // There are fewer flights than identifiers.
        let len = self.flights.len() as u16;
        self.unsent = self.unsent.min(len);
        self.unsent_pubrels = self.unsent_pubrels.min(len);
        if self.flights.is_empty() && self.flights.capacity() > IDLE_CAPACITY {
            self.flights = VecDeque::new();
        }
    }

    fn flight_mut(&mut self, id: PacketId) -> Option<&mut Flight<M>> {
        let place = self.place(id);
        self.flights.get_mut(place)
    }

    fn place(&self, id: PacketId) -> usize {
        (usize::from(id.get()) + IDS - usize::from(self.first.get())) % IDS
    }

    fn id_at(&self, place: usize) -> PacketId {
        next(self.first, place)
    }
}

impl<'a, M> Redelivery<'a, M> {
    const fn of(flight: &'a Flight<M>, packet_id: PacketId) -> Option<Self> {
        match flight {
            Flight::Sent { qos, message } => Some(Self::Publish { packet_id, qos: *qos, message }),
            Flight::Released => Some(Self::PubRel { packet_id }),
            Flight::Request | Flight::Done => None,
        }
    }
}

/// The identifier `distance` steps on in the circle 1..=65,535.
fn next(id: PacketId, distance: usize) -> PacketId {
    let place = (usize::from(id.get()) - 1 + distance) % IDS;
    // `place` is below 65,535, so the sum is 1..=65,535.
    NonZeroU16::new(place as u16 + 1).unwrap_or(FIRST)
}

#[cfg(test)]
mod tests;
