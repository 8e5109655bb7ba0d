//! Bytes that are no packet, with the reason and the words that each is refused for.

use bytes::BytesMut;
use hearth_protocol::codec::decode;
use hearth_protocol::packet::PacketType;
use hearth_protocol::{ReasonCode, Version};

use super::values::hex;
use ReasonCode::{
    MalformedPacket, ProtocolError, TopicAliasInvalid, TopicFilterInvalid, TopicNameInvalid,
    UnsupportedProtocolVersion,
};
use Version::{V5, V31, V311};

/// Version, bytes, reason code, and parts of the message: the field and the clause.
type Row = (Version, &'static str, ReasonCode, &'static str, &'static str);

/// The first byte alone is enough.
const FIRST_BYTES: &[Row] = &[
    (V311, "00", MalformedPacket, "packet type 0", "2.1.2"),
    (V311, "f0", MalformedPacket, "packet type 15", "2.1.2"),
    (V31, "f0", MalformedPacket, "packet type 15", "2.1.2"),
    (V311, "11", MalformedPacket, "CONNECT", "[MQTT-2.1.3-1]"),
    (V311, "22", MalformedPacket, "CONNACK", "[MQTT-2.1.3-1]"),
    (V5, "36", MalformedPacket, "PUBLISH QoS", "[MQTT-3.3.1-4]"),
    (V31, "36", MalformedPacket, "PUBLISH QoS", "[MQTT-3.3.1-4]"),
    (V5, "38", MalformedPacket, "PUBLISH DUP", "[MQTT-3.3.1-2]"),
    (V5, "41", MalformedPacket, "PUBACK", "[MQTT-2.1.3-1]"),
    (V5, "52", MalformedPacket, "PUBREC", "[MQTT-2.1.3-1]"),
    (V5, "60", MalformedPacket, "PUBREL", "[MQTT-3.6.1-1]"),
    (V31, "60", MalformedPacket, "PUBREL", "[MQTT-3.6.1-1]"),
    (V5, "6a", MalformedPacket, "PUBREL", "[MQTT-3.6.1-1]"),
    (V5, "72", MalformedPacket, "PUBCOMP", "[MQTT-2.1.3-1]"),
    (V5, "80", MalformedPacket, "SUBSCRIBE", "[MQTT-3.8.1-1]"),
    (V311, "8a", MalformedPacket, "SUBSCRIBE", "[MQTT-3.8.1-1]"),
    (V5, "92", MalformedPacket, "SUBACK", "[MQTT-2.1.3-1]"),
    (V5, "a3", MalformedPacket, "UNSUBSCRIBE", "[MQTT-3.10.1-1]"),
    (V5, "b2", MalformedPacket, "UNSUBACK", "[MQTT-2.1.3-1]"),
    (V5, "c1", MalformedPacket, "PINGREQ", "[MQTT-2.1.3-1]"),
    (V5, "d8", MalformedPacket, "PINGRESP", "[MQTT-2.1.3-1]"),
    (V5, "e1", MalformedPacket, "DISCONNECT", "[MQTT-3.14.1-1]"),
    (V5, "f1", MalformedPacket, "AUTH", "[MQTT-3.15.1-1]"),
];

const CONNECTS: &[Row] = &[
    (V311, "10 00", MalformedPacket, "protocol name", "1.5"),
    (V311, "10 06 0004 4d515454", MalformedPacket, "protocol level", "1.5"),
    (V311, "10 07 0004 4d515454 04", MalformedPacket, "connect flags", "1.5"),
    (V311, "10 09 0004 4d515454 04 02 00", MalformedPacket, "keep alive", "1.5"),
    (V311, "10 0a 0004 4d515454 04 02 003c", MalformedPacket, "client identifier", "1.5"),
    (V311, "10 0d 0004 4d515454 04 02 003c 0002 61", MalformedPacket, "client identifier", "1.5"),
    (V311, "10 0e 0004 4d515454 04 02 003c 0001 61 00", MalformedPacket, "CONNECT: 1 bytes", "2.1.4"),
    (V311, "10 0c 0004 4d515454 06 02 003c 0000", UnsupportedProtocolVersion, "6", "[MQTT-3.1.2-2]"),
    (V311, "10 0c 0004 4d515454 03 02 003c 0000", UnsupportedProtocolVersion, "3", "[MQTT-3.1.2-2]"),
    (V311, "10 0c 0004 4d515454 00 02 003c 0000", UnsupportedProtocolVersion, "0", "[MQTT-3.1.2-2]"),
    (V311, "10 0e 0006 4d5149736470 04 02 003c 0000", UnsupportedProtocolVersion, "MQIsdp", "[MQTT-3.1.2-1]"),
    (V311, "10 0c 0004 6d717474 04 02 003c 0000", UnsupportedProtocolVersion, "mqtt", "[MQTT-3.1.2-1]"),
    (V311, "10 0b 0003 4d5154 04 02 003c 0000", UnsupportedProtocolVersion, "MQT", "[MQTT-3.1.2-1]"),
    (V311, "10 0a 0002 ff00 04 02 003c 0000", UnsupportedProtocolVersion, "protocol name", "[MQTT-3.1.2-1]"),
    (V311, "10 0c 0004 4d515454 04 03 003c 0000", MalformedPacket, "connect flags", "[MQTT-3.1.2-3]"),
    (
        V311,
        "10 11 0004 4d515454 04 1e 003c 0000 0001 77 0000",
        MalformedPacket,
        "will QoS",
        "[MQTT-3.1.2-12]",
    ),
    (V311, "10 0c 0004 4d515454 04 0a 003c 0000", MalformedPacket, "connect flags", "MQTT-3.1.2-11"),
    (V311, "10 0c 0004 4d515454 04 22 003c 0000", MalformedPacket, "connect flags", "MQTT-3.1.2-13"),
    (
        V311,
        "10 0e 0004 4d515454 04 42 003c 0000 0000",
        MalformedPacket,
        "connect flags",
        "3.1.1: MQTT-3.1.2-22",
    ),
    (
        V31,
        "10 10 0006 4d5149736470 03 42 003c 0000 0000",
        MalformedPacket,
        "connect flags",
        "3.1.1: MQTT-3.1.2-22",
    ),
    (V311, "10 0d 0004 4d515454 04 02 003c 0001 00", MalformedPacket, "client identifier", "[MQTT-1.5.4-2]"),
    (V311, "10 0d 0004 4d515454 04 02 003c 0001 ff", MalformedPacket, "client identifier", "[MQTT-1.5.4-1]"),
    (
        V311,
        "10 0f 0004 4d515454 04 02 003c 0003 eda080",
        MalformedPacket,
        "client identifier",
        "[MQTT-1.5.4-1]",
    ),
    (V311, "10 10 0004 4d515454 04 82 003c 0001 61 0001 ff", MalformedPacket, "user name", "[MQTT-1.5.4-1]"),
    (V311, "10 0d 0004 4d515454 04 82 003c 0001 61", MalformedPacket, "user name", "1.5"),
    (V5, "10 0e 0004 4d515454 05 42 003c 00 0001 61", MalformedPacket, "password", "1.5"),
    (
        V311,
        "10 11 0004 4d515454 04 06 003c 0001 61 0000 0000",
        TopicNameInvalid,
        "will topic",
        "[MQTT-4.7.3-1]",
    ),
    (
        V311,
        "10 12 0004 4d515454 04 06 003c 0001 61 0001 2b 0000",
        TopicNameInvalid,
        "will topic",
        "[MQTT-4.7.0-1]",
    ),
    (V311, "10 10 0004 4d515454 04 06 003c 0001 61 0001 77", MalformedPacket, "will payload", "1.5"),
    (V5, "10 0a 0004 4d515454 05 02 003c", MalformedPacket, "property length", "1.5"),
    (V5, "10 0f 0004 4d515454 05 02 003c 8000 0001 61", MalformedPacket, "property length", "[MQTT-1.5.5-1]"),
    (V5, "10 0e 0004 4d515454 05 02 003c 7f 0001 61", MalformedPacket, "properties", "1.5"),
    (
        V5,
        "10 12 0004 4d515454 05 02 003c 04 16 0001 64 0001 61",
        ProtocolError,
        "authentication data",
        "3.1.2.11.10",
    ),
];

/// Blocks of properties in CONNECT, or in its will.
const PROPERTIES: &[Row] = &[
    (
        V5,
        "10 14 0004 4d515454 05 02 003c 06 21 0001 21 0001 0001 61",
        ProtocolError,
        "ReceiveMaximum",
        "2.2.2.2",
    ),
    (
        V5,
        "10 12 0004 4d515454 05 02 003c 04 17 01 17 01 0001 61",
        ProtocolError,
        "RequestProblemInformation",
        "2.2.2.2",
    ),
    (
        V5,
        "10 11 0004 4d515454 05 02 003c 03 23 0001 0001 61",
        ProtocolError,
        "TopicAlias does not belong",
        "2.2.2.2",
    ),
    (V5, "10 0f 0004 4d515454 05 02 003c 01 00 0001 61", MalformedPacket, "property identifier 0", "2.2.2.2"),
    (
        V5,
        "10 0f 0004 4d515454 05 02 003c 01 7f 0001 61",
        MalformedPacket,
        "property identifier 127",
        "2.2.2.2",
    ),
    (
        V5,
        "10 10 0004 4d515454 05 02 003c 02 8001 0001 61",
        MalformedPacket,
        "property identifier 128",
        "2.2.2.2",
    ),
    (
        V5,
        "10 12 0004 4d515454 05 02 003c 04 a100 0001 0001 61",
        MalformedPacket,
        "property identifier",
        "[MQTT-1.5.5-1]",
    ),
    (V5, "10 11 0004 4d515454 05 02 003c 03 21 0000 0001 61", ProtocolError, "receive maximum", "3.1.2.11.3"),
    (
        V5,
        "10 13 0004 4d515454 05 02 003c 05 27 00000000 0001 61",
        ProtocolError,
        "maximum packet size",
        "3.1.2.11.4",
    ),
    (
        V5,
        "10 10 0004 4d515454 05 02 003c 02 19 02 0001 61",
        ProtocolError,
        "request response information",
        "3.1.2.11.6",
    ),
    (
        V5,
        "10 10 0004 4d515454 05 02 003c 02 17 ff 0001 61",
        ProtocolError,
        "request problem information",
        "3.1.2.11.7",
    ),
    // The value goes on behind the end of the block, not of the packet.
    (
        V5,
        "10 11 0004 4d515454 05 02 003c 03 11 0000 0001 61",
        MalformedPacket,
        "session expiry interval",
        "1.5",
    ),
    (
        V5,
        "10 12 0004 4d515454 05 02 003c 04 26 0001 6b 0001 61",
        MalformedPacket,
        "user property value",
        "1.5",
    ),
    (
        V5,
        "10 14 0004 4d515454 05 02 003c 06 26 0001 00 0000 0001 61",
        MalformedPacket,
        "user property name",
        "[MQTT-1.5.4-2]",
    ),
    (
        V5,
        "10 16 0004 4d515454 05 06 003c 00 0001 61 02 01 02 0001 77 0000",
        ProtocolError,
        "payload format indicator",
        "3.3.2.3.2",
    ),
    (
        V5,
        "10 18 0004 4d515454 05 06 003c 00 0001 61 04 08 0001 23 0001 77 0000",
        TopicNameInvalid,
        "response topic",
        "[MQTT-4.7.0-1]",
    ),
    (
        V5,
        "10 19 0004 4d515454 05 06 003c 00 0001 61 05 11 00000001 0001 77 0000",
        ProtocolError,
        "SessionExpiryInterval does not belong",
        "2.2.2.2",
    ),
    (
        V5,
        "10 19 0004 4d515454 05 06 003c 05 18 00000001 0001 61 00 0001 77 0000",
        ProtocolError,
        "WillDelayInterval does not belong",
        "2.2.2.2",
    ),
    (V5, "20 05 00 00 02 24 02", ProtocolError, "maximum QoS", "3.2.2.3.4"),
    (V5, "20 05 00 00 02 25 02", ProtocolError, "retain available", "3.2.2.3.5"),
    (V5, "20 05 00 00 02 28 02", ProtocolError, "wildcard subscription available", "3.2.2.3.11"),
    (V5, "20 05 00 00 02 29 02", ProtocolError, "subscription identifiers available", "3.2.2.3.12"),
    (V5, "20 05 00 00 02 2a 02", ProtocolError, "shared subscription available", "3.2.2.3.13"),
    (V5, "20 08 00 00 05 18 00000001", ProtocolError, "WillDelayInterval does not belong", "2.2.2.2"),
];

const PUBLISHES: &[Row] = &[
    (V311, "30 00", MalformedPacket, "topic name", "1.5"),
    (V311, "30 02 0000", TopicNameInvalid, "topic name", "[MQTT-4.7.3-1]"),
    (V31, "30 02 0000", TopicNameInvalid, "topic name", "[MQTT-4.7.3-1]"),
    (V311, "30 03 0001 23", TopicNameInvalid, "topic name", "[MQTT-4.7.0-1]"),
    (V311, "30 05 0003 612f2b", TopicNameInvalid, "topic name", "[MQTT-4.7.0-1]"),
    (V311, "30 03 0001 00", MalformedPacket, "topic name", "[MQTT-1.5.4-2]"),
    (V311, "30 04 0002 c0af", MalformedPacket, "topic name", "[MQTT-1.5.4-1]"),
    (V311, "30 03 0002 74", MalformedPacket, "topic name", "1.5"),
    (V311, "32 05 0001 74 0000", MalformedPacket, "packet identifier", "[MQTT-2.2.1-3]"),
    (V311, "34 04 0001 74 01", MalformedPacket, "packet identifier", "1.5"),
    (V5, "30 03 0001 74", MalformedPacket, "property length", "1.5"),
    (V5, "30 03 0000 00", ProtocolError, "topic name", "3.3.2.1"),
    (V5, "30 05 0000 02 01 01", ProtocolError, "topic name", "3.3.2.1"),
    (V5, "32 0a 0000 000a 03 23 0000 6869", TopicAliasInvalid, "topic alias", "[MQTT-3.3.2-8]"),
    (V5, "30 0a 0001 74 06 23 0001 23 0001", ProtocolError, "TopicAlias stands in it twice", "2.2.2.2"),
    (V5, "30 06 0001 74 02 0b 00", ProtocolError, "subscription identifier", "3.8.2.1.2"),
    (V5, "30 07 0001 74 03 0b 8000", MalformedPacket, "subscription identifier", "[MQTT-1.5.5-1]"),
    (V5, "30 09 0001 74 05 0b ffffffff", MalformedPacket, "subscription identifier", "[MQTT-1.5.5-1]"),
    (V5, "30 07 0001 74 03 21 0001", ProtocolError, "ReceiveMaximum does not belong", "2.2.2.2"),
    (V5, "30 06 0001 74 05 01 00", MalformedPacket, "properties", "1.5"),
    (V5, "30 07 0001 74 03 08 0000", TopicNameInvalid, "response topic", "[MQTT-4.7.3-1]"),
    (V5, "30 08 0001 74 04 03 0001 ff", MalformedPacket, "content type", "[MQTT-1.5.4-1]"),
];

const ANSWERS: &[Row] = &[
    (V311, "20 01 00", MalformedPacket, "connect return code", "1.5"),
    (V311, "20 02 02 00", MalformedPacket, "connect acknowledge flags", "[MQTT-3.2.2-1]"),
    (V311, "20 02 00 06", MalformedPacket, "0x06", "[MQTT-3.2.2-8]"),
    (V311, "20 02 01 05", ProtocolError, "session present", "[MQTT-3.2.2-6]"),
    (V5, "20 03 01 87 00", ProtocolError, "session present", "[MQTT-3.2.2-6]"),
    (V5, "20 03 00 8d 00", MalformedPacket, "0x8D", "[MQTT-3.2.2-8]"),
    (V5, "20 02 00 00", MalformedPacket, "property length", "1.5"),
    (V311, "40 00", MalformedPacket, "packet identifier", "1.5"),
    (V311, "40 02 0000", MalformedPacket, "packet identifier", "[MQTT-2.2.1-3]"),
    (V311, "40 03 0001 00", MalformedPacket, "PUBACK: 1 bytes", "2.1.4"),
    (V5, "40 03 0001 92", MalformedPacket, "0x92", "[MQTT-3.4.2-1]"),
    (V5, "50 03 0001 ff", MalformedPacket, "0xFF", "[MQTT-3.5.2-1]"),
    (V5, "62 03 0001 10", MalformedPacket, "0x10", "[MQTT-3.6.2-1]"),
    (V5, "70 03 0001 80", MalformedPacket, "0x80", "[MQTT-3.7.2-1]"),
    (V5, "40 09 0001 00 05 11 00000001", ProtocolError, "SessionExpiryInterval does not belong", "2.2.2.2"),
    (V5, "40 05 0001 00 00 00", MalformedPacket, "PUBACK: 1 bytes", "2.1.4"),
    (V311, "90 02 0001", ProtocolError, "SUBACK payload", "[MQTT-3.9.3-2]"),
    (V311, "90 03 0001 03", MalformedPacket, "0x03", "[MQTT-3.9.3-2]"),
    (V311, "90 03 0001 87", MalformedPacket, "0x87", "[MQTT-3.9.3-2]"),
    (V5, "90 04 0001 00 04", MalformedPacket, "0x04", "[MQTT-3.9.3-2]"),
    (V311, "b0 03 0001 00", MalformedPacket, "UNSUBACK: 1 bytes", "2.1.4"),
    (V5, "b0 03 0001 00", ProtocolError, "UNSUBACK payload", "[MQTT-3.11.3-2]"),
    (V5, "b0 04 0001 00 01", MalformedPacket, "0x01", "[MQTT-3.11.3-2]"),
];

const REQUESTS: &[Row] = &[
    (V311, "82 02 0001", ProtocolError, "SUBSCRIBE payload", "[MQTT-3.8.3-2]"),
    (V5, "82 03 0001 00", ProtocolError, "SUBSCRIBE payload", "[MQTT-3.8.3-2]"),
    (V311, "82 06 0000 0001 61 00", MalformedPacket, "packet identifier", "[MQTT-2.2.1-3]"),
    (V311, "82 05 0001 0001 61", MalformedPacket, "subscription options", "1.5"),
    (V311, "82 05 0001 0000 00", TopicFilterInvalid, "topic filter", "[MQTT-4.7.3-1]"),
    (V311, "82 07 0001 0002 2361 00", TopicFilterInvalid, "topic filter", "[MQTT-4.7.1-1]"),
    (V311, "82 07 0001 0002 612b 00", TopicFilterInvalid, "topic filter", "[MQTT-4.7.1-2]"),
    (V5, "82 0e 0001 00 0008 2473686172652f67 00", TopicFilterInvalid, "topic filter", "MQTT-4.8.2-1"),
    (V311, "82 06 0001 0001 ff 00", MalformedPacket, "topic filter", "[MQTT-1.5.4-1]"),
    (V311, "82 06 0001 0001 61 03", ProtocolError, "subscription QoS", "3.8.3.1"),
    (V311, "82 06 0001 0001 61 04", MalformedPacket, "subscription options", "3.1.1: MQTT-3.8.3-4"),
    (V31, "82 06 0001 0001 61 20", MalformedPacket, "subscription options", "3.1.1: MQTT-3.8.3-4"),
    (V5, "82 07 0001 00 0001 61 40", MalformedPacket, "subscription options", "[MQTT-3.8.3-5]"),
    (V5, "82 07 0001 00 0001 61 80", MalformedPacket, "subscription options", "[MQTT-3.8.3-5]"),
    (V5, "82 07 0001 00 0001 61 30", ProtocolError, "retain handling", "3.8.3.1"),
    (V5, "82 10 0001 00 000a 247368617265 2f672f61 04", ProtocolError, "no local", "[MQTT-3.8.3-4]"),
    (V5, "82 09 0001 02 0b 00 0001 61 00", ProtocolError, "subscription identifier", "3.8.2.1.2"),
    (
        V5,
        "82 0b 0001 04 0b 01 0b 02 0001 61 00",
        ProtocolError,
        "SubscriptionIdentifier stands in it twice",
        "2.2.2.2",
    ),
    (V311, "a2 02 0001", ProtocolError, "UNSUBSCRIBE payload", "[MQTT-3.10.3-2]"),
    (V311, "a2 05 0001 0002 61", MalformedPacket, "topic filter", "1.5"),
    (V5, "a2 08 0001 02 0b 01 0001 61", ProtocolError, "SubscriptionIdentifier does not belong", "2.2.2.2"),
    (V311, "c0 01 00", MalformedPacket, "PINGREQ: 1 bytes", "2.1.4"),
    (V5, "d0 01 00", MalformedPacket, "PINGRESP: 1 bytes", "2.1.4"),
    (V311, "e0 01 00", MalformedPacket, "DISCONNECT: 1 bytes", "2.1.4"),
    (V5, "e0 01 01", MalformedPacket, "0x01", "[MQTT-3.14.2-1]"),
    (V5, "e0 05 00 03 21 0001", ProtocolError, "ReceiveMaximum does not belong", "2.2.2.2"),
    (V5, "e0 03 00 00 00", MalformedPacket, "DISCONNECT: 1 bytes", "2.1.4"),
    (V5, "f0 01 18", MalformedPacket, "property length", "1.5"),
    (V5, "f0 02 18 00", ProtocolError, "authentication method", "3.15.2.2.2"),
    (V5, "f0 06 80 04 15 0001 6d", MalformedPacket, "0x80", "[MQTT-3.15.2-1]"),
];

#[test]
fn malformed_packets_are_refused_with_their_reason_field_and_clause() {
    for rows in [FIRST_BYTES, CONNECTS, PROPERTIES, PUBLISHES, ANSWERS, REQUESTS] {
        for (version, wire, reason, field, clause) in rows {
            let error = match decode(&mut hex(wire), *version, 1 << 20) {
                Err(error) => error,
                Ok(read) => panic!("MQTT {version}, {wire} is read as {read:?}"),
            };
            let message = error.to_string();
            assert_eq!(error.reason(), *reason, "MQTT {version}, {wire}: {message}");
            assert!(message.contains(field), "{wire}: {message:?} does not name {field:?}");
            assert!(message.contains(clause), "{wire}: {message:?} does not name {clause:?}");
        }
    }
}

/// The packets that may carry each reason code in version 5, from the tables of 3.2 to 3.15 and 2.4.
#[test]
fn each_packet_carries_the_reason_codes_of_its_table_and_no_other() {
    let table: [(PacketType, &str, &str, &str); 9] = [
        (
            PacketType::ConnAck,
            "20 03 00",
            "00",
            "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f",
        ),
        (PacketType::PubAck, "40 03 0001", "", "00 10 80 83 87 90 91 97 99"),
        (PacketType::PubRec, "50 03 0001", "", "00 10 80 83 87 90 91 97 99"),
        (PacketType::PubRel, "62 03 0001", "", "00 92"),
        (PacketType::PubComp, "70 03 0001", "", "00 92"),
        (PacketType::SubAck, "90 04 0001 00", "", "00 01 02 80 83 87 8f 91 97 9e a1 a2"),
        (PacketType::UnsubAck, "b0 04 0001 00", "", "00 11 80 83 87 8f 91"),
        (
            PacketType::Disconnect,
            "e0 01",
            "",
            "00 04 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2",
        ),
        (PacketType::Auth, "f0 06", "04 15 0001 6d", "00 18 19"),
    ];
    for (packet, before, behind, codes) in table {
        let mut taken = BytesMut::new();
        for code in 0..=0xFF {
            let mut input = hex(before);
            input.extend_from_slice(&[code]);
            input.extend_from_slice(&hex(behind));
            // AUTH: the length counts the code and the method.
            input[1] = (input.len() - 2) as u8;
            match decode(&mut input, V5, usize::MAX) {
                Ok(read) => {
                    assert_eq!(read.map(|read| read.packet_type()), Some(packet));
                    taken.extend_from_slice(&[code]);
                }
                Err(error) => assert_eq!(error.reason(), MalformedPacket, "{packet} {code:#x}: {error}"),
            }
        }
        assert_eq!(taken, hex(codes), "{packet}");
    }
}

#[test]
fn each_packet_carries_the_properties_of_its_table_and_no_other() {
    // Identifier with a value, and the packets of 2.2.2.2: C CONNECT, W will, c CONNACK, P PUBLISH, S SUBSCRIBE,
    // U UNSUBSCRIBE, a acknowledgements, D DISCONNECT, A AUTH (whose method stands in every row of it).
    let table = [
        ("01 00", "WP"),
        ("02 00000001", "WP"),
        ("03 0000", "WP"),
        ("08 0001 72", "WP"),
        ("09 0000", "WP"),
        ("0b 01", "PS"),
        ("11 00000001", "CcD"),
        ("12 0000", "c"),
        ("13 0001", "c"),
        ("15 0000", "CcA"),
        ("16 0000", "CcA"),
        ("17 00", "C"),
        ("18 00000001", "W"),
        ("19 00", "C"),
        ("1a 0000", "c"),
        ("1c 0000", "cD"),
        ("1f 0000", "caDA"),
        ("21 0001", "Cc"),
        ("22 0001", "Cc"),
        ("23 0001", "P"),
        ("24 00", "c"),
        ("25 00", "c"),
        ("26 0000 0000", "CWcPSUaDA"),
        ("27 00000001", "Cc"),
        ("28 00", "c"),
        ("29 00", "c"),
        ("2a 00", "c"),
    ];
    let places = [
        ('C', "10", "0004 4d515454 05 02 003c", "0000"),
        ('W', "10", "0004 4d515454 05 06 003c 00 0000", "0001 77 0000"),
        ('c', "20", "00 00", ""),
        ('P', "30", "0001 74", ""),
        ('a', "40", "0001 00", ""),
        ('a', "50", "0001 00", ""),
        ('a', "62", "0001 00", ""),
        ('a', "70", "0001 00", ""),
        ('S', "82", "0001", "0001 61 00"),
        ('a', "90", "0001", "00"),
        ('U', "a2", "0001", "0001 61"),
        ('a', "b0", "0001", "00"),
        ('D', "e0", "00", ""),
        ('A', "f0", "00", ""),
    ];
    for (property, packets) in table {
        for (place, first, before, behind) in places {
            // Data of an authentication method needs one.
            let method = match (place, &property[..2]) {
                ('C', "16") => "15 0000",
                ('A', id) if id != "15" => "15 0000",
                _ => "",
            };
            let block = hex(&format!("{method} {property}"));
            let mut body = hex(before);
            body.extend_from_slice(&[block.len() as u8]);
            body.extend_from_slice(&block);
            body.extend_from_slice(&hex(behind));
            let mut input = hex(first);
            input.extend_from_slice(&[body.len() as u8]);
            input.extend_from_slice(&body);
            match decode(&mut input, V5, usize::MAX) {
                Ok(read) => assert!(packets.contains(place), "{property} in {place}: {read:?}"),
                Err(error) => {
                    assert!(!packets.contains(place), "{property} in {place}: {error}");
                    assert_eq!(error.reason(), ProtocolError, "{property} in {place}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_protocol_that_is_not_spoken_shows_before_connect_is_whole() {
    for (wire, shows_after) in [
        ("10 0c 0004 4d515454 04 02 003c 0000", None),
        ("10 0c 0004 4d515454 85 02 003c 00 0000", None),
        ("10 0e 0006 4d5149736470 03 02 003c 0000", None),
        ("10 0c 0104 4d515454 04 02 003c 0000", Some(3)),
        ("10 0c 0005 4d515454 04 02 003c 0000", Some(4)),
        ("10 0c 0004 6d717474 04 02 003c 0000", Some(5)),
        ("10 0c 0004 4d515458 04 02 003c 0000", Some(8)),
        ("10 0c 0004 4d515454 06 02 003c 0000", Some(9)),
        ("10 0e 0006 4d5149736470 04 02 003c 0000", Some(11)),
    ] {
        let bytes = hex(wire);
        let first = (1..bytes.len()).find(|len| {
            let decoded = decode(&mut BytesMut::from(&bytes[..*len]), V311, usize::MAX);
            decoded.is_err_and(|error| error.reason() == UnsupportedProtocolVersion)
        });
        assert_eq!(first, shows_after, "{wire}");
    }
}
