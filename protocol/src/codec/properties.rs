//! Reads a block of properties: which may stand in which packet, once or often, and what they may hold.

use bytes::Bytes;

use super::DecodeError;
use super::reader::{Reader, bounded};
use crate::packet::PacketType;
use crate::property::{PayloadFormat, PropertyId, UserProperties};
use crate::{QoS, Text, TopicName};

/// Every property, with what the block held; packets pick theirs.
#[derive(Default)]
pub(super) struct Properties {
    pub(super) payload_format: Option<PayloadFormat>,
    pub(super) message_expiry: Option<u32>,
    pub(super) content_type: Option<Text>,
    pub(super) response_topic: Option<TopicName>,
    pub(super) correlation_data: Option<Bytes>,
    pub(super) subscription_ids: Vec<u32>,
    pub(super) session_expiry: Option<u32>,
    pub(super) assigned_client_id: Option<Text>,
    pub(super) server_keep_alive: Option<u16>,
    pub(super) authentication_method: Option<Text>,
    pub(super) authentication_data: Option<Bytes>,
    pub(super) request_problem_information: Option<bool>,
    pub(super) will_delay: Option<u32>,
    pub(super) request_response_information: Option<bool>,
    pub(super) response_information: Option<Text>,
    pub(super) server_reference: Option<Text>,
    pub(super) reason_string: Option<Text>,
    pub(super) receive_maximum: Option<u16>,
    pub(super) topic_alias_maximum: Option<u16>,
    pub(super) topic_alias: Option<u16>,
    pub(super) maximum_qos: Option<QoS>,
    pub(super) retain_available: Option<bool>,
    pub(super) user_properties: UserProperties,
    pub(super) packet_size_max: Option<u32>,
    pub(super) wildcard_subscription_available: Option<bool>,
    pub(super) subscription_identifiers_available: Option<bool>,
    pub(super) shared_subscription_available: Option<bool>,
}

/// Where a block of properties stands; a will has its own beside CONNECT's.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Packet(PacketType),
    Will,
}

impl Properties {
    /// Reads the length and the block behind it (2.2.2).
    pub(super) fn read(reader: &mut Reader, place: Place) -> Result<Self, DecodeError> {
        let len = reader.variable_byte_integer("property length")? as usize;
        let mut properties = Self::default();
        if len > 0 {
            let mut block = Reader(reader.take(len, "properties")?);
            let mut seen = 0;
            while !block.is_empty() {
                let id = next_id(&mut block, place, &mut seen)?;
                properties.read_value(id, &mut block)?;
            }
        }
        Ok(properties)
    }

    fn read_value(&mut self, id: PropertyId, block: &mut Reader) -> Result<(), DecodeError> {
        use PropertyId as P;
        match id {
            P::PayloadFormatIndicator => {
                let utf8 = boolean(block, "payload format indicator", "3.3.2.3.2")?;
                self.payload_format = Some(if utf8 { PayloadFormat::Utf8 } else { PayloadFormat::Bytes });
            }
            P::MessageExpiryInterval => self.message_expiry = Some(block.u32("message expiry interval")?),
            P::ContentType => self.content_type = Some(block.text("content type")?),
            P::ResponseTopic => self.response_topic = Some(block.topic_name("response topic")?),
            P::CorrelationData => self.correlation_data = Some(block.binary("correlation data")?),
            P::SubscriptionIdentifier => {
                let field = "subscription identifier";
                let value = block.variable_byte_integer(field)?;
                nonzero(field, value, "3.8.2.1.2")?;
                bounded("subscription identifiers", self.subscription_ids.len())?;
                self.subscription_ids.push(value);
            }
            P::SessionExpiryInterval => self.session_expiry = Some(block.u32("session expiry interval")?),
            P::AssignedClientIdentifier => {
                self.assigned_client_id = Some(block.text("assigned client identifier")?);
            }
            P::ServerKeepAlive => self.server_keep_alive = Some(block.u16("server keep alive")?),
            P::AuthenticationMethod => {
                self.authentication_method = Some(block.text("authentication method")?);
            }
            P::AuthenticationData => self.authentication_data = Some(block.binary("authentication data")?),
            P::RequestProblemInformation => {
                self.request_problem_information =
                    Some(boolean(block, "request problem information", "3.1.2.11.7")?);
            }
            P::WillDelayInterval => self.will_delay = Some(block.u32("will delay interval")?),
            P::RequestResponseInformation => {
                self.request_response_information =
                    Some(boolean(block, "request response information", "3.1.2.11.6")?);
            }
            P::ResponseInformation => self.response_information = Some(block.text("response information")?),
            P::ServerReference => self.server_reference = Some(block.text("server reference")?),
            P::ReasonString => self.reason_string = Some(block.text("reason string")?),
            P::ReceiveMaximum
            | P::TopicAliasMaximum
            | P::TopicAlias
            | P::MaximumQoS
            | P::RetainAvailable
            | P::UserProperty
            | P::MaximumPacketSize
            | P::WildcardSubscriptionAvailable
            | P::SubscriptionIdentifierAvailable
            | P::SharedSubscriptionAvailable => self.read_high_value(id, block)?,
        }
        Ok(())
    }

    /// The identifiers from 0x21 on.
    fn read_high_value(&mut self, id: PropertyId, block: &mut Reader) -> Result<(), DecodeError> {
        use PropertyId as P;
        match id {
            P::ReceiveMaximum => {
                let value = block.u16("receive maximum")?;
                nonzero("receive maximum", u32::from(value), "3.1.2.11.3")?;
                self.receive_maximum = Some(value);
            }
            P::TopicAliasMaximum => self.topic_alias_maximum = Some(block.u16("topic alias maximum")?),
            P::TopicAlias => {
                let value = block.u16("topic alias")?;
                if value == 0 {
                    return Err(DecodeError::TopicAliasZero);
                }
                self.topic_alias = Some(value);
            }
            P::MaximumQoS => {
                let qos = boolean(block, "maximum QoS", "3.2.2.3.4")?;
                self.maximum_qos = Some(if qos { QoS::AtLeastOnce } else { QoS::AtMostOnce });
            }
            P::RetainAvailable => {
                self.retain_available = Some(boolean(block, "retain available", "3.2.2.3.5")?);
            }
            P::UserProperty => {
                bounded("user properties", self.user_properties.len())?;
                let name = block.text("user property name")?;
                self.user_properties.push(name, block.text("user property value")?);
            }
            P::MaximumPacketSize => {
                let value = block.u32("maximum packet size")?;
                nonzero("maximum packet size", value, "3.1.2.11.4")?;
                self.packet_size_max = Some(value);
            }
            P::WildcardSubscriptionAvailable => {
                self.wildcard_subscription_available =
                    Some(boolean(block, "wildcard subscription available", "3.2.2.3.11")?);
            }
            P::SubscriptionIdentifierAvailable => {
                self.subscription_identifiers_available =
                    Some(boolean(block, "subscription identifiers available", "3.2.2.3.12")?);
            }
            P::SharedSubscriptionAvailable => {
                self.shared_subscription_available =
                    Some(boolean(block, "shared subscription available", "3.2.2.3.13")?);
            }
            P::PayloadFormatIndicator
            | P::MessageExpiryInterval
            | P::ContentType
            | P::ResponseTopic
            | P::CorrelationData
            | P::SubscriptionIdentifier
            | P::SessionExpiryInterval
            | P::AssignedClientIdentifier
            | P::ServerKeepAlive
            | P::AuthenticationMethod
            | P::AuthenticationData
            | P::RequestProblemInformation
            | P::WillDelayInterval
            | P::RequestResponseInformation
            | P::ResponseInformation
            | P::ServerReference
            | P::ReasonString => self.read_value(id, block)?,
        }
        Ok(())
    }
}

/// The next identifier, if it may stand here (and again).
fn next_id(block: &mut Reader, place: Place, seen: &mut u64) -> Result<PropertyId, DecodeError> {
    let packet = match place {
        Place::Packet(packet) => packet,
        Place::Will => PacketType::Connect,
    };
    let byte = block.variable_byte_integer("property identifier")?;
    let id = PropertyId::from_identifier(byte).ok_or(DecodeError::UnknownProperty { packet, id: byte })?;
    if !allowed(place).contains(&id) {
        return Err(DecodeError::MisplacedProperty { packet, id });
    }
    let repeats = id == PropertyId::UserProperty
        || (id == PropertyId::SubscriptionIdentifier && packet == PacketType::Publish);
    let bit = 1 << id as u8;
    if *seen & bit != 0 && !repeats {
        return Err(DecodeError::RepeatedProperty { packet, id });
    }
    *seen |= bit;
    Ok(id)
}

/// The properties that may stand there (2.2.2.2, table 2-4).
const fn allowed(place: Place) -> &'static [PropertyId] {
    use PropertyId as P;
    match place {
        Place::Will => &[
            P::PayloadFormatIndicator,
            P::MessageExpiryInterval,
            P::ContentType,
            P::ResponseTopic,
            P::CorrelationData,
            P::WillDelayInterval,
            P::UserProperty,
        ],
        Place::Packet(packet) => match packet {
            PacketType::Connect => &[
                P::SessionExpiryInterval,
                P::AuthenticationMethod,
                P::AuthenticationData,
                P::RequestProblemInformation,
                P::RequestResponseInformation,
                P::ReceiveMaximum,
                P::TopicAliasMaximum,
                P::UserProperty,
                P::MaximumPacketSize,
            ],
            PacketType::ConnAck => &[
                P::SessionExpiryInterval,
                P::AssignedClientIdentifier,
                P::ServerKeepAlive,
                P::AuthenticationMethod,
                P::AuthenticationData,
                P::ResponseInformation,
                P::ServerReference,
                P::ReasonString,
                P::ReceiveMaximum,
                P::TopicAliasMaximum,
                P::MaximumQoS,
                P::RetainAvailable,
                P::UserProperty,
                P::MaximumPacketSize,
                P::WildcardSubscriptionAvailable,
                P::SubscriptionIdentifierAvailable,
                P::SharedSubscriptionAvailable,
            ],
            PacketType::Publish => &[
                P::PayloadFormatIndicator,
                P::MessageExpiryInterval,
                P::ContentType,
                P::ResponseTopic,
                P::CorrelationData,
                P::SubscriptionIdentifier,
                P::TopicAlias,
                P::UserProperty,
            ],
            PacketType::Subscribe => &[P::SubscriptionIdentifier, P::UserProperty],
            PacketType::Unsubscribe => &[P::UserProperty],
            PacketType::PubAck
            | PacketType::PubRec
            | PacketType::PubRel
            | PacketType::PubComp
            | PacketType::SubAck
            | PacketType::UnsubAck => &[P::ReasonString, P::UserProperty],
            PacketType::Disconnect => {
                &[P::SessionExpiryInterval, P::ServerReference, P::ReasonString, P::UserProperty]
            }
            PacketType::Auth => {
                &[P::AuthenticationMethod, P::AuthenticationData, P::ReasonString, P::UserProperty]
            }
            PacketType::PingReq | PacketType::PingResp => &[],
        },
    }
}

fn boolean(block: &mut Reader, field: &'static str, clause: &'static str) -> Result<bool, DecodeError> {
    match block.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        // The standard calls a value other than 0 or 1 a protocol error, not a malformed packet.
        _ => Err(DecodeError::Forbidden { field, problem: "is neither 0 nor 1", clause }),
    }
}

fn nonzero(field: &'static str, value: u32, clause: &'static str) -> Result<(), DecodeError> {
    if value == 0 { Err(DecodeError::Forbidden { field, problem: "is 0", clause }) } else { Ok(()) }
}
