//! Lengths at their edges: the remaining length, lists and two-byte prefixes.

use bytes::{BufMut, Bytes, BytesMut};
use hearth_protocol::codec::{
    DecodeError, EncodeError, LIST_MAX, PublishHead, decode, encode, encode_publish_head, frame_len,
};
use hearth_protocol::packet::{Connect, Packet, Publish, Will};
use hearth_protocol::{QoS, Version};

use super::values::{connect, hex, id, publish, will};

const HEAD: PublishHead<'static> = PublishHead {
    dup: false,
    qos: QoS::AtMostOnce,
    retain: false,
    topic: "t",
    packet_id: None,
    properties: None,
    message_expiry: None,
    topic_alias: None,
    subscription_ids: &[],
    payload_len: 0,
};

#[test]
fn the_remaining_length_takes_as_few_bytes_as_it_can() {
    let table = [
        (3, "03"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ];
    for (remaining, length) in table {
        let mut output = BytesMut::new();
        let head = PublishHead { payload_len: remaining - 3, ..HEAD };
        assert_eq!(encode_publish_head(&head, Version::V311, &mut output), Ok(None));
        assert_eq!(output, hex(&format!("30 {length} 0001 74")), "{remaining}");
        assert_eq!(frame_len(&output, Version::V311, usize::MAX), Ok(Some(output.len() - 3 + remaining)));
    }
}

#[test]
fn a_packet_above_the_highest_remaining_length_is_not_written() {
    let mut output = BytesMut::from(&b"before"[..]);
    let head = PublishHead { payload_len: 268_435_453, ..HEAD };
    let written = encode_publish_head(&head, Version::V311, &mut output);
    assert_eq!(written, Err(EncodeError::TooLarge(268_435_456)));
    assert_eq!(output, b"before"[..]);
}

#[test]
fn a_length_over_the_bound_is_refused_before_the_body_is_there() {
    let refused = |input: &str, bytes_max| decode(&mut hex(input), Version::V311, bytes_max);
    let error = |bytes, bytes_max| Err(DecodeError::TooLarge { bytes, bytes_max });
    assert_eq!(refused("30 808001", 1000), error(16_388, 1000));
    assert_eq!(refused("30 ffffff7f", 16 << 20), error(268_435_460, 16 << 20));
    // The bound counts the fixed header.
    assert_eq!(refused("30 05", 7), Ok(None));
    assert_eq!(refused("30 05", 6), error(7, 6));
}

#[test]
fn a_length_that_can_no_longer_be_right_is_refused_at_once() {
    for input in ["30 ffffffff", "30 80808080", "30 8000", "30 808000", "30 ff808000"] {
        let field = "remaining length";
        let error = DecodeError::VariableByteInteger { field };
        assert_eq!(decode(&mut hex(input), Version::V5, usize::MAX), Err(error), "{input}");
    }
    for input in ["30", "30 80", "30 8080", "30 ffffff"] {
        assert_eq!(decode(&mut hex(input), Version::V5, usize::MAX), Ok(None), "{input}");
    }
}

#[test]
fn lists_are_read_up_to_their_bound() {
    // (first byte, what stands before the list, an entry, what stands behind it, the name of the list)
    let table = [
        (0x82, "0001 00", "0001 61 00", "", "topic filters"),
        (0xA2, "0001 00", "0001 61", "", "topic filters"),
        (0x30, "0001 74", "26 0000 0000", "", "user properties"),
        (0x30, "0001 74", "0b 01", "", "subscription identifiers"),
        (0x10, "0004 4d515454 05 02 003c", "26 0000 0000", "0001 61", "user properties"),
    ];
    for (first, before, entry, behind, field) in table {
        for (count, is_good) in [(LIST_MAX, true), (LIST_MAX + 1, false)] {
            let list = hex(entry).repeat(count);
            let mut body = hex(before);
            if field != "topic filters" {
                put_length(&mut body, list.len());
            }
            body.extend_from_slice(&list);
            body.extend_from_slice(&hex(behind));
            let mut input = BytesMut::from(&[first][..]);
            put_length(&mut input, body.len());
            input.extend_from_slice(&body);
            let decoded = decode(&mut input, Version::V5, usize::MAX);
            if is_good {
                assert!(matches!(decoded, Ok(Some(_))), "{field}: {decoded:?}");
            } else {
                assert_eq!(decoded, Err(DecodeError::TooMany { field, count_max: LIST_MAX }));
            }
        }
    }
}

fn put_length(output: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        output.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    output.put_u8(value as u8);
}

#[test]
fn a_field_that_its_two_bytes_of_length_cannot_describe_is_not_written() {
    let long = Bytes::from(vec![b'x'; 65_536]);
    let with_will = |payload| Connect {
        will: Some(Will { payload, ..will(QoS::AtMostOnce, false) }),
        ..connect(Version::V311)
    };
    let mut output = BytesMut::new();
    let packet = Packet::Connect(Box::new(with_will(long.clone())));
    let error = EncodeError::FieldTooLong { field: "will payload", bytes: 65_536 };
    assert_eq!(encode(&packet, Version::V311, &mut output), Err(error));
    assert!(output.is_empty());

    let packet = Packet::Connect(Box::new(with_will(long.slice(1..))));
    assert_eq!(encode(&packet, Version::V311, &mut output), Ok(()));
    assert_eq!(decode(&mut output, Version::V311, usize::MAX), Ok(Some(packet)));

    let properties =
        hearth_protocol::packet::PublishProperties { correlation_data: Some(long), ..Default::default() };
    let packet = Packet::Publish(Publish { properties: Some(Box::new(properties)), ..publish("t", b"") });
    let error = EncodeError::FieldTooLong { field: "correlation data", bytes: 65_536 };
    assert_eq!(encode(&packet, Version::V5, &mut output), Err(error));
    assert!(output.is_empty());
}

#[test]
fn the_head_of_a_publish_says_where_its_packet_identifier_stands() {
    let properties = hearth_protocol::packet::PublishProperties {
        message_expiry: Some(9),
        topic_alias: Some(9),
        subscription_ids: vec![9],
        ..Default::default()
    };
    let own = PublishHead {
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(1)),
        properties: Some(&properties),
        payload_len: 200,
        ..HEAD
    };
    let overridden =
        PublishHead { message_expiry: Some(1), topic_alias: Some(2), subscription_ids: &[3, 4], ..own };
    let table = [
        (own, "32 d801 0001 74 0001 0a 02 00000009 23 0009 0b 09"),
        (overridden, "32 da01 0001 74 0001 0c 02 00000001 23 0002 0b 03 0b 04"),
    ];
    for (head, wire) in table {
        let mut output = BytesMut::from(&b"before"[..]);
        let at = encode_publish_head(&head, Version::V5, &mut output).unwrap().unwrap();
        assert_eq!(output[6..], hex(wire), "{head:?}");
        assert_eq!(output[at..at + 2], [0, 1]);
        output[at..at + 2].copy_from_slice(&[0xAB, 0xCD]);
        output.put_bytes(0, 200);
        let decoded = decode(&mut output.split_off(6), Version::V5, usize::MAX);
        let Ok(Some(Packet::Publish(publish))) = decoded else { panic!("{decoded:?}") };
        assert_eq!(publish.packet_id, Some(id(0xABCD)));
    }
}
