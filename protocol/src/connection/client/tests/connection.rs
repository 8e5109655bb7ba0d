//! Opening, keeping alive and ending a connection.

use super::*;
use crate::packet::{Auth, AuthProperties, SubAck};

#[test]
fn connect_is_the_first_packet_and_says_what_the_options_say() {
    let mut bench =
        Bench::new(ClientOptions { keep_alive: 7, packet_size_max: 1000, adopt_session: true, ..options() });
    bench.client.handle_open(bench.now);
    let sent = bench.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((connect.version, connect.keep_alive, connect.clean_start), (Version::V5, 7, false));
    assert_eq!((&*connect.client_id, connect.properties.packet_size_max), ("tester", Some(1000)));
    assert!(!bench.client.is_connected());
    bench.hear(&connack(true, ReasonCode::Success, ConnAckProperties::default())).unwrap();
    assert!(bench.client.is_connected());
    let [ClientEvent::Connected { session_present: true, .. }] = bench.events()[..] else { panic!() };
}

#[test]
fn a_refusal_is_told_with_its_reason_and_words() {
    let mut bench = Bench::new(options());
    bench.client.handle_open(bench.now);
    let reason_string = Some(text("not today"));
    let server_reference = Some(text("other.example:1883"));
    let properties = ConnAckProperties {
        reason_string: reason_string.clone(),
        server_reference: server_reference.clone(),
        ..Default::default()
    };
    let reason = ReasonCode::UseAnotherServer;
    bench.hear(&connack(false, reason, properties)).unwrap();
    assert_eq!(bench.events(), [ClientEvent::Refused { reason, reason_string, server_reference }]);
    assert_eq!((bench.client.is_connected(), bench.client.poll_timeout()), (false, None));
    assert!(bench.client.is_closing());
}

#[test]
fn a_server_that_does_not_answer_connect_is_given_up() {
    let mut bench = Bench::new(options());
    bench.client.handle_open(bench.now);
    assert_eq!(bench.client.poll_timeout(), Some(bench.now.saturating_add(RESPONSE_MAX)));
    assert_eq!(bench.pass(9_999), Ok(()));
    assert_eq!(bench.pass(1).unwrap_err().reason, ReasonCode::KeepAliveTimeout);
    assert_eq!(bench.client.poll_timeout(), None);
}

#[test]
fn a_will_that_no_packet_can_hold_is_refused_before_it_is_sent() {
    let password = Some(Bytes::from(vec![0; 70_000]));
    let mut bench = Bench::new(ClientOptions { password, ..options() });
    bench.client.handle_open(bench.now);
    assert!(matches!(bench.events()[..], [ClientEvent::Refused { reason: ReasonCode::PacketTooLarge, .. }]));
    assert_eq!(bench.sent(), []);
}

#[test]
fn ping_goes_out_after_the_keep_alive_and_its_round_trip_is_told() {
    let mut bench = Bench::open_default();
    bench.pass(29_999).unwrap();
    assert_eq!(bench.sent(), []);
    bench.pass(1).unwrap();
    assert_eq!(bench.sent(), [Packet::PingReq]);
    bench.pass(40).unwrap();
    bench.hear(&Packet::PingResp).unwrap();
    assert_eq!(bench.events(), [ClientEvent::Pong { round_trip: Duration::from_millis(40) }]);
    let due = bench.now.saturating_add(Duration::from_millis(29_960));
    assert_eq!(bench.client.poll_timeout(), Some(due), "counted from the ping, which the server heard last");
}

#[test]
fn a_silent_server_is_given_up_with_words() {
    let mut bench = Bench::open_default();
    bench.pass(30_000).unwrap();
    assert_eq!(bench.pass(9_999), Ok(()));
    assert_eq!(bench.pass(1).unwrap_err().reason, ReasonCode::KeepAliveTimeout);
    let farewell = goodbye(ReasonCode::UnspecifiedError);
    assert_eq!(bench.sent(), [Packet::PingReq, farewell], "a keep-alive time-out is for servers to tell");
    assert_eq!((bench.client.is_connected(), bench.client.poll_timeout()), (false, None));
}

#[test]
fn a_server_that_sends_other_packets_first_is_not_silent_and_is_pinged_on() {
    let mut bench = Bench::open(ClientOptions { keep_alive: 8, ..options() }, ConnAckProperties::default());
    bench.pass(8_000).unwrap();
    for second in 0..12 {
        bench.pass(1_000).unwrap();
        bench.hear(&Packet::Publish(message(QoS::AtMostOnce, "busy"))).unwrap();
        assert!(bench.client.is_connected(), "second {second}");
    }
    assert_eq!(bench.sent(), [Packet::PingReq, Packet::PingReq], "the server must hear from us all the same");
    bench.events();
    bench.hear(&Packet::PingResp).unwrap();
    assert_eq!(bench.events(), [ClientEvent::Pong { round_trip: Duration::from_secs(12) }]);
}

#[test]
fn the_keep_alive_of_the_server_replaces_that_of_the_client() {
    let properties = ConnAckProperties { server_keep_alive: Some(5), ..Default::default() };
    let mut bench = Bench::open(options(), properties);
    bench.pass(5_000).unwrap();
    assert_eq!(bench.sent(), [Packet::PingReq]);
    let properties = ConnAckProperties { server_keep_alive: Some(0), ..Default::default() };
    assert_eq!(Bench::open(options(), properties).client.poll_timeout(), None);
}

#[test]
fn a_ping_can_be_asked_for_and_goes_out_once() {
    let mut bench = Bench::open(ClientOptions { keep_alive: 0, ..options() }, ConnAckProperties::default());
    assert_eq!(bench.client.poll_timeout(), None);
    bench.client.ping(bench.now);
    bench.client.ping(bench.now);
    assert_eq!(bench.sent(), [Packet::PingReq]);
    assert_eq!(bench.client.poll_timeout(), Some(bench.now.saturating_add(RESPONSE_MAX)));
}

#[test]
fn a_client_id_that_the_server_chose_is_taken_over() {
    let properties = ConnAckProperties { assigned_client_id: Some(text("chosen")), ..Default::default() };
    let empty = ClientOptions { client_id: Text::EMPTY, ..options() };
    assert_eq!(&*Bench::open(empty, properties.clone()).client.options().client_id, "chosen");
    assert_eq!(&*Bench::open(options(), properties).client.options().client_id, "tester");
}

#[test]
fn options_that_change_count_from_the_next_connection() {
    let mut bench = Bench::open_default();
    bench.client.options_mut().version = Version::V311;
    bench.client.options_mut().clean_start = true;
    bench.hear(&goodbye(ReasonCode::ServerShuttingDown)).unwrap();
    assert_eq!(
        bench.events(),
        [ClientEvent::Disconnected(Disconnect::new(ReasonCode::ServerShuttingDown))],
        "a server of version 3 has no DISCONNECT"
    );
    bench.client.handle_close(bench.now);
    bench.client.handle_open(bench.now);
    let sent = bench.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((connect.version, connect.clean_start), (Version::V311, true));
}

#[test]
fn nothing_is_read_or_sent_after_the_server_said_goodbye() {
    let mut bench = Bench::open_default();
    let mut input = BytesMut::new();
    codec::encode(&goodbye(ReasonCode::SessionTakenOver), Version::V5, &mut input).unwrap();
    input.extend_from_slice(b"\xff\xff\xff");
    bench.client.handle_input(bench.now, &mut input).unwrap();
    assert!(input.is_empty());
    assert!(matches!(bench.events()[..], [ClientEvent::Disconnected(_)]));
    assert_eq!(
        bench.client.publish(bench.now, message(QoS::AtMostOnce, "late")),
        Err(PublishError::NotConnected)
    );
    assert_eq!(bench.sent(), []);
}

#[test]
fn disconnect_is_the_last_packet() {
    let mut bench = Bench::open_default();
    bench.publish(QoS::AtMostOnce, "last");
    bench.client.disconnect(bench.now, Disconnect::new(ReasonCode::DisconnectWithWill));
    bench.client.ping(bench.now);
    assert_eq!(
        bench.sent(),
        [Packet::Publish(message(QoS::AtMostOnce, "last")), goodbye(ReasonCode::DisconnectWithWill)]
    );
}

#[test]
fn a_server_that_breaks_a_rule_hears_why() {
    let method = Some(Text::try_from("method").unwrap());
    let properties = AuthProperties { authentication_method: method, ..AuthProperties::default() };
    let auth = Auth { reason: ReasonCode::ContinueAuthentication, properties };
    let suback =
        SubAck { packet_id: id(9), reasons: vec![ReasonCode::Success], properties: Default::default() };
    let violations = [
        connack(false, ReasonCode::Success, ConnAckProperties::default()),
        Packet::PingReq,
        Packet::Auth(auth),
        Packet::SubAck(suback),
        Packet::PubAck(ok(9)),
        Packet::PubRec(ack(9, ReasonCode::QuotaExceeded)),
    ];
    for packet in violations {
        let mut bench = Bench::open_default();
        assert_eq!(bench.hear(&packet).unwrap_err().reason, ReasonCode::ProtocolError, "{packet:?}");
        assert_eq!(bench.sent(), [goodbye(ReasonCode::ProtocolError)], "{packet:?}");
        assert!(!bench.client.is_connected());
    }
}

#[test]
fn malformed_bytes_end_the_connection_with_their_reason() {
    let mut bench = Bench::open_default();
    let error = bench.client.handle_input(bench.now, &mut BytesMut::from(&b"\x00\x00"[..])).unwrap_err();
    assert_eq!(error.reason, ReasonCode::MalformedPacket);
    assert_eq!(bench.sent(), [goodbye(ReasonCode::MalformedPacket)]);

    let options = ClientOptions { version: Version::V311, ..options() };
    let mut bench = Bench::open(options, ConnAckProperties::default());
    bench.client.handle_input(bench.now, &mut BytesMut::from(&b"\x00\x00"[..])).unwrap_err();
    assert_eq!(bench.sent(), [], "version 3 has no words for it");
}

#[test]
fn a_packet_over_the_stated_size_ends_the_connection() {
    let mut options = ClientOptions { packet_size_max: 1000, ..options() };
    options.properties.packet_size_max = Some(20);
    let mut bench = Bench::open(options, ConnAckProperties::default());
    let error = bench.hear(&Packet::Publish(message(QoS::AtMostOnce, "too long"))).unwrap_err();
    assert_eq!(error.reason, ReasonCode::PacketTooLarge);
}

#[test]
fn nothing_but_connack_may_answer_connect() {
    let mut bench = Bench::new(options());
    bench.client.handle_open(bench.now);
    bench.sent();
    let error = bench.hear(&Packet::Publish(message(QoS::AtMostOnce, "early"))).unwrap_err();
    assert_eq!(error.reason, ReasonCode::ProtocolError);
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![goodbye(ReasonCode::ProtocolError)]));
}

#[test]
fn a_session_after_a_clean_start_is_a_violation() {
    let mut bench = Bench::new(ClientOptions { clean_start: true, ..options() });
    bench.client.handle_open(bench.now);
    let answer = connack(true, ReasonCode::Success, ConnAckProperties::default());
    assert_eq!(bench.hear(&answer).unwrap_err().reason, ReasonCode::ProtocolError);
    assert_eq!(bench.events(), []);
}

#[test]
fn input_may_come_in_any_pieces() {
    let mut bench = Bench::open_default();
    let mut wire = BytesMut::new();
    for packet in [
        Packet::Publish(publish(1, QoS::AtLeastOnce, "one")),
        Packet::PingResp,
        Packet::Publish(publish(2, QoS::ExactlyOnce, "two")),
        Packet::PubRel(ok(2)),
    ] {
        codec::encode(&packet, Version::V5, &mut wire).unwrap();
    }
    let mut input = BytesMut::new();
    for byte in wire {
        input.extend_from_slice(&[byte]);
        bench.client.handle_input(bench.now, &mut input).unwrap();
    }
    assert!(input.is_empty());
    assert_eq!(bench.events().len(), 2);
    assert_eq!(bench.sent(), [Packet::PubAck(ok(1)), Packet::PubRec(ok(2)), Packet::PubComp(ok(2))]);
}

#[test]
fn a_large_output_buffer_is_given_away_whole() {
    let mut bench = Bench::open_default();
    let payload = Bytes::from(vec![7; 10 << 20]);
    bench.client.publish(bench.now, Publish { payload, ..message(QoS::AtMostOnce, "") }).unwrap();
    assert!(bench.client.take_output().unwrap().len() > 10 << 20);
    assert_eq!(bench.client.output.capacity(), 0);
    assert_eq!(bench.client.take_output(), None);
}
