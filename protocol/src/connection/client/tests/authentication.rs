//! Enhanced authentication (MQTT 5.0, 4.12): on CONNECT, and again on the open connection.

use super::*;
use crate::packet::{Auth, AuthProperties};
use ReasonCode::{ContinueAuthentication, ProtocolError as Violation, ReAuthenticate, Success};

const METHOD: &str = "SCRAM-SHA-256";

fn authenticating() -> ClientOptions {
    let mut options = options();
    options.properties.authentication_method = Some(text(METHOD));
    options.properties.authentication_data = Some(Bytes::from_static(b"first"));
    options
}

fn properties(method: Option<&str>, data: &'static str) -> AuthProperties {
    AuthProperties {
        authentication_method: method.map(text),
        authentication_data: Some(Bytes::from_static(data.as_bytes())),
        ..AuthProperties::default()
    }
}

fn auth(reason: ReasonCode, data: &'static str) -> Packet {
    Packet::Auth(Auth { reason, properties: properties(Some(METHOD), data) })
}

fn challenge(data: &'static str) -> ClientEvent {
    ClientEvent::Challenge { properties: Box::new(properties(Some(METHOD), data)) }
}

fn accepting(method: Option<&str>) -> ConnAckProperties {
    ConnAckProperties {
        authentication_method: method.map(text),
        authentication_data: method.map(|_| Bytes::from_static(b"proof")),
        ..ConnAckProperties::default()
    }
}

impl Bench {
    /// CONNECT is out.
    fn connecting(options: ClientOptions) -> Self {
        let mut bench = Self::new(options);
        bench.client.handle_open(bench.now);
        bench.sent();
        bench
    }

    fn open_authenticated() -> Self {
        Self::open(authenticating(), accepting(Some(METHOD)))
    }

    fn answer(&mut self, data: &'static str) -> Result<(), AuthError> {
        self.client.answer_challenge(self.now, Some(Bytes::from_static(data.as_bytes())))
    }

    fn reauthenticate(&mut self, data: &'static str) -> Result<(), AuthError> {
        self.client.reauthenticate(self.now, Some(Bytes::from_static(data.as_bytes())))
    }
}

#[test]
fn challenges_go_to_and_fro_before_connack_which_brings_the_last_data() {
    let mut bench = Bench::new(authenticating());
    bench.client.handle_open(bench.now);
    let sent = bench.sent();
    let [Packet::Connect(connect)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(connect.properties.authentication_method, Some(text(METHOD)));
    assert_eq!(connect.properties.authentication_data.as_deref(), Some(&b"first"[..]));
    for (data, answer) in [("one", "1"), ("two", "2")] {
        bench.hear(&auth(ContinueAuthentication, data)).unwrap();
        assert_eq!((bench.events(), bench.sent()), (vec![challenge(data)], vec![]));
        bench.answer(answer).unwrap();
        assert_eq!(bench.sent(), [auth(ContinueAuthentication, answer)]);
    }
    bench.hear(&connack(false, Success, accepting(Some(METHOD)))).unwrap();
    let properties = Box::new(accepting(Some(METHOD)));
    assert_eq!(bench.events(), [ClientEvent::Connected { session_present: false, properties }]);
}

#[test]
fn the_server_may_be_content_or_refuse_at_any_point() {
    let mut bench = Bench::connecting(authenticating());
    bench.hear(&auth(ContinueAuthentication, "one")).unwrap();
    bench.hear(&connack(false, ReasonCode::NotAuthorized, ConnAckProperties::default())).unwrap();
    assert!(matches!(bench.events()[1], ClientEvent::Refused { reason: ReasonCode::NotAuthorized, .. }));
    assert_eq!(bench.answer("too late"), Err(AuthError::NotConnected));
    Bench::open_authenticated();
}

#[test]
fn the_clock_runs_while_it_is_the_turn_of_the_server_and_not_of_the_driver() {
    let mut bench = Bench::connecting(authenticating());
    bench.pass(9_000).unwrap();
    bench.hear(&auth(ContinueAuthentication, "one")).unwrap();
    assert_eq!(bench.client.poll_timeout(), None, "the driver may ask a person");
    bench.pass(60_000).unwrap();
    bench.answer("1").unwrap();
    assert_eq!(bench.pass(9_999), Ok(()));
    assert_eq!(bench.pass(1).unwrap_err().reason, ReasonCode::KeepAliveTimeout);
}

#[test]
fn it_authenticates_again_while_messages_go_on() {
    let mut bench = Bench::open_authenticated();
    bench.reauthenticate("again").unwrap();
    let token = bench.publish(QoS::AtMostOnce, "meanwhile");
    assert_eq!(
        bench.sent(),
        [auth(ReAuthenticate, "again"), Packet::Publish(message(QoS::AtMostOnce, "meanwhile"))]
    );
    assert_eq!(bench.reauthenticate("twice"), Err(AuthError::UnderWay));
    assert_eq!(bench.answer("nothing"), Err(AuthError::NotChallenged));
    bench.hear(&auth(ContinueAuthentication, "one")).unwrap();
    assert_eq!(bench.reauthenticate("twice"), Err(AuthError::UnderWay));
    bench.answer("1").unwrap();
    bench.hear(&auth(Success, "proof")).unwrap();
    let reauthenticated =
        ClientEvent::Reauthenticated { properties: Box::new(properties(Some(METHOD), "proof")) };
    assert_eq!(bench.events(), [published(token, Success), challenge("one"), reauthenticated]);
    assert_eq!(bench.sent(), [auth(ContinueAuthentication, "1")]);
    bench.reauthenticate("and again").unwrap();
}

#[test]
fn a_server_that_does_not_answer_an_authentication_is_given_up() {
    let mut bench = Bench::open_authenticated();
    bench.reauthenticate("again").unwrap();
    assert_eq!(bench.pass(9_999), Ok(()));
    assert_eq!(bench.pass(1).unwrap_err().detail, "the server did not answer AUTH");
    let mut bench = Bench::open_authenticated();
    bench.reauthenticate("again").unwrap();
    bench.client.handle_close(bench.now);
    bench.connect(true, accepting(Some(METHOD)));
    bench.reauthenticate("on the next connection").unwrap();
}

#[test]
fn a_client_that_names_no_method_sends_no_auth() {
    let mut v311 = authenticating();
    v311.version = Version::V311;
    for options in [options(), v311] {
        let mut bench = Bench::open(options, ConnAckProperties::default());
        assert_eq!(bench.reauthenticate("again"), Err(AuthError::NoMethod));
        assert_eq!(bench.answer("1"), Err(AuthError::NotChallenged));
        assert_eq!(bench.sent(), []);
    }
    let mut bench = Bench::new(authenticating());
    assert_eq!(bench.answer("1"), Err(AuthError::NotConnected));
    assert_eq!(bench.reauthenticate("again"), Err(AuthError::NotConnected));
}

#[test]
fn data_that_no_packet_holds_or_the_server_does_not_take_is_not_sent() {
    let mut bench = Bench::connecting(authenticating());
    bench.hear(&auth(ContinueAuthentication, "one")).unwrap();
    let data = Some(Bytes::from(vec![0; 70_000]));
    assert_eq!(bench.client.answer_challenge(bench.now, data), Err(AuthError::Unsendable));
    bench.answer("1").unwrap();
    let properties = ConnAckProperties { packet_size_max: Some(30), ..accepting(Some(METHOD)) };
    let mut bench = Bench::open(authenticating(), properties);
    assert_eq!(bench.reauthenticate("longer than this"), Err(AuthError::Unsendable));
    bench.reauthenticate("short").unwrap();
}

#[test]
fn auth_out_of_turn_or_of_another_method_ends_the_connection() {
    let of =
        |method: Option<&str>, reason| Packet::Auth(Auth { reason, properties: properties(method, "x") });
    let short = Packet::Auth(Auth { reason: Success, properties: AuthProperties::default() });
    let unasked = [
        (options(), auth(ContinueAuthentication, "of nobody")),
        (authenticating(), auth(Success, "before CONNACK")),
        (authenticating(), auth(ReAuthenticate, "by the server")),
        (authenticating(), of(Some("PLAIN"), ContinueAuthentication)),
        (authenticating(), short.clone()),
        (authenticating(), connack(false, Success, accepting(None))),
        (authenticating(), connack(false, Success, accepting(Some("PLAIN")))),
        (options(), connack(false, Success, accepting(Some(METHOD)))),
    ];
    for (options, packet) in unasked {
        let mut bench = Bench::connecting(options);
        assert_eq!(bench.hear(&packet).unwrap_err().reason, Violation, "{packet:?}");
        assert_eq!((bench.events(), bench.client.is_connected()), (vec![], false), "{packet:?}");
    }
    let mut bench = Bench::connecting(authenticating());
    bench.hear(&auth(ContinueAuthentication, "one")).unwrap();
    assert_eq!(bench.hear(&auth(ContinueAuthentication, "two")).unwrap_err().reason, Violation);

    for (is_begun, packet) in [
        (false, auth(ContinueAuthentication, "by the server")),
        (true, auth(ReAuthenticate, "by the server")),
        (true, of(Some("PLAIN"), ContinueAuthentication)),
        (true, short),
    ] {
        let mut bench = Bench::open_authenticated();
        if is_begun {
            bench.reauthenticate("again").unwrap();
        }
        assert_eq!(bench.hear(&packet).unwrap_err().reason, Violation, "{packet:?}");
        assert_eq!(bench.sent().pop(), Some(goodbye(Violation)), "{packet:?}");
    }
}
