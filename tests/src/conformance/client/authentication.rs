//! Enhanced authentication (MQTT 5.0, 3.15 and 4.12): the client's AUTH packets.

use hearth_protocol::connection::AuthError;
use hearth_protocol::packet::{Auth, AuthProperties, PacketType};

use super::super::raw::{field, packet};
use super::*;

const CONTINUE: u8 = 0x18;
const AGAIN: u8 = 0x19;

/// A client that authenticates by this method, or by none.
fn by(method: Option<&str>) -> ClientOptions {
    let mut options = options(Version::V5);
    options.properties.authentication_method = method.map(text);
    options.properties.authentication_data = method.map(|_| Bytes::from_static(b"first"));
    options
}

fn accepting(method: Option<&str>) -> ConnAckProperties {
    ConnAckProperties { authentication_method: method.map(text), ..Default::default() }
}

/// AUTH of a server.
fn auth(reason: ReasonCode, method: &str) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some(text(method)),
        authentication_data: Some(Bytes::from_static(b"challenge")),
        ..Default::default()
    };
    Packet::Auth(Auth { reason, properties })
}

/// AUTH that continues and names no method.
const NAMELESS: &[u8] = b"\xf0\x02\x18\x00";

/// AUTH of a client, byte by byte.
fn auth_bytes(reason: u8, method: &str, data: &str) -> Vec<u8> {
    let properties = [&b"\x15"[..], &field(method), b"\x16", &field(data)].concat();
    packet(0xF0, &[&[reason, u8::try_from(properties.len()).unwrap()], &properties])
}

fn data(data: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(data.as_bytes()))
}

impl Stage {
    /// The client answers a challenge.
    fn answer(&mut self, answer: &'static str) -> Result<(), AuthError> {
        self.client.answer_challenge(self.now, data(answer))
    }

    /// The client authenticates again.
    fn reauthenticate(&mut self, first: &'static str) -> Result<(), AuthError> {
        self.client.reauthenticate(self.now, data(first))
    }
}

const METHODS: [&str; 3] = ["SCRAM-SHA-256", "m", "GS2-KRB5 ü"];

// MQTT 5.0 client: MQTT-4.12.0-3
#[test]
fn a_challenge_is_answered_by_an_auth_that_continues() {
    for method in METHODS {
        let challenge = auth(ReasonCode::ContinueAuthentication, method);
        let mut stage = Stage::connecting(by(Some(method)));
        stage.heard();
        for step in ["1", "2", "3"] {
            stage.tell(&challenge);
            assert!(matches!(stage.events()[..], [ClientEvent::Challenge { .. }]));
            stage.answer(step).unwrap();
            assert_eq!(stage.heard_bytes(), auth_bytes(CONTINUE, method, step));
            assert_eq!(stage.answer(step), Err(AuthError::NotChallenged), "one answer to one challenge");
        }
        stage.tell(&connack(false, accepting(Some(method))));
        // The same on the open connection, where only the first step says that it begins again.
        stage.reauthenticate("again").unwrap();
        stage.heard();
        for step in ["1", "2", "3"] {
            stage.tell(&challenge);
            stage.answer(step).unwrap();
            assert_eq!(stage.heard_bytes(), auth_bytes(CONTINUE, method, step));
        }
    }
}

// MQTT 5.0 client: MQTT-4.12.0-5
#[test]
fn every_auth_has_the_method_of_connect_and_so_has_what_the_client_takes() {
    for method in METHODS {
        let mut stage = Stage::connecting(by(Some(method)));
        assert!(
            stage
                .heard_bytes()
                .windows(3 + method.len())
                .any(|part| part == [b"\x15", &field(method)[..]].concat())
        );
        // What the options say by now is for the next CONNECT.
        stage.client.options_mut().properties.authentication_method = Some(text("another"));
        stage.tell(&auth(ReasonCode::ContinueAuthentication, method));
        stage.answer("x").unwrap();
        stage.tell(&connack(false, accepting(Some(method))));
        stage.reauthenticate("y").unwrap();
        stage.tell(&auth(ReasonCode::ContinueAuthentication, method));
        stage.answer("z").unwrap();
        let sent = [(CONTINUE, "x"), (AGAIN, "y"), (CONTINUE, "z")];
        assert_eq!(stage.heard_bytes(), sent.map(|(reason, data)| auth_bytes(reason, method, data)).concat());
        for other in ["", "another", "scram-sha-256"] {
            let mut stage = Stage::connecting(by(Some(method)));
            stage.heard();
            stage.say(&connack(false, accepting(Some(other).filter(|other| !other.is_empty())))).unwrap_err();
            stage.assert_over();
            let mut stage = Stage::open(by(Some(method)), accepting(Some(method)));
            stage.reauthenticate("y").unwrap();
            stage.heard();
            stage.say(&auth(ReasonCode::Success, other)).unwrap_err();
            stage.assert_over();
        }
        Stage::open(by(Some(method)), accepting(Some(method))).refused(NAMELESS);
    }
}

// MQTT 5.0 client: MQTT-4.12.0-7
#[test]
fn a_client_that_named_no_method_sends_no_auth() {
    let mut stage = Stage::connecting(by(None));
    // A method that the options get too late is none of this connection.
    stage.client.options_mut().properties.authentication_method = Some(text("late"));
    stage.heard();
    stage.say_bytes(NAMELESS).unwrap_err();
    assert!(stage.answer("x").is_err());
    let is_auth = |packet: &Packet| packet.packet_type() == PacketType::Auth;
    assert!(!stage.heard().iter().any(is_auth));

    let mut stage = Stage::open(by(None), accepting(None));
    stage.client.options_mut().properties.authentication_method = Some(text("late"));
    assert_eq!(stage.reauthenticate("x"), Err(AuthError::NoMethod));
    assert_eq!(stage.answer("x"), Err(AuthError::NotChallenged));
    assert_eq!(stage.heard(), []);
    stage.say(&auth(ReasonCode::ContinueAuthentication, "late")).unwrap_err();
    assert!(stage.answer("x").is_err());
    assert!(!stage.heard().iter().any(is_auth));
}

// MQTT 5.0 client: MQTT-4.12.1-1
#[test]
fn authenticating_again_begins_with_its_code_and_the_same_method() {
    for method in METHODS {
        let mut stage = Stage::connecting(by(Some(method)));
        stage.heard();
        assert!(stage.reauthenticate("early").is_err(), "not before CONNACK");
        assert_eq!(stage.heard(), []);
        stage.tell(&connack(false, accepting(Some(method))));
        stage.client.options_mut().properties.authentication_method = Some(text("another"));
        for _ in 0..3 {
            stage.reauthenticate("again").unwrap();
            assert_eq!(stage.heard_bytes(), auth_bytes(AGAIN, method, "again"));
            assert_eq!(stage.reauthenticate("twice"), Err(AuthError::UnderWay));
            assert_eq!(stage.heard(), []);
            stage.events();
            stage.tell(&auth(ReasonCode::Success, method));
            assert!(matches!(stage.events()[..], [ClientEvent::Reauthenticated { .. }]));
        }
    }
}

// MQTT 5.0 client: MQTT-4.12.1-2
#[test]
fn an_authentication_that_fails_again_ends_the_connection_with_disconnect() {
    let begun = || {
        let mut stage = Stage::open(by(Some("m")), accepting(Some("m")));
        stage.reauthenticate("again").unwrap();
        stage.heard();
        stage
    };
    // The server says what it may not say.
    for wrong in [auth(ReasonCode::Success, "another"), auth(ReasonCode::ReAuthenticate, "m")] {
        let mut stage = begun();
        stage.say(&wrong).unwrap_err();
        assert_eq!(stage.heard(), [goodbye(ReasonCode::ProtocolError)]);
        stage.assert_over();
    }
    // The server says nothing.
    let mut stage = begun();
    stage.pass(hearth_protocol::connection::client::RESPONSE_MAX).unwrap_err();
    assert!(matches!(&stage.heard()[..], [Packet::Disconnect(goodbye)] if goodbye.reason.is_failure()));
    stage.assert_over();
    // The server's proof does not convince the driver.
    let mut stage = begun();
    stage.tell(&auth(ReasonCode::ContinueAuthentication, "m"));
    stage.client.disconnect(stage.now, Disconnect::new(ReasonCode::UnspecifiedError));
    assert_eq!(stage.heard(), [goodbye(ReasonCode::UnspecifiedError)]);
    stage.assert_over();
    // The server is not content and says goodbye itself.
    let mut stage = begun();
    stage.tell(&goodbye(ReasonCode::NotAuthorized));
    assert_eq!(stage.heard(), []);
    stage.assert_over();
}

// MQTT 5.0 client: MQTT-3.15.1-1
#[test]
fn an_auth_with_reserved_bits_ends_the_connection() {
    let body = [&b"\x18\x04\x15"[..], &field("m")].concat();
    let with = |flags: u8| packet(0xF0 | flags, &[&body]);
    for flags in 1..16 {
        let mut stage = Stage::connecting(by(Some("m")));
        stage.heard();
        stage.refused(&with(flags));
        let mut stage = Stage::open(by(Some("m")), accepting(Some("m")));
        stage.reauthenticate("again").unwrap();
        assert_eq!(stage.heard_bytes()[0], 0xF0, "the client's own has none");
        let error = stage.say_bytes(&with(flags)).expect_err("it is malformed");
        assert_eq!(error.reason, ReasonCode::MalformedPacket, "flags {flags}");
        assert_eq!(stage.heard(), [goodbye(ReasonCode::MalformedPacket)], "flags {flags}");
        stage.assert_over();
    }
    let mut stage = Stage::connecting(by(Some("m")));
    stage.heard();
    stage.say_bytes(&with(0)).expect("without them it is a challenge");
}

// MQTT 5.0 client: MQTT-3.15.2-1 MQTT-3.15.2-2 MQTT-3.15.2-3
#[test]
fn an_auth_says_how_it_goes_on_and_nothing_that_the_server_has_no_room_for() {
    let fits = auth_bytes(AGAIN, "m", "data");
    for room in [fits.len() - 1, fits.len(), fits.len() + 100] {
        let granted = ConnAckProperties { packet_size_max: Some(room as u32), ..accepting(Some("m")) };
        let mut stage = Stage::open(by(Some("m")), granted);
        if room < fits.len() {
            assert_eq!(stage.reauthenticate("data"), Err(AuthError::Unsendable));
            assert_eq!(stage.heard(), []);
            continue;
        }
        // To the byte, so that there are neither words nor user properties in it.
        stage.reauthenticate("data").unwrap();
        assert_eq!(stage.heard_bytes(), fits);
        stage.tell(&auth(ReasonCode::ContinueAuthentication, "m"));
        stage.answer("data").unwrap();
        assert_eq!(stage.heard_bytes(), auth_bytes(CONTINUE, "m", "data"));
    }
}
