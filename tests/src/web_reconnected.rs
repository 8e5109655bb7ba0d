//! What the page shows after a loss: what changed meanwhile, and nothing twice that the broker tells again because it is asked again.

use std::net::SocketAddr;

use crate::browser::{Page, browse, nothing};
use crate::interop::mosquitto_broker::MosquittoBroker;
use crate::mosquitto::{V311, publish};
use crate::web_connections::{add, card, connect, fill, go, in_state, neighbour};
use crate::web_page::open;
use crate::web_subscribe::{row, subscribe, wait_for_delivered};

fn retain(broker: SocketAddr, topic: &str, payload: &str) {
    publish(broker, V311, &["-t", topic, "-m", payload, "-r", "-q", "1"]);
}

/// Ends the connection, lets something happen, and connects again.
async fn away(page: &Page, name: &str, act: impl FnOnce()) {
    go(page, "connections").await;
    page.click(&card(name, "[data-testid=connection-disconnect]")).await;
    page.wait_for_element(&in_state(name, "closed")).await;
    act();
    page.click(&card(name, "[data-testid=connection-connect]")).await;
    page.wait_for_element(&in_state(name, "online")).await;
}

async fn counts_of_filters(page: &Page, counts: &[&str]) {
    let shown = "[...document.querySelectorAll('[data-testid=filter]')].map(it => it.dataset.count)";
    let expected = serde_json::to_string(counts).unwrap();
    page.wait_for(&format!("counts {expected}"), &format!("JSON.stringify({shown}) === '{expected}'")).await;
}

#[test]
fn retained_messages_show_again_only_where_they_have_changed_meanwhile() {
    let (hearth, mosquitto) = (neighbour(), MosquittoBroker::start());
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        let hearth = (hearth.mqtt(), format!("ws://{}/mqtt", hearth.http()));
        let mosquitto = (mosquitto.tcp(), format!("ws://{}", mosquitto.web_socket()));
        for (broker, make) in [(hearth, "hearth"), (mosquitto, "mosquitto")] {
            for version in ["5.0", "3.1.1"] {
                check(page, &broker, &format!("{make} {version}"), version).await;
            }
        }
    });
}

/// `works/#` is the stream's alone, `plant/#` the tree's too, and `tree/#` only the tree's.
async fn check(page: &Page, (broker, address): &(SocketAddr, String), name: &str, version: &str) {
    for (topic, payload) in [
        ("plant/press", "same"),
        ("plant/heat", "before"),
        ("works/gate", "same"),
        ("works/belt", "before"),
        ("tree/leaf", "same"),
        ("tree/twig", "before"),
    ] {
        retain(*broker, topic, payload);
    }
    publish(*broker, V311, &["-t", "plant/new", "-n", "-r", "-q", "1"]);
    add(page, name, address).await;
    page.click(&format!(r#"[data-testid="connection-version-{version}"]"#)).await;
    fill(page, &[("filters", "plant/#\ntree/#")]).await;
    connect(page).await;
    page.wait_for_element(&in_state(name, "online")).await;
    page.click(&card(name, "[data-testid=connection-show]")).await;
    go(page, "subscribe").await;
    subscribe(page, "plant/#").await;
    subscribe(page, "works/#").await;
    wait_for_delivered(page, 4).await;

    away(page, name, || {
        for topic in ["plant/heat", "works/belt", "tree/twig"] {
            retain(*broker, topic, "after");
        }
        retain(*broker, "plant/new", "first");
    })
    .await;
    go(page, "subscribe").await;
    for (topic, payload) in [("plant/heat", "after"), ("works/belt", "after"), ("plant/new", "first")] {
        page.wait_for_text(&row(topic), payload).await;
    }
    // The same value published anew is a message, and nothing that the broker repeats comes behind it.
    for _ in 0..2 {
        retain(*broker, "works/gate", "same");
        publish(*broker, V311, &["-t", "plant/press", "-m", "now", "-q", "1"]);
    }
    wait_for_delivered(page, 4 + 3 + 4).await;
    counts_of_filters(page, &["6", "5"]).await;

    go(page, "topics").await;
    for (topic, payload, messages) in [("tree/leaf", "same", "1"), ("tree/twig", "after", "2")] {
        let shown = format!(r#"[data-testid=topic-row][data-topic="{topic}"]"#);
        page.wait_for_text(&format!("{shown}[data-stale=false]"), payload).await;
        page.click(&shown).await;
        let text = format!("/Messages\\s+{messages}\\b/.test(document.body.innerText)");
        page.wait_for(&format!("{name}: {topic} came {messages} times"), &text).await;
        go(page, "topics").await;
    }
}
