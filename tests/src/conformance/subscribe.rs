//! SUBSCRIBE and SUBACK (3.8, 3.9).

use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{Packet, Publish, RetainHandling, Subscription};
use hearth_protocol::{QoS, ReasonCode, Version};

use super::broker::SharedBroker;
use super::packets::{
    QOS, assert_refused, hear, join, payloads, request, request_frame, subscribe, subscribe_to, unsubscribe,
};
use super::{VERSIONS, raw};
use crate::wire::{Wire, connect, message, topic_filter};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-3.8.1-1
// MQTT 5.0 server: MQTT-3.8.1-1
#[test]
fn a_subscribe_with_other_reserved_bits_is_malformed() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for flags in (0..16).filter(|flags| *flags != 2) {
            let bytes = request_frame(0x80 | flags, version, 1, &[&raw::field("a")[..], &[0]].concat());
            let what = format!("SUBSCRIBE with flags {flags}");
            assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::MalformedPacket);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.8.3-1
// MQTT 5.0 server: MQTT-3.8.3-1
#[test]
fn filters_of_subscribe_are_utf_8() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for bad in [&b"\xC3\x28"[..], b"a/\xED\xA0\x80", b"a\xFF", b"\xC0\x80"] {
            let payload = [raw::field("good"), vec![0], raw::field(bad), vec![0]].concat();
            let bytes = request_frame(0x82, version, 1, &payload);
            assert_refused(hearth.mqtt(), version, "ill-formed UTF-8", &bytes, ReasonCode::MalformedPacket);
        }
        let topic = format!("utf-8/{version}/grüße/日本/🦀");
        let mut client = join(hearth.mqtt(), version, "utf-8");
        client.subscribe(&topic, QoS::AtMostOnce);
        client.send(&Packet::Publish(message(&topic, b"x", QoS::AtMostOnce)));
        assert_eq!(client.next_publish().topic.as_str(), topic);
    }
}

// MQTT 3.1.1 server: MQTT-3.8.3-2
#[test]
fn filters_with_wildcards_are_granted_and_bring_what_they_match() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "wildcards");
        let filters = ["wild/+/c", "wild/a/#"];
        let reasons = request(&mut client, &subscribe(1, &filters.map(|filter| (filter, QoS::AtMostOnce))));
        assert_eq!(reasons, [ReasonCode::Success; 2]);
        for topic in ["wild/x/c", "wild/a", "wild/a/b"] {
            client.send(&Packet::Publish(message(topic, b"x", QoS::AtMostOnce)));
            assert_eq!(client.next_publish().topic.as_str(), topic);
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.8.3-3
// MQTT 5.0 server: MQTT-3.8.3-2
#[test]
fn a_subscribe_without_a_filter_breaks_the_protocol() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let bytes = request_frame(0x82, version, 1, &[]);
        assert_refused(hearth.mqtt(), version, "no filter", &bytes, ReasonCode::ProtocolError);
        // A filter alone is no pair.
        let bytes = request_frame(0x82, version, 1, &raw::field("a"));
        assert_refused(hearth.mqtt(), version, "no options", &bytes, ReasonCode::MalformedPacket);
    }
}

// MQTT 3.1.1 server: MQTT-3.8.3-4
// MQTT 5.0 server: MQTT-3.8.3-5
#[test]
fn reserved_bits_behind_a_filter_are_malformed() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let reserved: Vec<u8> = match version {
            Version::V5 => vec![0x40, 0x80, 0xC0],
            Version::V31 | Version::V311 => vec![0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFE],
        };
        for options in reserved {
            let payload = [&raw::field("a")[..], &[0], &raw::field("b"), &[options]].concat();
            let bytes = request_frame(0x82, version, 1, &payload);
            let what = format!("options 0x{options:02X}");
            assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::MalformedPacket);
        }
    }
    // QoS 3 uses no reserved bit in version 5, but is none either.
    let payload = [&raw::field("a")[..], &[3]].concat();
    let bytes = request_frame(0x82, Version::V5, 1, &payload);
    assert_refused(hearth.mqtt(), Version::V5, "QoS 3", &bytes, ReasonCode::ProtocolError);
}

// MQTT 5.0 server: MQTT-3.8.3-3
#[test]
fn with_no_local_a_client_never_hears_itself() {
    let hearth = BROKER.get();
    let mut client = join(hearth.mqtt(), Version::V5, "no-local");
    let mut other = join(hearth.mqtt(), Version::V5, "no-local-other");
    let option = |filter: &str, no_local| Subscription {
        no_local,
        ..Subscription::new(topic_filter(filter), QoS::ExactlyOnce)
    };
    let options = vec![option("no-local/a", true), option("no-local/+", true), option("local/a", false)];
    request(&mut client, &subscribe_to(1, options));
    for qos in QOS {
        client.publish_to_the_end(message("no-local/a", b"mine", qos));
        other.publish_to_the_end(message("no-local/a", b"yours", qos));
        assert_eq!(payloads(&hear(&mut client, 1)), ["yours"]);
        client.assert_quiet_after(&mut other);
    }
    client.send(&Packet::Publish(message("local/a", b"mine", QoS::AtMostOnce)));
    assert_eq!(client.next_publish().payload, "mine", "without the option it does");
}

// MQTT 5.0 server: MQTT-3.8.3-4
#[test]
fn no_local_on_a_shared_subscription_breaks_the_protocol() {
    let hearth = BROKER.get();
    let payload = [&raw::field("$share/group/a")[..], &[0x04]].concat();
    let bytes = request_frame(0x82, Version::V5, 1, &payload);
    assert_refused(hearth.mqtt(), Version::V5, "shared no local", &bytes, ReasonCode::ProtocolError);
}

// MQTT 3.1.1 server: MQTT-3.8.4-1 MQTT-3.8.4-2
// MQTT 5.0 server: MQTT-3.8.4-1 MQTT-3.8.4-2
#[test]
fn every_subscribe_gets_a_suback_with_its_packet_id() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "suback");
        for packet_id in [1_u16, 2, 0x1234, 65_535] {
            client.send(&subscribe(packet_id, &[("suback", QoS::AtLeastOnce)]));
            let [high, low] = packet_id.to_be_bytes();
            let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
            let wanted = raw::packet(0x90, &[&[high, low], properties, &[1]]);
            assert_eq!(client.next_bytes(), wanted, "{version}");
        }
        client.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-3.8.4-3
// MQTT 5.0 server: MQTT-3.8.4-3 MQTT-3.8.4-4
#[test]
fn the_same_filter_again_replaces_the_subscription_and_brings_retained_messages_again() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let base = format!("replaced/{version}");
        let (filter, kept, live) = (format!("{base}/+"), format!("{base}/kept"), format!("{base}/live"));
        let mut publisher = join(hearth.mqtt(), version, "replaced-publisher");
        let retained = Publish { retain: true, ..message(&kept, b"kept", QoS::ExactlyOnce) };
        publisher.publish_to_the_end(retained);
        let mut client = join(hearth.mqtt(), version, "replaced");
        for qos in [QoS::ExactlyOnce, QoS::AtMostOnce, QoS::AtLeastOnce, QoS::AtLeastOnce] {
            request(&mut client, &subscribe(1, &[(&filter, qos)]));
            let again = hear(&mut client, 1).remove(0);
            assert_eq!((again.topic.as_str(), again.retain, again.qos), (kept.as_str(), true, qos));
            // One subscription with the new QoS, not two.
            publisher.publish_to_the_end(message(&live, b"live", QoS::ExactlyOnce));
            let heard = hear(&mut client, 1).remove(0);
            assert_eq!((heard.topic.as_str(), heard.qos), (live.as_str(), qos), "{version}");
            client.assert_quiet_after(&mut publisher);
        }
        publisher.publish_to_the_end(Publish { retain: true, ..message(&kept, b"", QoS::AtLeastOnce) });
    }
}

// MQTT 3.1.1 server: MQTT-3.8.4-3
// MQTT 5.0 server: MQTT-3.8.4-4
#[test]
fn no_message_is_lost_while_a_subscription_is_replaced() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let topic = format!("uninterrupted/{version}");
        let mut client = join(hearth.mqtt(), version, "uninterrupted");
        client.subscribe(&topic, QoS::ExactlyOnce);
        let mut publisher = join(hearth.mqtt(), version, "uninterrupted-publisher");
        // Both go on without waiting for each other.
        for number in 0..300_u16 {
            publisher.send(&Packet::Publish(message(&topic, number.to_string().as_bytes(), QoS::AtMostOnce)));
            if number % 3 == 0 {
                client.send(&subscribe(number + 1, &[(&topic, QoS::AtMostOnce)]));
            }
        }
        let (mut heard, mut answered) = (Vec::new(), 0);
        while heard.len() < 300 || answered < 100 {
            match client.next() {
                Packet::Publish(publish) => heard.push(publish),
                Packet::SubAck(_) => answered += 1,
                other => panic!("{other:?}"),
            }
        }
        let wanted: Vec<_> = (0..300).map(|number| number.to_string()).collect();
        assert_eq!(payloads(&heard), wanted, "{version}");
        client.assert_quiet_after(&mut publisher);
    }
}

#[test]
fn retained_messages_come_as_retain_handling_asks() {
    let hearth = BROKER.get();
    let mut publisher = join(hearth.mqtt(), Version::V5, "handling-publisher");
    publisher.publish_to_the_end(Publish { retain: true, ..message("handling", b"x", QoS::AtLeastOnce) });
    let mut client = join(hearth.mqtt(), Version::V5, "handling");
    // (handling, whether it comes when the subscription is new, and when it is there already)
    for (retain_handling, when_new, when_there) in [
        (RetainHandling::Send, true, true),
        (RetainHandling::SendIfNew, true, false),
        (RetainHandling::DoNotSend, false, false),
    ] {
        for comes in [when_new, when_there, when_there] {
            let subscription = Subscription {
                retain_handling,
                ..Subscription::new(topic_filter("handling"), QoS::AtMostOnce)
            };
            request(&mut client, &subscribe_to(1, vec![subscription]));
            if comes {
                assert!(client.next_publish().retain, "{retain_handling:?}");
            }
            client.assert_quiet();
        }
        request(&mut client, &unsubscribe(2, &["handling"]));
    }
    publisher.publish_to_the_end(Publish { retain: true, ..message("handling", b"", QoS::AtLeastOnce) });
    let payload = [&raw::field("a")[..], &[0x30]].concat();
    let bytes = request_frame(0x82, Version::V5, 1, &payload);
    assert_refused(hearth.mqtt(), Version::V5, "handling 3", &bytes, ReasonCode::ProtocolError);
}

// MQTT 3.1.1 server: MQTT-3.8.4-4
// MQTT 5.0 server: MQTT-3.8.4-5
#[test]
fn many_filters_in_one_subscribe_are_entered_one_after_the_other_with_one_answer() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let base = format!("row/{version}");
        let (a, b) = (format!("{base}/a"), format!("{base}/b"));
        let mut client = join(hearth.mqtt(), version, "row");
        // The last entry of a filter is the one that holds, as it would after packets of its own.
        let filters =
            [(&a, QoS::ExactlyOnce), (&b, QoS::AtMostOnce), (&a, QoS::AtMostOnce), (&b, QoS::AtLeastOnce)];
        let filters = filters.map(|(filter, qos)| (filter.as_str(), qos));
        let reasons = request(&mut client, &subscribe(1, &filters));
        use ReasonCode::{GrantedQoS1, GrantedQoS2, Success};
        assert_eq!(reasons, [GrantedQoS2, Success, Success, GrantedQoS1]);
        client.assert_quiet();
        let mut publisher = join(hearth.mqtt(), version, "row-publisher");
        // What is retained comes for each filter that is new, as it would if they came apart.
        let (kept, below) = (format!("{base}/kept/x"), format!("{base}/kept/#"));
        let retain = |payload| Publish { retain: true, ..message(&kept, payload, QoS::AtLeastOnce) };
        publisher.publish_to_the_end(retain(b"kept"));
        let filters = [(kept.as_str(), QoS::AtMostOnce), (below.as_str(), QoS::AtLeastOnce)];
        request(&mut client, &subscribe(2, &filters));
        let heard = hear(&mut client, 2);
        assert_eq!(payloads(&heard), ["kept", "kept"]);
        assert_eq!((heard[0].qos, heard[1].qos), (QoS::AtMostOnce, QoS::AtLeastOnce));
        client.assert_quiet_after(&mut publisher);
        request(&mut client, &unsubscribe(3, &[&kept, &below]));
        publisher.publish_to_the_end(retain(b""));
        for (topic, qos) in [(&a, QoS::AtMostOnce), (&b, QoS::AtLeastOnce)] {
            publisher.publish_to_the_end(message(topic, b"x", QoS::ExactlyOnce));
            let heard = hear(&mut client, 1).remove(0);
            assert_eq!((heard.topic.as_str(), heard.qos), (topic.as_str(), qos), "{version}");
        }
        client.assert_quiet_after(&mut publisher);
    }
}

// MQTT 3.1.1 server: MQTT-3.8.4-5 MQTT-3.9.3-1 MQTT-3.9.3-2
// MQTT 5.0 server: MQTT-3.8.4-6 MQTT-3.8.4-7 MQTT-3.9.3-1 MQTT-3.9.3-2
#[test]
fn suback_has_a_code_for_each_filter_in_its_order() {
    let hearth = BROKER.get();
    let long = "x".repeat(5000);
    for version in VERSIONS {
        let base = format!("codes/{version}");
        let topics: Vec<_> = (0..6).map(|number| format!("{base}/{number}")).collect();
        // The second and the fifth are longer than the broker takes.
        let filters = [
            (topics[0].as_str(), QoS::ExactlyOnce),
            (&long, QoS::AtLeastOnce),
            (&topics[2], QoS::AtMostOnce),
            (&topics[3], QoS::AtLeastOnce),
            (&long, QoS::AtMostOnce),
            (&topics[5], QoS::ExactlyOnce),
        ];
        let failure = if version.is_v5() { ReasonCode::TopicFilterInvalid.byte() } else { 0x80 };
        let mut client = join(hearth.mqtt(), version, "suback-codes");
        client.send(&subscribe(1, &filters));
        let bytes = client.next_bytes();
        // In version 5 properties stand before the codes, behind their length of one byte.
        let header = if version.is_v5() { 5 + usize::from(bytes[4]) } else { 4 };
        assert_eq!(bytes[header..], [2, failure, 0, 1, failure, 2], "{version}: {bytes:02x?}");
        // What was granted is what holds, and what failed brings nothing.
        let mut publisher = join(hearth.mqtt(), version, "suback-codes-publisher");
        for (number, qos) in [(0, 2), (2, 0), (3, 1), (5, 2)] {
            publisher.publish_to_the_end(message(&topics[number], b"x", QoS::ExactlyOnce));
            assert_eq!(hear(&mut client, 1)[0].qos.bits(), qos, "{version}: {number}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.9.3-2
// MQTT 5.0 server: MQTT-3.9.3-2
#[test]
fn suback_uses_no_other_codes_when_there_are_too_many_filters() {
    static FEW: SharedBroker = SharedBroker::with(&[
        ("HEARTH_LIMITS_FILTERS_PER_PACKET_MAX", "3"),
        ("HEARTH_LIMITS_SUBSCRIPTIONS_PER_SESSION_MAX", "2"),
    ]);
    let hearth = FEW.get();
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "few");
        for filters in [vec!["a", "b", "c"], vec!["d"], vec!["e", "f", "g", "h"]] {
            let pairs: Vec<_> = filters.iter().map(|filter| (*filter, QoS::ExactlyOnce)).collect();
            client.send(&subscribe(1, &pairs));
            let bytes = client.next_bytes();
            let codes = &bytes[bytes.len() - filters.len()..];
            let allowed: &[u8] = match version {
                Version::V5 => &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
                Version::V31 | Version::V311 => &[0, 1, 2, 0x80],
            };
            assert!(codes.iter().all(|code| allowed.contains(code)), "{version}: {codes:02x?}");
            assert!(codes.last().is_some_and(|code| *code >= 0x80), "{version}: {codes:02x?}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-3.8.4-6
// MQTT 5.0 server: MQTT-3.8.4-8
#[test]
fn a_message_comes_at_the_lower_qos_of_its_publication_and_the_subscription() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for granted in QOS {
            let topic = format!("lower/{version}/{}", granted.bits());
            let mut client = join(hearth.mqtt(), version, "lower");
            client.subscribe(&topic, granted);
            let mut publisher = join(hearth.mqtt(), version, "lower-publisher");
            for published in QOS {
                publisher.publish_to_the_end(message(&topic, b"x", published));
                let heard = hear(&mut client, 1).remove(0);
                assert_eq!(heard.qos, published.min(granted), "{version}: {published:?} to {granted:?}");
                let retained = Publish { retain: true, ..message(&topic, b"kept", published) };
                publisher.publish_to_the_end(retained);
                hear(&mut client, 1);
                request(&mut client, &subscribe(1, &[(&topic, granted)]));
                let heard = hear(&mut client, 1).remove(0);
                assert_eq!(heard.qos, published.min(granted), "{version}: retained at {published:?}");
            }
        }
    }
}

// MQTT 5.0 server: MQTT-3.9.2-1 MQTT-3.9.2-2
#[test]
fn no_suback_grows_beyond_what_the_client_takes() {
    let hearth = BROKER.get();
    let terms = Wire::connect(hearth.mqtt(), connect(Version::V5, "tight-suback")).1;
    let smallest = encoded_len(&Packet::ConnAck(Box::new(terms)), Version::V5).unwrap();
    let long = "x".repeat(5000);
    let mut lengths = Vec::new();
    for room in (smallest..smallest + 40).chain([100, 200, 1000]) {
        let mut tight = connect(Version::V5, "tight-suback");
        tight.properties.packet_size_max = Some(room as u32);
        let (mut client, _) = Wire::connect(hearth.mqtt(), tight);
        // As many filters as still fit an answer without text: two bytes of header, two of id, one of properties.
        for count in [1, room.min(100) - 5] {
            client.send(&subscribe(1, &vec![(long.as_str(), QoS::AtMostOnce); count]));
            let bytes = client.next_bytes();
            assert!(bytes.len() <= room, "{} bytes where {room} fit: {bytes:02x?}", bytes.len());
            assert_eq!((bytes[0], bytes.last()), (0x90, Some(&0x8F)), "{bytes:02x?}");
            if count == 1 {
                lengths.push(bytes.len());
            }
        }
    }
    assert!(lengths.last() > lengths.first(), "there are words, which were left out: {lengths:?}");
}
