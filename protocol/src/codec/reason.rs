//! Which reason codes which packet may carry (MQTT 5.0, 2.4).

use super::DecodeError;
use super::reader::Reader;
use crate::ReasonCode;
use crate::packet::PacketType;

/// Reads a reason code that the packet may carry.
pub(super) fn read(reader: &mut Reader, packet: PacketType) -> Result<ReasonCode, DecodeError> {
    let code = reader.u8("reason code")?;
    ReasonCode::from_byte(code)
        .filter(|reason| allowed(packet, *reason))
        .ok_or(DecodeError::ReasonCode { packet, code })
}

/// Whether the standard lists the reason code for the packet: in 2.4 or in the section of the packet, which
/// differ in 0x8C for DISCONNECT.
pub(crate) fn allowed(packet: PacketType, reason: ReasonCode) -> bool {
    use ReasonCode as R;
    match packet {
        PacketType::ConnAck => {
            matches!(reason.byte(), 0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F)
        }
        PacketType::PubAck | PacketType::PubRec => matches!(
            reason,
            R::Success
                | R::NoMatchingSubscribers
                | R::UnspecifiedError
                | R::ImplementationSpecificError
                | R::NotAuthorized
                | R::TopicNameInvalid
                | R::PacketIdentifierInUse
                | R::QuotaExceeded
                | R::PayloadFormatInvalid
        ),
        PacketType::PubRel | PacketType::PubComp => {
            matches!(reason, R::Success | R::PacketIdentifierNotFound)
        }
        PacketType::SubAck => matches!(
            reason,
            R::Success
                | R::GrantedQoS1
                | R::GrantedQoS2
                | R::UnspecifiedError
                | R::ImplementationSpecificError
                | R::NotAuthorized
                | R::TopicFilterInvalid
                | R::PacketIdentifierInUse
                | R::QuotaExceeded
                | R::SharedSubscriptionsNotSupported
                | R::SubscriptionIdentifiersNotSupported
                | R::WildcardSubscriptionsNotSupported
        ),
        PacketType::UnsubAck => matches!(
            reason,
            R::Success
                | R::NoSubscriptionExisted
                | R::UnspecifiedError
                | R::ImplementationSpecificError
                | R::NotAuthorized
                | R::TopicFilterInvalid
                | R::PacketIdentifierInUse
        ),
        PacketType::Disconnect => matches!(
            reason.byte(),
            0x00 | 0x04 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B..=0x90 | 0x93..=0xA2
        ),
        PacketType::Auth => matches!(reason, R::Success | R::ContinueAuthentication | R::ReAuthenticate),
        PacketType::Connect
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq
        | PacketType::PingResp => false,
    }
}
