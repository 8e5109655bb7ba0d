//! QoS 0, 1 and 2 as sender and as receiver, and what goes out a second time (4.1, 4.3 to 4.5).

use std::collections::BTreeMap;

use hearth_protocol::TopicFilter;
use hearth_protocol::packet::{PublishProperties, SubAck};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

fn refusal(packet_id: u16) -> PublishAck {
    PublishAck::new(id(packet_id), ReasonCode::QuotaExceeded)
}

/// What became of messages, by their tokens.
fn outcomes(events: Vec<ClientEvent>) -> Vec<(Token, ReasonCode)> {
    let outcome = |event| match event {
        ClientEvent::Published { token, reason, .. } => Some((token, reason)),
        _ => None,
    };
    events.into_iter().filter_map(outcome).collect()
}

impl Stage {
    /// Hours go by on the open connection, whose server answers PINGREQ; gives all else that went out.
    #[track_caller]
    fn wait_for_hours(&mut self) -> Vec<Packet> {
        let mut heard = Vec::new();
        let end = self.now.saturating_add(HOUR * 3);
        while self.now < end {
            self.pass(Duration::from_secs(20)).expect("the client goes on");
            for packet in self.heard() {
                if packet == Packet::PingReq {
                    self.tell(&Packet::PingResp);
                } else {
                    heard.push(packet);
                }
            }
        }
        heard
    }

    /// One more connection of the session; gives what went out behind CONNECT.
    #[track_caller]
    fn resume(&mut self) -> Vec<Packet> {
        let (mut sent, _) = self.connect(true, ConnAckProperties::default());
        assert!(matches!(sent.remove(0), Packet::Connect(_)));
        sent
    }
}

/// A client with a message in each state that a session knows: out without an answer, out and taken over, in and held.
fn in_every_state(options: ClientOptions) -> (Stage, [Token; 3]) {
    let mut stage = Stage::open(options, ConnAckProperties::default());
    let tokens = [
        stage.publish(message("t", b"1", QoS::ExactlyOnce)),
        stage.publish(message("t", b"2", QoS::ExactlyOnce)),
        stage.publish(message("t", b"3", QoS::AtLeastOnce)),
    ];
    stage.tell(&Packet::PubRec(ok(1)));
    stage.tell(&numbered(9, message("in", b"x", QoS::ExactlyOnce)));
    assert_eq!(stage.heard().len(), 5);
    assert_eq!(stage.messages().len(), 1);
    (stage, tokens)
}

/// What `in_every_state` left is all there, and comes to its end.
#[track_caller]
fn assert_completed(stage: &mut Stage, tokens: [Token; 3]) {
    stage.tell(&again(9, message("in", b"x", QoS::ExactlyOnce)));
    assert_eq!(stage.heard(), [Packet::PubRec(ok(9))]);
    assert_eq!(stage.messages(), [], "the identifier is still held");
    for (packet, answer) in [
        (Packet::PubRel(ok(9)), Some(Packet::PubComp(ok(9)))),
        (Packet::PubComp(ok(1)), None),
        (Packet::PubRec(ok(2)), Some(Packet::PubRel(ok(2)))),
        (Packet::PubComp(ok(2)), None),
        (Packet::PubAck(ok(3)), None),
    ] {
        stage.tell(&packet);
        assert_eq!(stage.heard(), Vec::from_iter(answer));
    }
    assert_eq!(outcomes(stage.events()), tokens.map(|token| (token, ReasonCode::Success)));
    assert_eq!(stage.client.pending_len(), 0);
}

// MQTT 3.1.1 client: MQTT-4.1.0-1 MQTT-4.1.0-2
// MQTT 5.0 client: MQTT-4.1.0-1
#[test]
fn session_state_is_kept_as_long_as_the_connection() {
    for version in VERSIONS {
        // A session that ends with its connection, and one that does not.
        let passing = ClientOptions { version, ..ClientOptions::new(text("passing")) };
        for options in [passing, options(version)] {
            let (mut stage, tokens) = in_every_state(options);
            assert_eq!(stage.wait_for_hours(), []);
            assert_completed(&mut stage, tokens);
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.1.0-1
#[test]
fn session_state_is_kept_across_the_connections_of_a_session() {
    let (mut stage, tokens) = in_every_state(options(Version::V311));
    for _ in 0..5 {
        stage.client.handle_close(stage.now);
        stage.now = stage.now.saturating_add(HOUR);
        let unacknowledged = [
            Packet::PubRel(ok(1)),
            again(2, message("t", b"2", QoS::ExactlyOnce)),
            again(3, message("t", b"3", QoS::AtLeastOnce)),
        ];
        assert_eq!(stage.resume(), unacknowledged);
    }
    assert_completed(&mut stage, tokens);
}

// MQTT 3.1.1 client: MQTT-4.3.1-1
// MQTT 5.0 client: MQTT-4.3.1-1
#[test]
fn a_message_of_qos_0_says_so_and_goes_out_once() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for (dup, retain, first) in [(false, false, 0x30), (true, false, 0x30), (true, true, 0x31)] {
            stage.publish(Publish { dup, retain, ..message("t", b"x", QoS::AtMostOnce) });
            let properties: &[u8] = if version.is_v5() { b"\0" } else { b"" };
            let body: [&[u8]; 3] = [b"\0\x01t", properties, b"x"];
            assert_eq!(stage.heard_bytes(), super::super::raw::packet(first, &body));
        }
        assert_eq!(stage.wait_for_hours(), []);
        assert_eq!(stage.resume(), []);
    }
}

/// Publishes, answers a part in an order of chance and checks each identifier against those in use.
fn publish_and_answer_at_random(version: Version, qos: QoS) {
    let mut stage = Stage::open_plain(version);
    let mut in_use: BTreeMap<u16, (Publish, Token)> = BTreeMap::new();
    let mut chance = 1_u64;
    for number in 0..2_000_u32 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let publish = message("t", &number.to_be_bytes(), qos);
        let token = stage.publish(publish.clone());
        let [Packet::Publish(sent)] = &stage.heard()[..] else { panic!("one message goes out") };
        let packet_id = sent.packet_id.expect("a message above QoS 0 has an identifier").get();
        assert_eq!(numbered(packet_id, publish.clone()), Packet::Publish(sent.clone()), "DUP is not set");
        assert!(in_use.insert(packet_id, (publish, token)).is_none(), "identifier {packet_id} is in use");
        let nth = (chance >> 33) as usize % (in_use.len() + 20);
        let Some(answered) = in_use.keys().nth(nth).copied() else { continue };
        let (_, token) = in_use.remove(&answered).unwrap();
        if qos == QoS::AtLeastOnce {
            stage.tell(&Packet::PubAck(ok(answered)));
        } else {
            stage.tell(&Packet::PubRec(ok(answered)));
            assert_eq!(stage.heard(), [Packet::PubRel(ok(answered))]);
            assert_eq!(stage.events(), []);
            stage.tell(&Packet::PubComp(ok(answered)));
        }
        assert_eq!(outcomes(stage.events()), [(token, ReasonCode::Success)]);
    }
    // What was not answered is unacknowledged, and nothing else is.
    let mut sent = stage.resume();
    sent.sort_by_key(|packet| match packet {
        Packet::Publish(publish) => publish.packet_id,
        _ => None,
    });
    let unacknowledged: Vec<_> =
        in_use.into_iter().map(|(packet_id, (publish, _))| again(packet_id, publish)).collect();
    assert!(unacknowledged.len() > 10 && sent == unacknowledged, "{version} {qos:?}");
}

// MQTT 3.1.1 client: MQTT-4.3.2-1
// MQTT 5.0 client: MQTT-4.3.2-1 MQTT-4.3.2-2 MQTT-4.3.2-3
#[test]
fn a_message_of_qos_1_has_an_unused_identifier_and_waits_for_its_puback() {
    for version in VERSIONS {
        publish_and_answer_at_random(version, QoS::AtLeastOnce);
        // Nothing but its PUBACK ends it.
        let mut stage = Stage::open_plain(version);
        let token = stage.publish(message("t", b"1", QoS::AtLeastOnce));
        for other in [Packet::PubRec(ok(1)), Packet::PubComp(ok(1)), Packet::PubRel(ok(1))] {
            stage.tell(&other);
        }
        for stray in [Packet::PubAck(ok(2)), suback(1)] {
            stage.say(&stray).unwrap_err();
            assert_eq!(stage.events(), []);
            assert_eq!(stage.resume(), [again(1, message("t", b"1", QoS::AtLeastOnce))]);
        }
        stage.tell(&Packet::PubAck(ok(1)));
        assert_eq!(outcomes(stage.events()), [(token, ReasonCode::Success)]);
        assert_eq!(stage.resume(), []);
    }
}

fn suback(packet_id: u16) -> Packet {
    let reasons = vec![ReasonCode::Success];
    Packet::SubAck(SubAck { packet_id: id(packet_id), reasons, properties: Default::default() })
}

// MQTT 3.1.1 client: MQTT-4.3.2-2
// MQTT 5.0 client: MQTT-4.3.2-4 MQTT-4.3.2-5
#[test]
fn each_message_of_qos_1_that_comes_is_acknowledged_and_new() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for packet_id in [1, 2, 300, 65_535] {
            for (dup, payload) in [(false, b"1"), (true, b"1"), (false, b"2"), (true, b"3")] {
                let publish = Publish { dup, ..message("in", payload, QoS::AtLeastOnce) };
                stage.tell(&numbered(packet_id, publish));
                assert_eq!(stage.heard(), [Packet::PubAck(ok(packet_id))]);
                let told = stage.messages();
                assert_eq!(told.len(), 1, "it is a new one");
                assert_eq!(told[0].payload, payload[..]);
            }
        }
    }
}

// MQTT 3.1.1 client: MQTT-4.3.3-1
// MQTT 5.0 client: MQTT-4.3.3-1 MQTT-4.3.3-2 MQTT-4.3.3-3
#[test]
fn a_message_of_qos_2_has_an_unused_identifier_and_waits_for_its_pubrec() {
    for version in VERSIONS {
        publish_and_answer_at_random(version, QoS::ExactlyOnce);
        // Nothing but its PUBREC takes it over.
        let mut stage = Stage::open_plain(version);
        stage.publish(message("t", b"1", QoS::ExactlyOnce));
        stage.tell(&Packet::PubComp(ok(1)));
        stage.tell(&Packet::PubRel(ok(1)));
        assert_eq!(stage.resume(), [again(1, message("t", b"1", QoS::ExactlyOnce))]);
        stage.say(&Packet::PubAck(ok(1))).unwrap_err();
        assert_eq!(stage.events(), []);
        assert_eq!(stage.resume(), [again(1, message("t", b"1", QoS::ExactlyOnce))]);
    }
}

// MQTT 3.1.1 client: MQTT-4.3.3-1
// MQTT 5.0 client: MQTT-4.3.3-4 MQTT-4.3.3-5 MQTT-4.3.3-6
#[test]
fn pubrec_brings_pubrel_which_waits_for_pubcomp_and_replaces_the_message() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        let tokens = [b"1", b"2", b"3"].map(|payload| stage.publish(message("t", payload, QoS::ExactlyOnce)));
        stage.heard();
        stage.tell(&Packet::PubRec(ok(2)));
        assert_eq!(stage.heard(), [Packet::PubRel(ok(2))]);
        let mut codes = vec![(3, ok(3))];
        if version.is_v5() {
            // A code below 0x80 that is not 0 means the same.
            codes = vec![(3, PublishAck::new(id(3), ReasonCode::NoMatchingSubscribers))];
        }
        for (packet_id, pubrec) in codes {
            stage.tell(&Packet::PubRec(pubrec));
            assert_eq!(stage.heard(), [Packet::PubRel(ok(packet_id))]);
        }
        assert_eq!(stage.wait_for_hours(), []);
        for _ in 0..3 {
            let sent = stage.resume();
            let first = again(1, message("t", b"1", QoS::ExactlyOnce));
            assert_eq!(sent, [Packet::PubRel(ok(2)), Packet::PubRel(ok(3)), first]);
            // A PUBREC that comes again is answered again, and ends nothing.
            stage.tell(&Packet::PubRec(ok(2)));
            assert_eq!(stage.heard(), [Packet::PubRel(ok(2))]);
            assert_eq!(stage.events(), []);
        }
        stage.tell(&Packet::PubComp(ok(2)));
        assert_eq!(outcomes(stage.events()), [(tokens[1], ReasonCode::Success)]);
        assert_eq!(stage.resume().len(), 2);
        stage.tell(&Packet::PubComp(ok(3)));
        // Nobody has subscribed: what PUBREC said is what the message came to.
        let end = if version.is_v5() { ReasonCode::NoMatchingSubscribers } else { ReasonCode::Success };
        assert_eq!(outcomes(stage.events()), [(tokens[2], end)]);
        assert_eq!(stage.resume().len(), 1);
    }
}

/// A message of QoS 2 that expires within a second.
fn short_lived(payload: &[u8]) -> Publish {
    let properties = PublishProperties { message_expiry: Some(1), ..Default::default() };
    Publish { properties: Some(Box::new(properties)), ..message("t", payload, QoS::ExactlyOnce) }
}

// MQTT 5.0 client: MQTT-4.3.3-7
#[test]
fn a_message_of_qos_2_that_went_out_does_not_expire() {
    let mut stage = Stage::open_plain(Version::V5);
    let token = stage.publish(short_lived(b"x"));
    assert_eq!(stage.heard(), [numbered(1, short_lived(b"x"))]);
    assert_eq!(stage.wait_for_hours(), []);
    for _ in 0..2 {
        stage.client.handle_close(stage.now);
        stage.now = stage.now.saturating_add(HOUR);
        assert_eq!(stage.resume(), [again(1, short_lived(b"x"))]);
        assert_eq!(stage.events(), []);
    }
    stage.tell(&Packet::PubRec(ok(1)));
    assert_eq!(stage.heard(), [Packet::PubRel(ok(1))]);
    assert_eq!(stage.wait_for_hours(), []);
    assert_eq!(stage.resume(), [Packet::PubRel(ok(1))]);
    stage.tell(&Packet::PubComp(ok(1)));
    assert_eq!(outcomes(stage.events()), [(token, ReasonCode::Success)]);
}

// MQTT 3.1.1 client: MQTT-4.3.3-2
// MQTT 5.0 client: MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12
#[test]
fn a_message_of_qos_2_that_comes_is_told_once_until_its_pubcomp() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        for packet_id in [1, 2, 300, 65_535] {
            for round in [b"1", b"2", b"3"] {
                stage.tell(&numbered(packet_id, message("in", round, QoS::ExactlyOnce)));
                assert_eq!(stage.heard(), [Packet::PubRec(ok(packet_id))]);
                let told = stage.messages();
                assert_eq!(told.len(), 1, "behind PUBCOMP it is a new one");
                assert_eq!(told[0].payload, round[..]);
                for dup in [true, false, true] {
                    // On this connection and, as a server that has a session sends it, on the next.
                    let publish = Publish { dup, ..message("in", round, QoS::ExactlyOnce) };
                    stage.tell(&numbered(packet_id, publish));
                    assert_eq!(stage.heard(), [Packet::PubRec(ok(packet_id))]);
                    assert_eq!(stage.events(), []);
                    assert_eq!(stage.resume(), []);
                    stage.tell(&again(packet_id, message("in", round, QoS::ExactlyOnce)));
                    assert_eq!(stage.heard(), [Packet::PubRec(ok(packet_id))]);
                    assert_eq!(stage.events(), []);
                }
                stage.tell(&Packet::PubRel(ok(packet_id)));
                assert_eq!(stage.heard(), [Packet::PubComp(ok(packet_id))]);
            }
        }
    }
}

// MQTT 5.0 client: MQTT-4.3.3-8 MQTT-4.3.3-9
#[test]
fn a_message_of_qos_2_that_the_client_does_not_take_is_new_when_it_comes_again() {
    // The client refuses by ending the connection, with no PUBREC at all.
    let mut options = options(Version::V5);
    options.properties.receive_maximum = Some(2);
    let mut stage = Stage::open(options, ConnAckProperties::default());
    for (packet_id, payload) in [(1, b"1"), (2, b"2")] {
        stage.tell(&numbered(packet_id, message("in", payload, QoS::ExactlyOnce)));
    }
    assert_eq!(stage.heard(), [Packet::PubRec(ok(1)), Packet::PubRec(ok(2))]);
    assert_eq!(stage.messages().len(), 2);
    let above = message("in", b"3", QoS::ExactlyOnce);
    stage.say(&numbered(3, above.clone())).unwrap_err();
    assert_eq!(stage.heard(), [goodbye(ReasonCode::ReceiveMaximumExceeded)]);
    assert_eq!(stage.events(), []);
    assert_eq!(stage.resume(), []);
    for (packet_id, payload) in [(1, b"1"), (2, b"2")] {
        stage.tell(&again(packet_id, message("in", payload, QoS::ExactlyOnce)));
        stage.tell(&Packet::PubRel(ok(packet_id)));
    }
    stage.heard();
    assert_eq!(stage.messages().len(), 0);
    stage.tell(&again(3, above));
    assert_eq!(stage.heard(), [Packet::PubRec(ok(3))]);
    assert_eq!(stage.messages().len(), 1);
}

// MQTT 5.0 client: MQTT-4.3.3-13
#[test]
fn a_message_of_qos_2_is_acknowledged_to_its_end_after_it_expired() {
    let mut stage = Stage::open_plain(Version::V5);
    stage.tell(&numbered(5, short_lived(b"x")));
    assert_eq!(stage.heard(), [Packet::PubRec(ok(5))]);
    assert_eq!(stage.messages().len(), 1);
    assert_eq!(stage.wait_for_hours(), []);
    assert_eq!(stage.resume(), []);
    stage.tell(&again(5, short_lived(b"x")));
    assert_eq!(stage.heard(), [Packet::PubRec(ok(5))]);
    assert_eq!(stage.wait_for_hours(), []);
    stage.tell(&Packet::PubRel(ok(5)));
    assert_eq!(stage.heard(), [Packet::PubComp(ok(5))]);
    assert_eq!(stage.messages(), []);
}

// MQTT 3.1.1 client: MQTT-4.4.0-1
// MQTT 5.0 client: MQTT-4.4.0-1
#[test]
fn what_is_unacknowledged_goes_out_again_when_the_session_is_resumed_and_only_then() {
    for version in VERSIONS {
        let (mut stage, _) = in_every_state(options(version));
        let unacknowledged = [
            Packet::PubRel(ok(1)),
            again(2, message("t", b"2", QoS::ExactlyOnce)),
            again(3, message("t", b"3", QoS::AtLeastOnce)),
        ];
        assert_eq!(stage.wait_for_hours(), [], "not on the connection that carried it");
        for _ in 0..3 {
            assert_eq!(stage.resume(), unacknowledged);
            assert_eq!(stage.wait_for_hours(), []);
        }
        // Where the server has no session, or is to forget it, all is new but what the server took over.
        for clean_start in [false, true] {
            let (mut stage, _) = in_every_state(options(version));
            stage.client.options_mut().clean_start = clean_start;
            let (sent, _) = stage.connect(false, ConnAckProperties::default());
            let expected = [(1, b"2", QoS::ExactlyOnce), (2, b"3", QoS::AtLeastOnce)]
                .map(|(packet_id, payload, qos)| numbered(packet_id, message("t", payload, qos)));
            assert_eq!(sent[1..], expected);
        }
    }
}

// MQTT 5.0 client: MQTT-4.4.0-2
#[test]
fn a_message_that_the_server_refused_does_not_go_out_again() {
    let mut stage = Stage::open_plain(Version::V5);
    let mut expected = Vec::new();
    for code in (0x80..=0xFF).filter_map(ReasonCode::from_byte) {
        // Those that PUBACK and PUBREC may carry (3.4.2.1, 3.5.2.1).
        if !matches!(code.byte(), 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99) {
            continue;
        }
        for qos in ACKNOWLEDGED {
            let token = stage.publish(message("t", b"x", qos));
            let [Packet::Publish(Publish { packet_id: Some(packet_id), .. })] = stage.heard()[..] else {
                panic!("one message goes out")
            };
            let ack = PublishAck::new(packet_id, code);
            let answer = if qos == QoS::AtLeastOnce { Packet::PubAck(ack) } else { Packet::PubRec(ack) };
            stage.tell(&answer);
            assert_eq!(stage.heard(), [], "nor is there a PUBREL");
            expected.push((token, code));
        }
    }
    assert_eq!(expected.len(), 14);
    assert_eq!(outcomes(stage.events()), expected);
    assert_eq!(stage.wait_for_hours(), []);
    assert_eq!(stage.resume(), []);
    // Refused on the second try.
    for qos in ACKNOWLEDGED {
        stage.publish(message("t", b"x", qos));
    }
    let sent = stage.resume();
    assert_eq!(sent.len(), 2);
    for packet in sent {
        let Packet::Publish(Publish { packet_id: Some(packet_id), qos, .. }) = packet else { panic!() };
        let ack = refusal(packet_id.get());
        let answer = if qos == QoS::AtLeastOnce { Packet::PubAck(ack) } else { Packet::PubRec(ack) };
        stage.tell(&answer);
    }
    assert_eq!(stage.resume(), []);
}

// MQTT 3.1.1 client: MQTT-4.5.0-2
// MQTT 5.0 client: MQTT-4.5.0-2
#[test]
fn every_message_is_acknowledged_whatever_becomes_of_it() {
    for version in VERSIONS {
        let mut stage = Stage::open_plain(version);
        // Never subscribed to, empty, not text, of odd properties; and nobody looks at any of them.
        let payloads: [&[u8]; 4] = [b"", b"text", b"\xff\0\xfe", &[7; 100_000]];
        let mut packet_id = 0;
        for topic in ["a", "$x/y", "/", "a//b", "ä/€"] {
            for payload in payloads {
                for retain in [false, true] {
                    let publish = |qos| Publish { retain, ..message(topic, payload, qos) };
                    packet_id += 1;
                    stage.tell(&Packet::Publish(publish(QoS::AtMostOnce)));
                    assert_eq!(stage.heard(), []);
                    stage.tell(&numbered(packet_id, publish(QoS::AtLeastOnce)));
                    assert_eq!(stage.heard(), [Packet::PubAck(ok(packet_id))]);
                    packet_id += 1;
                    stage.tell(&numbered(packet_id, publish(QoS::ExactlyOnce)));
                    assert_eq!(stage.heard(), [Packet::PubRec(ok(packet_id))]);
                    stage.tell(&Packet::PubRel(ok(packet_id)));
                    assert_eq!(stage.heard(), [Packet::PubComp(ok(packet_id))]);
                }
            }
        }
        // Nor does it matter that the subscription is over.
        let now = stage.now;
        stage.client.unsubscribe(now, vec![filter("#")], Default::default()).unwrap();
        stage.heard();
        stage.tell(&numbered(7, message("a", b"x", QoS::AtLeastOnce)));
        assert_eq!(stage.heard(), [Packet::PubAck(ok(7))]);
    }
}
