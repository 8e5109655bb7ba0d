//! What is wrong with bytes that claim to be a packet.

use crate::packet::PacketType;
use crate::property::PropertyId;
use crate::text::TextError;
use crate::topic::TopicError;
use crate::{ReasonCode, Version};

/// Bytes that are no packet of the standard; names the field and the clause that it breaks.
///
/// Clauses and sections are those of MQTT 5.0 where the text does not name another version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The upper half of the first byte names no packet.
    #[error("packet type {0} does not exist in MQTT {1} (2.1.2)")]
    PacketType(u8, Version),
    /// The lower half of the first byte is not what the packet requires.
    #[error("{packet}: the flags of the fixed header are 0x{flags:X} [{}]", flags_clause(*packet))]
    Flags {
        /// Which packet.
        packet: PacketType,
        /// Its four bits.
        flags: u8,
    },
    /// More than four bytes, or more bytes than the value needs.
    #[error(
        "{field}: not a variable byte integer of four bytes at most, as short as possible [MQTT-1.5.5-1]"
    )]
    VariableByteInteger {
        /// Which integer.
        field: &'static str,
    },
    /// Longer than the receiver takes.
    #[error("the packet has {bytes} bytes; {bytes_max} are accepted [MQTT-3.1.2-24]")]
    TooLarge {
        /// Its length with the fixed header.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The packet ends before the field does.
    #[error("{field}: the packet ends inside it (1.5, 2.1.4)")]
    Short {
        /// Which field.
        field: &'static str,
    },
    /// The packet goes on behind its last field.
    #[error("{packet}: {bytes} bytes stand behind the last field (2.1.4)")]
    Trailing {
        /// Which packet.
        packet: PacketType,
        /// How many.
        bytes: usize,
    },
    /// A string that MQTT does not allow.
    #[error("{field} {error} [{}]", error.clause())]
    Text {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        error: TextError,
    },
    /// A topic name that MQTT does not allow.
    #[error("{field} {error} [{}]", error.clause())]
    TopicName {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        error: TopicError,
    },
    /// A topic filter that MQTT does not allow.
    #[error("{field} {error} [{}]", error.clause())]
    TopicFilter {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        error: TopicError,
    },
    /// A value outside of what the field may hold: malformed.
    #[error("{field}: the value {value} is not allowed [{clause}]")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: u32,
        /// The clause or section.
        clause: &'static str,
    },
    /// A well-formed packet that the standard forbids: a protocol error.
    #[error("{field}: {problem} [{clause}]")]
    Forbidden {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
        /// The clause or section.
        clause: &'static str,
    },
    /// A topic alias of 0.
    #[error("topic alias: is 0 [MQTT-3.3.2-8]")]
    TopicAliasZero,
    /// A property identifier that the standard does not know.
    #[error("{packet}: the property identifier {id} does not exist (2.2.2.2)")]
    UnknownProperty {
        /// Which packet.
        packet: PacketType,
        /// The identifier.
        id: u32,
    },
    /// A property that belongs to other packets.
    #[error("{packet}: the property {id:?} does not belong in it (2.2.2.2)")]
    MisplacedProperty {
        /// Which packet.
        packet: PacketType,
        /// The property.
        id: PropertyId,
    },
    /// A property that may stand once only.
    #[error("{packet}: the property {id:?} stands in it twice (2.2.2.2)")]
    RepeatedProperty {
        /// Which packet.
        packet: PacketType,
        /// The property.
        id: PropertyId,
    },
    /// A list with more entries than a receiver sets memory aside for.
    #[error("{field}: more than {count_max} of them in one packet are not accepted (4.13)")]
    TooMany {
        /// What the list is of.
        field: &'static str,
        /// The bound.
        count_max: usize,
    },
    /// A reason code that the packet may not carry.
    #[error("{packet}: the reason code 0x{code:02X} does not belong in it [{}]", reason_clause(*packet))]
    ReasonCode {
        /// Which packet.
        packet: PacketType,
        /// The byte.
        code: u8,
    },
    /// CONNECT names no protocol, or a version of it, that is spoken here.
    #[error(
        "CONNECT protocol name and level: {name:?}, {} is no version that is spoken here [MQTT-3.1.2-1], [MQTT-3.1.2-2]",
        level.map_or_else(|| "not seen yet,".to_owned(), |level| level.to_string())
    )]
    UnsupportedVersion {
        /// The protocol name, with what is not text replaced.
        name: String,
        /// The protocol level, if it was there already.
        level: Option<u8>,
    },
}

impl DecodeError {
    /// The reason code for the peer (MQTT 5.0, 4.13).
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::PacketType(..)
            | Self::Flags { .. }
            | Self::VariableByteInteger { .. }
            | Self::Short { .. }
            | Self::Trailing { .. }
            | Self::Text { .. }
            | Self::Value { .. }
            | Self::UnknownProperty { .. }
            | Self::ReasonCode { .. } => ReasonCode::MalformedPacket,
            Self::TopicAliasZero => ReasonCode::TopicAliasInvalid,
            Self::TooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::TooMany { .. } => ReasonCode::QuotaExceeded,
            Self::TopicName { .. } => ReasonCode::TopicNameInvalid,
            Self::TopicFilter { .. } => ReasonCode::TopicFilterInvalid,
            Self::Forbidden { .. } | Self::MisplacedProperty { .. } | Self::RepeatedProperty { .. } => {
                ReasonCode::ProtocolError
            }
            Self::UnsupportedVersion { .. } => ReasonCode::UnsupportedProtocolVersion,
        }
    }
}

/// The clause about the lower half of the first byte.
const fn flags_clause(packet: PacketType) -> &'static str {
    match packet {
        PacketType::PubRel => "MQTT-3.6.1-1",
        PacketType::Subscribe => "MQTT-3.8.1-1",
        PacketType::Unsubscribe => "MQTT-3.10.1-1",
        PacketType::Disconnect => "MQTT-3.14.1-1",
        PacketType::Auth => "MQTT-3.15.1-1",
        PacketType::Connect
        | PacketType::ConnAck
        | PacketType::Publish
        | PacketType::PubAck
        | PacketType::PubRec
        | PacketType::PubComp
        | PacketType::SubAck
        | PacketType::UnsubAck
        | PacketType::PingReq
        | PacketType::PingResp => "MQTT-2.1.3-1",
    }
}

/// The clause about the reason codes of a packet.
const fn reason_clause(packet: PacketType) -> &'static str {
    match packet {
        PacketType::ConnAck => "MQTT-3.2.2-8",
        PacketType::PubAck => "MQTT-3.4.2-1",
        PacketType::PubRec => "MQTT-3.5.2-1",
        PacketType::PubRel => "MQTT-3.6.2-1",
        PacketType::PubComp => "MQTT-3.7.2-1",
        PacketType::SubAck => "MQTT-3.9.3-2",
        PacketType::UnsubAck => "MQTT-3.11.3-2",
        PacketType::Disconnect => "MQTT-3.14.2-1",
        PacketType::Auth => "MQTT-3.15.2-1",
        PacketType::Connect
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq
        | PacketType::PingResp => "2.4",
    }
}

/// A packet that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Its remaining length is above 268,435,455 (2.1.4).
    #[error("the packet would have {0} bytes; 268,435,455 fit behind a fixed header (2.1.4)")]
    TooLarge(usize),
    /// A binary field above 65,535 bytes (1.5.6).
    #[error("{field} has {bytes} bytes; 65,535 fit (1.5.6)")]
    FieldTooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The version has no such packet, or forbids what the packet holds or lacks; [`super::decode`] would refuse it.
    #[error("{field}: {problem}")]
    Unsupported {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}
