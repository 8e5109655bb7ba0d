//! AUTH and enhanced authentication (3.15, 4.12), with SCRAM-SHA-256.

use bytes::Bytes;
use hearth_protocol::codec::encoded_len;
use hearth_protocol::packet::{Auth, AuthProperties, ConnAck, Connect, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};
use hearth_scram::{ClientExchange, METHOD, Verifier};
use tempfile::TempDir;

use super::broker::{SETTINGS, SharedBroker};
use super::packets::publish;
use super::raw::{self, RawConnect, field, properties};
use super::{greet, unique};
use crate::hearth::{Hearth, HearthCommand};
use crate::wire::{Wire, connect, message, text};

/// A broker that asks nobody who it is.
static OPEN: SharedBroker = SharedBroker::new();

/// A broker with users, whose passwords are their names backwards.
struct Guarded {
    hearth: Hearth,
    // The broker reads it again and again.
    _users: TempDir,
}

impl Guarded {
    #[track_caller]
    fn start() -> Self {
        let users = TempDir::new().unwrap();
        let file = users.path().join("users.toml");
        let entry = |name: &str| {
            let verifier = Verifier::derive(password(name).as_bytes(), b"salt of sixteen.", 4096);
            format!("[users.{name}]\nverifier = \"{verifier}\"\n")
        };
        std::fs::write(&file, entry("anna-lena") + &entry("otto-emil")).unwrap();
        let mut command = HearthCommand::new()
            .args(["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none"])
            .env("HEARTH_USERS", file.to_str().unwrap());
        for (name, value) in SETTINGS {
            command = command.env(name, value);
        }
        let hearth = command.start();
        Self { hearth, _users: users }
    }

    /// Sends a CONNECT that begins an exchange.
    #[track_caller]
    fn begin(&self, name: &str, password: &str, packet_size_max: Option<u32>) -> (Wire, ClientExchange) {
        let exchange = ClientExchange::new(name, password, &unique("nonce"));
        let mut terms = connect(Version::V5, &unique("guarded"));
        terms.properties.authentication_method = Some(text(METHOD));
        terms.properties.authentication_data = Some(Bytes::from(exchange.first()));
        terms.properties.packet_size_max = packet_size_max;
        let mut wire = Wire::open(self.hearth.mqtt(), Version::V5);
        wire.send(&Packet::Connect(Box::new(terms)));
        (wire, exchange)
    }

    /// Lets a user in; the AUTH of the broker on the way, and its CONNACK.
    #[track_caller]
    fn log_in(&self, name: &str, packet_size_max: Option<u32>) -> (Wire, Auth, ConnAck) {
        let (mut wire, exchange) = self.begin(name, &password(name), packet_size_max);
        let challenge = next_auth(&mut wire);
        let (answer, finish) = exchange.answer(&data(&challenge)).unwrap();
        wire.send(&auth(ReasonCode::ContinueAuthentication, answer));
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes behind the exchange") };
        assert_eq!(answer.reason, ReasonCode::Success);
        let last = answer.properties.authentication_data.as_ref().expect("the broker shows itself too");
        finish.finish(last).unwrap();
        (wire, challenge, *answer)
    }
}

fn password(name: &str) -> String {
    name.chars().rev().collect()
}

fn auth(reason: ReasonCode, data: Vec<u8>) -> Packet {
    auth_of(METHOD, reason, data)
}

fn auth_of(method: &str, reason: ReasonCode, data: Vec<u8>) -> Packet {
    Packet::Auth(Auth {
        reason,
        properties: AuthProperties {
            authentication_method: Some(text(method)),
            authentication_data: Some(Bytes::from(data)),
            ..AuthProperties::default()
        },
    })
}

#[track_caller]
fn next_auth(wire: &mut Wire) -> Auth {
    match wire.next() {
        Packet::Auth(auth) => auth,
        other => panic!("waited for AUTH, got {other:?}"),
    }
}

#[track_caller]
fn data(auth: &Auth) -> Vec<u8> {
    auth.properties.authentication_data.as_ref().expect("a challenge").to_vec()
}

/// Asks to authenticate again on an open connection; what the broker says to the answer.
#[track_caller]
fn renew(wire: &mut Wire, name: &str, password: &str) -> (Auth, Packet) {
    let exchange = ClientExchange::new(name, password, &unique("nonce"));
    wire.send(&auth(ReasonCode::ReAuthenticate, exchange.first()));
    let challenge = next_auth(wire);
    let (answer, _) = exchange.answer(&data(&challenge)).unwrap();
    wire.send(&auth(ReasonCode::ContinueAuthentication, answer));
    (challenge, wire.next())
}

// MQTT 5.0 server: MQTT-3.15.1-1
#[test]
fn an_auth_with_reserved_bits_is_malformed() {
    let guarded = Guarded::start();
    for flags in 1..16 {
        let body = properties(Version::V5, &[&[0x15], &field(METHOD)]);
        let renewal = raw::packet(0xF0 | flags, &[&[0x19], &body]);
        let (mut wire, ..) = guarded.log_in("anna-lena", None);
        wire.send_bytes(&renewal);
        wire.assert_ended_with(Some(ReasonCode::MalformedPacket), &format!("AUTH with flags {flags}"));

        let (mut wire, _) = guarded.begin("anna-lena", "x", None);
        next_auth(&mut wire);
        wire.send_bytes(&raw::packet(0xF0 | flags, &[&[0x18], &body]));
        match wire.wait_for_end() {
            None => {}
            Some(Packet::ConnAck(answer)) => assert_eq!(answer.reason, ReasonCode::MalformedPacket),
            Some(other) => panic!("before CONNACK: {other:?}"),
        }
    }
}

// MQTT 5.0 server: MQTT-3.15.2-1 MQTT-4.12.0-2 MQTT-4.12.0-5
#[test]
fn each_auth_and_connack_of_an_exchange_names_its_method_and_how_it_goes_on() {
    let guarded = Guarded::start();
    let (mut wire, challenge, answer) = guarded.log_in("anna-lena", None);
    assert_eq!(challenge.reason, ReasonCode::ContinueAuthentication);
    assert_eq!(challenge.properties.authentication_method, Some(text(METHOD)));
    assert_eq!(answer.properties.authentication_method, Some(text(METHOD)));
    for _ in 0..3 {
        let (challenge, last) = renew(&mut wire, "anna-lena", &password("anna-lena"));
        assert_eq!(challenge.reason, ReasonCode::ContinueAuthentication);
        assert_eq!(challenge.properties.authentication_method, Some(text(METHOD)));
        let Packet::Auth(last) = last else { panic!("AUTH ends it, not {last:?}") };
        assert_eq!(last.reason, ReasonCode::Success);
        assert_eq!(last.properties.authentication_method, Some(text(METHOD)));
    }
    // Messages go on while it is under way.
    let exchange = ClientExchange::new("anna-lena", &password("anna-lena"), "meanwhile");
    wire.send(&auth(ReasonCode::ReAuthenticate, exchange.first()));
    next_auth(&mut wire);
    wire.subscribe("meanwhile", QoS::AtMostOnce);
    wire.send(&Packet::Publish(message("meanwhile", b"x", QoS::AtMostOnce)));
    assert_eq!(wire.next_publish().payload, "x");
}

// MQTT 5.0 server: MQTT-3.15.2-2 MQTT-3.15.2-3
#[test]
fn no_auth_grows_beyond_what_the_client_takes() {
    let guarded = Guarded::start();
    let len = |packet: Packet| encoded_len(&packet, Version::V5).unwrap();
    let (mut wire, challenge, answer) = guarded.log_in("anna-lena", None);
    let (_, last) = renew(&mut wire, "anna-lena", &password("anna-lena"));
    let largest = len(last).max(len(Packet::Auth(challenge))).max(len(Packet::ConnAck(Box::new(answer))));
    // Nonces differ by a few characters.
    for room in largest + 4..largest + 40 {
        let (mut wire, challenge, _) = guarded.log_in("anna-lena", Some(room as u32));
        let (second, last) = renew(&mut wire, "anna-lena", &password("anna-lena"));
        for packet in [Packet::Auth(challenge), Packet::Auth(second), last] {
            assert!(matches!(packet, Packet::Auth(_)), "{packet:?}");
            assert!(len(packet.clone()) <= room, "where {room} fit: {packet:?}");
        }
    }
}

// MQTT 5.0 server: MQTT-4.12.0-1
#[test]
fn a_method_that_is_not_known_ends_the_connection() {
    let guarded = Guarded::start();
    let open = OPEN.get();
    for broker in [guarded.hearth.mqtt(), open.mqtt()] {
        for method in ["SCRAM-SHA-1", "scram-sha-256", "PLAIN", "", "x"] {
            let property = [&[0x15], &field(method)[..]].concat();
            let right = RawConnect::new(Version::V5, &unique("method"));
            let bytes = RawConnect { properties: properties(Version::V5, &[&property]), ..right }.bytes();
            let mut wire = greet(broker, Version::V5, &bytes);
            match wire.next_or_end() {
                None => {}
                Some(Packet::ConnAck(answer)) => {
                    let allowed = [ReasonCode::BadAuthenticationMethod, ReasonCode::NotAuthorized];
                    assert!(allowed.contains(&answer.reason), "{method:?}: {answer:?}");
                }
                Some(other) => panic!("{method:?}: {other:?}"),
            }
            assert_eq!(wire.next_or_end(), None, "{method:?}");
        }
    }
}

// MQTT 5.0 server: MQTT-4.12.0-4
#[test]
fn an_exchange_that_fails_ends_the_connection_with_a_refusal_or_none() {
    let guarded = Guarded::start();
    for (what, name, changed) in [
        ("a wrong password", "anna-lena", None),
        ("a user that is not there", "nobody", None),
        ("an empty answer", "anna-lena", Some(Vec::new())),
        ("an answer of another exchange", "anna-lena", Some(b"c=biws,r=x,p=AAAA".to_vec())),
        ("no text", "anna-lena", Some(vec![0xFF; 50])),
    ] {
        let (mut wire, exchange) = guarded.begin(name, "a guess", None);
        let challenge = next_auth(&mut wire);
        let (answer, _) = exchange.answer(&data(&challenge)).unwrap();
        wire.send(&auth(ReasonCode::ContinueAuthentication, changed.unwrap_or(answer)));
        assert_refused(&mut wire, what);
    }
    // At its beginning too, and with another method than that of CONNECT.
    let mut terms = connect(Version::V5, &unique("guarded"));
    terms.properties.authentication_method = Some(text(METHOD));
    terms.properties.authentication_data = Some(Bytes::from_static(b"?"));
    let mut wire = Wire::open(guarded.hearth.mqtt(), Version::V5);
    wire.send(&Packet::Connect(Box::new(terms)));
    assert_refused(&mut wire, "a beginning that is none");
    let (mut wire, exchange) = guarded.begin("anna-lena", &password("anna-lena"), None);
    let (answer, _) = exchange.answer(&data(&next_auth(&mut wire))).unwrap();
    wire.send(&auth_of("SCRAM-SHA-1", ReasonCode::ContinueAuthentication, answer));
    assert_refused(&mut wire, "another method");
}

/// The connection ends without DISCONNECT; a CONNACK before that is a refusal.
#[track_caller]
fn assert_refused(wire: &mut Wire, what: &str) {
    match wire.wait_for_end() {
        None => {}
        Some(Packet::ConnAck(answer)) => assert!(answer.reason.is_failure(), "{what}: {answer:?}"),
        Some(other) => panic!("{what}: {other:?}"),
    }
}

// MQTT 5.0 server: MQTT-4.12.0-6
#[test]
fn a_client_that_names_no_method_gets_neither_auth_nor_a_method() {
    let guarded = Guarded::start();
    let open = OPEN.get();
    let with_password = Connect {
        user_name: Some(text("anna-lena")),
        password: Some(Bytes::from(password("anna-lena"))),
        ..connect(Version::V5, &unique("password"))
    };
    for (broker, terms) in
        [(guarded.hearth.mqtt(), with_password), (open.mqtt(), connect(Version::V5, &unique("anonymous")))]
    {
        let (mut wire, answer) = Wire::connect(broker, terms);
        assert_eq!(answer.properties.authentication_method, None);
        assert_eq!(answer.properties.authentication_data, None);
        wire.send(&publish(1, message("no-method", b"x", QoS::AtLeastOnce)));
        assert!(matches!(wire.next(), Packet::PubAck(_)), "not AUTH");
        wire.assert_quiet();
        // Nor does one get there by asking for it.
        let exchange = ClientExchange::new("anna-lena", &password("anna-lena"), "nonce");
        wire.send(&auth(ReasonCode::ReAuthenticate, exchange.first()));
        wire.assert_ended_with(Some(ReasonCode::ProtocolError), "AUTH without a method");
    }
    let wrong = Connect {
        user_name: Some(text("anna-lena")),
        password: Some(Bytes::from_static(b"a guess")),
        ..connect(Version::V5, &unique("password"))
    };
    let mut wire = Wire::open(guarded.hearth.mqtt(), Version::V5);
    wire.send(&Packet::Connect(Box::new(wrong)));
    let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
    assert!(answer.reason.is_failure() && answer.properties.authentication_method.is_none(), "{answer:?}");
    assert_eq!(wire.next_or_end(), None);
}

// MQTT 5.0 server: MQTT-4.12.1-2
#[test]
fn an_authentication_that_fails_the_second_time_ends_the_connection() {
    let guarded = Guarded::start();
    for (what, name, password) in [
        ("a wrong password", "anna-lena", "a guess".to_owned()),
        ("another user", "otto-emil", password("otto-emil")),
        ("nobody", "nobody", "a guess".to_owned()),
    ] {
        let (mut wire, ..) = guarded.log_in("anna-lena", None);
        let (_, last) = renew(&mut wire, name, &password);
        match last {
            Packet::Disconnect(disconnect) => {
                assert_eq!(disconnect.reason, ReasonCode::NotAuthorized, "{what}: {disconnect:?}");
            }
            other => panic!("{what}: DISCONNECT, not {other:?}"),
        }
        assert_eq!(wire.next_or_end(), None, "{what}");
    }
    // One that names another method than CONNECT did.
    let (mut wire, ..) = guarded.log_in("anna-lena", None);
    wire.send(&auth_of("SCRAM-SHA-1", ReasonCode::ReAuthenticate, Vec::new()));
    match wire.wait_for_end() {
        Some(Packet::Disconnect(disconnect)) => assert!(disconnect.reason.is_failure(), "{disconnect:?}"),
        other => panic!("DISCONNECT, not {other:?}"),
    }
}
