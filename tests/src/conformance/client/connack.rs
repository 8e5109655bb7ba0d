//! CONNACK (3.2): what the client makes of the server's answer and of its terms.

use hearth_protocol::ReasonCode;
use hearth_protocol::packet::PublishProperties;

use super::*;

const V5: Version = Version::V5;

// MQTT 5.0 client: MQTT-3.2.2-4
#[test]
fn a_session_that_the_client_has_not_ends_the_connection() {
    let mut stage = Stage::connecting(options(V5));
    stage.heard();
    let error = stage.say(&connack(true, ConnAckProperties::default())).unwrap_err();
    assert_eq!(error.reason, ReasonCode::ProtocolError);
    assert_eq!(stage.events(), []);
    stage.assert_over();
    // A session that ended with its connection is one that the client has not.
    let mut passing = options(V5);
    passing.properties.session_expiry = None;
    let mut stage = Stage::open(passing, ConnAckProperties::default());
    stage.client.handle_close(stage.now);
    stage.client.handle_open(stage.now);
    stage.heard();
    stage.say(&connack(true, ConnAckProperties::default())).unwrap_err();
    stage.assert_over();
}

// MQTT 5.0 client: MQTT-3.2.2-5
#[test]
fn a_session_that_the_server_has_not_is_given_up() {
    let mut stage = Stage::open_plain(V5);
    stage.publish(message("t", b"1", QoS::ExactlyOnce));
    stage.publish(message("t", b"2", QoS::AtLeastOnce));
    stage.tell(&Packet::PubRec(ok(1)));
    let incoming = message("in", b"x", QoS::ExactlyOnce);
    stage.tell(&numbered(9, incoming.clone()));
    let (sent, events) = stage.connect(false, ConnAckProperties::default());
    // No PUBREL, no DUP; the message that the server never took over is one of the new session.
    assert_eq!(sent[1..], [numbered(1, message("t", b"2", QoS::AtLeastOnce))]);
    assert!(
        events.iter().any(|event| matches!(event, ClientEvent::Connected { session_present: false, .. }))
    );
    stage.tell(&numbered(9, incoming));
    assert_eq!(stage.messages().len(), 1, "its identifier means a new message");
}

// MQTT 5.0 client: MQTT-3.2.2-11
#[test]
fn no_message_goes_out_above_the_maximum_qos() {
    for (maximum, qos_max) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 1)] {
        let granted = ConnAckProperties { maximum_qos: Some(maximum), ..Default::default() };
        let mut stage = Stage::new(options(V5));
        // Messages of before the terms were known, too.
        for qos in ACKNOWLEDGED {
            stage.publish(message("t", b"queued", qos));
        }
        let (mut sent, mut events) = stage.connect(false, granted);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            stage.publish(message("t", b"now", qos));
        }
        sent.extend(stage.heard());
        events.extend(stage.events());
        for packet in &sent {
            assert!(
                !matches!(packet, Packet::Publish(publish) if publish.qos.bits() > qos_max),
                "{packet:?}"
            );
        }
        let refused = events.iter().filter(|event| {
            matches!(event, ClientEvent::Published { reason: ReasonCode::QoSNotSupported, .. })
        });
        assert_eq!(refused.count(), if qos_max == 0 { 4 } else { 2 }, "the driver is told");
    }
}

// MQTT 5.0 client: MQTT-3.2.2-14
#[test]
fn nothing_is_sent_to_be_retained_where_that_is_not_to_be_had() {
    let granted = ConnAckProperties { retain_available: Some(false), ..Default::default() };
    let mut stage = Stage::open_plain(V5);
    let retained = |qos| Publish { retain: true, ..message("t", b"x", qos) };
    stage.publish(retained(QoS::AtLeastOnce));
    // The first connection took it; on the second, what is under way must not go out again.
    let (sent, _) = stage.connect(true, granted);
    assert_eq!(sent.len(), 1);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        stage.publish(retained(qos));
    }
    assert_eq!(stage.heard(), []);
    let told = stage.events();
    let refused = |event: &&ClientEvent| {
        matches!(event, ClientEvent::Published { reason: ReasonCode::RetainNotSupported, .. })
    };
    assert_eq!(told.iter().filter(refused).count(), 3);
    stage.publish(message("t", b"x", QoS::AtMostOnce));
    assert_eq!(stage.heard().len(), 1);
}

// MQTT 5.0 client: MQTT-3.2.2-15
#[test]
fn no_packet_is_larger_than_the_server_takes() {
    for packet_size_max in [5_u32, 10, 20, 33, 128, 1_000] {
        let granted = ConnAckProperties {
            packet_size_max: Some(packet_size_max),
            topic_alias_maximum: Some(10),
            authentication_method: Some(text("m")),
            ..Default::default()
        };
        let mut options = options(V5);
        options.properties.authentication_method = Some(text("m"));
        let mut stage = Stage::open(options, granted);
        let mut largest = 0;
        for len in 1..1_100 {
            let topic = "t".repeat(1 + len / 3);
            let payload = vec![b'x'; len];
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let properties = PublishProperties { content_type: Some(text("c")), ..Default::default() };
                let properties = (len % 2 == 0).then(|| Box::new(properties));
                stage.publish(Publish { properties, ..message(&topic, &payload, qos) });
            }
            let filter = hearth_protocol::TopicFilter::try_from(&*topic).unwrap();
            let wanted = vec![hearth_protocol::packet::Subscription::new(filter.clone(), QoS::AtMostOnce)];
            let now = stage.now;
            let client = &mut stage.client;
            // What is too large is refused, and what fits goes out: `largest` says which.
            let _subscribed = client.subscribe(now, wanted, Default::default());
            let _unsubscribed = client.unsubscribe(now, vec![filter], Default::default());
            let data_len = payload.len();
            let is_asked = client.reauthenticate(now, Some(Bytes::from(payload))).is_ok();
            assert!(data_len < packet_size_max as usize || !is_asked);
            largest = largest.max(longest(&stage.heard_bytes()));
        }
        stage.tell(&numbered(7, message("t", b"x", QoS::ExactlyOnce)));
        stage.tell(&Packet::PubRel(ok(7)));
        stage.tell(&Packet::PubRel(ok(7)));
        stage.tell(&Packet::PubRec(ok(u16::MAX)));
        largest = largest.max(longest(&stage.heard_bytes()));
        let mut wordy = Disconnect::new(ReasonCode::DisconnectWithWill);
        wordy.properties.reason_string = Some(text(&"words ".repeat(200)));
        stage.client.disconnect(stage.now, wordy);
        largest = largest.max(longest(&stage.heard_bytes()));
        assert!(largest <= packet_size_max as usize, "{largest} where {packet_size_max} are taken");
        assert!(largest * 2 >= packet_size_max as usize, "it does send what fits: {largest}");
    }
}

/// The length of the longest packet among them.
fn longest(mut bytes: &[u8]) -> usize {
    let mut longest = 0;
    while !bytes.is_empty() {
        let len = hearth_protocol::codec::frame_len(bytes, V5, usize::MAX).unwrap().unwrap();
        longest = longest.max(len);
        bytes = &bytes[len..];
    }
    longest
}

/// The aliases of the messages that the client wrote.
fn aliases(stage: &mut Stage) -> Vec<Option<u16>> {
    let alias = |packet| match packet {
        Packet::Publish(publish) => publish.properties.and_then(|properties| properties.topic_alias),
        other => panic!("{other:?}"),
    };
    stage.heard().into_iter().map(alias).collect()
}

impl Stage {
    /// Messages to ever other topics, and often to the same.
    fn publish_to_many(&mut self) {
        for number in 0..200 {
            for topic in [format!("topic/{number}"), format!("topic/{}", number % 3)] {
                self.publish(message(&topic, b"x", QoS::AtMostOnce));
            }
        }
    }
}

// MQTT 5.0 client: MQTT-3.2.2-17 MQTT-3.3.2-8 MQTT-3.3.2-9
#[test]
fn no_alias_is_0_or_above_what_the_server_takes() {
    for maximum in [1, 2, 7, 1_000, u16::MAX] {
        let granted = ConnAckProperties { topic_alias_maximum: Some(maximum), ..Default::default() };
        let mut stage = Stage::open(ClientOptions { topic_aliases_max: u16::MAX, ..options(V5) }, granted);
        stage.publish_to_many();
        let aliases = aliases(&mut stage);
        assert!(aliases.iter().flatten().all(|alias| (1..=maximum).contains(alias)));
        assert!(aliases.iter().any(Option::is_some), "it does use them");
        for alias in [0, 1, maximum] {
            let properties = PublishProperties { topic_alias: Some(alias), ..Default::default() };
            let own =
                Publish { properties: Some(Box::new(properties)), ..message("t", b"x", QoS::AtMostOnce) };
            assert_eq!(stage.client.publish(stage.now, own), Err(PublishError::Topic));
        }
    }
}

// MQTT 5.0 client: MQTT-3.2.2-18
#[test]
fn no_alias_is_used_where_the_server_takes_none() {
    for maximum in [None, Some(0)] {
        let granted = ConnAckProperties { topic_alias_maximum: maximum, ..Default::default() };
        let mut stage = Stage::open(ClientOptions { topic_aliases_max: 100, ..options(V5) }, granted);
        stage.publish_to_many();
        assert_eq!(aliases(&mut stage), [None; 400]);
    }
}

// MQTT 5.0 client: MQTT-3.1.2-21 MQTT-3.2.2-21
#[test]
fn the_keep_alive_of_the_server_counts_and_not_the_one_that_was_asked_for() {
    for (asked, granted, first_ping) in [
        (60, Some(10), Some(10)),
        (10, Some(60), Some(60)),
        (0, Some(30), Some(30)),
        (10, Some(0), None),
        (10, None, Some(10)),
    ] {
        let properties = ConnAckProperties { server_keep_alive: granted, ..Default::default() };
        let mut stage = Stage::open(ClientOptions { keep_alive: asked, ..options(V5) }, properties);
        let pinged = (1..=120).find(|_| {
            stage.pass(Duration::from_secs(1)).unwrap();
            stage.heard() == [Packet::PingReq]
        });
        assert_eq!(pinged, first_ping, "{asked} s asked for, {granted:?} granted");
    }
}
