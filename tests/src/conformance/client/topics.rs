//! Topic names and filters (4.7) and those of shared subscriptions (4.8).

use hearth_protocol::TopicFilter;
use hearth_protocol::packet::{Subscription, Will};
use hearth_protocol::text::TextError;
use hearth_protocol::topic::TopicError;

use super::super::raw::{self, field};
use super::*;

/// What SUBSCRIBE and UNSUBSCRIBE write of a filter; `None` when the client cannot be asked for it.
fn asked_for(version: Version, filter: &str) -> Option<[Vec<u8>; 2]> {
    let filter = TopicFilter::new(Text::try_from(filter.to_owned()).ok()?).ok()?;
    let mut stage = Stage::open_plain(version);
    let now = stage.now;
    let wanted = vec![Subscription::new(filter.clone(), QoS::ExactlyOnce)];
    stage.client.subscribe(now, wanted, Default::default()).unwrap();
    let subscribed = stage.heard_bytes();
    stage.tell(&Packet::SubAck(hearth_protocol::packet::SubAck {
        packet_id: id(1),
        reasons: vec![ReasonCode::GrantedQoS2],
        properties: Default::default(),
    }));
    stage.client.unsubscribe(now, vec![filter], Default::default()).unwrap();
    Some([subscribed, stage.heard_bytes()])
}

#[track_caller]
fn assert_asked_for(version: Version, filter: &str) {
    let asked = asked_for(version, filter).unwrap_or_else(|| panic!("{filter:.40} cannot be asked for"));
    let properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
    let body: [&[u8]; 4] = [b"\0\x01", properties, &field(filter), b"\x02"];
    assert!(asked[0] == raw::packet(0x82, &body), "{filter:.40}");
    assert_eq!(asked[1][0], 0xA2);
    assert!(asked[1].ends_with(&field(filter)), "{filter:.40}");
}

// MQTT 3.1.1 client: MQTT-4.7.1-1
// MQTT 5.0 client: MQTT-4.7.0-1
#[test]
fn wildcards_stand_in_filters_and_in_no_name_of_a_message_or_will() {
    for version in VERSIONS {
        for filter in ["#", "+", "a/#", "+/b", "+/+/#"] {
            assert_asked_for(version, filter);
            let character = filter.chars().find(|character| "+#".contains(*character)).unwrap();
            // Messages, wills and response topics have a name of this one type.
            assert_eq!(TopicName::try_from(filter), Err(TopicError::WildcardInName(character)));
            Stage::open_plain(version).refused(&raw::publish(version, 0, filter.as_bytes(), &[], b"x"));
        }
        for name in ["a+", "a#b", "a/b#/c", "a/+b/c"] {
            assert!(matches!(TopicName::try_from(name), Err(TopicError::WildcardInName(_))), "{name}");
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.7.1-2
// MQTT 5.0 client: MQTT-4.7.1-1
#[test]
fn the_multi_level_wildcard_is_asked_for_at_the_end_and_alone_in_its_level() {
    for version in VERSIONS {
        for filter in ["#", "/#", "a/#", "a/b/#", "+/#", "a//#", "ä/#"] {
            assert_asked_for(version, filter);
        }
        for filter in ["a#", "#a", "a/#/b", "#/", "#/a", "a/b#", "##", "a/##", "#/#", "a/+#"] {
            assert_eq!(asked_for(version, filter), None, "{filter}");
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.7.1-3
// MQTT 5.0 client: MQTT-4.7.1-2
#[test]
fn the_single_level_wildcard_is_asked_for_at_any_level_and_alone_in_it() {
    for version in VERSIONS {
        for filter in ["+", "+/a", "a/+", "a/+/b", "/+", "+/", "+/+/+", "+/a/#"] {
            assert_asked_for(version, filter);
        }
        for filter in ["a+", "+a", "++", "a/b+", "a/+b/c", "+a/b", "a/++", "a/ +"] {
            assert_eq!(asked_for(version, filter), None, "{filter}");
        }
    }
}

/// Whether the client sends a message to this name, and takes one, and lets it stand in a will.
fn names(version: Version, name: &str) -> [bool; 3] {
    let topic = Text::try_from(name.to_owned()).ok().and_then(|text| TopicName::new(text).ok());
    let is_sent = topic.clone().is_some_and(|topic| {
        let mut stage = Stage::open_plain(version);
        stage.publish(Publish { topic, ..message("t", b"x", QoS::AtMostOnce) });
        stage.heard_bytes() == raw::publish(version, 0, name.as_bytes(), &[], b"x")
    });
    let is_willed = topic.is_some_and(|topic| {
        let mut options = options(version);
        let properties = Default::default();
        let qos = QoS::AtMostOnce;
        options.will = Some(Will { topic, payload: Bytes::new(), qos, retain: false, properties });
        let connect = Stage::connecting(options).heard_bytes();
        connect.windows(2 + name.len()).any(|part| part == field(name))
    });
    let mut stage = Stage::open_plain(version);
    // A length of two bytes cannot even say more than 65,535.
    let is_taken = name.len() <= 65_535
        && stage.say_bytes(&raw::publish(version, 0, name.as_bytes(), &[], b"x")).is_ok()
        && stage.messages().len() == 1;
    assert_eq!(stage.client.is_closing(), name.len() <= 65_535 && !is_taken);
    [is_sent, is_taken, is_willed]
}

// MQTT 3.1.1 client: MQTT-4.7.3-1
// MQTT 5.0 client: MQTT-4.7.3-1
#[test]
fn names_and_filters_have_a_character() {
    for version in VERSIONS {
        for name in ["a", "/", " ", "€"] {
            assert_eq!(names(version, name), [true; 3], "{name}");
            assert_asked_for(version, name);
        }
        assert_eq!(names(version, ""), [false; 3]);
        assert_eq!(asked_for(version, ""), None);
        // The one empty name there is stands for an alias, which is the client's own to give.
        let mut stage = Stage::open_plain(version);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let nowhere = Publish { topic: TopicName::ALIASED, ..message("t", b"x", qos) };
            assert_eq!(stage.client.publish(stage.now, nowhere), Err(PublishError::Topic));
        }
        assert_eq!(stage.heard(), []);
    }
}

// MQTT 3.1.1 client: MQTT-4.7.3-2
// MQTT 5.0 client: MQTT-4.7.3-2
#[test]
fn names_and_filters_have_no_null_character() {
    for version in VERSIONS {
        for name in ["\0", "a\0", "\0a", "a/\0/b"] {
            assert_eq!(names(version, name), [false; 3], "{name:?}");
            assert_eq!(asked_for(version, name), None, "{name:?}");
        }
        for name in ["\u{1}", "a\u{7f}b"] {
            assert!(names(version, name)[0], "{name:?}");
            assert_asked_for(version, name);
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.7.3-3
// MQTT 5.0 client: MQTT-4.7.3-3
#[test]
fn names_and_filters_have_65_535_bytes_at_most() {
    for version in VERSIONS {
        for character in ["a", "ä", "€", "𝄞"] {
            let mut longest = character.repeat(65_535 / character.len());
            longest.push_str(&"b".repeat(65_535 - longest.len()));
            assert_eq!(names(version, &longest), [true; 3]);
            assert_asked_for(version, &longest);
            let longer = longest + "b";
            assert!(matches!(Text::try_from(longer.clone()), Err(TextError::TooLong(65_536))));
            assert_eq!(names(version, &longer), [false; 3]);
            assert_eq!(asked_for(version, &longer), None);
        }
    }
}

// MQTT 5.0 client: MQTT-4.8.2-1 MQTT-4.8.2-2
#[test]
fn a_share_has_a_name_without_wildcards_and_a_filter_behind_it() {
    for filter in ["$share/g/a", "$share/g//", "$share/a b ü/+/#", "$share/g/#", "$share/$share/$share/a"] {
        assert_asked_for(Version::V5, filter);
    }
    for filter in [
        "$share/",
        "$share//",
        "$share//a",
        "$share/g",
        "$share/g/",
        "$share/+/a",
        "$share/#/a",
        "$share/g+/a",
        "$share/#",
        "$share/+",
        "$share/g#/a",
        "$share/g/a#",
        "$share/g/a+",
        "$share/g/#/a",
    ] {
        assert_eq!(asked_for(Version::V5, filter), None, "{filter}");
    }
    // Without the slash it is no share but a name like any other, and so are names that look alike.
    for filter in ["$share", "$shared/+/a", "$SHARE//a", "a/$share//b"] {
        assert_asked_for(Version::V5, filter);
        assert_eq!(TopicFilter::try_from(filter).unwrap().shared(), None);
    }
    assert_eq!(TopicFilter::try_from("$share/g/a/b").unwrap().shared(), Some(("g", "a/b")));
}
