//! DISCONNECT: what the client may say in it.

use super::*;
use crate::packet::DisconnectProperties;
use crate::property::UserProperties;

fn wordy() -> DisconnectProperties {
    DisconnectProperties {
        session_expiry: Some(60),
        reason_string: Some(text("going home")),
        user_properties: UserProperties::from_iter([(text("key"), text("a value"))]),
        server_reference: None,
    }
}

/// What a client says that is asked to say this.
fn said(bench: &mut Bench, reason: ReasonCode, properties: DisconnectProperties) -> Vec<Packet> {
    bench.client.disconnect(bench.now, Disconnect { reason, properties });
    assert!(bench.client.is_closing() && !bench.client.is_connected());
    bench.sent()
}

fn packet(reason: ReasonCode, properties: DisconnectProperties) -> Packet {
    Packet::Disconnect(Disconnect { reason, properties })
}

#[test]
fn it_says_what_it_is_told_where_a_client_may() {
    for code in [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99] {
        let reason = ReasonCode::from_byte(code).unwrap();
        let sent = said(&mut Bench::open_default(), reason, wordy());
        assert_eq!(sent, [packet(reason, wordy())]);
    }
}

#[test]
fn reasons_and_properties_of_a_server_are_not_said_by_a_client() {
    for code in (0x80..=0xA2).filter_map(ReasonCode::from_byte) {
        let sent = said(&mut Bench::open_default(), code, DisconnectProperties::default());
        let [Packet::Disconnect(Disconnect { reason, .. })] = sent[..] else { panic!("{sent:?}") };
        let is_of_client = matches!(code.byte(), 0x80..=0x83 | 0x90 | 0x93..=0x99);
        assert_eq!(reason, if is_of_client { code } else { ReasonCode::UnspecifiedError });
    }
    let directed = DisconnectProperties { server_reference: Some(text("there")), ..wordy() };
    let sent = said(&mut Bench::open_default(), ReasonCode::Success, directed);
    assert_eq!(sent, [packet(ReasonCode::Success, wordy())]);
}

#[test]
fn a_session_that_connect_did_not_ask_for_is_not_asked_for_at_the_end() {
    let options = ClientOptions { properties: ConnectProperties::default(), ..options() };
    let mut bench = Bench::open(options, ConnAckProperties::default());
    let sent = said(&mut bench, ReasonCode::Success, wordy());
    assert_eq!(sent, [packet(ReasonCode::Success, DisconnectProperties { session_expiry: None, ..wordy() })]);
}

#[test]
fn words_are_left_out_where_they_are_too_much_for_the_server() {
    let all = codec::encoded_len(&packet(ReasonCode::Success, wordy()), Version::V5).unwrap();
    let terse = DisconnectProperties { user_properties: UserProperties::EMPTY, ..wordy() };
    let terse_len = codec::encoded_len(&packet(ReasonCode::Success, terse.clone()), Version::V5).unwrap();
    let bare = DisconnectProperties { reason_string: None, ..terse.clone() };
    for (bytes, expected) in
        [(all, wordy()), (all - 1, terse.clone()), (terse_len, terse), (terse_len - 1, bare)]
    {
        let packet_size_max = u32::try_from(bytes).ok();
        let mut bench = Bench::open(options(), ConnAckProperties { packet_size_max, ..Default::default() });
        let sent = said(&mut bench, ReasonCode::Success, wordy());
        assert_eq!(sent, [packet(ReasonCode::Success, expected)], "{bytes}");
    }
}

#[test]
fn before_version_5_only_a_normal_end_has_a_packet() {
    for version in [Version::V31, Version::V311] {
        let open = || Bench::open(ClientOptions { version, ..options() }, ConnAckProperties::default());
        assert_eq!(said(&mut open(), ReasonCode::Success, wordy()), [goodbye(ReasonCode::Success)]);
        assert_eq!(said(&mut open(), ReasonCode::DisconnectWithWill, wordy()), []);
    }
}

#[test]
fn a_goodbye_before_connack_keeps_the_server_from_publishing_the_will() {
    let mut bench = Bench::new(options());
    bench.client.disconnect(bench.now, Disconnect::new(ReasonCode::Success));
    assert_eq!((bench.sent(), bench.client.is_closing()), (vec![], false), "there is no connection to end");
    bench.client.handle_open(bench.now);
    bench.client.disconnect(bench.now, Disconnect::new(ReasonCode::Success));
    bench.client.disconnect(bench.now, Disconnect::new(ReasonCode::Success));
    let sent = bench.sent();
    assert!(matches!(sent[..], [Packet::Connect(_), Packet::Disconnect(_)]), "{sent:?}");
}
