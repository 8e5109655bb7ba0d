//! What no server may send to this client.

use super::*;
use crate::packet::{Auth, AuthProperties, DisconnectProperties, ReasonProperties, SubAck};
use crate::property::UserProperties;
use ReasonCode::{PacketTooLarge, ProtocolError as Violation, Success};

/// How the client takes a CONNACK.
fn take(
    options: ClientOptions,
    session_present: bool,
    properties: ConnAckProperties,
) -> Result<(), ReasonCode> {
    let mut bench = Bench::new(options);
    bench.client.handle_open(bench.now);
    bench.sent();
    let taken = bench.hear(&connack(session_present, Success, properties)).map_err(|error| error.reason);
    assert_eq!(bench.client.is_connected(), taken.is_ok());
    assert_eq!(bench.client.is_closing(), taken.is_err());
    let farewell = taken.err().map(goodbye);
    assert_eq!(bench.sent(), Vec::from_iter(farewell), "the server hears why");
    assert_eq!(bench.events().len(), usize::from(taken.is_ok()));
    taken
}

#[test]
fn a_session_that_the_client_knows_nothing_of_ends_the_connection_unless_it_is_adopted() {
    let none = ConnAckProperties::default;
    assert_eq!(take(options(), true, none()), Err(Violation));
    assert_eq!(take(ClientOptions { adopt_session: true, ..options() }, true, none()), Ok(()));
    assert_eq!(
        take(ClientOptions { clean_start: true, adopt_session: true, ..options() }, true, none()),
        Err(Violation)
    );
    let v311 = ClientOptions { version: Version::V311, ..options() };
    assert_eq!(take(v311, true, none()), Ok(()), "3.1.1 leaves the choice to the client");
}

#[test]
fn a_session_is_known_as_long_as_it_lasts() {
    let expiry = |seconds| ConnAckProperties { session_expiry: seconds, ..Default::default() };
    let end = |seconds| Disconnect {
        reason: Success,
        properties: DisconnectProperties { session_expiry: seconds, ..Default::default() },
    };
    let lasting = Some(3600);
    for (asked, granted, last_word, is_known) in [
        (lasting, None, None, true),
        (None, None, None, false),
        (Some(0), None, None, false),
        (lasting, Some(0), None, false),
        (None, Some(5), None, true),
        (lasting, None, Some(end(None)), true),
        (lasting, None, Some(end(Some(0))), false),
        (lasting, None, Some(end(Some(9))), true),
    ] {
        let mut options = options();
        options.properties.session_expiry = asked;
        let mut bench = Bench::open(options, expiry(granted));
        if let Some(last_word) = last_word.clone() {
            bench.client.disconnect(bench.now, last_word);
        }
        bench.client.handle_close(bench.now);
        bench.client.handle_open(bench.now);
        let taken = bench.hear(&connack(true, Success, ConnAckProperties::default()));
        assert_eq!(taken.is_ok(), is_known, "{asked:?} {granted:?} {last_word:?}");
    }
}

#[test]
fn a_session_that_a_connect_without_an_answer_may_have_begun_is_known() {
    for (version, is_written, is_known) in
        [(Version::V5, true, true), (Version::V5, false, false), (Version::V311, false, true)]
    {
        let mut bench = Bench::new(ClientOptions { version, ..options() });
        bench.client.handle_open(bench.now);
        if is_written {
            assert_eq!(bench.sent().len(), 1);
        }
        bench.client.handle_close(bench.now);
        bench.client.handle_open(bench.now);
        bench.sent();
        let taken = bench.hear(&connack(true, Success, ConnAckProperties::default()));
        assert_eq!(taken.is_ok(), is_known);
    }
    let mut silent = Bench::new(options());
    silent.client.handle_open(silent.now);
    silent.sent();
    silent.pass(10_000).unwrap_err();
    silent.reconnect(true);
    let mut foreign = Bench::new(options());
    for _ in 0..2 {
        foreign.client.handle_open(foreign.now);
        foreign.sent();
        foreign.hear(&connack(true, Success, ConnAckProperties::default())).unwrap_err();
        foreign.client.handle_close(foreign.now);
    }
}

#[test]
fn a_connack_with_what_connect_did_not_ask_for_ends_the_connection() {
    let response =
        || ConnAckProperties { response_information: Some(text("answers/")), ..Default::default() };
    assert_eq!(take(options(), false, response()), Err(Violation));
    let mut asking = options();
    asking.properties.request_response_information = Some(true);
    assert_eq!(take(asking, false, response()), Ok(()));
    let data = ConnAckProperties { authentication_data: Some(Bytes::new()), ..Default::default() };
    assert_eq!(take(options(), false, data), Err(Violation));
    let unnamed = ClientOptions { client_id: Text::EMPTY, ..options() };
    assert_eq!(take(unnamed, false, ConnAckProperties::default()), Err(Violation));
    let small = |bytes| ConnAckProperties { packet_size_max: Some(bytes), ..Default::default() };
    assert_eq!(take(options(), false, small(4)), Err(PacketTooLarge));
    assert_eq!(take(options(), false, small(5)), Ok(()));
}

#[test]
fn words_that_connect_asked_not_to_have_end_the_connection() {
    let reason_string = Some(text("in words"));
    let user_properties = UserProperties::from_iter([(text("key"), text("value"))]);
    for properties in [
        ReasonProperties { reason_string: reason_string.clone(), ..Default::default() },
        ReasonProperties { user_properties: user_properties.clone(), ..Default::default() },
    ] {
        let ack = || PublishAck { properties: properties.clone(), ..ok(1) };
        let method = Some(text("method"));
        let auth = AuthProperties {
            authentication_method: method.clone(),
            reason_string: properties.reason_string.clone(),
            user_properties: properties.user_properties.clone(),
            ..Default::default()
        };
        let suback = SubAck { packet_id: id(2), reasons: vec![Success], properties: properties.clone() };
        for packet in [
            Packet::PubAck(ack()),
            Packet::PubRec(ack()),
            Packet::PubRel(ack()),
            Packet::PubComp(ack()),
            Packet::SubAck(suback.clone()),
            Packet::Auth(Auth { reason: Success, properties: auth }),
        ] {
            for (request_problem_information, is_taken) in
                [(None, true), (Some(true), true), (Some(false), false)]
            {
                let mut options = options();
                options.properties.request_problem_information = request_problem_information;
                options.properties.authentication_method = method.clone();
                let accepting = ConnAckProperties {
                    authentication_method: method.clone(),
                    reason_string: reason_string.clone(),
                    ..Default::default()
                };
                let mut bench = Bench::open(options, accepting);
                let qos =
                    if matches!(packet, Packet::PubAck(_)) { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                bench.publish(qos, "x");
                let filter = crate::TopicFilter::try_from("a").unwrap();
                let wanted = vec![crate::packet::Subscription::new(filter, qos)];
                bench.client.subscribe(bench.now, wanted, Default::default()).unwrap();
                bench.client.reauthenticate(bench.now, None).unwrap();
                let heard = bench.hear(&packet);
                assert_eq!(heard.is_ok(), is_taken, "{packet:?}");
                assert!(heard.is_ok_and(|()| true) || bench.sent().pop() == Some(goodbye(Violation)));
            }
        }
    }
}

#[test]
fn a_session_expiry_in_the_goodbye_of_a_server_is_a_violation_that_nobody_hears_of() {
    let mut bench = Bench::open_default();
    let properties = DisconnectProperties { session_expiry: Some(1), ..Default::default() };
    let packet = Packet::Disconnect(Disconnect { reason: ReasonCode::ServerBusy, properties });
    assert_eq!(bench.hear(&packet).unwrap_err().reason, Violation);
    assert_eq!((bench.sent(), bench.client.is_closing()), (vec![], true));
}

#[test]
fn a_client_id_that_a_server_must_refuse_is_not_sent() {
    let long = "0123456789abcdefghijklmn";
    for (version, client_id, clean_start, is_sent) in [
        (Version::V311, "", false, false),
        (Version::V311, "", true, true),
        (Version::V5, "", false, true),
        (Version::V31, "", true, false),
        (Version::V31, long, true, false),
        (Version::V31, &long[1..], true, true),
        (Version::V311, long, true, true),
    ] {
        let options = ClientOptions { version, client_id: text(client_id), clean_start, ..options() };
        let mut bench = Bench::new(options);
        bench.client.handle_open(bench.now);
        assert_eq!(bench.sent().len(), usize::from(is_sent), "{version:?} {client_id:?} {clean_start}");
        let reason = ReasonCode::ClientIdentifierNotValid;
        let refused = ClientEvent::Refused { reason, reason_string: None, server_reference: None };
        assert_eq!(bench.events(), Vec::from_iter((!is_sent).then_some(refused)));
        assert_eq!(bench.client.is_closing(), !is_sent);
    }
}

#[test]
fn a_pubrel_that_comes_again_says_so_in_3_1_alone() {
    for (version, first_byte) in [(Version::V31, 0x6A), (Version::V311, 0x62), (Version::V5, 0x62)] {
        let mut bench = Bench::open(ClientOptions { version, ..options() }, ConnAckProperties::default());
        bench.publish(QoS::ExactlyOnce, "x");
        bench.hear(&Packet::PubRec(ok(1))).unwrap();
        bench.sent();
        bench.client.handle_close(bench.now);
        bench.client.handle_open(bench.now);
        bench.sent();
        bench.hear(&connack(version > Version::V31, Success, ConnAckProperties::default())).unwrap();
        assert_eq!(bench.client.take_output().unwrap()[..], [first_byte, 2, 0, 1], "{version:?}");
    }
}

#[test]
fn a_password_without_a_user_name_goes_out_in_version_5_alone() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let password = Some(bytes::Bytes::from_static(b"secret"));
        let mut bench = Bench::new(ClientOptions { version, password, ..options() });
        bench.client.handle_open(bench.now);
        let is_sent = version == Version::V5;
        assert_eq!(bench.sent().len(), usize::from(is_sent), "{version:?}");
        let reason = ReasonCode::BadUserNameOrPassword;
        let refused = ClientEvent::Refused { reason, reason_string: None, server_reference: None };
        assert_eq!(bench.events(), Vec::from_iter((!is_sent).then_some(refused)));
        assert_eq!(bench.client.is_closing(), !is_sent);
    }
}
