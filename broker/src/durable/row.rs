//! The bytes of rows. A message is kept as the version 5 PUBLISH that it would be.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hearth_protocol::codec;
use hearth_protocol::packet::{Packet, PacketId, Publish, Will, WillProperties};
use hearth_protocol::{QoS, Text, TopicFilter, Version};

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
    /// The row of a message; `expires_at` is the time of day.
    pub(crate) fn encode(message: &Message, expires_at: Option<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u64(message.publisher);
        put_option(&mut bytes, expires_at);
        let publish = Publish {
            dup: false,
            qos: message.qos,
            retain: message.retain,
            topic: message.topic.clone(),
            packet_id: (message.qos > QoS::AtMostOnce).then_some(PacketId::MIN),
            payload: message.payload.clone(),
            properties: message.properties.clone(),
        };
        bytes.extend_from_slice(&encode_publish(publish));
        bytes
    }

    pub(super) fn decode(mut row: Bytes) -> Result<Self, Problem> {
        let publisher = take_u64(&mut row)?;
        let expires_at = take_option(&mut row)?;
        Ok(Self { publish: decode_publish(row)?, publisher, expires_at })
    }
}

impl ReferenceRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u64(self.message);
        bytes.put_u8(self.qos.bits() | u8::from(self.retain) << 2);
        bytes.put_u16(self.packet_id.map_or(0, PacketId::get));
        // Fewer than a packet has bytes.
        bytes.put_u16(self.ids.len() as u16);
        self.ids.iter().for_each(|id| bytes.put_u32(*id));
        put_optional_bytes(&mut bytes, self.group.as_ref().map(|group| group.as_str().as_bytes()));
        bytes
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
    let message = Message::of_will(will.clone(), 0, hearth_protocol::Time::ZERO);
    let publish = Publish {
        dup: false,
        qos: message.qos,
        retain: message.retain,
        topic: message.topic,
        packet_id: (message.qos > QoS::AtMostOnce).then_some(PacketId::MIN),
        payload: message.payload,
        properties: message.properties,
    };
    bytes.extend_from_slice(&encode_publish(publish));
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

fn encode_publish(publish: Publish) -> BytesMut {
    let mut bytes = BytesMut::new();
    // It came in a packet, so that it fits one.
    let _fits = codec::encode(&Packet::Publish(publish), Version::V5, &mut bytes);
    bytes
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
