//! Bytes to packets and back.

mod acknowledge;
mod auth;
mod check;
mod connack;
mod connect;
mod disconnect;
mod error;
mod properties;
mod publish;
mod reader;
mod reason;
mod subscribe;
mod writer;

use bytes::{Buf, BytesMut};

pub use error::{DecodeError, EncodeError};
pub use publish::{PublishHead, encode_publish_head};
#[cfg(feature = "generate")]
pub(crate) use reason::allowed as allowed_reason;

use crate::packet::{Packet, PacketType};
use crate::version::Version;
use reader::{NotMinimal, Reader, variable_byte_integer};
use writer::{Length, Sink, variable_byte_integer_len};

/// Entries that one list of a packet may have when it is read: filters, user properties, subscription identifiers.
/// An entry takes ten times its bytes on the wire and more, so a bound on the packet's size alone would let sixteen
/// megabytes of it take hundreds; ten thousand entries take less than one.
pub const LIST_MAX: usize = 10_000;

/// Takes one packet off the front of `input`; `None` when more bytes are needed, and then nothing is taken.
///
/// Strings and payloads are slices of `input`, which they share. A CONNECT names its own version; for all other
/// packets `version` is the one of the connection. `packet_size_max` counts the fixed header too.
///
/// # Errors
/// As soon as the bytes at hand show that no valid packet can follow; the connection cannot go on then.
pub fn decode(
    input: &mut BytesMut,
    version: Version,
    packet_size_max: usize,
) -> Result<Option<Packet>, DecodeError> {
    let Some(frame) = frame(input, version, packet_size_max)? else { return Ok(None) };
    if input.len() < frame.len() {
        if frame.packet == PacketType::Connect {
            connect::check_start(&input[frame.header..])?;
        }
        return Ok(None);
    }
    if frame.remaining == acknowledge::PLAIN_LEN
        && let Some(packet) = acknowledge::decode_plain(frame.packet, &input[frame.header..frame.len()])
    {
        input.advance(frame.len());
        return Ok(Some(packet));
    }
    input.advance(frame.header);
    let body = input.split_to(frame.remaining).freeze();
    decode_body(frame.packet, frame.flags, Reader(body), version).map(Some)
}

/// How many bytes the packet at the front has in all; `None` while that cannot be seen.
///
/// # Errors
/// As [`decode`] does for the fixed header.
pub fn frame_len(
    input: &[u8],
    version: Version,
    packet_size_max: usize,
) -> Result<Option<usize>, DecodeError> {
    Ok(frame(input, version, packet_size_max)?.map(|frame| frame.len()))
}

/// Puts a packet behind what `output` holds.
///
/// # Errors
/// When the standard has no such packet; `output` is as before then.
pub fn encode(packet: &Packet, version: Version, output: &mut BytesMut) -> Result<(), EncodeError> {
    if let Some(bytes) = acknowledge::encode_plain(packet) {
        output.extend_from_slice(&bytes);
        return Ok(());
    }
    let remaining = remaining_length(packet, version)?;
    output.reserve(5 + remaining);
    output.u8((packet.packet_type() as u8) << 4 | flags(packet));
    output.variable_byte_integer(remaining);
    write_body(packet, version, output);
    Ok(())
}

/// How many bytes [`encode`] would write.
///
/// # Errors
/// As [`encode`].
pub fn encoded_len(packet: &Packet, version: Version) -> Result<usize, EncodeError> {
    if let Some(bytes) = acknowledge::encode_plain(packet) {
        return Ok(bytes.len());
    }
    let remaining = remaining_length(packet, version)?;
    Ok(1 + variable_byte_integer_len(remaining) + remaining)
}

/// Looks at what is there of a CONNECT, from behind its fixed header on.
///
/// # Errors
/// As soon as it names a protocol, or a version of it, that is not spoken here.
pub fn check_connect_start(body: &[u8]) -> Result<(), DecodeError> {
    connect::check_start(body)
}

struct Frame {
    packet: PacketType,
    flags: u8,
    header: usize,
    remaining: usize,
}

impl Frame {
    const fn len(&self) -> usize {
        self.header + self.remaining
    }
}

/// The fixed header (2.1).
fn frame(input: &[u8], version: Version, packet_size_max: usize) -> Result<Option<Frame>, DecodeError> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let flags = first & 0x0F;
    let packet = PacketType::from_bits(first >> 4)
        .filter(|packet| *packet != PacketType::Auth || version.is_v5())
        .ok_or(DecodeError::PacketType(first >> 4, version))?;
    check_flags(packet, flags, version)?;
    let (remaining, len) = match variable_byte_integer(rest) {
        Ok(Some((remaining, len))) => (remaining as usize, len),
        Ok(None) => return Ok(None),
        Err(NotMinimal) => return Err(DecodeError::VariableByteInteger { field: "remaining length" }),
    };
    let frame = Frame { packet, flags, header: 1 + len, remaining };
    if frame.len() > packet_size_max {
        return Err(DecodeError::TooLarge { bytes: frame.len(), bytes_max: packet_size_max });
    }
    Ok(Some(frame))
}

/// The lower half of the first byte (2.1.3); in 3.1 these bits are DUP and QoS, or mean nothing.
fn check_flags(packet: PacketType, flags: u8, version: Version) -> Result<(), DecodeError> {
    let good = match packet {
        PacketType::Publish => return publish::check_flags(flags),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
            flags == 0b0010 || (version == Version::V31 && flags == 0b1010)
        }
        PacketType::Connect
        | PacketType::ConnAck
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubComp
        | PacketType::SubAck
        | PacketType::UnsubAck
        | PacketType::PingReq
        | PacketType::PingResp
        | PacketType::Disconnect
        | PacketType::Auth => flags == 0 || version == Version::V31,
    };
    if good { Ok(()) } else { Err(DecodeError::Flags { packet, flags }) }
}

fn decode_body(
    packet: PacketType,
    flags: u8,
    mut reader: Reader,
    version: Version,
) -> Result<Packet, DecodeError> {
    let body = &mut reader;
    let decoded = match packet {
        PacketType::Connect => Packet::Connect(Box::new(connect::decode(body)?)),
        PacketType::ConnAck => Packet::ConnAck(Box::new(connack::decode(body, version)?)),
        PacketType::Publish => Packet::Publish(publish::decode(flags, body, version)?),
        PacketType::PubAck => Packet::PubAck(acknowledge::decode(packet, body, version)?),
        PacketType::PubRec => Packet::PubRec(acknowledge::decode(packet, body, version)?),
        PacketType::PubRel => Packet::PubRel(acknowledge::decode(packet, body, version)?),
        PacketType::PubComp => Packet::PubComp(acknowledge::decode(packet, body, version)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe::decode_subscribe(body, version)?),
        PacketType::SubAck => Packet::SubAck(subscribe::decode_suback(body, version)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(subscribe::decode_unsubscribe(body, version)?),
        PacketType::UnsubAck => Packet::UnsubAck(subscribe::decode_unsuback(body, version)?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(disconnect::decode(body, version)?),
        PacketType::Auth => Packet::Auth(auth::decode(body)?),
    };
    match reader.len() {
        0 => Ok(decoded),
        bytes => Err(DecodeError::Trailing { packet, bytes }),
    }
}

fn flags(packet: &Packet) -> u8 {
    match packet {
        Packet::Publish(publish) => publish::flags(publish.dup, publish.qos, publish.retain),
        Packet::PubRel(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) => 0b0010,
        Packet::Connect(_)
        | Packet::ConnAck(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubComp(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingReq
        | Packet::PingResp
        | Packet::Disconnect(_)
        | Packet::Auth(_) => 0,
    }
}

fn remaining_length(packet: &Packet, version: Version) -> Result<usize, EncodeError> {
    check::packet(packet, version)?;
    let mut length = Length::default();
    write_body(packet, version, &mut length);
    length.check(0)
}

fn write_body(packet: &Packet, version: Version, sink: &mut impl Sink) {
    match packet {
        Packet::Connect(connect) => connect::write(connect, sink),
        Packet::ConnAck(connack) => connack::write(connack, version, sink),
        Packet::Publish(publish) => publish::write(publish, version, sink),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            acknowledge::write(ack, version, sink);
        }
        Packet::Subscribe(subscribe) => subscribe::write_subscribe(subscribe, version, sink),
        Packet::SubAck(suback) => subscribe::write_suback(suback, version, sink),
        Packet::Unsubscribe(unsubscribe) => subscribe::write_unsubscribe(unsubscribe, version, sink),
        Packet::UnsubAck(unsuback) => subscribe::write_unsuback(unsuback, version, sink),
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect(disconnect) => disconnect::write(disconnect, version, sink),
        Packet::Auth(auth) => auth::write(auth, sink),
    }
}
