//! A filter that several parts of the page want at a time: each gets its messages, and the broker hears when the last lets go.

use serde_json::json;

use crate::browser::{Page, browse, nothing};
use crate::hearth::Hearth;
use crate::interop::mosquitto_broker::MosquittoBroker;
use crate::mosquitto::{V311, publish};
use crate::web_connections::{add, card, connect, fill, go, in_state};
use crate::web_page::open;
use crate::web_remote_tree::large;
use crate::web_subscribe::{row, subscribe, wait_for_delivered};

/// Keeps the filters of each UNSUBSCRIBE of the page, from before it loads.
const RECORDER: &str = r"
    window.unsubscribed = [];
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (data) {
        const bytes = data.buffer
            ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
        for (let at = 0; at < bytes.length;) {
            let size = 0, shift = 0, next = at + 1;
            do { size |= (bytes[next] & 127) << shift; shift += 7; } while (bytes[next++] & 128);
            const packet = new TextDecoder().decode(bytes.slice(next, next + size));
            if (bytes[at] >> 4 === 10) window.unsubscribed.push(packet);
            at = next + size;
        }
        return send.call(this, data);
    };";

const REMOVE: &str = "[data-testid=filter] [data-testid=filter-remove]";

async fn wait_for_unsubscribed(page: &Page, filter: &str, count: usize) {
    let seen = format!("window.unsubscribed.filter(it => it.includes({filter:?})).length === {count}");
    page.wait_for(&format!("{count} times the end of {filter}"), &seen).await;
}

#[test]
fn a_filter_of_a_profile_is_followed_beside_the_tree() {
    let own = Hearth::start();
    let mosquitto = MosquittoBroker::start();
    browse("en", nothing, async |page| {
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": RECORDER})).await;
        open(page, &own, "home").await;
        for (version, name) in [("3.1.1", "Old"), ("5.0", "New")] {
            let say = |value: &str| {
                publish(mosquitto.tcp(), V311, &["-t", "plant/press", "-m", value, "-r", "-q", "1"]);
            };
            let value = |value: &str| format!("{version} {value}");
            say("before");
            add(page, name, &format!("ws://{}", mosquitto.web_socket())).await;
            page.click(&format!(r#"[data-testid="connection-version-{version}"]"#)).await;
            fill(page, &[("filters", "plant/#")]).await;
            connect(page).await;
            page.wait_for_element(&in_state(name, "online")).await;
            page.click(&card(name, "[data-testid=connection-show]")).await;

            go(page, "subscribe").await;
            subscribe(page, "plant/#").await;
            page.wait_for_text(&row("plant/press"), "before").await;
            say(&value("both"));
            wait_for_delivered(page, 2).await;
            page.wait_for_text(&row("plant/press"), &value("both")).await;
            go(page, "topics").await;
            page.wait_for_text("[data-testid=topic-value]", &value("both")).await;

            go(page, "subscribe").await;
            page.click(REMOVE).await;
            go(page, "topics").await;
            say(&value("tree"));
            page.wait_for_text("[data-testid=topic-value]", &value("tree")).await;
            wait_for_unsubscribed(page, "plant/#", 0).await;
        }
    });
}

#[test]
fn a_pinned_topic_is_followed_and_stays_pinned() {
    let hearth = large(21, false);
    browse("en", nothing, async |page| {
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": RECORDER})).await;
        open(page, &hearth, "topics/home/lamp").await;
        page.click("[data-testid=pin-button][aria-pressed=false]").await;
        page.wait_for_element("[data-testid=pin-button][aria-pressed=true]").await;
        let pinned = r#"[data-testid=pin][data-filter="home/lamp"]"#;
        let say = |value: &str| {
            publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", value, "-r", "-q", "1"]);
        };
        let show_pins = async |value: &str| {
            go(page, "topics").await;
            page.wait_for_text(pinned, value).await;
        };
        go(page, "subscribe").await;
        subscribe(page, "home/lamp").await;
        say("both");
        page.wait_for_text(&row("home/lamp"), "both").await;
        show_pins("both").await;

        // The pin goes first, and then comes back beside what is followed.
        page.click(&format!("{pinned} [data-testid=unpin]")).await;
        go(page, "subscribe").await;
        say("stream");
        page.wait_for_text(&row("home/lamp"), "stream").await;
        page.evaluate("(location.hash = '#/topics/home/lamp')").await;
        page.wait_for_text("[data-testid=detail-payload]", "stream").await;
        page.click("[data-testid=pin-button][aria-pressed=false]").await;

        // Followed no more, it is still heard for the pin.
        go(page, "subscribe").await;
        page.click(REMOVE).await;
        say("pin");
        show_pins("pin").await;
        say("pin again");
        page.wait_for_text(pinned, "pin again").await;
        wait_for_unsubscribed(page, "home/lamp", 0).await;

        page.click(&format!("{pinned} [data-testid=unpin]")).await;
        wait_for_unsubscribed(page, "home/lamp", 1).await;
    });
}
