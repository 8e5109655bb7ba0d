//! PUBLISH packets of one message, encoded once for all that get the same bytes.

use bytes::Bytes;
use hearth_protocol::codec::{PublishHead, encode_publish_head};
use hearth_protocol::connection::TopicNaming;
use hearth_protocol::packet::PacketId;
use hearth_protocol::{QoS, Time, Version};

use crate::delivery::Outgoing;
use crate::message::expiry_left;
use crate::output::COPY_MAX;
use crate::tape::Tape;

/// What makes the bytes of two deliveries of one message differ, but for packet identifier and exact QoS, which
/// are patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form<'a> {
    pub(crate) version: Version,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) ids: &'a [u32],
    pub(crate) naming: TopicNaming,
}

/// Where on the tape the encodings of one message stand, in memory that stays for the next one.
#[derive(Default)]
pub(crate) struct Encodings {
    entries: Vec<Entry>,
    ids: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Entry {
    variant: Variant,
    ids: (usize, usize),
    start: usize,
    end: usize,
    /// Where the packet identifier stands, from `start`; 0 with QoS 0.
    packet_id_at: usize,
}

/// What of a form can be compared at once: of each delivery this is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Variant(u32);

/// One encoding on the tape: its header, with the payload or before one that is shared.
pub(crate) struct Encoded<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where the packet identifier stands, from `start`; 0 with QoS 0.
    pub(crate) packet_id_at: usize,
    pub(crate) shared: Option<&'a Bytes>,
}

/// What a delivery has for itself in bytes that are otherwise those of others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) qos: QoS,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) dup: bool,
}

impl Variant {
    const fn of(form: &Form<'_>) -> Self {
        let (kind, alias) = match form.naming {
            TopicNaming::Topic => (0, 0),
            TopicNaming::TopicAndAlias(alias) => (1, alias.get()),
            TopicNaming::Alias(alias) => (2, alias.get()),
        };
        let is_acknowledged = !matches!(form.qos, QoS::AtMostOnce);
        let flags = form.version.is_v5() as u32 | (is_acknowledged as u32) << 1 | (form.retain as u32) << 2;
        Self(flags | kind << 3 | (alias as u32) << 5)
    }
}

impl Encodings {
    /// Forgets the message before.
    pub(crate) fn clear(&mut self, tape: &mut Tape) {
        tape.begin();
        self.entries.clear();
        self.ids.clear();
    }

    /// The bytes of a message in a form; `None` when no packet can hold it.
    pub(crate) fn encode<'a>(
        &mut self,
        tape: &mut Tape,
        outgoing: &Outgoing<'a>,
        form: Form<'_>,
        now: Time,
    ) -> Option<Encoded<'a>> {
        // Before version 5 there are none, whatever the subscription asks for.
        let form = Form { ids: if form.version.is_v5() { form.ids } else { &[] }, ..form };
        let variant = Variant::of(&form);
        let has_form = |entry: &Entry| {
            entry.variant == variant
                && entry.ids.1 - entry.ids.0 == form.ids.len()
                && (form.ids.is_empty() || self.ids[entry.ids.0..entry.ids.1] == *form.ids)
        };
        let place = match self.entries.iter().position(has_form) {
            Some(place) => place,
            None => self.add(tape, outgoing, form, variant, now)?,
        };
        let entry = &self.entries[place];
        let shared = (outgoing.payload.len() > COPY_MAX).then_some(outgoing.payload);
        Some(Encoded { start: entry.start, end: entry.end, packet_id_at: entry.packet_id_at, shared })
    }

    fn add(
        &mut self,
        tape: &mut Tape,
        outgoing: &Outgoing<'_>,
        form: Form<'_>,
        variant: Variant,
        now: Time,
    ) -> Option<usize> {
        let is_acknowledged = form.qos > QoS::AtMostOnce;
        let (topic, topic_alias) = form.naming.fields(outgoing.topic.as_str());
        let head = PublishHead {
            dup: false,
            qos: form.qos,
            retain: form.retain,
            topic,
            packet_id: is_acknowledged.then_some(PacketId::MIN),
            properties: outgoing.properties,
            message_expiry: expiry_left(outgoing.expires_at, now),
            topic_alias,
            subscription_ids: form.ids,
            payload_len: outgoing.payload.len(),
        };
        let bytes = tape.end();
        let start = bytes.len();
        let packet_id_at = encode_publish_head(&head, form.version, bytes).ok()?;
        if outgoing.payload.len() <= COPY_MAX {
            bytes.extend_from_slice(outgoing.payload);
        }
        let end = bytes.len();
        let ids_start = self.ids.len();
        self.ids.extend_from_slice(form.ids);
        self.entries.push(Entry {
            variant,
            ids: (ids_start, self.ids.len()),
            start,
            end,
            packet_id_at: packet_id_at.map_or(0, |at| at - start),
        });
        Some(self.entries.len() - 1)
    }
}

impl Encoded<'_> {
    /// Length of the whole packet.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start + self.shared.map_or(0, Bytes::len)
    }
}

impl Own {
    /// Makes the encoded `packet` this delivery's.
    pub(crate) fn patch(self, packet: &mut [u8], packet_id_at: usize) {
        packet[0] = self.first_byte(packet[0]);
        if let Some(packet_id) = self.packet_id {
            packet[packet_id_at..packet_id_at + 2].copy_from_slice(&packet_id.get().to_be_bytes());
        }
    }

    /// Whether the encoded `packet` is this delivery's as it is.
    pub(crate) fn is_in(self, packet: &[u8], packet_id_at: usize) -> bool {
        packet[0] == self.first_byte(packet[0])
            && self.packet_id.is_none_or(|packet_id| {
                packet[packet_id_at..packet_id_at + 2] == packet_id.get().to_be_bytes()
            })
    }

    /// The first byte of a PUBLISH of the same form.
    const fn first_byte(self, of_form: u8) -> u8 {
        of_form & 0b1111_0001 | self.qos.bits() << 1 | (self.dup as u8) << 3
    }
}
