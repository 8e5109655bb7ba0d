//! Connections of a page with the package: lost, resumed, ended.

use hearth_protocol::Version;
use serde_json::json;

use super::{of_the_socket, open_broker, open_broker_on, with_client};
use crate::browser::nothing;
use crate::wire::{Wire, connect};

#[test]
fn a_page_comes_back_after_a_restart_with_its_subscriptions_and_what_it_had_to_say() {
    let mut hearth = open_broker();
    with_client(hearth.ws(), of_the_socket, async |page| {
        page.run(
            "window.client = await mqtt.connect(url);
             window.states = [];
             client.on('state', ({ name }) => states.push(name));
             window.inbox = new Inbox();
             await client.subscribe('news/#', { qos: 1 }, inbox.take);
             return true;",
        )
        .await;
        let address = hearth.ws();
        hearth.terminate();
        let waiting = page
            .run(
                "const { name, retryIn, error } = await until(client, 'waiting');
                 window.later = client.publish('said/offline', 'x', { qos: 1 });
                 window.offline = await failure(client.publish('said/offline', 'x'));
                 window.granted = client.subscribe('more', { qos: 2 }, inbox.take);
                 return [name, retryIn >= 0, error instanceof mqtt.MqttError, offline.kind];",
            )
            .await;
        assert_eq!(waiting, json!(["waiting", true, true, "offline"]));
        let hearth = open_broker_on(address);
        let heard = page
            .run(
                "client.retryNow();
                 const { reasonCode } = await later;
                 const { granted: codes } = await granted;
                 return [reasonCode, [...codes], client.connected, client.sessionPresent];",
            )
            .await;
        assert_eq!(heard, json!([0x10, [2], true, false]));
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "other"));
        wire.publish_acknowledged("news/1", b"one");
        wire.publish_acknowledged("more", b"two");
        let heard = page.run("return [(await inbox.next()).text(), (await inbox.next()).text()];").await;
        assert_eq!(heard, json!(["one", "two"]));
        page.run("await client.disconnect(); return true;").await;
    });
}

#[test]
fn a_resumed_session_brings_what_came_meanwhile() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        page.run(
            "window.options = { clientId: 'one page', cleanStart: false, sessionExpiry: 600 };
             const client = await mqtt.connect(url, options);
             await client.subscribe('kept', { qos: 2 }, () => {});
             await client.disconnect();
             return client.sessionPresent;",
        )
        .await;
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "other"));
        wire.publish_acknowledged("kept", b"1");
        wire.publish_acknowledged("kept", b"2");
        let heard = page
            .run(
                "const client = await mqtt.connect(url, options);
                 const inbox = new Inbox();
                 client.on('message', inbox.take);
                 const heard = [(await inbox.next()).text(), (await inbox.next()).text()];
                 await client.disconnect({ sessionExpiry: 0 });
                 const last = await mqtt.connect(url, options);
                 return [...heard, client.sessionPresent, last.sessionPresent, last.clientId];",
            )
            .await;
        assert_eq!(heard, json!(["1", "2", true, false, "one page"]));
    });
}

#[test]
fn a_client_that_was_disconnected_stays_so_and_lets_nobody_wait() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "const client = await mqtt.connect(url);
                 const heard = [];
                 client.on('state', ({ name }) => heard.push(name));
                 await client.subscribe('a', { qos: 2 }, () => heard.push('message'));
                 const open = [client.publish('a', '1', { qos: 2 }), client.subscribe('b', () => {}), client.request('a', '')];
                 const kinds = open.map(async (it) => (await failure(it)).kind);
                 await client.disconnect();
                 await client.disconnect();
                 client.retryNow();
                 const late = [await failure(client.publish('a', '')), await failure(client.subscribe('a'))];
                 // Another client's round trip is time enough for what should not come.
                 await (await mqtt.connect(url)).publish('fence', '', { qos: 1 });
                 return [heard, await Promise.all(kinds), late.map(({ kind }) => kind), client.connected, client.pending];",
            )
            .await;
        let closed = "closed";
        assert_eq!(heard, json!([[closed], [closed, closed, closed], [closed, closed], false, 0]));
    });
}

#[test]
fn what_a_listener_throws_is_reported_and_stops_nobody() {
    let hearth = open_broker();
    let is_thrown = |line: &crate::browser::ConsoleLine| line.text.contains("a mistake of the page");
    with_client(hearth.ws(), is_thrown, async |page| {
        let heard = page
            .run(
                "const reported = [];
                 addEventListener('error', () => reported.push(true));
                 const client = await mqtt.connect(url);
                 const inbox = new Inbox();
                 await client.subscribe('a', () => { throw new Error('a mistake of the page'); });
                 await client.subscribe('a', { qos: 1 }, inbox.take);
                 client.on('message', (message) => {
                   // A listener may call the client while it is told.
                   if (message.text() === '1') void client.publish('a', '2');
                 });
                 await client.publish('a', '1');
                 return [(await inbox.next()).text(), (await inbox.next()).text(), reported.length];",
            )
            .await;
        assert_eq!(heard, json!(["1", "2", 2]));
    });
}

#[test]
fn a_page_that_was_hidden_while_its_socket_died_connects_again_when_it_is_shown() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        // The browser's own socket stands between, so that it can fall silent as after a sleep.
        let heard = page
            .run(
                "const Native = window.WebSocket;
                 let isDead = false;
                 window.WebSocket = class extends Native {
                   constructor(...all) { super(...all); this.isMortal = !isDead; }
                   addEventListener(type, listener, options) {
                     super.addEventListener(type, (event) => {
                       if (!(isDead && this.isMortal)) listener(event);
                     }, options);
                   }
                   send(bytes) { if (!(isDead && this.isMortal)) super.send(bytes); }
                 };
                 const client = await mqtt.connect(url);
                 const states = [];
                 client.on('state', ({ name }) => states.push(name));
                 isDead = true;
                 const { now } = Date;
                 Date.now = () => now() + 3_600_000;
                 document.dispatchEvent(new Event('visibilitychange'));
                 client.retryNow();
                 await until(client, 'online');
                 const { reasonCode } = await client.publish('a', '', { qos: 1 });
                 Date.now = now;
                 return [states, reasonCode];",
            )
            .await;
        let states = heard[0].as_array().unwrap();
        assert_eq!(states.last().unwrap(), "online", "{heard}");
        assert!(states.contains(&json!("waiting")), "{heard}");
        assert_eq!(heard[1], 0x10);
    });
}
