//! Topic names, topic filters and how they match (4.7).

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, ReasonCode};

use super::broker::SharedBroker;
use super::packets::{assert_refused, join, payloads, request_frame, subscribe, unsubscribe};
use super::raw::{self, RawConnect, field, properties};
use super::{VERSIONS, greet, unique};
use crate::wire::{Wire, message};

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-4.7.1-1
// MQTT 5.0 server: MQTT-4.7.0-1
#[test]
fn wildcards_stand_in_filters_and_never_in_names() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for name in ["#", "+", "a/#", "a/+", "+/a", "a+", "a#b", "a/+/b"] {
            let bytes = raw::publish(version, 0, name.as_bytes(), &[], b"x");
            let what = format!("PUBLISH to {name}");
            assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::TopicNameInvalid);
            // The will topic is a topic name too.
            let will_properties = properties(version, &[]);
            let payload = [field(unique("will")), will_properties, field(name), field("x")].concat();
            let connect = RawConnect { flags: 0x06, payload, ..RawConnect::new(version, "") };
            let answer = greet(hearth.mqtt(), version, &connect.bytes()).read_to_end();
            assert!(answer.is_empty() || answer[3] != 0, "{version}: a will to {name} got {answer:02x?}");
            if version.is_v5() {
                let response = [&[0x08], &field(name)[..]].concat();
                let bytes = raw::publish(version, 0, b"a", &[&response], b"x");
                assert_refused(
                    hearth.mqtt(),
                    version,
                    "response topic",
                    &bytes,
                    ReasonCode::TopicNameInvalid,
                );
            }
        }
        let mut client = join(hearth.mqtt(), version, "wildcards");
        let topic = unique("wildcards");
        client.subscribe(&format!("{topic}/+/#"), QoS::AtMostOnce);
        client.send(&Packet::Publish(message(&format!("{topic}/a/b"), b"x", QoS::AtMostOnce)));
        assert_eq!(client.next_publish().topic.as_str(), format!("{topic}/a/b"));
    }
}

// MQTT 3.1.1 server: MQTT-4.7.1-2 MQTT-4.7.1-3
// MQTT 5.0 server: MQTT-4.7.1-1 MQTT-4.7.1-2
#[test]
fn a_wildcard_in_a_wrong_place_is_no_filter() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for filter in [
            "a#", "#a", "a/#/b", "#/", "#/a", "a/b#", "##", "a/##", "a/+#", "a+", "+a", "a/b+", "a/+b/c",
            "++",
        ] {
            let entry = [&field(filter)[..], &[0]].concat();
            for (kind, bytes) in [
                ("SUBSCRIBE", request_frame(0x82, version, 1, &entry)),
                ("UNSUBSCRIBE", request_frame(0xA2, version, 1, &field(filter))),
            ] {
                let what = format!("{kind} {filter}");
                assert_refused(hearth.mqtt(), version, &what, &bytes, ReasonCode::TopicFilterInvalid);
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.7.1-2 MQTT-4.7.1-3
// MQTT 5.0 server: MQTT-4.7.1-1 MQTT-4.7.1-2
#[test]
fn wildcards_match_whole_levels_and_all_that_is_below() {
    let hearth = BROKER.get();
    let topics = ["", "/", "/a", "a", "a/", "a/b", "a/b/c", "b", "b/b", "a//b", "b/a/b"];
    let cases: [(&str, &[&str]); 12] = [
        ("#", &["", "/", "/a", "a", "a/", "a/b", "a/b/c", "b", "b/b", "a//b", "b/a/b"]),
        ("+", &["a", "b", ""]),
        ("a/#", &["a", "a/", "a/b", "a/b/c", "a//b"]),
        ("a/+", &["a/", "a/b"]),
        ("+/b", &["a/b", "b/b"]),
        ("+/+", &["/", "/a", "a/", "a/b", "b/b"]),
        ("/+", &["/", "/a"]),
        ("/#", &["", "/", "/a"]),
        ("a/+/#", &["a/", "a/b", "a/b/c", "a//b"]),
        ("+/a/#", &["/a", "b/a/b"]),
        ("a/+/b", &["a//b"]),
        ("a/b/c/#", &["a/b/c"]),
    ];
    for version in VERSIONS {
        let base = unique("match");
        // Below a level of their own, whose slash the empty topic takes the place of.
        let under = |rest: &str| if rest.is_empty() { format!("{base}/") } else { format!("{base}/{rest}") };
        let mut publisher = join(hearth.mqtt(), version, "match-publisher");
        for (filter, matching) in &cases {
            let mut client = join(hearth.mqtt(), version, "match");
            client.subscribe(&format!("{base}/{filter}"), QoS::AtMostOnce);
            for topic in topics {
                publisher.send(&Packet::Publish(message(&under(topic), topic.as_bytes(), QoS::AtMostOnce)));
            }
            let mut wanted: Vec<_> = matching.iter().map(|topic| (*topic).to_owned()).collect();
            let mut heard: Vec<_> = matching.iter().map(|_| client.next_publish()).collect();
            client.assert_quiet_after(&mut publisher);
            heard.sort_by(|one, other| one.payload.cmp(&other.payload));
            wanted.sort();
            assert_eq!(payloads(&heard), wanted, "{version}: {filter}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.7.2-1
// MQTT 5.0 server: MQTT-4.7.2-1
#[test]
fn a_filter_that_begins_with_a_wildcard_brings_no_topic_that_begins_with_a_dollar() {
    // A broker of its own, because these filters bring the topics of all other tests.
    static ALONE: SharedBroker = SharedBroker::new();
    let hearth = ALONE.get();
    for version in VERSIONS {
        let mut publisher = join(hearth.mqtt(), version, "dollar-publisher");
        let retained = Publish { retain: true, ..message("$kept/a", b"kept", QoS::AtLeastOnce) };
        publisher.publish_to_the_end(retained);
        let mut client = join(hearth.mqtt(), version, "dollar");
        for filter in ["#", "+/#", "+/a", "+/+", "+", "+/a/#"] {
            client.subscribe(filter, QoS::AtMostOnce);
        }
        for topic in ["$dollar/a", "$", "$a", "$/a", "$kept/a"] {
            publisher.send(&Packet::Publish(message(topic, b"hidden", QoS::AtMostOnce)));
        }
        publisher.send(&Packet::Publish(message("a/$dollar", b"seen", QoS::AtMostOnce)));
        assert_eq!(client.next_publish().payload, "seen", "{version}");
        client.assert_quiet();
        // Named, they come, and a wildcard behind the name is fine.
        for filter in ["#", "+/#", "+/a", "+/+", "+", "+/a/#"] {
            client.send(&unsubscribe(1, &[filter]));
            assert!(matches!(client.next(), Packet::UnsubAck(_)));
        }
        client.send(&subscribe(2, &[("$dollar/#", QoS::AtMostOnce), ("$kept/+", QoS::AtMostOnce)]));
        assert!(matches!(client.next(), Packet::SubAck(_)));
        assert_eq!(client.next_publish().payload, "kept");
        publisher.send(&Packet::Publish(message("$dollar/a", b"named", QoS::AtMostOnce)));
        assert_eq!(client.next_publish().payload, "named");
    }
}

// MQTT 3.1.1 server: MQTT-4.7.3-1 MQTT-4.7.3-2
// MQTT 5.0 server: MQTT-4.7.3-1 MQTT-4.7.3-2
#[test]
fn names_and_filters_have_a_character_and_no_u_0000() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        use ReasonCode::{MalformedPacket, ProtocolError, TopicFilterInvalid};
        let subscribe = |filter: &[u8]| request_frame(0x82, version, 1, &[&field(filter)[..], &[0]].concat());
        let unsubscribe = |filter: &[u8]| request_frame(0xA2, version, 1, &field(filter));
        for (what, bytes, reason) in [
            ("PUBLISH to an empty name", raw::publish(version, 0, b"", &[], b"x"), ProtocolError),
            ("SUBSCRIBE to an empty filter", subscribe(b""), TopicFilterInvalid),
            ("UNSUBSCRIBE of an empty filter", unsubscribe(b""), TopicFilterInvalid),
            ("PUBLISH to U+0000", raw::publish(version, 0, b"\0", &[], b"x"), MalformedPacket),
            ("PUBLISH to a/U+0000", raw::publish(version, 0, b"a/\0b", &[], b"x"), MalformedPacket),
            ("SUBSCRIBE to U+0000", subscribe(b"\0"), MalformedPacket),
            ("SUBSCRIBE to a/U+0000/#", subscribe(b"a/\0/#"), MalformedPacket),
            ("UNSUBSCRIBE of U+0000", unsubscribe(b"a\0"), MalformedPacket),
        ] {
            assert_refused(hearth.mqtt(), version, what, &bytes, reason);
        }
        // One character is enough, and one slash is a character.
        let mut client = join(hearth.mqtt(), version, "one-character");
        for name in ["/", "é", "🦀"] {
            client.subscribe(name, QoS::AtMostOnce);
            client.send(&Packet::Publish(message(name, b"x", QoS::AtMostOnce)));
            assert_eq!(client.next_publish().topic.as_str(), name, "{version}");
        }
    }
}

// MQTT 3.1.1 server: MQTT-4.7.3-3
// MQTT 5.0 server: MQTT-4.7.3-3
#[test]
fn a_topic_of_65_535_bytes_arrives_whole_and_none_is_longer() {
    static LONG: SharedBroker = SharedBroker::with(&[
        ("HEARTH_LIMITS_TOPIC_BYTES_MAX", "65535"),
        ("HEARTH_LIMITS_PACKET_BYTES_MAX", "200000"),
    ]);
    let hearth = LONG.get();
    for version in VERSIONS {
        let name = "x".repeat(65_535);
        let mut client = join(hearth.mqtt(), version, "long");
        client.subscribe(&name, QoS::AtMostOnce);
        client.subscribe("#", QoS::AtMostOnce);
        client.send(&Packet::Publish(message(&name, b"whole", QoS::AtMostOnce)));
        let heard = client.next_publish();
        assert_eq!((heard.topic.as_str(), heard.payload.as_ref()), (name.as_str(), &b"whole"[..]));
        // A topic of 65,536 bytes has no length: with a prefix of 0, the most that can be said of it, it is empty.
        let bytes = raw::packet(0x30, &[&[0, 0], &raw::properties(version, &[]), &vec![b'x'; 65_536]]);
        assert_refused(hearth.mqtt(), version, "no length", &bytes, ReasonCode::ProtocolError);
        client = join(hearth.mqtt(), version, "long");
        client.assert_quiet();
    }
}

// MQTT 3.1.1 server: MQTT-4.7.3-4
// MQTT 5.0 server: MQTT-4.7.3-4
#[test]
fn topics_that_only_look_alike_are_different_ones() {
    let hearth = BROKER.get();
    let names = [
        "accounts",
        "Accounts",
        "ACCOUNTS",
        "/accounts",
        "accounts/",
        "accounts//",
        "/accounts/",
        " accounts",
        "accounts ",
        // é composed and decomposed; the Ångström sign, the letter, and the letter decomposed.
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{212b}",
        "\u{c5}",
        "A\u{30a}",
        // A ligature, full-width and half-width letters, a soft hyphen, a zero-width space and a byte order mark.
        "\u{fb01}x",
        "fix",
        "\u{ff41}b",
        "ab",
        "a\u{ad}b",
        "a\u{200b}b",
        "\u{feff}ab",
        "ab\u{feff}",
        // Case that changes the length, and code points that are not characters.
        "stra\u{df}e",
        "strasse",
        "a\u{fffd}b",
        "a\u{fffe}b",
        "a\u{e000}b",
        "a\u{1}b",
        "a\u{7f}b",
        "a\u{85}b",
        // What other syntaxes would resolve or decode.
        "a/b",
        "a//b",
        "a/./b",
        "a/../b",
        "a%2Fb",
        "a\\b",
        "a*",
        "a?",
    ];
    for version in VERSIONS {
        let base = unique("alike");
        let mut clients: Vec<Wire> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let mut client = join(hearth.mqtt(), version, &format!("alike-{index}"));
            client.subscribe(&format!("{base}/{name}"), QoS::AtMostOnce);
            clients.push(client);
        }
        let mut publisher = join(hearth.mqtt(), version, "alike-publisher");
        for name in names {
            publisher.send(&Packet::Publish(message(
                &format!("{base}/{name}"),
                name.as_bytes(),
                QoS::AtMostOnce,
            )));
        }
        for (client, name) in clients.iter_mut().zip(names) {
            let heard = client.next_publish();
            assert_eq!(heard.topic.as_str(), format!("{base}/{name}"), "{version}");
            assert_eq!(heard.payload, name);
            client.assert_quiet_after(&mut publisher);
        }
    }
}
