//! Messages between a page with the package and clients on TCP: every QoS both ways, properties, sizes.

use hearth_protocol::packet::{Packet, Publish, PublishAck, PublishProperties};
use hearth_protocol::property::PayloadFormat;
use hearth_protocol::{QoS, TopicName, Version};
use serde_json::json;

use super::{open_broker, with_client};
use crate::browser::nothing;
use crate::mosquitto::{Subscriber, V5, publish};
use crate::wire::{Wire, connect, message, text};

#[test]
fn messages_of_every_qos_go_both_ways_with_both_versions() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        for version in ["5.0", "3.1.1"] {
            let mut subscriber =
                Subscriber::start(hearth.mqtt(), V5, &["-t", &format!("from/page/{version}/#"), "-q", "2"]);
            page.evaluate(&format!("window.version = '{version}'")).await;
            let outcomes = page
                .run(
                    "window.client = await mqtt.connect(url, { version });
                     window.inbox = new Inbox();
                     await client.subscribe(`to/page/${version}/#`, { qos: 2 }, inbox.take);
                     const outcomes = [];
                     for (const qos of [0, 1, 2]) {
                       outcomes.push((await client.publish(`from/page/${version}/${qos}`, `q${qos}`, { qos })).reasonCode);
                     }
                     return outcomes;",
                )
                .await;
            assert_eq!(outcomes, json!([0, 0, 0]), "{version}");
            for qos in 0..=2 {
                assert_eq!(subscriber.next_message().text, format!("from/page/{version}/{qos} q{qos}"));
            }
            for qos in ["0", "1", "2"] {
                let topic = format!("to/page/{version}/{qos}");
                publish(hearth.mqtt(), V5, &["-t", &topic, "-m", "grüß dich", "-q", qos]);
                let heard = page
                    .run("const it = await inbox.next(); return [it.topic, it.text(), it.qos, it.retain, it.duplicate];")
                    .await;
                let qos: u8 = qos.parse().unwrap();
                assert_eq!(heard, json!([topic, "grüß dich", qos, false, false]));
            }
            page.run("await client.disconnect(); return client.state.name === 'closed';").await;
        }
    });
}

#[test]
fn retained_messages_come_to_later_subscribers_and_go_with_an_empty_one() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "window.client = await mqtt.connect(url);
                 await client.publish('kept/a', 'x', { qos: 1, retain: true });
                 const inbox = new Inbox();
                 const subscription = await client.subscribe('kept/#', { qos: 1 }, inbox.take);
                 const first = await inbox.next();
                 const kept = [first.topic, first.text(), first.retain];
                 await subscription.unsubscribe();
                 await client.publish('kept/a', undefined, { qos: 1, retain: true });
                 const other = new Inbox();
                 await client.subscribe('kept/#', { qos: 1 }, other.take);
                 await client.publish('kept/fence', 'f', { qos: 1 });
                 return [...kept, (await other.next()).topic, inbox.messages.length];",
            )
            .await;
        assert_eq!(heard, json!(["kept/a", "x", true, "kept/fence", 0]));
    });
}

#[test]
fn every_property_of_a_message_goes_both_ways() {
    let hearth = open_broker();
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "other"));
    wire.subscribe("from/page", QoS::AtLeastOnce);
    with_client(hearth.ws(), nothing, async |page| {
        page.run(
            "window.client = await mqtt.connect(url);
             window.inbox = new Inbox();
             await client.subscribe('to/page', { qos: 1 }, inbox.take);
             await client.publish('from/page', new Uint8Array([0, 255]), { qos: 1, properties: {
               payloadFormat: 'bytes', messageExpiry: 77, contentType: 'x/y', responseTopic: 'answers',
               correlationData: new Uint8Array([1, 0, 2]), userProperties: [['a', '1'], ['a', '2']],
             } });
             return true;",
        )
        .await;
        let heard = wire.next_publish();
        let properties = heard.properties.unwrap();
        assert_eq!(&heard.payload[..], [0, 255]);
        assert_eq!(properties.payload_format, Some(PayloadFormat::Bytes));
        assert!(properties.message_expiry.is_some_and(|seconds| (70..=77).contains(&seconds)));
        assert_eq!(properties.content_type.unwrap().as_str(), "x/y");
        assert_eq!(properties.response_topic.unwrap().as_str(), "answers");
        assert_eq!(properties.correlation_data.unwrap()[..], [1, 0, 2]);
        let pairs: Vec<_> =
            properties.user_properties.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("a", "2")]);

        let properties = PublishProperties {
            payload_format: Some(PayloadFormat::Utf8),
            message_expiry: Some(9000),
            response_topic: Some(TopicName::try_from("answers").unwrap()),
            correlation_data: Some(vec![3, 0, 4].into()),
            user_properties: [(text("b"), text("3"))].into_iter().collect(),
            content_type: Some(text("text/plain")),
            ..PublishProperties::default()
        };
        let publish = Publish {
            properties: Some(Box::new(properties)),
            ..message("to/page", b"hello", QoS::AtMostOnce)
        };
        wire.send(&Packet::Publish(publish));
        let heard = page
            .run(
                "const { properties } = await inbox.next();
                 return { ...properties, correlationData: [...properties.correlationData] };",
            )
            .await;
        assert_eq!(
            heard,
            json!({
                "payloadFormat": "text", "messageExpiry": 9000, "contentType": "text/plain",
                "responseTopic": "answers", "correlationData": [3, 0, 4], "userProperties": [["b", "3"]],
            })
        );
    });
}

#[test]
fn a_payload_of_a_megabyte_arrives_whole_both_ways_and_so_does_an_empty_one() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "const client = await mqtt.connect(url);
                 const inbox = new Inbox();
                 await client.subscribe('large', { qos: 2 }, inbox.take);
                 const sent = new Uint8Array(1_000_000).map((_, place) => (place * 7919) >> 5);
                 for (const qos of [0, 1, 2]) await client.publish('large', sent, { qos });
                 await client.publish('large', '', { qos: 1 });
                 const heard = [];
                 for (let count = 0; count < 4; count += 1) {
                   const { payload, qos } = await inbox.next();
                   heard.push([qos, payload.length, payload.every((byte, place) => byte === sent[place])]);
                 }
                 return heard;",
            )
            .await;
        assert_eq!(
            heard,
            json!([[0, 1_000_000, true], [1, 1_000_000, true], [2, 1_000_000, true], [1, 0, true]])
        );
    });
}

#[test]
fn a_packet_that_lies_in_several_frames_is_one_message() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        // The browser's own socket stands between, so that a frame can be cut.
        let heard = page
            .run(
                "const Native = window.WebSocket;
                 window.WebSocket = class extends Native {
                   addEventListener(type, listener, options) {
                     if (type !== 'message') return super.addEventListener(type, listener, options);
                     super.addEventListener(type, (event) => {
                       for (let at = 0; at < event.data.byteLength; at += 5) {
                         listener(new MessageEvent('message', { data: event.data.slice(at, at + 5) }));
                       }
                     }, options);
                   }
                 };
                 const client = await mqtt.connect(url);
                 window.WebSocket = Native;
                 const inbox = new Inbox();
                 await client.subscribe('cut/#', { qos: 1 }, inbox.take);
                 await client.publish('cut/1', 'a payload of more than five bytes', { qos: 1 });
                 await client.publish('cut/2', 'b', { qos: 1, properties: { contentType: 'c' } });
                 const [one, two] = [await inbox.next(), await inbox.next()];
                 return [one.topic, one.text(), two.text(), two.properties.contentType];",
            )
            .await;
        assert_eq!(heard, json!(["cut/1", "a payload of more than five bytes", "b", "c"]));
    });
}

#[test]
fn a_message_goes_to_each_subscription_that_it_matches_once() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "const client = await mqtt.connect(url);
                 const heard = [];
                 const all = await client.subscribe('s/#', { qos: 1 }, (it) => heard.push(`all ${it.text()}`));
                 await client.subscribe(['s/+', 't'], { qos: 1 }, (it) => heard.push(`level ${it.text()}`));
                 await client.subscribe('s/b', (it) => { heard.push(`b ${it.text()}`); });
                 const batches = [];
                 client.on('messages', (list) => batches.push(...list.map((it) => it.topic)));
                 await client.publish('s/a', '1', { qos: 1 });
                 await client.publish('s/a/b', '2', { qos: 1 });
                 await client.publish('t', '3', { qos: 1 });
                 await client.publish('s/b', '4', { qos: 1 });
                 await all.unsubscribe();
                 await client.publish('s/b', '5', { qos: 1 });
                 await client.publish('s/b', '6', { qos: 0 });
                 const fence = new Inbox();
                 await client.subscribe('fence', fence.take);
                 await client.publish('fence', '');
                 await fence.next();
                 return [heard.sort(), new Set(batches).size];",
            )
            .await;
        let expected = [
            "all 1", "all 2", "all 4", "b 4", "b 5", "b 6", "level 1", "level 3", "level 4", "level 5",
            "level 6",
        ];
        assert_eq!(heard, json!([expected, 5]));
    });
}

#[test]
fn a_request_gets_the_answer_that_is_meant_for_it() {
    let hearth = open_broker();
    with_client(hearth.ws(), nothing, async |page| {
        let heard = page
            .run(
                "const client = await mqtt.connect(url);
                 const server = await mqtt.connect(url);
                 const kept = [];
                 await server.subscribe('double', { qos: 1 }, (it) => {
                   // The answers come in another order than the requests.
                   kept.push(it);
                   if (kept.length === 3) for (const it of kept.reverse()) void server.reply(it, `${2 * it.json()}`);
                 });
                 const ask = (number) => client.request('double', `${number}`);
                 const answers = await Promise.all([ask(1), ask(2), ask(3)]);
                 const nobody = await failure(client.request('nobody', ''));
                 const silent = await failure(client.request('double', '4', { timeout: 50 }));
                 return [answers.map((it) => it.json()), nobody.code, silent.kind];",
            )
            .await;
        assert_eq!(heard, json!([[2, 4, 6], 0x10, "timeout"]));
    });
}

#[test]
fn the_will_of_a_page_that_is_gone_is_published_and_that_of_one_that_said_goodbye_is_not() {
    let hearth = open_broker();
    let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "witness"));
    wire.subscribe("wills/#", QoS::AtLeastOnce);
    with_client(hearth.ws(), nothing, async |page| {
        for version in ["5.0", "3.1.1"] {
            let script = format!(
                "const options = (name) => ({{ version: '{version}', will: {{ topic: `wills/${{name}}`, payload: 'gone', qos: 1 }} }});
                 const polite = await mqtt.connect(url, options('polite'));
                 await polite.disconnect();
                 window.other = await mqtt.connect(url, options('{version}'));
                 return true;"
            );
            page.run(&script).await;
            // Leaving the page is what a person does.
            page.reload().await;
            page.wait_for("the package", "window.isReady === true").await;
            page.evaluate(&format!("window.url = 'ws://{}/mqtt'", hearth.ws())).await;
            let will = wire.next_publish();
            assert_eq!(
                (will.topic.as_str(), &will.payload[..]),
                (&*format!("wills/{version}"), &b"gone"[..])
            );
            wire.send(&Packet::PubAck(PublishAck::success(will.packet_id.unwrap())));
        }
        wire.assert_quiet();
    });
}
