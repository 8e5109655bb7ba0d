//! The bytes of rows. A message is kept as the version 5 PUBLISH that it would be.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hearth_protocol::codec::{self, PublishHead, encode_publish_head};
use hearth_protocol::packet::{Packet, PacketId, Publish, Will, WillProperties};
use hearth_protocol::{QoS, Text, TopicFilter, Version};

use super::value::RowBytes;
use crate::message::Message;
use crate::router::SubscriptionOptions;

/// A row is not what was written: the table's name and what is wrong.
pub(super) type Problem = &'static str;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRow {
    pub(crate) client_id: Text,
    pub(crate) user_name: Option<Text>,
    pub(crate) version: Version,
    pub(crate) expiry_seconds: u32,
    /// When its connection ended, in milliseconds since 1970; `None` while there is one.
    pub(crate) ended_at: Option<u64>,
    pub(crate) will: Option<Will>,
    /// When the will goes out, in milliseconds since 1970, once the connection is gone.
    pub(crate) will_due: Option<u64>,
}

/// A subscription; the filter stands in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionRow(pub(crate) SubscriptionOptions);

/// A message, or what is retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) publish: Publish,
    /// Serial of the publisher's session.
    pub(crate) publisher: u64,
    /// In milliseconds since 1970.
    pub(crate) expires_at: Option<u64>,
    /// Who is the first to wait for it.
    pub(crate) reference: Option<OwnReference>,
}

/// What a session is to get, in the row of the message itself: most messages have one that waits for them, whose rows would
/// be as many again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnReference {
    /// Serial of the session.
    pub(crate) session: u64,
    /// In the order of the session.
    pub(crate) place: u64,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// The subscription identifier, or 0.
    pub(crate) id: u32,
    /// Given out for it already.
    pub(crate) packet_id: Option<PacketId>,
}

/// What a session is to get, or has got and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReferenceRow {
    pub(crate) message: u64,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) ids: Vec<u32>,
    /// The filter of the group, of a shared subscription.
    pub(crate) group: Option<TopicFilter>,
    /// Given out for it already.
    pub(crate) packet_id: Option<PacketId>,
}

impl SessionRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u8(self.version.level());
        bytes.put_u32(self.expiry_seconds);
        put_option(&mut bytes, self.ended_at);
        put_option(&mut bytes, self.will_due);
        put_bytes(&mut bytes, self.client_id.as_str().as_bytes());
        put_optional_bytes(&mut bytes, self.user_name.as_ref().map(|name| name.as_str().as_bytes()));
        let will = self.will.as_ref().map(encode_will);
        put_optional_bytes(&mut bytes, will.as_deref());
        bytes
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let level = take_u8(&mut row)?;
        let versions = [Version::V31, Version::V311, Version::V5];
        let version = versions.into_iter().find(|version| version.level() == level).ok_or("its version")?;
        let expiry_seconds = take_u32(&mut row)?;
        let ended_at = take_option(&mut row)?;
        let will_due = take_option(&mut row)?;
        let client_id = take_text(&mut row)?;
        let user_name = take_optional_bytes(&mut row)?.map(text).transpose()?;
        let will = take_optional_bytes(&mut row)?.map(decode_will).transpose()?;
        end(&row)?;
        Ok(Self { client_id, user_name, version, expiry_seconds, ended_at, will, will_due })
    }
}

impl SubscriptionRow {
    pub(crate) fn encode(self) -> Vec<u8> {
        let Self(SubscriptionOptions { qos, no_local, retain_as_published, id }) = self;
        let mut bytes = vec![qos.bits() | u8::from(no_local) << 2 | u8::from(retain_as_published) << 3];
        bytes.put_u32(id);
        bytes
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let options = take_u8(&mut row)?;
        let qos = QoS::from_bits(options & 0b11).ok_or("its QoS")?;
        let id = take_u32(&mut row)?;
        end(&row)?;
        let (no_local, retain_as_published) = (options & 0b100 != 0, options & 0b1000 != 0);
        Ok(Self(SubscriptionOptions { qos, no_local, retain_as_published, id }))
    }
}

impl MessageRow {
    /// Writes the row of a message behind other bytes; `expires_at` is the time of day.
    pub(crate) fn encode(
        message: &Message,
        expires_at: Option<u64>,
        reference: Option<&OwnReference>,
        buffer: &mut BytesMut,
    ) {
        buffer.put_u64(message.publisher);
        buffer.put_u8(u8::from(expires_at.is_some()) | u8::from(reference.is_some()) << 1);
        if let Some(at) = expires_at {
            buffer.put_u64(at);
        }
        if let Some(reference) = reference {
            reference.encode(buffer);
        }
        encode_publish(message, buffer);
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let publisher = take_u64(&mut row)?;
        let flags = take_u8(&mut row)?;
        if flags > 0b11 {
            return Err("its kind");
        }
        let expires_at = (flags & 0b01 != 0).then(|| take_u64(&mut row)).transpose()?;
        let reference = (flags & 0b10 != 0).then(|| OwnReference::decode(&mut row)).transpose()?;
        Ok(Self { publish: decode_publish(row)?, publisher, expires_at, reference })
    }
}

impl OwnReference {
    /// As a row of its own, for the message of this number.
    pub(super) fn as_row(&self, message: u64) -> ReferenceRow {
        let Self { qos, retain, id, packet_id, .. } = *self;
        let ids = if id == 0 { Vec::new() } else { vec![id] };
        ReferenceRow { message, qos, retain, ids, group: None, packet_id }
    }

    fn encode(&self, buffer: &mut BytesMut) {
        buffer.put_u64(self.session);
        buffer.put_u64(self.place);
        buffer.put_u8(self.qos.bits() | u8::from(self.retain) << 2);
        buffer.put_u16(self.packet_id.map_or(0, PacketId::get));
        buffer.put_u32(self.id);
    }

    fn decode(row: &mut Bytes) -> Result<Self, Problem> {
        let session = take_u64(row)?;
        let place = take_u64(row)?;
        let flags = take_u8(row)?;
        let qos = QoS::from_bits(flags & 0b11).ok_or("its QoS")?;
        let packet_id = PacketId::new(take_u16(row)?);
        let id = take_u32(row)?;
        Ok(Self { session, place, qos, retain: flags & 0b100 != 0, id, packet_id })
    }
}

impl ReferenceRow {
    pub(crate) fn encode(&self) -> RowBytes {
        let flags = self.qos.bits() | u8::from(self.retain) << 2;
        let packet_id = self.packet_id.map_or(0, PacketId::get).to_be_bytes();
        // Fewer than a packet has bytes.
        let count = (self.ids.len() as u16).to_be_bytes();
        // Few have identifiers or a group; the others are to take no memory of their own.
        let ids: Vec<u8> = self.ids.iter().flat_map(|id| id.to_be_bytes()).collect();
        let mut group = Vec::new();
        if let Some(filter) = &self.group {
            put_bytes(&mut group, filter.as_str().as_bytes());
        }
        let has_group = u8::from(self.group.is_some());
        let message = self.message.to_be_bytes();
        RowBytes::concat(&[&message, &[flags], &packet_id, &count, &ids, &[has_group], &group])
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let message = take_u64(&mut row)?;
        let flags = take_u8(&mut row)?;
        let qos = QoS::from_bits(flags & 0b11).ok_or("its QoS")?;
        let packet_id = PacketId::new(take_u16(&mut row)?);
        let count = take_u16(&mut row)?;
        let ids = (0..count).map(|_| take_u32(&mut row)).collect::<Result<_, _>>()?;
        let group = take_optional_bytes(&mut row)?.map(filter).transpose()?;
        end(&row)?;
        Ok(Self { message, qos, retain: flags & 0b100 != 0, ids, group, packet_id })
    }
}

pub(super) fn filter(bytes: Bytes) -> Result<TopicFilter, Problem> {
    TopicFilter::new(text(bytes)?).map_err(|_| "its filter")
}

fn text(bytes: Bytes) -> Result<Text, Problem> {
    Text::from_bytes(bytes).map_err(|_| "a text")
}

/// A will is a message with one property more.
fn encode_will(will: &Will) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_option(&mut bytes, will.properties.delay.map(u64::from));
    let mut publish = BytesMut::new();
    encode_publish(&Message::of_will(will.clone(), 0, hearth_protocol::Time::ZERO), &mut publish);
    bytes.extend_from_slice(&publish);
    bytes
}

fn decode_will(mut bytes: Bytes) -> Result<Will, Problem> {
    let delay = take_option(&mut bytes)?.map(|delay| u32::try_from(delay).unwrap_or(u32::MAX));
    let publish = decode_publish(bytes)?;
    let properties = publish.properties.map(|properties| *properties).unwrap_or_default();
    Ok(Will {
        topic: publish.topic,
        payload: publish.payload,
        qos: publish.qos,
        retain: publish.retain,
        properties: WillProperties {
            delay,
            payload_format: properties.payload_format,
            message_expiry: properties.message_expiry,
            content_type: properties.content_type,
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data,
            user_properties: properties.user_properties,
        },
    })
}

fn encode_publish(message: &Message, buffer: &mut BytesMut) {
    let properties = message.properties.as_deref();
    let head = PublishHead {
        dup: false,
        qos: message.qos,
        retain: message.retain,
        topic: message.topic.as_str(),
        packet_id: (message.qos > QoS::AtMostOnce).then_some(PacketId::MIN),
        properties,
        message_expiry: properties.and_then(|properties| properties.message_expiry),
        topic_alias: None,
        subscription_ids: &[],
        payload_len: message.payload.len(),
    };
    // It came in a packet, so that it fits one.
    let _fits = encode_publish_head(&head, Version::V5, buffer);
    buffer.extend_from_slice(&message.payload);
}

fn decode_publish(bytes: Bytes) -> Result<Publish, Problem> {
    let mut bytes = BytesMut::from(bytes);
    match codec::decode(&mut bytes, Version::V5, usize::MAX) {
        Ok(Some(Packet::Publish(publish))) if bytes.is_empty() => Ok(publish),
        Ok(_) | Err(_) => Err("its message"),
    }
}

fn put_option(bytes: &mut Vec<u8>, value: Option<u64>) {
    bytes.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        bytes.put_u64(value);
    }
}

fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    // Longer things are packets of at most 256 MiB.
    bytes.put_u32(value.len() as u32);
    bytes.put_slice(value);
}

fn put_optional_bytes(bytes: &mut Vec<u8>, value: Option<&[u8]>) {
    bytes.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put_bytes(bytes, value);
    }
}

fn take_u8(row: &mut Bytes) -> Result<u8, Problem> {
    row.try_get_u8().map_err(|_| "its length")
}

fn take_u16(row: &mut Bytes) -> Result<u16, Problem> {
    row.try_get_u16().map_err(|_| "its length")
}

fn take_u32(row: &mut Bytes) -> Result<u32, Problem> {
    row.try_get_u32().map_err(|_| "its length")
}

fn take_u64(row: &mut Bytes) -> Result<u64, Problem> {
    row.try_get_u64().map_err(|_| "its length")
}

fn take_option(row: &mut Bytes) -> Result<Option<u64>, Problem> {
    match take_u8(row)? {
        0 => Ok(None),
        _ => take_u64(row).map(Some),
    }
}

fn take_bytes(row: &mut Bytes) -> Result<Bytes, Problem> {
    let len = take_u32(row)? as usize;
    if len > row.len() {
        return Err("its length");
    }
    Ok(row.split_to(len))
}

fn take_text(row: &mut Bytes) -> Result<Text, Problem> {
    text(take_bytes(row)?)
}

fn take_optional_bytes(row: &mut Bytes) -> Result<Option<Bytes>, Problem> {
    match take_u8(row)? {
        0 => Ok(None),
        _ => take_bytes(row).map(Some),
    }
}

fn end(row: &Bytes) -> Result<(), Problem> {
    if row.is_empty() { Ok(()) } else { Err("its length") }
}
