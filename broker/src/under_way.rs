//! QoS 1 and 2 messages under way to one client, bounded in number and bytes.

use hearth_protocol::QoS;
use hearth_protocol::packet::PacketId;
use hearth_protocol::session::{Outbound, Redelivery, UnknownPacketId};

use crate::delivery::Delivery;

/// Messages that went out and are not through yet, with what they weigh.
pub(crate) struct UnderWay {
    outbound: Outbound<Delivery>,
    /// Bytes of the messages that wait for PUBACK or PUBREC.
    bytes: usize,
}

impl UnderWay {
    pub(crate) const fn new(window: u16) -> Self {
        Self { outbound: Outbound::new(window), bytes: 0 }
    }

    /// See [`Outbound::restore`].
    pub(crate) fn restore(
        window: u16,
        under_way: impl IntoIterator<Item = (PacketId, Option<(QoS, Delivery)>)>,
    ) -> Self {
        let outbound = Outbound::restore(window, under_way);
        let bytes = outbound.messages().map(weight).sum();
        Self { outbound, bytes }
    }

    /// Whether one more message may go out: while fewer than `bytes_max` are under way, or nothing is, so that one large
    /// message is never stuck for ever.
    pub(crate) fn has_room(&self, bytes_max: usize) -> bool {
        self.outbound.has_room() && (self.bytes == 0 || self.bytes < bytes_max)
    }

    /// What waits for PUBACK or PUBREC.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// See [`Outbound::begin`].
    pub(crate) fn begin(&mut self, qos: QoS, delivery: Delivery) -> Option<PacketId> {
        let bytes = weight(&delivery);
        let packet_id = self.outbound.begin(qos, delivery)?;
        self.bytes += bytes;
        Some(packet_id)
    }

    /// See [`Outbound::handle_puback`].
    pub(crate) fn handle_puback(&mut self, id: PacketId) -> Result<Delivery, UnknownPacketId> {
        let delivery = self.outbound.handle_puback(id)?;
        Ok(self.let_go(delivery))
    }

    /// See [`Outbound::handle_pubrec`].
    pub(crate) fn handle_pubrec(&mut self, id: PacketId) -> Result<Option<Delivery>, UnknownPacketId> {
        let delivery = self.outbound.handle_pubrec(id)?;
        Ok(delivery.map(|delivery| self.let_go(delivery)))
    }

    /// See [`Outbound::handle_pubrec_failed`].
    pub(crate) fn handle_pubrec_failed(&mut self, id: PacketId) -> Result<Delivery, UnknownPacketId> {
        let delivery = self.outbound.handle_pubrec_failed(id)?;
        Ok(self.let_go(delivery))
    }

    /// See [`Outbound::handle_pubcomp`].
    pub(crate) fn handle_pubcomp(&mut self, id: PacketId) -> Result<(), UnknownPacketId> {
        self.outbound.handle_pubcomp(id)
    }

    /// See [`Outbound::abandon`].
    pub(crate) fn abandon(&mut self, id: PacketId) -> Result<Delivery, UnknownPacketId> {
        let delivery = self.outbound.abandon(id)?;
        Ok(self.let_go(delivery))
    }

    /// See [`Outbound::extract`].
    pub(crate) fn extract(&mut self, is_wanted: impl Fn(PacketId, QoS, &Delivery) -> bool) -> Vec<Delivery> {
        let taken = self.outbound.extract(is_wanted);
        self.bytes -= taken.iter().map(weight).sum::<usize>();
        taken
    }

    /// See [`Outbound::message`].
    pub(crate) fn message(&self, id: PacketId) -> Option<&Delivery> {
        self.outbound.message(id)
    }

    /// See [`Outbound::messages`].
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Delivery> {
        self.outbound.messages()
    }

    /// See [`Outbound::messages_mut`]. The message itself stays as it is.
    pub(crate) fn messages_mut(&mut self) -> impl Iterator<Item = &mut Delivery> {
        self.outbound.messages_mut()
    }

    /// See [`Outbound::handle_resume`].
    pub(crate) fn handle_resume(&mut self, window: u16) {
        self.outbound.handle_resume(window);
    }

    /// See [`Outbound::poll_redelivery`].
    pub(crate) fn poll_redelivery(&mut self) -> Option<Redelivery<'_, Delivery>> {
        self.outbound.poll_redelivery()
    }

    /// See [`Outbound::is_redelivering`].
    pub(crate) const fn is_redelivering(&self) -> bool {
        self.outbound.is_redelivering()
    }

    /// See [`Outbound::inflight_len`].
    pub(crate) const fn inflight_len(&self) -> usize {
        self.outbound.inflight_len()
    }

    /// See [`Outbound::is_empty`].
    pub(crate) fn is_empty(&self) -> bool {
        self.outbound.is_empty()
    }

    fn let_go(&mut self, delivery: Delivery) -> Delivery {
        self.bytes -= weight(&delivery);
        delivery
    }
}

fn weight(delivery: &Delivery) -> usize {
    delivery.message.bytes()
}
