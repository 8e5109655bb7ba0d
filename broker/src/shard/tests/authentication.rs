//! Clients that have to show who they are, before they are let in and on an open connection.

use std::sync::Mutex;

use hearth_protocol::packet::{Auth, AuthProperties, ConnAck};

use super::*;
use crate::{Admission, AuthStep, Decision, Evidence, Exchange, Identity, Subject};

const V5: Version = Version::V5;
const METHOD: &str = "RIDDLE";

/// Knows one method, asks about everybody who brings it or a name, and lets the nameless in. Users own the topics
/// below their name.
#[derive(Default)]
struct Riddler {
    /// Who is not welcome any more.
    gone: Arc<Mutex<HashSet<String>>>,
}

impl Access for Riddler {
    fn connect(&self, _: &Peer, connect: &Connect) -> Admission {
        match connect.properties.authentication_method.as_deref() {
            Some(METHOD) => Admission::Ask,
            Some(method) => Admission::unknown_method(method),
            None if connect.user_name.is_some() => Admission::Ask,
            None => Admission::Allow(Identity::default()),
        }
    }

    fn remains(&self, subject: Subject<'_>, _is_local: bool) -> Decision {
        let gone = self.gone.lock().unwrap();
        let is_gone = subject.identity.user_name.as_ref().is_some_and(|name| gone.contains(&**name));
        if is_gone { Decision::Deny } else { Decision::Allow }
    }

    fn publish(&self, subject: Subject<'_>, topic: &TopicName) -> Decision {
        may(subject, topic.as_str())
    }

    fn subscribe(&self, subject: Subject<'_>, filter: &TopicFilter) -> Decision {
        may(subject, filter.as_str())
    }
}

fn may(subject: Subject<'_>, topic: &str) -> Decision {
    let is_own = subject.identity.user_name.as_ref().is_none_or(|name| topic.starts_with(&**name));
    if is_own { Decision::Allow } else { Decision::Deny }
}

fn broker() -> Broker {
    Broker::with_access(1, Limits::default(), Riddler::default())
}

fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

fn allow(name: &str, data: &'static str) -> AuthStep {
    let identity = Identity { user_name: Some(name.into()) };
    AuthStep::Allow { identity, data: Some(Bytes::from_static(data.as_bytes())) }
}

fn challenge(data: &'static str, state: u32) -> AuthStep {
    AuthStep::Continue { data: Bytes::from_static(data.as_bytes()), exchange: Exchange::new(state) }
}

fn deny(reason: ReasonCode) -> AuthStep {
    AuthStep::Deny { reason, detail: "it is a secret".to_owned() }
}

fn with_password(client_id: &str, version: Version) -> Connect {
    let password = Some(Bytes::from_static(b"sesame"));
    Connect { user_name: Some(text("ann")), password, ..connect(client_id, version) }
}

fn with_method(client_id: &str, method: &str) -> Connect {
    let properties = ConnectProperties {
        authentication_method: Some(text(method)),
        authentication_data: Some(Bytes::from_static(b"hello")),
        ..ConnectProperties::default()
    };
    Connect { properties, ..connect(client_id, V5) }
}

fn auth_of(method: &str, reason: ReasonCode, data: &'static str) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some(text(method)),
        authentication_data: Some(Bytes::from_static(data.as_bytes())),
        ..AuthProperties::default()
    };
    Packet::Auth(Auth { reason, properties })
}

fn auth(reason: ReasonCode, data: &'static str) -> Packet {
    auth_of(METHOD, reason, data)
}

impl Broker {
    /// Sends a CONNECT whose outcome is open.
    fn apply(&mut self, connect: Connect) -> Wire {
        let (wire, version) = (self.wire(&connect.client_id), connect.version);
        self.send(wire, version, [Packet::Connect(Box::new(connect))]);
        wire
    }

    /// What the authenticator is asked about this connection.
    fn question(&mut self, wire: Wire) -> AuthRequest {
        let newest = self.asked.iter().rposition(|(asked_by, _)| *asked_by == wire).unwrap();
        self.asked.remove(newest).unwrap().1
    }

    fn decide(&mut self, (shard, id): Wire, step: AuthStep) {
        self.shards[shard].handle_authenticated(self.now, id, step);
        self.run();
    }

    /// A connection that has authenticated with the method, as `ann`.
    fn authenticated(&mut self, client_id: &str) -> Wire {
        let wire = self.apply(with_method(client_id, METHOD));
        self.question(wire);
        self.decide(wire, allow("ann", "bye"));
        self.connack(wire, V5);
        wire
    }

    #[track_caller]
    fn connack(&mut self, wire: Wire, version: Version) -> ConnAck {
        let mut packets = self.received(wire, version);
        assert_eq!(packets.len(), 1, "{packets:?}");
        let Some(Packet::ConnAck(connack)) = packets.pop() else { panic!("CONNACK comes") };
        *connack
    }

    #[track_caller]
    fn assert_disconnected(&mut self, wire: Wire, reason: ReasonCode) {
        let answer = self.received(wire, V5);
        assert!(
            matches!(&answer[..], [.., Packet::Disconnect(told)] if told.reason == reason),
            "{reason:?} is told: {answer:?}"
        );
        assert!(self.closed.contains(&wire));
    }
}

#[test]
fn a_password_is_asked_about_and_nothing_happens_before_the_answer() {
    for version in [Version::V31, Version::V311, V5] {
        let mut broker = broker();
        let wire = broker.wire("c");
        let connect = with_password("c", version);
        broker.send(wire, version, [Packet::Connect(Box::new(connect)), Packet::PingReq]);
        let request = broker.question(wire);
        assert_eq!(request.client_id.as_str(), "c");
        let Evidence::Password { user_name, password } = request.evidence else { panic!("{request:?}") };
        assert_eq!((user_name.unwrap().as_str(), &password.unwrap()[..]), ("ann", &b"sesame"[..]));
        assert_eq!(broker.received(wire, version), []);
        assert!(!broker.shards[0].wants_input(wire.1), "a stranger's bytes stay where they are");
        assert_eq!(broker.count(|stats| stats.sessions as u64), 0);

        broker.decide(wire, allow("ann", ""));
        assert_eq!(broker.connack(wire, version).reason, ReasonCode::Success);
        assert!(broker.shards[0].wants_input(wire.1));
        broker.send(wire, version, [Packet::PingReq]);
        assert_eq!(broker.received(wire, version), [Packet::PingResp]);
        let expected = Identity { user_name: Some("ann".into()) };
        assert!(
            matches!(&broker.events[..], [Event::Connected { identity, .. }] if *identity == expected),
            "{:?}",
            broker.events
        );
    }
}

#[test]
fn what_came_behind_connect_is_left_in_the_input_until_the_answer() {
    let mut broker = broker();
    let (shard, id) = broker.wire("c");
    let mut input = BytesMut::new();
    codec::encode(&Packet::Connect(Box::new(with_password("c", V5))), V5, &mut input).unwrap();
    codec::encode(&Packet::PingReq, V5, &mut input).unwrap();
    broker.shards[shard].handle_input(broker.now, id, &mut input);
    assert_eq!(&input[..], b"\xc0\x00");
    broker.run();
    broker.decide((shard, id), allow("ann", ""));
    broker.connack((shard, id), V5);
    broker.shards[shard].handle_input(broker.now, id, &mut input);
    broker.run();
    assert_eq!(broker.received((shard, id), V5), [Packet::PingResp]);
}

#[test]
fn a_denial_is_told_in_the_words_of_the_version_and_without_its_reasons() {
    use ReasonCode as R;
    for version in [Version::V31, Version::V311, V5] {
        for (reason, code) in [(R::BadUserNameOrPassword, 4), (R::NotAuthorized, 5), (R::ServerBusy, 3)] {
            let mut broker = broker();
            let wire = broker.apply(with_password("c", version));
            broker.decide(wire, deny(reason));
            let bytes = &broker.wires[&wire];
            match version {
                V5 => assert_eq!(bytes[..], [0x20, 3, 0, reason.byte(), 0]),
                Version::V31 | Version::V311 => assert_eq!(bytes[..], [0x20, 2, 0, code]),
            }
            assert!(broker.closed.contains(&wire));
            let told = [Event::Refused { address: None, reason, detail: "it is a secret".to_owned() }];
            assert_eq!(broker.events, told);
            assert_eq!(broker.count(|stats| stats.refused.total()), 1);
            assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
        }
    }
}

#[test]
fn a_method_runs_its_exchange_and_connack_carries_its_end() {
    let mut broker = broker();
    let wire = broker.apply(with_method("c", METHOD));
    let request = broker.question(wire);
    let Evidence::Begin { method, data } = request.evidence else { panic!("{request:?}") };
    assert_eq!((method.as_str(), &data.unwrap()[..]), (METHOD, &b"hello"[..]));
    for round in 1..=3 {
        broker.decide(wire, challenge("what is it?", round));
        let asked = [auth(ReasonCode::ContinueAuthentication, "what is it?")];
        assert_eq!(broker.received(wire, V5), asked, "[MQTT-4.12.0-2]");
        broker.send(wire, V5, [auth(ReasonCode::ContinueAuthentication, "a fish")]);
        let request = broker.question(wire);
        let Evidence::Answer { data, exchange, .. } = request.evidence else { panic!("{request:?}") };
        assert_eq!(&data.unwrap()[..], b"a fish");
        assert_eq!(exchange.take::<u32>(), Some(round), "it is the state that the challenge came with");
    }
    broker.decide(wire, allow("ann", "well done"));
    let connack = broker.connack(wire, V5);
    assert_eq!(connack.reason, ReasonCode::Success);
    assert_eq!(connack.properties.authentication_method.as_deref(), Some(METHOD));
    assert_eq!(connack.properties.authentication_data.as_deref(), Some(&b"well done"[..]));
}

#[test]
fn a_connack_without_a_method_in_connect_has_none_either() {
    let mut broker = broker();
    let wire = broker.apply(with_password("c", V5));
    broker.decide(wire, allow("ann", ""));
    let connack = broker.connack(wire, V5);
    assert_eq!(connack.properties.authentication_method, None, "[MQTT-4.12.0-6]");
    // An authenticator that wants to go on with such a client does not make the broker send AUTH.
    let wire = broker.apply(with_password("d", V5));
    broker.decide(wire, challenge("what is it?", 1));
    assert_eq!(broker.connack(wire, V5).reason, ReasonCode::ImplementationSpecificError);
}

#[test]
fn an_unknown_method_is_refused_without_asking_anybody() {
    let mut broker = broker();
    let wire = broker.apply(with_method("c", "OTHER"));
    assert_eq!(broker.connack(wire, V5).reason, ReasonCode::BadAuthenticationMethod);
    assert!(broker.closed.contains(&wire) && broker.asked.is_empty());
}

#[test]
fn an_auth_that_is_out_of_place_ends_an_admission_with_a_connack() {
    use ReasonCode::{ContinueAuthentication, ProtocolError, ReAuthenticate, Success};
    for (packet, is_challenged) in [
        (auth(ContinueAuthentication, "too soon"), false),
        (auth(ReAuthenticate, "not in yet"), true),
        (auth(Success, "I say so"), true),
        (auth_of("OTHER", ContinueAuthentication, "a fish"), true),
        (Packet::Auth(Auth { reason: Success, properties: AuthProperties::default() }), true),
        (Packet::PingReq, true),
    ] {
        let mut broker = broker();
        let wire = broker.apply(with_method("c", METHOD));
        if is_challenged {
            broker.decide(wire, challenge("what is it?", 1));
            broker.received(wire, V5);
        }
        broker.asked.clear();
        broker.send(wire, V5, [packet.clone()]);
        assert_eq!(broker.connack(wire, V5).reason, ProtocolError, "{packet:?}");
        assert!(broker.closed.contains(&wire) && broker.asked.is_empty());
        assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
        // An answer that comes late changes nothing.
        broker.decide(wire, allow("ann", ""));
        assert_eq!(broker.count(|stats| stats.sessions as u64), 0);
    }
}

#[test]
fn a_client_may_leave_in_the_middle_of_its_authentication() {
    let mut broker = broker();
    let wire = broker.apply(with_method("c", METHOD));
    broker.decide(wire, challenge("what is it?", 1));
    broker.received(wire, V5);
    broker.send(wire, V5, [Packet::Disconnect(Disconnect::new(ReasonCode::Success))]);
    assert!(broker.closed.contains(&wire));
    assert_eq!(broker.received(wire, V5), []);
    let wire = broker.apply(with_password("d", V5));
    broker.hang_up(wire);
    broker.decide(wire, allow("ann", ""));
    assert_eq!(broker.count(|stats| stats.connections as u64 + stats.sessions as u64), 0);
}

#[test]
fn an_admission_that_never_ends_ends_with_the_time_to_connect() {
    let mut broker = broker();
    let silent = broker.apply(with_method("silent", METHOD));
    broker.decide(silent, challenge("what is it?", 1));
    broker.received(silent, V5);
    let unanswered = broker.apply(with_password("unanswered", V5));
    broker.wait(Duration::from_secs(9));
    assert!(broker.closed.is_empty());
    broker.wait(Duration::from_secs(3));
    assert_eq!(broker.connack(silent, V5).reason, ReasonCode::NotAuthorized);
    assert_eq!(broker.connack(unanswered, V5).reason, ReasonCode::ServerBusy, "it is no fault of the client");
    assert!(broker.closed.contains(&silent) && broker.closed.contains(&unanswered));
}

#[test]
fn credentials_beyond_the_bound_are_refused_unseen() {
    let limits = Limits { credentials_bytes_max: 8, ..Limits::default() };
    let mut broker = Broker::with_access(1, limits, Riddler::default());
    let wire = broker.apply(with_password("c", V5));
    assert_eq!(broker.connack(wire, V5).reason, ReasonCode::BadUserNameOrPassword);
    let long = Connect { user_name: Some(text("a")), password: None, ..connect("c", V5) };
    let wire = broker.apply(long);
    broker.decide(wire, deny(ReasonCode::BadUserNameOrPassword));
    assert!(broker.closed.contains(&wire), "what fits is asked about");
    assert_eq!(broker.asked.len(), 1);
    assert_eq!(broker.limited(Limit::CredentialsBytes), 1);
}

#[test]
fn an_open_connection_authenticates_again_while_messages_go_on() {
    let mut broker = broker();
    let wire = broker.authenticated("c");
    broker.send(wire, V5, [subscribe(1, &["ann/#"], QoS::AtMostOnce)]);
    broker.received(wire, V5);
    broker.send(wire, V5, [auth(ReasonCode::ReAuthenticate, "hello again")]);
    let request = broker.question(wire);
    let Evidence::Begin { data, .. } = &request.evidence else { panic!("{request:?}") };
    assert_eq!((&data.as_ref().unwrap()[..], request.client_id.as_str()), (&b"hello again"[..], "c"));
    for step in [challenge("what is it?", 7), allow("ann", "fine")] {
        broker.send(wire, V5, [publish(0, "ann/x", "under way", QoS::AtMostOnce)]);
        let passed = broker.received(wire, V5);
        assert!(matches!(&passed[..], [Packet::Publish(_)]), "{passed:?}");
        let is_challenge = matches!(step, AuthStep::Continue { .. });
        broker.decide(wire, step);
        let (reason, data) = match is_challenge {
            true => (ReasonCode::ContinueAuthentication, "what is it?"),
            false => (ReasonCode::Success, "fine"),
        };
        assert_eq!(broker.received(wire, V5), [auth(reason, data)]);
        if is_challenge {
            broker.send(wire, V5, [auth(ReasonCode::ContinueAuthentication, "a fish")]);
            broker.question(wire);
        }
    }
    // And again, for which nothing of the first time is in the way.
    broker.send(wire, V5, [auth(ReasonCode::ReAuthenticate, "and again")]);
    broker.question(wire);
    broker.decide(wire, allow("ann", "fine"));
    assert_eq!(broker.received(wire, V5), [auth(ReasonCode::Success, "fine")]);
    let renewed = |event: &&Event| matches!(event, Event::Reauthenticated { .. });
    assert_eq!(broker.events.iter().filter(renewed).count(), 2);
}

#[test]
fn a_failed_re_authentication_ends_the_connection() {
    let cases = [
        (deny(ReasonCode::BadUserNameOrPassword), ReasonCode::NotAuthorized),
        (allow("bob", "fine"), ReasonCode::NotAuthorized),
    ];
    for (step, told) in cases {
        let mut broker = broker();
        let wire = broker.authenticated("c");
        broker.send(wire, V5, [auth(ReasonCode::ReAuthenticate, "hello again")]);
        broker.decide(wire, step);
        broker.assert_disconnected(wire, told);
    }
}

#[test]
fn a_re_authentication_that_never_ends_ends_the_connection() {
    let mut broker = broker();
    let wire = broker.authenticated("c");
    broker.send(wire, V5, [auth(ReasonCode::ReAuthenticate, "once")]);
    broker.decide(wire, allow("ann", "fine"));
    broker.wait(Duration::from_secs(8));
    broker.send(wire, V5, [auth(ReasonCode::ReAuthenticate, "twice")]);
    broker.decide(wire, challenge("what is it?", 1));
    broker.wait(Duration::from_secs(8));
    assert!(!broker.closed.contains(&wire), "the time of the first one is not that of the second");
    broker.wait(Duration::from_secs(4));
    broker.assert_disconnected(wire, ReasonCode::NotAuthorized);
}

#[test]
fn an_auth_that_is_out_of_place_ends_an_open_connection() {
    use ReasonCode::{ContinueAuthentication, ProtocolError, ReAuthenticate, Success};
    let cases: [&[Packet]; 5] = [
        &[auth(ContinueAuthentication, "a fish")],
        &[auth(Success, "I say so")],
        &[auth_of("OTHER", ReAuthenticate, "hello")],
        &[auth(ReAuthenticate, "hello"), auth(ReAuthenticate, "hello")],
        &[auth(ReAuthenticate, "hello"), auth(ContinueAuthentication, "too soon")],
    ];
    for packets in cases {
        let mut broker = broker();
        let wire = broker.authenticated("c");
        broker.send(wire, V5, packets.iter().cloned());
        broker.assert_disconnected(wire, ProtocolError);
    }
    let mut broker = broker();
    let wire = broker.connected(connect("c", V5));
    broker.send(wire, V5, [auth(ReAuthenticate, "hello")]);
    broker.assert_disconnected(wire, ProtocolError);
}

#[test]
fn a_session_is_its_user_s_alone() {
    let mut broker = broker();
    let expiry = |connect: Connect| {
        let session_expiry = Some(3600);
        let properties = ConnectProperties { session_expiry, ..connect.properties.clone() };
        Connect { clean_start: false, properties, ..connect }
    };
    let first = broker.apply(expiry(with_password("c", V5)));
    broker.decide(first, allow("ann", ""));
    assert_eq!(broker.connack(first, V5).reason, ReasonCode::Success);

    for clean_start in [false, true] {
        let other = broker.apply(Connect { clean_start, ..expiry(with_password("c", V5)) });
        broker.decide(other, allow("bob", ""));
        assert_eq!(broker.connack(other, V5).reason, ReasonCode::ClientIdentifierNotValid);
        let nameless = broker.apply(Connect { clean_start, ..expiry(connect("c", V5)) });
        assert_eq!(broker.connack(nameless, V5).reason, ReasonCode::ClientIdentifierNotValid);
    }
    assert!(!broker.closed.contains(&first), "nobody else's attempt ends the connection");

    let again = broker.apply(expiry(with_password("c", V5)));
    broker.decide(again, allow("ann", ""));
    assert!(broker.connack(again, V5).session_present);
    broker.assert_disconnected(first, ReasonCode::SessionTakenOver);
}

#[test]
fn what_an_anonymous_client_left_is_not_a_user_s_to_inherit() {
    let mut broker = broker();
    let nameless = broker.connected(resume("c", 10));
    broker.send(nameless, V5, [subscribe(1, &["a"], QoS::AtLeastOnce)]);
    let user = broker.apply(Connect { clean_start: false, ..with_password("c", V5) });
    broker.decide(user, allow("ann", ""));
    assert!(!broker.connack(user, V5).session_present);
    broker.assert_disconnected(nameless, ReasonCode::SessionTakenOver);
    assert_eq!(broker.count(|stats| stats.subscriptions as u64), 0);
}

#[test]
fn access_is_decided_by_the_user_of_the_session() {
    let mut broker = broker();
    let willing = Connect { will: Some(will("bob/x", None)), ..with_password("w", V5) };
    let wire = broker.apply(willing);
    broker.decide(wire, allow("ann", ""));
    assert_eq!(broker.connack(wire, V5).reason, ReasonCode::NotAuthorized, "the will is checked too");

    let wire = broker.authenticated("c");
    broker.send(wire, V5, [subscribe(1, &["ann/a", "bob/a"], QoS::AtMostOnce)]);
    let answer = broker.received(wire, V5);
    let [Packet::SubAck(suback)] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!(suback.reasons, [ReasonCode::Success, ReasonCode::NotAuthorized]);
    broker.send(wire, V5, [publish(1, "bob/a", "x", QoS::AtLeastOnce)]);
    let answer = broker.received(wire, V5);
    let [Packet::PubAck(refused)] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((refused.packet_id, refused.reason), (packet_id(1), ReasonCode::NotAuthorized));
}

#[test]
fn a_challenge_that_is_larger_than_the_client_takes_is_not_sent() {
    let mut broker = broker();
    let mut small = with_method("c", METHOD);
    small.properties.packet_size_max = Some(30);
    let wire = broker.apply(small);
    broker.decide(wire, challenge("more than thirty bytes with everything around it", 1));
    assert_eq!(broker.received(wire, V5), [], "[MQTT-3.1.2-24]");
    assert!(broker.closed.contains(&wire));
}

#[test]
fn whom_changed_rules_do_not_want_is_sent_away_and_nobody_else() {
    let riddler = Riddler::default();
    let gone = Arc::clone(&riddler.gone);
    let mut broker = Broker::with_access(1, Limits::default(), riddler);
    let ann = broker.authenticated("a");
    let bob = broker.apply(with_password("b", Version::V311));
    broker.decide(bob, allow("bob", ""));
    let nameless = broker.connected(connect("n", V5));
    let waiting = broker.apply(with_password("w", V5));
    gone.lock().unwrap().insert("ann".to_owned());
    broker.shards[0].handle_access_changed(broker.now);
    broker.run();
    broker.assert_disconnected(ann, ReasonCode::NotAuthorized);
    assert!([bob, nameless, waiting].iter().all(|wire| !broker.closed.contains(wire)));
    gone.lock().unwrap().insert("bob".to_owned());
    broker.shards[0].handle_access_changed(broker.now);
    broker.run();
    assert!(broker.closed.contains(&bob), "version 3 has no words for it");
}
