//! A large broker in the web app: its own tree is shown, and the browser hears only what is shown and pinned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};
use serde_json::json;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_page::open;
use crate::wire::{Wire, connect, message};

/// Counts the PUBLISH packets that the page gets, from before it loads.
const COUNTER: &str = r"
    window.publishes = 0;
    const Plain = window.WebSocket;
    window.WebSocket = class extends Plain {
        constructor(...args) {
            super(...args);
            let rest = new Uint8Array();
            this.addEventListener('message', event => {
                const more = new Uint8Array(event.data);
                const bytes = new Uint8Array(rest.length + more.length);
                bytes.set(rest); bytes.set(more, rest.length);
                let at = 0;
                for (;;) {
                    let size = 0, shift = 0, next = at + 1;
                    while (next < bytes.length && bytes[next] & 128) {
                        size |= (bytes[next++] & 127) << shift; shift += 7;
                    }
                    if (next >= bytes.length) break;
                    size |= bytes[next++] << shift;
                    if (next + size > bytes.length) break;
                    if (bytes[at] >> 4 === 3) window.publishes++;
                    at = next + size;
                }
                rest = bytes.slice(at);
            });
        }
    };";

/// The names of the rows from top to bottom, each with its depth.
const ROWS: &str = "[...document.querySelectorAll('.topic-item')] \
    .sort((a, b) => a.getAttribute('aria-posinset') - b.getAttribute('aria-posinset')) \
    .map(it => '>'.repeat(it.dataset.depth ?? 0) + it.querySelector('.topic-row__topic').textContent).join(' ')";

/// A row of the list or the tree.
pub fn row(topic: &str) -> String {
    format!(r#"[data-testid=topic-row][data-topic="{topic}"]"#)
}

fn toggle(path: &str) -> String {
    format!(r#".topic-item:has([data-topic="{path}"]) [data-testid=topic-toggle]"#)
}

/// The button that pins a row of the tree.
pub fn pin(path: &str) -> String {
    format!(r#".topic-item:has([data-topic="{path}"]) [data-testid=topic-pin]"#)
}

/// Waits until these rows are the first ones.
pub async fn wait_for_rows(page: &Page, rows: &str) {
    page.wait_for(&format!("rows that begin with {rows:?}"), &format!("{ROWS}.startsWith({rows:?})")).await;
}

/// A broker with this many branches below `many`, of 1,000 topics each.
pub fn large(branches: u32, retain: bool) -> Hearth {
    let hearth = Hearth::start();
    grow(&hearth, branches, retain);
    hearth
}

/// Publishes to this many branches below `many`, of 1,000 topics each, and switches a lamp on.
pub fn grow(hearth: &Hearth, branches: u32, retain: bool) {
    let (mut device, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "device"));
    for branch in 0..branches {
        for number in 0..1_000 {
            let publish = message(&format!("many/{branch:03}/{number:03}"), b"1", QoS::AtMostOnce);
            device.send(&Packet::Publish(Publish { retain, ..publish }));
        }
        device.publish_acknowledged("marker", b"here");
    }
    publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "on", "-r", "-q", "1"]);
}

/// Publishes to 100 topics below `many/007`, about 5,000 messages a second.
struct Load {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn start(hearth: &Hearth) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (mut device, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "load"));
        let stop = Arc::clone(&is_over);
        let thread = spawn(move || {
            let mut number = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..50 {
                    let topic = format!("many/007/{:03}", number % 100);
                    let value = (1_000 + number).to_string();
                    device.send(&Packet::Publish(message(&topic, value.as_bytes(), QoS::AtMostOnce)));
                    number += 1;
                }
                sleep(Duration::from_millis(10));
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_hundred_thousand_topics_cost_the_browser_what_it_shows() {
    let hearth = large(100, false);
    browse("en", nothing, async |page| {
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": COUNTER})).await;
        open(page, &hearth, "topics").await;
        page.wait_for_element("[data-testid=topic-count][data-total=\"100002\"]").await;
        wait_for_rows(page, "$SYS home many marker").await;
        page.wait_for_text(&row("many"), "100,000 topics").await;

        page.click(&toggle("many")).await;
        wait_for_rows(page, "$SYS home many >000 >001 >002").await;
        page.click(&toggle("many/000")).await;
        wait_for_rows(page, "$SYS home many >000 >>000 >>001").await;
        // Row 3 + 999, whichever height rows have.
        let scroll = "document.querySelector('[data-testid=topic-list]').scrollTop = \
            985 * document.querySelector('.topic-item').offsetHeight";
        page.evaluate(scroll).await;
        page.wait_for_element(&row("many/000/999")).await;
        page.wait_for_text(&row("many/001"), "1,000 topics").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "remote-tree-desktop-light"),
            (Screen::Phone, Scheme::Dark, "remote-tree-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;

        page.fill("[data-testid=topic-filter]", "MANY/042/99").await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"10\"]").await;
        page.wait_for_element(&row("many/042/999")).await;
        page.fill("[data-testid=topic-filter]", "no such thing").await;
        page.wait_for_element("[data-testid=empty]").await;
        page.fill("[data-testid=topic-filter]", "").await;
        page.press("\u{E00C}").await;
        wait_for_rows(page, "$SYS home many >000 >>000").await;

        let load = Load::start(&hearth);
        page.click("[data-testid=tree-close-all]").await;
        page.click("[data-testid=topic-order] option[value=traffic]").await;
        wait_for_rows(page, "many").await;
        page.click(&toggle("many")).await;
        wait_for_rows(page, "many >007").await;
        page.click(&toggle("many/007")).await;
        page.wait_for(
            "a value of the load",
            "Number(document.querySelector('[data-topic^=\"many/007/\"] \
            [data-testid=topic-value]')?.textContent) > 1000",
        )
        .await;
        let before = page.evaluate("window.publishes").await.as_u64().unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let heard = page.evaluate("window.publishes").await.as_u64().unwrap() - before;
        println!("{heard} messages to the page in 5 s, of some 25,000");
        assert!((1..200).contains(&heard), "{heard} messages of some 25,000 reach the page");
        drop(load);
    });
}

#[test]
fn a_topic_of_a_large_broker_is_heard_while_its_page_is_open_or_it_is_pinned() {
    let hearth = large(21, false);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_text("[data-testid=empty]", "A large broker").await;
        page.screenshot("parts-home-desktop-light").await;
        open(page, &hearth, "topics/home/lamp").await;
        page.wait_for_text("[data-testid=detail-payload]", "on").await;
        publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "off", "-r", "-q", "1"]);
        page.wait_for_text("[data-testid=detail-payload]", "off").await;
        page.click("[data-testid=pin-button][aria-pressed=false]").await;
        page.wait_for_element("[data-testid=pin-button][aria-pressed=true]").await;

        page.click("[data-testid=nav-topics]").await;
        let pinned = r#"[data-testid=pin][data-filter="home/lamp"]"#;
        page.wait_for_text(pinned, "off").await;
        publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "dimmed", "-r", "-q", "1"]);
        page.wait_for_text(pinned, "dimmed").await;
        page.reload().await;
        page.wait_for_text(pinned, "dimmed").await;
        // By the keyboard, in the tree.
        page.click(&toggle("many")).await;
        page.click(&toggle("many/000")).await;
        page.wait_for_element(&row("many/000/001")).await;
        page.evaluate(&format!("document.querySelector('{}').focus()", row("many/000/001"))).await;
        page.press("p").await;
        page.wait_for_element(&format!("{}[aria-pressed=true]", pin("many/000/001"))).await;
        page.wait_for_element(r#"[data-testid=pin][data-filter="many/000/001"]"#).await;
        page.fill("[data-testid=topic-filter]", "many/020/+").await;
        page.click("[data-testid=pin-button]").await;
        // Retained, as the page may not have subscribed yet.
        publish(hearth.mqtt(), V311, &["-t", "many/020/5", "-m", "x", "-r", "-q", "1"]);
        page.wait_for_text(r#"[data-testid=pin][data-filter="many/020/+"]"#, "1 topic").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Dark, "pins-desktop-dark"),
            (Screen::Phone, Scheme::Light, "pins-phone-light"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.click(&format!("{pinned} [data-testid=unpin]")).await;
        page.wait_for("one pin less", &format!("!document.querySelector('{pinned}')")).await;
    });
}

#[test]
fn everything_of_a_large_broker_is_loaded_when_somebody_wants_it() {
    let hearth = large(21, true);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        wait_for_rows(page, "$SYS home many").await;
        page.click("label:has([data-testid=topic-shape-list])").await;
        page.wait_for_text("[data-testid=parts-notice]", "21,002 topics").await;
        page.screenshot("parts-list-desktop-light").await;
        page.click("[data-testid=load-everything]").await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"21001\"][data-total=\"21001\"]").await;
        page.wait_for("no notice", "!document.querySelector('[data-testid=parts-notice]')").await;
        page.wait_for_element(&row("many/000/000")).await;
    });
}

#[test]
fn pins_of_a_small_broker_come_back_after_a_reload() {
    let hearth = Hearth::start();
    for topic in ["home/lamp", "home/door"] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", "1", "-r", "-q", "1"]);
    }
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.click(&pin("home/lamp")).await;
        page.wait_for_element(r#"[data-testid=pin][data-filter="home/lamp"]"#).await;
        page.reload().await;
        page.wait_for_text(r#"[data-testid=pin][data-filter="home/lamp"]"#, "1").await;
        page.wait_for_element(&format!("{}[aria-pressed=true]", pin("home/lamp"))).await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"2\"][data-total=\"2\"]").await;
        page.click("[data-testid=unpin]").await;
        page.wait_for("no pins", "!document.querySelector('[data-testid=pins]')").await;
    });
}
