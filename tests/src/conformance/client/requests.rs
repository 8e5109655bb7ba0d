//! SUBSCRIBE and UNSUBSCRIBE of the client (MQTT 3.1.1 and 5.0, 3.8 and 3.10).

use hearth_protocol::TopicFilter;
use hearth_protocol::connection::RequestError;
use hearth_protocol::packet::{SubscribeProperties, Subscription, UnsubscribeProperties};

use super::super::raw::{field, packet, properties};
use super::*;

/// Filters of one level and many, with wildcards, and with characters of every length.
const FILTERS: [&str; 6] = ["a", "#", "+/a/#", "$share/g/a", "\u{feff}grüße/日本/🦀", "/"];

/// What no filter can be made of: ill-formed UTF-8, surrogates, an overlong form, and U+0000.
const NO_TEXT: [&[u8]; 5] = [b"\xff", b"a/\xed\xa0\x80", b"\xc0\xaf", b"a\xc3", b"a\0"];

fn filter(text: &str) -> TopicFilter {
    TopicFilter::try_from(text).unwrap()
}

impl Stage {
    fn subscribe(&mut self, subscriptions: Vec<Subscription>) -> Result<Token, RequestError> {
        self.client.subscribe(self.now, subscriptions, SubscribeProperties::default())
    }

    fn unsubscribe(&mut self, filters: Vec<TopicFilter>) -> Result<Token, RequestError> {
        self.client.unsubscribe(self.now, filters, UnsubscribeProperties::default())
    }
}

// MQTT 3.1.1 client: MQTT-3.8.1-1 MQTT-3.8.3-1
// MQTT 5.0 client: MQTT-3.8.1-1 MQTT-3.8.3-1
#[test]
fn a_subscribe_has_its_reserved_bits_and_filters_of_utf_8() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        let one = |(packet_id, text): (u16, &str)| {
            stage.subscribe(vec![Subscription::new(filter(text), QoS::AtLeastOnce)]).unwrap();
            let body = [&packet_id.to_be_bytes()[..], &properties(version, &[]), &field(text), &[1]].concat();
            assert_eq!(stage.heard_bytes(), packet(0x82, &[&body]), "{version}: {text}");
        };
        (1..).zip(FILTERS).for_each(one);
        // All in one packet, one behind the other.
        let all = FILTERS.map(|text| Subscription::new(filter(text), QoS::ExactlyOnce)).to_vec();
        stage.subscribe(all).unwrap();
        let pairs = FILTERS.map(|text| [field(text), vec![2]].concat()).concat();
        assert_eq!(stage.heard_bytes(), packet(0x82, &[&[0, 7], &properties(version, &[]), &pairs]));
    }
    assert_no_filter();
}

/// A client is given filters, which are strings of MQTT, and no such string is made of what is none.
#[track_caller]
fn assert_no_filter() {
    for bytes in NO_TEXT {
        assert!(Text::from_bytes(Bytes::from_static(bytes)).is_err(), "{bytes:02x?}");
    }
}

// MQTT 3.1.1 client: MQTT-3.8.3-3
// MQTT 5.0 client: MQTT-3.8.3-2
#[test]
fn a_subscribe_without_a_filter_is_not_sent() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        assert_eq!(stage.subscribe(Vec::new()), Err(RequestError::Unsendable));
        assert_eq!(stage.heard(), []);
        stage.subscribe(vec![Subscription::new(filter("a"), QoS::AtMostOnce)]).unwrap();
        let Packet::Subscribe(sent) = stage.heard().remove(0) else { panic!("SUBSCRIBE is sent") };
        assert_eq!(sent.subscriptions.len(), 1);
    }
}

// MQTT 5.0 client: MQTT-3.8.3-4
#[test]
fn no_local_is_never_asked_for_on_a_shared_subscription() {
    let option =
        |text, no_local| Subscription { no_local, ..Subscription::new(filter(text), QoS::AtLeastOnce) };
    for subscriptions in [
        vec![option("$share/g/a", true)],
        vec![option("a", true), option("$share/g/#", true)],
        vec![option("$share/g/a", false), option("$share/g/b", true)],
    ] {
        let mut stage = Stage::open_plain(Version::V5);
        assert_eq!(stage.subscribe(subscriptions), Err(RequestError::Unsendable));
        assert_eq!(stage.heard(), []);
    }
    let mut stage = Stage::open_plain(Version::V5);
    stage.subscribe(vec![option("a", true), option("$share/g/a", false)]).unwrap();
    let pairs = [&field("a")[..], &[0x05], &field("$share/g/a"), &[0x01]].concat();
    assert_eq!(stage.heard_bytes(), packet(0x82, &[b"\x00\x01\x00", &pairs]));
}

// MQTT 3.1.1 client: MQTT-3.10.1-1 MQTT-3.10.3-1
// MQTT 5.0 client: MQTT-3.10.1-1 MQTT-3.10.3-1
#[test]
fn an_unsubscribe_has_its_reserved_bits_and_packed_filters_of_utf_8() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for (packet_id, text) in (1_u16..).zip(FILTERS) {
            stage.unsubscribe(vec![filter(text)]).unwrap();
            let body = [&packet_id.to_be_bytes()[..], &properties(version, &[]), &field(text)].concat();
            assert_eq!(stage.heard_bytes(), packet(0xA2, &[&body]), "{version}: {text}");
        }
        stage.unsubscribe(FILTERS.map(filter).to_vec()).unwrap();
        let packed = FILTERS.map(field).concat();
        assert_eq!(stage.heard_bytes(), packet(0xA2, &[&[0, 7], &properties(version, &[]), &packed]));
    }
    assert_no_filter();
}

// MQTT 3.1.1 client: MQTT-3.10.3-2
// MQTT 5.0 client: MQTT-3.10.3-2
#[test]
fn an_unsubscribe_without_a_filter_is_not_sent() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        assert_eq!(stage.unsubscribe(Vec::new()), Err(RequestError::Unsendable));
        assert_eq!(stage.heard(), []);
        stage.unsubscribe(vec![filter("a")]).unwrap();
        let Packet::Unsubscribe(sent) = stage.heard().remove(0) else { panic!("UNSUBSCRIBE is sent") };
        assert_eq!(sent.filters.len(), 1);
    }
}
