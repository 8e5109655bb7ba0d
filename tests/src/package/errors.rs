//! What goes wrong in a page with the package, and in which words it is told.

use hearth_protocol::ReasonCode;
use serde_json::json;

use super::{of_the_socket, open_broker, with_client};
use crate::browser::nothing;
use crate::hearth::HearthCommand;
use crate::users::UsersFile;

#[test]
fn bad_input_is_answered_with_what_is_wrong_with_it() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        page.run("window.client = await mqtt.connect(url); return true;").await;
        page.run("window.old = await mqtt.connect(url, { version: '3.1.1' }); return true;").await;
        for (call, words) in [
            ("mqtt.connect('mqtt://broker')", "does not begin with ws:// or wss://"),
            ("mqtt.connect('ws://')", "is no address of a broker"),
            (
                "mqtt.connect(url, { cleanSession: true })",
                "has no field `cleanSession`; there are version, clientId",
            ),
            ("mqtt.connect(url, { version: '4' })", "options.version is neither"),
            (
                "mqtt.connect(url, { keepAlive: 70_000 })",
                "options.keepAlive is no whole number from 0 to 65535",
            ),
            ("mqtt.connect(url, { username: 7 })", "options.username is no string"),
            ("mqtt.connect(url, { will: { payload: 'x' } })", "will.topic is missing"),
            ("mqtt.connect(url, { will: { topic: 'a/+' } })", "will.topic contains the wildcard '+'"),
            ("mqtt.connect(url, { version: '3.1.1', sessionExpiry: 5 })", "MQTT 3.1.1 does not have"),
            ("client.publish('a/#', '')", "the topic contains the wildcard '#'"),
            ("client.publish('', '')", "the topic is empty"),
            ("client.publish(7, '')", "the topic is no string"),
            ("client.publish('a', 7)", "the payload is no string, ArrayBuffer or Uint8Array"),
            ("client.publish('a', '', { qos: 3 })", "options.qos is no whole number from 0 to 2"),
            (
                "client.publish('a', '', { properties: { contentType: 'a\\0' } })",
                "properties.contentType contains",
            ),
            (
                "client.publish('a', '', { properties: { userProperties: [['a']] } })",
                "properties.userProperties is neither",
            ),
            ("old.publish('a', '', { properties: { contentType: 'x' } })", "not to be had with MQTT 3.1.1"),
            ("client.subscribe('a/#/b')", "the topic filter `a/#/b` has '#' that is not alone"),
            ("client.subscribe([])", "the list of topic filters is empty"),
            ("client.subscribe([7])", "a topic filter is no string"),
            ("client.subscribe('$share/g/a', { noLocal: true })", "is shared, which goes without noLocal"),
            ("client.subscribe('a', { retained: 'no' })", "options.retained is none of"),
            ("client.subscribe('a', {}, 'no function')", "is no function"),
            ("(async () => client.on('massage', () => {}))()", "there is no event massage"),
        ] {
            let failure = page.run(&format!("return await failure({call});")).await;
            assert_eq!(
                (&failure["name"], &failure["kind"]),
                (&json!("MqttError"), &json!("invalid")),
                "{call}: {failure}"
            );
            assert!(failure["message"].as_str().unwrap().contains(words), "{call}: {failure}");
        }
        // None of it did any harm.
        let outcome = page.run("return (await client.publish('a', 'b', { qos: 1 })).reason;").await;
        assert_eq!(outcome, "no matching subscribers");
    });
}

#[test]
fn a_broker_that_says_no_is_told_with_its_reason() {
    let users = UsersFile::new(&[("ada", "right")]);
    let hearth = HearthCommand::new()
        .args(["--mqtt", "none", "--http", "none", "--ws", "127.0.0.1:0", "--shards", "1"])
        .args(["--users", users.path().to_str().unwrap()])
        .env("HEARTH_WS_ALLOWED_ORIGINS", "*")
        .start();
    with_client(hearth.ws(), nothing, async |page| {
        let failure = |version: &str| {
            format!(
                "return await failure(mqtt.connect(url, {{ version: '{version}', username: 'ada', password: 'wrong' }}));"
            )
        };
        for version in ["5.0", "3.1.1"] {
            let failure = page.run(&failure(version)).await;
            let reason = ReasonCode::BadUserNameOrPassword;
            assert_eq!(failure["kind"], "refused", "{failure}");
            assert_eq!(
                (&failure["code"], &failure["reason"]),
                (&json!(reason.byte()), &json!(reason.as_str()))
            );
        }
        let state = page
            .run("return (await mqtt.connect(url, { username: 'ada', password: 'right' })).state.name;")
            .await;
        assert_eq!(state, "online");
    });
}

#[test]
fn a_broker_that_is_not_there_fails_the_connection_and_so_does_a_signal() {
    let mut hearth = open_broker();
    with_client(hearth.ws(), of_the_socket, async |page| {
        let heard = page
            .run(
                "const missing = await failure(mqtt.connect('ws://127.0.0.1:1/mqtt'));
                 const controller = new AbortController();
                 const waiting = failure(mqtt.connect('ws://127.0.0.1:1/mqtt', { retryFirst: true, signal: controller.signal }));
                 controller.abort();
                 const early = failure(mqtt.connect(url, { signal: AbortSignal.abort() }));
                 return [missing.kind, (await waiting).name, (await early).name];",
            )
            .await;
        assert_eq!(heard, json!(["unreachable", "AbortError", "AbortError"]));

        page.run("window.client = await mqtt.connect(url, { reconnect: false }); return true;").await;
        hearth.terminate();
        let heard = page
            .run(
                "const { error } = await until(client, 'closed');
                 const after = await failure(client.publish('a', '', { qos: 1 }));
                 return [error.kind, error.code ?? error.reasonCode, after.kind];",
            )
            .await;
        assert_eq!(heard, json!(["disconnected", ReasonCode::ServerShuttingDown.byte(), "closed"]));
    });
}

#[test]
fn signals_end_what_they_were_given_to_and_nothing_else() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "const client = await mqtt.connect(url);
                 const heard = [];
                 const controller = new AbortController();
                 const { signal } = controller;
                 await client.subscribe('a', { qos: 1, signal }, () => heard.push('with a signal'));
                 client.on('message', () => heard.push('listener'), { signal });
                 const inbox = new Inbox();
                 await client.subscribe('a', { qos: 1 }, inbox.take);
                 await client.publish('a', '1', { qos: 1 });
                 await inbox.next();
                 const unanswered = failure(client.publish('a', '2', { qos: 2, signal }));
                 const request = failure(client.request('a', '', { signal }));
                 const subscribe = failure(client.subscribe('b', { signal }));
                 controller.abort();
                 const names = [(await unanswered).name, (await request).name, (await subscribe).name];
                 const late = await failure(client.publish('a', '3', { signal }));
                 await client.publish('a', '4', { qos: 1 });
                 while ((await inbox.next()).text() !== '4') {}
                 return [heard.sort(), names, late.name];",
            )
            .await;
        let aborted = ["AbortError"; 3];
        assert_eq!(heard, json!([["listener", "with a signal"], aborted, "AbortError"]));
    });
}
