//! CONNECT on the wire (MQTT 5.0, 3.1; 3.1.1, 3.1).

use super::DecodeError;
use super::properties::{Place, Properties};
use super::reader::Reader;
use super::writer::{Fields, Sink, as_str, put_properties};
use crate::packet::{Connect, ConnectProperties, PacketType, Will, WillProperties};
use crate::property::{PayloadFormat, PropertyId as P};
use crate::{QoS, Version};

const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;
/// Mosquitto's bridges set it in the protocol level.
const BRIDGE: u8 = 0x80;

pub(super) fn decode(body: &mut Reader) -> Result<Connect, DecodeError> {
    let (version, bridge) = decode_version(body)?;
    let flags = decode_flags(body, version)?;
    let keep_alive = body.u16("keep alive")?;
    let properties = if version.is_v5() { decode_properties(body)? } else { ConnectProperties::default() };
    let client_id = body.text("client identifier")?;
    let will = if flags & WILL != 0 { Some(decode_will(body, flags, version)?) } else { None };
    let user_name = if flags & USER_NAME != 0 { Some(body.text("user name")?) } else { None };
    let password = if flags & PASSWORD != 0 { Some(body.binary("password")?) } else { None };
    Ok(Connect {
        version,
        bridge,
        clean_start: flags & CLEAN_START != 0,
        keep_alive,
        client_id,
        will,
        user_name,
        password,
        properties,
    })
}

fn decode_version(body: &mut Reader) -> Result<(Version, bool), DecodeError> {
    let name = body.binary("protocol name")?;
    let byte = body.u8("protocol level")?;
    let level = byte & !BRIDGE;
    let known = [Version::V31, Version::V311, Version::V5];
    let spoken = |version: &Version| version.protocol_name().as_bytes() == name && version.level() == level;
    let Some(version) = known.into_iter().find(spoken) else { return Err(unsupported(&name, Some(byte))) };
    Ok((version, byte & BRIDGE != 0))
}

/// Looks at as much of a CONNECT behind its fixed header as is there: a protocol that is not spoken here shows before
/// the packet is whole.
pub(super) fn check_start(body: &[u8]) -> Result<(), DecodeError> {
    let (len, rest) = body.split_at(body.len().min(2));
    let known = [Version::V31, Version::V311, Version::V5];
    let may_become = |version: &Version| {
        let name = version.protocol_name();
        let (name_seen, level_seen) = rest.split_at(rest.len().min(name.len()));
        // Names have few letters: the first byte of their length is 0.
        [0, name.len() as u8].starts_with(len)
            && name.as_bytes().starts_with(name_seen)
            && level_seen.first().is_none_or(|level| level & !BRIDGE == version.level())
    };
    if known.iter().any(may_become) {
        return Ok(());
    }
    let name_len = len.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let name = &rest[..rest.len().min(name_len)];
    Err(unsupported(name, rest.get(name_len).copied()))
}

/// At most 65,535 bytes of the name were read already; a few are enough to show.
fn unsupported(name: &[u8], level: Option<u8>) -> DecodeError {
    let name = String::from_utf8_lossy(&name[..name.len().min(16)]).into_owned();
    DecodeError::UnsupportedVersion { name, level }
}

fn decode_flags(body: &mut Reader, version: Version) -> Result<u8, DecodeError> {
    let field = "connect flags";
    let flags = body.u8(field)?;
    let value = u32::from(flags);
    if flags & 0x01 != 0 {
        return Err(DecodeError::Value { field, value, clause: "MQTT-3.1.2-3" });
    }
    let will_qos = flags >> WILL_QOS_SHIFT & 0b11;
    if will_qos == 3 {
        return Err(DecodeError::Value { field: "will QoS", value: 3, clause: "MQTT-3.1.2-12" });
    }
    if flags & WILL == 0 && (will_qos != 0 || flags & WILL_RETAIN != 0) {
        return Err(DecodeError::Value { field, value, clause: "MQTT-3.1.2-11, MQTT-3.1.2-13" });
    }
    if !version.is_v5() && flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(DecodeError::Value { field, value, clause: "3.1.1: MQTT-3.1.2-22" });
    }
    Ok(flags)
}

fn decode_properties(body: &mut Reader) -> Result<ConnectProperties, DecodeError> {
    let read = Properties::read(body, Place::Packet(PacketType::Connect))?;
    if read.authentication_data.is_some() && read.authentication_method.is_none() {
        return Err(DecodeError::Forbidden {
            field: "authentication data",
            problem: "comes without an authentication method",
            clause: "3.1.2.11.10",
        });
    }
    Ok(ConnectProperties {
        session_expiry: read.session_expiry,
        receive_maximum: read.receive_maximum,
        packet_size_max: read.packet_size_max,
        topic_alias_maximum: read.topic_alias_maximum,
        request_response_information: read.request_response_information,
        request_problem_information: read.request_problem_information,
        user_properties: read.user_properties,
        authentication_method: read.authentication_method,
        authentication_data: read.authentication_data,
    })
}

fn decode_will(body: &mut Reader, flags: u8, version: Version) -> Result<Will, DecodeError> {
    let properties = if version.is_v5() {
        let read = Properties::read(body, Place::Will)?;
        WillProperties {
            delay: read.will_delay,
            payload_format: read.payload_format,
            message_expiry: read.message_expiry,
            content_type: read.content_type,
            response_topic: read.response_topic,
            correlation_data: read.correlation_data,
            user_properties: read.user_properties,
        }
    } else {
        WillProperties::default()
    };
    let topic = body.topic_name("will topic")?;
    let payload = body.binary("will payload")?;
    let qos = QoS::from_bits(flags >> WILL_QOS_SHIFT & 0b11).unwrap_or_default();
    Ok(Will { topic, payload, qos, retain: flags & WILL_RETAIN != 0, properties })
}

pub(super) fn write(connect: &Connect, sink: &mut impl Sink) {
    sink.text(connect.version.protocol_name());
    sink.u8(connect.version.level() | if connect.bridge { BRIDGE } else { 0 });
    let mut flags = if connect.clean_start { CLEAN_START } else { 0 };
    if let Some(will) = &connect.will {
        flags |= WILL | will.qos.bits() << WILL_QOS_SHIFT | if will.retain { WILL_RETAIN } else { 0 };
    }
    flags |= if connect.user_name.is_some() { USER_NAME } else { 0 };
    flags |= if connect.password.is_some() { PASSWORD } else { 0 };
    sink.u8(flags);
    sink.u16(connect.keep_alive);
    if connect.version.is_v5() {
        put_properties(sink, &connect.properties);
    }
    sink.text(&connect.client_id);
    if let Some(will) = &connect.will {
        if connect.version.is_v5() {
            put_properties(sink, &will.properties);
        }
        sink.text(will.topic.as_str());
        sink.binary("will payload", &will.payload);
    }
    if let Some(user_name) = &connect.user_name {
        sink.text(user_name);
    }
    if let Some(password) = &connect.password {
        sink.binary("password", password);
    }
}

impl Fields for ConnectProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_u32(P::SessionExpiryInterval, self.session_expiry);
        sink.property_u16(P::ReceiveMaximum, self.receive_maximum);
        sink.property_u32(P::MaximumPacketSize, self.packet_size_max);
        sink.property_u16(P::TopicAliasMaximum, self.topic_alias_maximum);
        sink.property_bool(P::RequestResponseInformation, self.request_response_information);
        sink.property_bool(P::RequestProblemInformation, self.request_problem_information);
        sink.user_properties(&self.user_properties);
        sink.property_text(P::AuthenticationMethod, as_str(self.authentication_method.as_ref()));
        sink.property_binary(
            P::AuthenticationData,
            "authentication data",
            self.authentication_data.as_deref(),
        );
    }
}

impl Fields for WillProperties {
    fn write(&self, sink: &mut impl Sink) {
        sink.property_u32(P::WillDelayInterval, self.delay);
        sink.property_u8(P::PayloadFormatIndicator, self.payload_format.map(PayloadFormat::byte));
        sink.property_u32(P::MessageExpiryInterval, self.message_expiry);
        sink.property_text(P::ContentType, as_str(self.content_type.as_ref()));
        sink.property_text(P::ResponseTopic, self.response_topic.as_ref().map(crate::TopicName::as_str));
        sink.property_binary(P::CorrelationData, "correlation data", self.correlation_data.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
