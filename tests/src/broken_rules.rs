//! Clients that break a rule: version 5 is told which by its reason code, older versions are closed.

use hearth_protocol::packet::Packet;
use hearth_protocol::{ReasonCode, Version};

use crate::hearth::Hearth;
use crate::wire::{Wire, connect};

/// What a client sends once it is connected with version 5, and the reason that it is told.
#[test]
fn a_broken_rule_after_connect_is_told_by_its_reason_code() {
    use ReasonCode::{MalformedPacket, PacketTooLarge, ProtocolError, TopicAliasInvalid, TopicNameInvalid};
    let hearth = Hearth::start();
    let connect_again = [&[0x10, 15, 0, 4], b"MQTT".as_slice(), &[5, 2, 0, 0, 0, 0, 2], b"ab"].concat();
    let cases: [(&str, &[u8], ReasonCode); 19] = [
        ("a second CONNECT", &connect_again, ProtocolError),
        ("a packet type that does not exist", &[0x00, 0], MalformedPacket),
        ("a packet that only servers send", &[0x20, 3, 0, 0, 0], ProtocolError),
        ("PINGREQ with flags", &[0xC1, 0], MalformedPacket),
        ("PINGREQ with a body", &[0xC0, 1, 0], MalformedPacket),
        ("SUBSCRIBE with the flags of PUBLISH", &[0x80, 7, 0, 1, 0, 0, 1, b'a', 0], MalformedPacket),
        ("SUBSCRIBE with packet id 0", &[0x82, 7, 0, 0, 0, 0, 1, b'a', 0], MalformedPacket),
        ("SUBSCRIBE without a filter", &[0x82, 3, 0, 1, 0], ProtocolError),
        ("SUBSCRIBE with reserved option bits", &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0xC0], MalformedPacket),
        ("UNSUBSCRIBE without a filter", &[0xA2, 3, 0, 1, 0], ProtocolError),
        ("PUBLISH with QoS 3", &[0x36, 6, 0, 1, b'a', 0, 1, 0], MalformedPacket),
        ("PUBLISH at QoS 0 with DUP", &[0x38, 4, 0, 1, b'a', 0], MalformedPacket),
        ("PUBLISH to a wildcard", &[0x30, 4, 0, 1, b'#', 0], TopicNameInvalid),
        ("PUBLISH to a topic with U+0000", &[0x30, 4, 0, 1, 0, 0], MalformedPacket),
        ("PUBLISH to a topic that is not UTF-8", &[0x30, 5, 0, 2, 0xC3, 0x28, 0], MalformedPacket),
        ("PUBLISH with alias 0", &[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0], TopicAliasInvalid),
        (
            "PUBLISH with an alias above the maximum",
            &[0x30, 7, 0, 1, b'a', 3, 0x23, 0xFF, 0xFF],
            TopicAliasInvalid,
        ),
        ("a remaining length of five bytes", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], MalformedPacket),
        ("a packet of 256 MiB", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b'a'], PacketTooLarge),
    ];
    for (what, bytes, reason) in cases {
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "breaks"));
        wire.send_bytes(bytes);
        match wire.wait_for_end() {
            Some(Packet::Disconnect(disconnect)) => assert_eq!(disconnect.reason, reason, "{what}"),
            other => panic!("{what}: DISCONNECT with {reason:?} comes, not {other:?}"),
        }
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "breaks"));
        wire.send_bytes(&[0x00, 0]);
        assert_eq!(wire.wait_for_end(), None, "{what}: version 3.1.1 has no words");
    }
}

#[test]
fn a_connect_that_cannot_be_taken_is_refused_in_the_words_of_its_version() {
    let hearth = Hearth::start();
    let head = |name: &str, level: u8, flags: u8, rest: &[u8]| {
        let body = [&[0, name.len() as u8], name.as_bytes(), &[level, flags, 0, 0], rest].concat();
        [&[0x10, body.len() as u8], body.as_slice()].concat()
    };
    let id = [0, 1, b'a'];
    let id_v5 = [0, 0, 1, b'a'];
    // What 3.1.1 says, what 5 says, and nothing: where the version is not known, or CONNECT is malformed, the
    // standard lets the broker choose.
    let (old, new, nothing) = (|code| vec![0x20, 2, 0, code], |code| vec![0x20, 3, 0, code, 0], Vec::new);
    let cases = [
        ("level 6", head("MQTT", 6, 2, &id_v5), vec![old(1), new(0x84)]),
        ("level 2", head("MQTT", 2, 2, &id), vec![old(1), new(0x84)]),
        ("another protocol", head("AMQP", 4, 2, &id), vec![nothing(), old(1), new(0x84)]),
        ("a reserved flag in 3.1.1", head("MQTT", 4, 3, &id), vec![nothing()]),
        ("a reserved flag in 5", head("MQTT", 5, 3, &id_v5), vec![nothing(), new(0x81)]),
        ("a will of QoS 3 in 5", head("MQTT", 5, 0x1E, &id_v5), vec![nothing(), new(0x81)]),
        (
            "receive maximum 0 in 5",
            head("MQTT", 5, 2, &[3, 0x21, 0, 0, 0, 1, b'a']),
            vec![nothing(), new(0x82)],
        ),
    ];
    for (what, bytes, answers) in cases {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(&bytes);
        let answer = without_reason_string(wire.read_to_end());
        assert!(answers.contains(&answer), "{what}: {answer:02x?}");
    }
}

#[test]
fn whoever_does_not_begin_with_connect_is_closed_without_a_word() {
    let hearth = Hearth::start();
    for bytes in [[0x30, 3, 0, 1, b'a'].as_slice(), &[0xC0, 0], &[0x00, 0], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut wire = Wire::open(hearth.mqtt(), Version::V5);
        wire.send_bytes(bytes);
        assert_eq!(wire.read_to_end(), b"", "{bytes:02x?}");
    }
}

/// A CONNACK of version 5 cut down to its reason: whether there is text beside it is the broker's choice.
fn without_reason_string(mut answer: Vec<u8>) -> Vec<u8> {
    if answer.len() > 5 && answer[..3] == [0x20, answer[1], 0] {
        answer.truncate(4);
        answer[1] = 3;
        answer.push(0);
    }
    answer
}
