//! Questions and answers, with real passwords and without sockets.

use std::net::SocketAddr;
use std::time::Duration;

use hearth_broker::{Access, Admission, Decision, Peer, Subject, Transport};
use hearth_protocol::packet::{Connect, ConnectProperties};
use hearth_protocol::{Text, Version};
use hearth_scram::{ClientExchange, ScramError, Verifier};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::auth::{Anonymous, Policy, Users};

fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

fn users() -> Users {
    let mut users = Users::new([7; 32]);
    users.insert("ann".into(), Verifier::derive(b"pencil", b"salt of ann", 4096));
    users
}

fn policies(users: Option<Users>, anonymous: Anonymous) -> Policies {
    Policies::new(Policy { users, anonymous })
}

fn authenticator(policies: &Policies) -> Authenticator {
    let passwords = Passwords::new(TaskTracker::new(), CancellationToken::new());
    Authenticator::new(policies.clone(), Arc::new(passwords))
}

fn request(evidence: Evidence) -> AuthRequest {
    AuthRequest { client_id: text("c"), address: None, evidence }
}

/// The answer, and whether it was there at once.
async fn ask_password(authenticator: &Authenticator, name: &str, password: &str) -> (AuthStep, bool) {
    let password = Some(Bytes::copy_from_slice(password.as_bytes()));
    let (answer, answered) = tokio::sync::oneshot::channel();
    let reply = Box::new(move |step| drop(answer.send(step)));
    let evidence = Evidence::Password { user_name: Some(text(name)), password };
    match authenticator.answer(request(evidence), reply) {
        Some(step) => (step, true),
        None => (tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap().unwrap(), false),
    }
}

fn ask(authenticator: &Authenticator, evidence: Evidence) -> AuthStep {
    authenticator.answer(request(evidence), Box::new(|_| panic!("SCRAM is answered at once"))).unwrap()
}

fn begin(authenticator: &Authenticator, data: Vec<u8>) -> AuthStep {
    ask(authenticator, Evidence::Begin { method: text(METHOD), data: Some(Bytes::from(data)) })
}

/// Runs an exchange as the client does. Between challenge and answer `meanwhile` happens.
fn exchange(
    authenticator: &Authenticator,
    (name, password): (&str, &str),
    meanwhile: impl FnOnce(),
) -> (AuthStep, Option<Result<(), ScramError>>) {
    let client = ClientExchange::new(name, password, "0123456789");
    let AuthStep::Continue { data, exchange } = begin(authenticator, client.first()) else {
        panic!("every name is challenged");
    };
    let (answer, finish) = client.answer(&data).unwrap();
    meanwhile();
    let data = Some(Bytes::from(answer));
    let step = ask(authenticator, Evidence::Answer { method: text(METHOD), data, exchange });
    let last = match &step {
        AuthStep::Allow { data, .. } => Some(finish.finish(data.as_deref().unwrap_or_default())),
        AuthStep::Continue { .. } | AuthStep::Deny { .. } => None,
    };
    (step, last)
}

fn reason(step: &AuthStep) -> Option<ReasonCode> {
    match step {
        AuthStep::Deny { reason, .. } => Some(*reason),
        AuthStep::Allow { .. } | AuthStep::Continue { .. } => None,
    }
}

fn user(step: &AuthStep) -> Option<&str> {
    match step {
        AuthStep::Allow { identity, .. } => identity.user_name.as_deref(),
        AuthStep::Continue { .. } | AuthStep::Deny { .. } => None,
    }
}

fn connect(user_name: Option<&str>, method: Option<&str>) -> Connect {
    let properties =
        ConnectProperties { authentication_method: method.map(text), ..ConnectProperties::default() };
    Connect {
        version: Version::V5,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_id: text("c"),
        will: None,
        user_name: user_name.map(text),
        password: None,
        properties,
    }
}

fn peer(is_local: bool) -> Peer {
    let address = Some(SocketAddr::from(([192, 0, 2, 1], 1)));
    Peer { address, is_local, transport: Transport::Tcp, assigned_client_id: Text::EMPTY }
}

#[tokio::test]
async fn a_password_is_checked_elsewhere_and_a_right_one_is_remembered() {
    let authenticator = authenticator(&policies(Some(users()), Anonymous::Auto));
    for (name, password) in [("ann", "pencil "), ("ann", ""), ("bob", "pencil"), ("", "pencil")] {
        for _ in 0..2 {
            let (step, at_once) = ask_password(&authenticator, name, password).await;
            assert_eq!(reason(&step), Some(ReasonCode::BadUserNameOrPassword), "{name} {password}");
            assert!(!at_once, "a wrong one takes its time however often it comes");
        }
    }
    for known in [false, true] {
        let (step, at_once) = ask_password(&authenticator, "ann", "pencil").await;
        assert_eq!((user(&step), at_once), (Some("ann"), known));
    }
    let (step, at_once) = ask_password(&authenticator, "ann", "pencil2").await;
    assert!(reason(&step).is_some() && !at_once);
}

#[tokio::test]
async fn a_password_that_was_changed_is_forgotten() {
    let policies = policies(Some(users()), Anonymous::Auto);
    let authenticator = authenticator(&policies);
    assert_eq!(user(&ask_password(&authenticator, "ann", "pencil").await.0), Some("ann"));
    let mut changed = Users::new([7; 32]);
    changed.insert("ann".into(), Verifier::derive(b"pen", b"salt", 4096));
    policies.replace(Policy { users: Some(changed), anonymous: Anonymous::Auto });
    assert!(reason(&ask_password(&authenticator, "ann", "pencil").await.0).is_some());
    assert_eq!(user(&ask_password(&authenticator, "ann", "pen").await.0), Some("ann"));
}

#[tokio::test]
async fn scram_lets_in_who_knows_the_password_and_proves_that_the_broker_does() {
    let authenticator = authenticator(&policies(Some(users()), Anonymous::Auto));
    let (step, last) = exchange(&authenticator, ("ann", "pencil"), || {});
    assert_eq!((user(&step), last), (Some("ann"), Some(Ok(()))));
    for credentials in [("ann", "pen"), ("bob", "pencil")] {
        let (step, _) = exchange(&authenticator, credentials, || {});
        assert_eq!(reason(&step), Some(ReasonCode::NotAuthorized), "{credentials:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_there_is_challenged_like_one_that_is() {
    let authenticator = authenticator(&policies(Some(users()), Anonymous::Auto));
    let challenge = |name: &str| {
        let AuthStep::Continue { data, .. } = begin(&authenticator, format!("n,,n={name},r=x").into()) else {
            panic!("every name is challenged");
        };
        let challenge = String::from_utf8(data.to_vec()).unwrap();
        let (nonce, rest) = challenge.split_once(",s=").unwrap();
        assert_eq!(nonce.len(), "r=x".len() + NONCE_CHARS);
        rest.to_owned()
    };
    assert!(challenge("bob").ends_with(",i=4096"), "as many iterations as the others have");
    assert_eq!(challenge("bob"), challenge("bob"), "the same salt each time");
    assert_ne!(challenge("bob"), challenge("zoe"));
}

#[tokio::test]
async fn a_user_who_is_removed_during_the_exchange_is_not_let_in() {
    let policies = policies(Some(users()), Anonymous::Auto);
    let authenticator = authenticator(&policies);
    let removed =
        || policies.replace(Policy { users: Some(Users::new([7; 32])), anonymous: Anonymous::Auto });
    let (step, _) = exchange(&authenticator, ("ann", "pencil"), removed);
    assert_eq!(reason(&step), Some(ReasonCode::NotAuthorized));
    let subject = |name: Option<&str>| Identity { user_name: name.map(Into::into) };
    let remains =
        |name, is_local| policies.remains(Subject { client_id: "c", identity: &subject(name) }, is_local);
    for is_local in [true, false] {
        assert_eq!(remains(Some("ann"), is_local), Decision::Deny);
        assert_eq!(remains(None, is_local), Decision::Deny, "who may not come in may not stay either");
    }
    policies.replace(Policy { users: Some(users()), anonymous: Anonymous::Local });
    assert_eq!([true, false].map(|is_local| remains(None, is_local)), [Decision::Allow, Decision::Deny]);
}

#[tokio::test]
async fn what_is_no_scram_is_refused() {
    let authenticator = authenticator(&policies(Some(users()), Anonymous::Auto));
    for data in [&b""[..], b"p=tls-exporter,,n=ann,r=x", b"\xff"] {
        assert_eq!(reason(&begin(&authenticator, data.to_vec())), Some(ReasonCode::NotAuthorized));
    }
    for method in [METHOD, "PLAIN"] {
        let exchange = Exchange::new("of somebody else");
        let step = ask(&authenticator, Evidence::Answer { method: text(method), data: None, exchange });
        assert_eq!(reason(&step), Some(ReasonCode::NotAuthorized));
    }
}

#[test]
fn who_is_let_in_without_a_name_depends_on_where_it_is_and_on_the_users() {
    for (has_users, anonymous, is_local, is_let_in) in [
        (false, Anonymous::Auto, true, true),
        (false, Anonymous::Auto, false, false),
        (true, Anonymous::Auto, true, false),
        (true, Anonymous::Local, true, true),
        (true, Anonymous::Local, false, false),
        (true, Anonymous::Yes, false, true),
        (false, Anonymous::No, true, false),
    ] {
        let policies = policies(has_users.then(users), anonymous);
        let case = format!("{has_users} {anonymous:?} {is_local}");
        match policies.connect(&peer(is_local), &connect(None, None)) {
            Admission::Allow(identity) => assert!(is_let_in && identity.user_name.is_none(), "{case}"),
            Admission::Deny { reason, detail } => {
                assert!(!is_let_in && reason == ReasonCode::NotAuthorized, "{case}");
                assert!(detail.contains("auth.anonymous"), "it says what to do: {detail}");
            }
            Admission::Ask => panic!("{case}"),
        }
    }
}

#[test]
fn whoever_names_itself_is_asked_where_there_are_users_and_is_anonymous_where_there_are_none() {
    let with_users = policies(Some(users()), Anonymous::Yes);
    let without = policies(None, Anonymous::Auto);
    let named = connect(Some("ann"), None);
    assert_eq!(with_users.connect(&peer(true), &named), Admission::Ask, "a wrong password is no way in");
    assert_eq!(without.connect(&peer(true), &named), Admission::Allow(Identity::default()));
    assert!(matches!(without.connect(&peer(false), &named), Admission::Deny { .. }));
    let password_alone = Connect { password: Some(Bytes::new()), ..connect(None, None) };
    assert_eq!(with_users.connect(&peer(true), &password_alone), Admission::Ask);
}

#[test]
fn a_method_is_known_where_there_are_users() {
    let refused =
        |admission| matches!(admission, Admission::Deny { reason: ReasonCode::BadAuthenticationMethod, .. });
    let with_users = policies(Some(users()), Anonymous::Yes);
    assert_eq!(with_users.connect(&peer(true), &connect(None, Some(METHOD))), Admission::Ask);
    assert!(refused(with_users.connect(&peer(true), &connect(None, Some("scram-sha-256")))));
    assert!(refused(policies(None, Anonymous::Yes).connect(&peer(true), &connect(None, Some(METHOD)))));
}

#[tokio::test]
async fn what_runs_inside_of_the_process_comes_in_whatever_the_rules_are() {
    for users in [None, Some(users())] {
        let policies = policies(users, Anonymous::No);
        let own = policies.admit_own("$demo");
        let named = connect(Some("$demo"), None);
        assert_eq!(policies.connect(&peer(true), &named), Admission::Ask);
        let authenticator = authenticator(&policies);
        let password = String::from_utf8(own.password.to_vec()).unwrap();
        assert_eq!(user(&ask_password(&authenticator, "$demo", &password).await.0), Some("$demo"));
        assert!(reason(&ask_password(&authenticator, "$demo", "guess").await.0).is_some());
        policies.replace(Policy { users: None, anonymous: Anonymous::No });
        let identity = Identity { user_name: Some("$demo".into()) };
        let demo = Subject { client_id: "c", identity: &identity };
        assert_eq!(policies.remains(demo, true), Decision::Allow);
    }
}

#[tokio::test]
async fn what_a_client_calls_itself_stays_in_one_short_line_of_the_log() {
    let authenticator = authenticator(&policies(Some(users()), Anonymous::Auto));
    let name = format!("a\nERROR forged\u{1b}[2J{}", "n".repeat(1000));
    for step in
        [ask_password(&authenticator, &name, "x").await.0, exchange(&authenticator, (&name, "x"), || {}).0]
    {
        let AuthStep::Deny { detail, .. } = step else { panic!("{step:?}") };
        assert!(detail.len() < 200 && !detail.contains(char::is_control), "{detail}");
    }
}
