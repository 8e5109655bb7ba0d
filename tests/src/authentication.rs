//! Users: names and passwords, SCRAM-SHA-256, and what happens when they change.

use std::net::TcpStream;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_protocol::packet::{Auth, AuthProperties, ConnAck, Connect, ConnectProperties, Packet};
use hearth_protocol::{QoS, ReasonCode, Version};
use hearth_scram::{ClientExchange, ClientFinish, METHOD};
use http::HeaderValue;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

use crate::hearth::{Hearth, HearthCommand};
use crate::mosquitto::{Subscriber, V5, VERSIONS, publish, try_publish};
use crate::process::PATIENCE;
use crate::users::UsersFile;
use crate::wire::{Wire, connect, message, text};

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

/// A broker with its users.
struct Shared {
    hearth: Hearth,
    // Dropped last: the broker may read it while it ends.
    _users: UsersFile,
}

impl Deref for Shared {
    type Target = Hearth;

    fn deref(&self) -> &Hearth {
        &self.hearth
    }
}

/// One broker for all tests that change nothing; it ends with the last of them that runs.
fn shared() -> Arc<Shared> {
    static RUNNING: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let users = UsersFile::new(&[("ann", "pencil"), ("bob", "o\u{308}l, = é"), ("cat", "🔑 ö")]);
        let started = Arc::new(Shared { hearth: users.start(&[]), _users: users });
        *running = Arc::downgrade(&started);
        started
    })
}

fn with_password(version: Version, client_id: &str, name: &str, password: &str) -> Connect {
    let password = Some(Bytes::copy_from_slice(password.as_bytes()));
    Connect { user_name: Some(text(name)), password, ..connect(version, client_id) }
}

fn with_method(client_id: &str, method: &str, data: Vec<u8>) -> Connect {
    let properties = ConnectProperties {
        authentication_method: Some(text(method)),
        authentication_data: Some(Bytes::from(data)),
        ..ConnectProperties::default()
    };
    Connect { properties, ..connect(Version::V5, client_id) }
}

fn auth(reason: ReasonCode, data: Vec<u8>) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some(text(METHOD)),
        authentication_data: Some(Bytes::from(data)),
        ..AuthProperties::default()
    };
    Packet::Auth(Auth { reason, properties })
}

/// What a CONNECT leads to.
#[track_caller]
fn answer_to(hearth: &Hearth, connect: Connect) -> (Wire, Packet) {
    let mut wire = Wire::open(hearth.mqtt(), connect.version);
    wire.send(&Packet::Connect(Box::new(connect)));
    let answer = wire.next();
    (wire, answer)
}

#[track_caller]
fn connack(packet: Packet) -> ConnAck {
    match packet {
        Packet::ConnAck(connack) => *connack,
        other => panic!("CONNACK comes, not {other:?}"),
    }
}

/// Answers the challenge of an exchange that has begun.
#[track_caller]
fn answer_challenge(wire: &mut Wire, challenge: Packet, exchange: ClientExchange) -> ClientFinish {
    let Packet::Auth(challenge) = challenge else { panic!("AUTH comes, not {challenge:?}") };
    assert_eq!(challenge.reason, ReasonCode::ContinueAuthentication);
    assert_eq!(challenge.properties.authentication_method, Some(text(METHOD)));
    let data = challenge.properties.authentication_data.expect("a challenge has data");
    let (answer, finish) = exchange.answer(&data).expect("the broker follows RFC 5802");
    wire.send(&auth(ReasonCode::ContinueAuthentication, answer));
    finish
}

/// Runs an exchange up to the packet that ends it.
#[track_caller]
fn scram(hearth: &Hearth, client_id: &str, name: &str, password: &str) -> (Wire, Packet, ClientFinish) {
    let exchange = ClientExchange::new(name, password, NONCE);
    let (mut wire, challenge) = answer_to(hearth, with_method(client_id, METHOD, exchange.first()));
    let finish = answer_challenge(&mut wire, challenge, exchange);
    let end = wire.next();
    (wire, end, finish)
}

/// Authenticates again; what the broker says in the end.
#[track_caller]
fn scram_again(wire: &mut Wire, name: &str, password: &str) -> (Packet, ClientFinish) {
    let exchange = ClientExchange::new(name, password, NONCE);
    wire.send(&auth(ReasonCode::ReAuthenticate, exchange.first()));
    let challenge = wire.next();
    let finish = answer_challenge(wire, challenge, exchange);
    (wire.next(), finish)
}

/// Waits until a CONNECT has this outcome.
#[track_caller]
fn wait_for_outcome(hearth: &Hearth, connect: &Connect, wanted: ReasonCode) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reason = connack(answer_to(hearth, connect.clone()).1).reason;
        if reason == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "waited for {wanted:?}, it is still {reason:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn wait_for_log(hearth: &Hearth, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !hearth.log().contains(wanted) {
        assert!(Instant::now() < deadline, "waited for `{wanted}`: {}", hearth.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_name_with_its_password_is_let_in_in_every_version() {
    let broker = shared();
    let address = broker.mqtt();
    for version in VERSIONS {
        let as_ann = ["-u", "ann", "-P", "pencil"];
        let topic = format!("passwords/{version}");
        let mut listener =
            Subscriber::start(address, version, &[&as_ann[..], &["-t", &topic, "-q", "1"]].concat());
        let as_bob = ["-u", "bob", "-P", "öl, = é", "-t", &topic, "-m", "hello", "-q", "1"];
        publish(address, version, &as_bob);
        listener.expect(1, false, &format!("{topic} hello"));
    }
}

#[test]
fn a_wrong_password_an_unknown_name_and_none_are_refused_in_the_words_of_the_version() {
    let broker = shared();
    for version in [Version::V31, Version::V311, Version::V5] {
        let wrong = [("ann", "pencil2"), ("ann", ""), ("zoe", "pencil"), ("", "pencil"), ("ANN", "pencil")];
        let mut answers = Vec::new();
        for (name, password) in wrong {
            let mut wire = Wire::open(broker.mqtt(), version);
            wire.send(&Packet::Connect(Box::new(with_password(version, "wrong", name, password))));
            answers.push(wire.read_to_end());
        }
        let expected = match version {
            Version::V5 => vec![0x20, 3, 0, 0x86, 0],
            Version::V31 | Version::V311 => vec![0x20, 2, 0, 4],
        };
        assert!(answers.iter().all(|answer| *answer == expected), "nobody learns which: {answers:02x?}");
        let nameless = connack(answer_to(&broker, connect(version, "wrong")).1);
        assert_eq!(nameless.reason, ReasonCode::NotAuthorized);
    }
    let ended = try_publish(broker.mqtt(), V5, &["-u", "ann", "-P", "pencil2", "-t", "a", "-m", "x"]);
    assert!(
        !ended.status.success() && ended.stderr.contains("Bad User Name or Password"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_comes_right_behind_connect_is_taken_when_the_password_was_right_and_not_when_it_was_wrong() {
    let broker = shared();
    let (mut witness, _) =
        Wire::connect(broker.mqtt(), with_password(Version::V311, "behind-witness", "ann", "pencil"));
    witness.subscribe("behind/#", QoS::AtMostOnce);
    for (version, password, is_right) in
        [(Version::V311, "öl, = é", true), (Version::V5, "wrong", false), (Version::V5, "öl, = é", true)]
    {
        let mut wire = Wire::open(broker.mqtt(), version);
        let mut bytes = bytes::BytesMut::new();
        let connect = with_password(version, "behind", "bob", password);
        let publishes = (0..50).map(|number| {
            let publish = message(&format!("behind/{number}"), &[b'x'; 1000], QoS::AtMostOnce);
            Packet::Publish(publish)
        });
        for packet in std::iter::once(Packet::Connect(Box::new(connect))).chain(publishes) {
            hearth_protocol::codec::encode(&packet, version, &mut bytes).unwrap();
        }
        wire.send_bytes(&bytes);
        let answer = connack(wire.next());
        assert_eq!(answer.reason.is_failure(), !is_right);
        if is_right {
            for number in 0..50 {
                assert_eq!(witness.next_publish().topic.as_str(), format!("behind/{number}"));
            }
            wire.assert_quiet();
        } else {
            assert_eq!(wire.next_or_end(), None);
            witness.assert_quiet();
        }
    }
}

#[test]
fn scram_lets_in_without_sending_the_password_and_shows_that_the_broker_is_the_right_one() {
    let broker = shared();
    for (name, password) in [("ann", "pencil"), ("bob", "öl, = é"), ("cat", "🔑 ö")] {
        let (mut wire, end, finish) = scram(&broker, "scram", name, password);
        let connack = connack(end);
        assert_eq!(connack.reason, ReasonCode::Success);
        assert_eq!(connack.properties.authentication_method, Some(text(METHOD)));
        let last = connack.properties.authentication_data.expect("the server proves itself in CONNACK");
        assert_eq!(finish.finish(&last), Ok(()));
        wire.assert_quiet();
    }
}

#[test]
fn scram_with_a_wrong_password_or_an_unknown_name_ends_in_the_same_refusal() {
    let broker = shared();
    for (name, password) in [("ann", "pencil2"), ("zoe", "pencil")] {
        let (mut wire, end, _) = scram(&broker, "scram-wrong", name, password);
        let connack = connack(end);
        assert_eq!(connack.reason, ReasonCode::NotAuthorized, "{name}");
        assert_eq!(connack.properties.reason_string, None);
        assert_eq!(wire.next_or_end(), None);
    }
}

#[test]
fn an_unknown_name_gets_the_same_salt_at_each_try_as_a_known_one_does() {
    let broker = shared();
    let salt = |name: &str| {
        let first = format!("n,,n={name},r=x").into_bytes();
        let (_wire, challenge) = answer_to(&broker, with_method("salt", METHOD, first));
        let Packet::Auth(Auth { properties, .. }) = challenge else { panic!("{challenge:?}") };
        let data = String::from_utf8(properties.authentication_data.unwrap().to_vec()).unwrap();
        data.split_once(",s=").unwrap().1.to_owned()
    };
    let salts = ["ann", "zoe", "zac"].map(|name| (salt(name), salt(name)));
    for (first, second) in &salts {
        assert_eq!(first, second);
        assert_eq!(first.len(), salts[0].0.len());
    }
    assert!(salts[1] != salts[2]);
}

#[test]
fn methods_that_are_not_known_are_refused_with_their_own_reason() {
    let broker = shared();
    for method in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", ""] {
        let (mut wire, answer) = answer_to(&broker, with_method("method", method, b"n,,n=ann,r=x".to_vec()));
        assert_eq!(connack(answer).reason, ReasonCode::BadAuthenticationMethod, "{method}");
        assert_eq!(wire.next_or_end(), None);
    }
}

#[test]
fn messages_that_are_no_scram_are_refused() {
    let broker = shared();
    for first in [&b""[..], b"n,,n=ann", b"p=tls-exporter,,n=ann,r=x", b"n,a=bob,n=ann,r=x", b"\xff"] {
        let (mut wire, answer) = answer_to(&broker, with_method("no-scram", METHOD, first.to_vec()));
        assert_eq!(connack(answer).reason, ReasonCode::NotAuthorized, "{first:?}");
        assert_eq!(wire.next_or_end(), None);
    }
    let exchange = ClientExchange::new("ann", "pencil", NONCE);
    let (mut wire, _challenge) = answer_to(&broker, with_method("no-scram", METHOD, exchange.first()));
    wire.send(&auth(ReasonCode::ContinueAuthentication, b"c=biws,r=other,p=AAAA".to_vec()));
    assert_eq!(connack(wire.next()).reason, ReasonCode::NotAuthorized);
}

#[test]
fn an_exchange_that_the_client_does_not_end_ends_after_the_time_to_connect() {
    let broker = shared();
    let exchange = ClientExchange::new("ann", "pencil", NONCE);
    let begun = Instant::now();
    let (mut wire, _challenge) = answer_to(&broker, with_method("slow", METHOD, exchange.first()));
    assert_eq!(connack(wire.next()).reason, ReasonCode::NotAuthorized);
    assert_eq!(wire.next_or_end(), None);
    assert!(begun.elapsed() > Duration::from_secs(8), "it had time to answer: {:?}", begun.elapsed());
}

#[test]
fn a_client_authenticates_again_while_messages_go_on_and_ends_when_it_fails() {
    let broker = shared();
    let (mut wire, end, _) = scram(&broker, "again", "ann", "pencil");
    assert_eq!(connack(end).reason, ReasonCode::Success);
    wire.subscribe("again/#", QoS::AtMostOnce);
    for _ in 0..3 {
        let (end, finish) = scram_again(&mut wire, "ann", "pencil");
        let Packet::Auth(Auth { reason: ReasonCode::Success, properties }) = end else { panic!("{end:?}") };
        assert_eq!(properties.authentication_method, Some(text(METHOD)));
        assert_eq!(finish.finish(&properties.authentication_data.unwrap()), Ok(()));
    }
    // Between a challenge and its answer.
    let exchange = ClientExchange::new("ann", "pencil", NONCE);
    wire.send(&auth(ReasonCode::ReAuthenticate, exchange.first()));
    let challenge = wire.next();
    wire.send(&Packet::Publish(message("again/x", b"under way", QoS::AtMostOnce)));
    assert_eq!(&wire.next_publish().payload[..], b"under way");
    answer_challenge(&mut wire, challenge, exchange);
    assert!(matches!(wire.next(), Packet::Auth(Auth { reason: ReasonCode::Success, .. })));

    for (name, password) in [("ann", "pencil2"), ("bob", "öl, = é"), ("zoe", "pencil")] {
        let (mut wire, _, _) = scram(&broker, "again", "ann", "pencil");
        let (end, _) = scram_again(&mut wire, name, password);
        let Packet::Disconnect(told) = end else { panic!("DISCONNECT comes, not {end:?}") };
        assert_eq!(told.reason, ReasonCode::NotAuthorized, "{name}");
        assert_eq!(wire.next_or_end(), None);
    }
}

#[test]
fn auth_on_a_connection_that_named_no_method_is_a_protocol_error() {
    let broker = shared();
    let connect = with_password(Version::V5, "no-method", "ann", "pencil");
    let (mut wire, connack) = Wire::connect(broker.mqtt(), connect);
    assert_eq!(connack.properties.authentication_method, None);
    wire.send(&auth(ReasonCode::ReAuthenticate, b"n,,n=ann,r=x".to_vec()));
    wire.assert_ended_with(Some(ReasonCode::ProtocolError), "AUTH without a method");
}

#[test]
fn a_session_is_not_another_user_s_to_take() {
    let broker = shared();
    let persistent = |name: &str, password: &str| {
        let properties = ConnectProperties { session_expiry: Some(60), ..ConnectProperties::default() };
        let connect = with_password(Version::V5, "owned", name, password);
        Connect { clean_start: false, properties, ..connect }
    };
    let (mut owner, _) = Wire::connect(broker.mqtt(), persistent("ann", "pencil"));
    let refused = connack(answer_to(&broker, persistent("bob", "öl, = é")).1);
    assert_eq!(refused.reason, ReasonCode::ClientIdentifierNotValid);
    owner.assert_quiet();
    drop(owner);
    let (_wire, again) = Wire::connect(broker.mqtt(), persistent("ann", "pencil"));
    assert!(again.session_present);
}

#[test]
fn users_come_and_go_without_a_restart() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    let hearth = users.start(&[]);
    let ann = |password: &str| with_password(Version::V5, "ann", "ann", password);
    let bob = with_password(Version::V5, "bob", "bob", "secret");
    assert_eq!(connack(answer_to(&hearth, bob.clone()).1).reason, ReasonCode::BadUserNameOrPassword);

    // Nobody tells the broker.
    users.add("bob", "secret");
    wait_for_outcome(&hearth, &bob, ReasonCode::Success);
    let (mut connected, _) = Wire::connect(hearth.mqtt(), bob.clone());

    users.add("ann", "pen");
    hearth.hang_up();
    wait_for_outcome(&hearth, &ann("pen"), ReasonCode::Success);
    wait_for_outcome(&hearth, &ann("pencil"), ReasonCode::BadUserNameOrPassword);
    connected.assert_quiet();

    users.remove("bob");
    hearth.hang_up();
    connected.assert_ended_with(Some(ReasonCode::NotAuthorized), "a user who is removed");
    wait_for_outcome(&hearth, &bob, ReasonCode::BadUserNameOrPassword);
}

#[test]
fn users_that_cannot_be_read_leave_those_from_before() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    let hearth = users.start(&[]);
    let ann = with_password(Version::V5, "ann", "ann", "pencil");
    let nobody_else = |what: &str| {
        Wire::connect(hearth.mqtt(), ann.clone());
        let nameless = connack(answer_to(&hearth, connect(Version::V5, "nameless")).1);
        assert_eq!(nameless.reason, ReasonCode::NotAuthorized, "{what}");
    };
    std::fs::write(users.path(), "[users.bob]\npassword = \"in clear\"\n").unwrap();
    hearth.hang_up();
    wait_for_log(&hearth, "unknown field `password`");
    nobody_else("broken");
    std::fs::remove_file(users.path()).unwrap();
    hearth.hang_up();
    wait_for_log(&hearth, "No such file");
    nobody_else("gone");
    users.add("bob", "secret");
    wait_for_outcome(&hearth, &with_password(Version::V5, "bob", "bob", "secret"), ReasonCode::Success);
    wait_for_outcome(&hearth, &ann, ReasonCode::BadUserNameOrPassword);
}

#[test]
fn the_first_user_closes_the_door_for_clients_without_a_name_and_a_missing_file_does_not_open_it() {
    let hearth = Hearth::start();
    let nameless = connect(Version::V5, "nameless");
    let (mut connected, _) = Wire::connect(hearth.mqtt(), nameless.clone());
    let data = hearth.data().to_str().unwrap().to_owned();
    let user = |arguments: [&str; 2], line| {
        let ended = HearthCommand::new().args(["user"]).args(arguments).args(["--data", &data]);
        assert_eq!(ended.run_with_line(line).status.code(), Some(0));
    };
    user(["add", "ann"], "pencil");
    let newcomer = connect(Version::V311, "newcomer");
    wait_for_outcome(&hearth, &newcomer, ReasonCode::NotAuthorized);
    wait_for_outcome(&hearth, &with_password(Version::V311, "ann", "ann", "pencil"), ReasonCode::Success);
    connected.assert_ended_with(Some(ReasonCode::NotAuthorized), "who may not come in may not stay either");
    std::fs::remove_file(hearth.data().join("users.toml")).unwrap();
    hearth.hang_up();
    wait_for_log(&hearth, "the users are gone");
    wait_for_outcome(&hearth, &nameless, ReasonCode::NotAuthorized);
}

#[test]
fn who_is_served_without_a_name_is_what_the_setting_says() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    for (users, rule, expected) in [
        (None, "no", ReasonCode::NotAuthorized),
        (None, "local", ReasonCode::Success),
        (Some(&users), "auto", ReasonCode::NotAuthorized),
        (Some(&users), "local", ReasonCode::Success),
    ] {
        let more = ["--anonymous", rule];
        let hearth = users.map_or_else(|| Hearth::start_with(&more), |users| users.start(&more));
        let nameless = connack(answer_to(&hearth, connect(Version::V5, "nameless")).1);
        assert_eq!(nameless.reason, expected, "{rule}");
        // A name is believed nowhere without its password.
        let wrong = connack(answer_to(&hearth, with_password(Version::V5, "wrong", "ann", "wrong")).1);
        let is_refused = users.is_some() || rule == "no";
        assert_eq!(wrong.reason.is_failure(), is_refused, "{rule}");
    }
}

#[test]
fn whoever_comes_through_a_proxy_is_not_on_this_machine() {
    let hearth = Hearth::start();
    let connack = |header: Option<&'static str>| {
        let mut request = format!("ws://{}/mqtt", hearth.http()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mqtt"));
        if let Some(name) = header {
            request.headers_mut().insert(name, HeaderValue::from_static("192.0.2.7"));
        }
        let stream = TcpStream::connect(hearth.http()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        let mut bytes = bytes::BytesMut::new();
        let connect = Packet::Connect(Box::new(connect(Version::V311, "proxied")));
        hearth_protocol::codec::encode(&connect, Version::V311, &mut bytes).unwrap();
        socket.send(Message::binary(bytes.to_vec())).unwrap();
        socket.read().unwrap().into_data().to_vec()
    };
    assert_eq!(connack(None), [0x20, 2, 0, 0]);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        assert_eq!(connack(Some(header)), [0x20, 2, 0, 5], "{header}");
    }
}

#[test]
fn the_demo_lives_beside_users() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    let hearth = users.start(&["--demo"]);
    let as_ann = ["-u", "ann", "-P", "pencil", "-t", "home/+/lamp", "-q", "1"];
    let mut listener = Subscriber::start(hearth.mqtt(), V5, &as_ann);
    listener.next_message();
}

#[test]
fn the_command_says_what_it_did_or_why_not() {
    let users = UsersFile::new(&[]);
    let succeeds = |arguments: &[&str], line, expected: &str| {
        let ended = users.run(arguments, line);
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.starts_with(expected), "{arguments:?}: {}", ended.stdout);
    };
    succeeds(&["add", "bob"], Some("secret"), "bob is a user now, in ");
    succeeds(&["add", "ann"], Some("pencil"), "ann is a user now, in ");
    succeeds(&["add", "ann"], Some("pen"), "ann has another password in ");
    succeeds(&["list"], None, "ann\nbob\n");
    succeeds(&["remove", "bob"], None, "bob is no user any more, in ");
    succeeds(&["list"], None, "ann\n");
    let text = std::fs::read_to_string(users.path()).unwrap();
    assert!(text.contains("SCRAM-SHA-256$") && !text.contains("pen\"") && !text.contains("pencil"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(users.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for (arguments, expected) in [
        (["remove", "bob"], "there is no user `bob`"),
        (["add", "zoe"], "the password is not taken: it is empty"),
        (["add", "a/b"], "`a/b` cannot be a user"),
        (["add", "$demo"], "`$demo` cannot be a user"),
    ] {
        let ended = users.run(&arguments, None);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert!(ended.stderr.contains(expected) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
    assert_eq!(std::fs::read_to_string(users.path()).unwrap(), text, "what fails changes nothing");
}

#[test]
fn a_broker_does_not_start_with_users_that_it_cannot_read() {
    let users = UsersFile::new(&[]);
    let path = users.path().to_str().unwrap();
    let listeners = ["--mqtt", "127.0.0.1:0", "--http", "none", "--ws", "none"];
    let start = || HearthCommand::new().args(["--users", path]).args(listeners).run();
    let missing = start();
    assert_eq!(missing.status.code(), Some(2), "{}", missing.stderr);
    assert!(missing.stderr.contains("cannot read the users in"), "{}", missing.stderr);
    std::fs::write(users.path(), "[users.ann]\n").unwrap();
    let broken = start();
    assert_eq!(broken.status.code(), Some(2));
    assert!(
        broken.stderr.contains("missing field `verifier`") && broken.stdout.is_empty(),
        "{}",
        broken.stderr
    );
}
