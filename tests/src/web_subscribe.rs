//! The subscribe page: filters with their options, the stream of their messages, and the command lines.

use std::process::Command;

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};

use crate::browser::{ConsoleLine, Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V5, V311, publish};
use crate::process::Process;
use crate::web_layout::assert_fits;
use crate::web_page::open;
use crate::web_publish::Formatted;
use crate::wire::{Wire, connect, message};

const ROW: &str = "[data-testid=stream-row]";

/// Adds a filter, and waits until the broker has granted it.
pub async fn subscribe(page: &Page, filter: &str) {
    page.fill("[data-testid=subscribe-filter]", filter).await;
    page.click("[data-testid=subscribe-add]").await;
    page.wait_for_element(&format!(r#"[data-testid=filter][data-filter="{filter}"][data-state=granted]"#))
        .await;
}

/// Waits until the stream has counted this many messages.
pub async fn wait_for_delivered(page: &Page, count: usize) {
    page.wait_for_element(&format!(r#"[data-testid=stream-counts][data-delivered="{count}"]"#)).await;
}

/// The row of the stream with a topic.
pub fn row(topic: &str) -> String {
    format!(r#"{ROW}[data-topic="{topic}"]"#)
}

#[test]
fn messages_are_marked_by_the_filters_that_brought_them() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        page.click("[data-testid=section-subscribe]").await;
        page.wait_for_text("[data-testid=empty]", "Nothing is followed yet").await;
        subscribe(page, "home/#").await;
        subscribe(page, "+/kitchen").await;
        subscribe(page, "#").await;
        publish(hearth.mqtt(), V5, &["-t", "home/kitchen", "-m", "both", "-q", "1"]);
        publish(hearth.mqtt(), V311, &["-t", "home/bath", "-m", "one"]);
        publish(hearth.mqtt(), V311, &["-t", "else", "-m", "every"]);
        page.wait_for_text(&format!("{} .mark", row("home/kitchen")), "ABC").await;
        page.wait_for_text(&format!("{} .mark", row("home/bath")), "AC").await;
        page.wait_for_text(&format!("{} .mark", row("else")), "C").await;
        wait_for_delivered(page, 3).await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "subscribe-desktop-light"),
            (Screen::Desktop, Scheme::Dark, "subscribe-desktop-dark"),
            (Screen::Phone, Scheme::Light, "subscribe-phone-light"),
            (Screen::Phone, Scheme::Dark, "subscribe-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.evaluate("document.querySelector('[data-testid=stream]').scrollIntoView({block: 'end'})")
                .await;
            page.next_frame().await;
            assert_fits(page, name).await;
            page.screenshot(name).await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;
        let show = r##"[data-testid=filter][data-filter="#"] [data-testid=filter-show]"##;
        let is_shown = format!("!!document.querySelector('{}')?.offsetParent", row("else"));
        page.click(show).await;
        page.wait_for("nothing that only a hidden filter brought", &format!("!({is_shown})")).await;
        page.wait_for_text(&row("home/bath"), "one").await;
        page.wait_for_text(r##"[data-testid=filter][data-filter="#"]"##, "hidden").await;
        page.click(show).await;
        page.wait_for("it again", &is_shown).await;
        page.click(r#"[data-testid=filter][data-filter="home/#"] [data-testid=filter-remove]"#).await;
        publish(hearth.mqtt(), V311, &["-t", "home/kitchen", "-m", "again", "-q", "1"]);
        wait_for_delivered(page, 4).await;
        page.wait_for_text(&format!("{} .mark", row("home/kitchen")), "BC").await;
        // The tree counts each message once, whatever else brought it.
        page.click("[data-testid=nav-topics]").await;
        page.click(r#"[data-testid=topic-row][data-topic="home/kitchen"]"#).await;
        page.wait_for("two messages", "/Messages\\s+2\\b/.test(document.body.innerText)").await;
        // What was followed is there when the page is opened again.
        page.click("[data-testid=nav-publish]").await;
        page.click("[data-testid=section-subscribe]").await;
        wait_for_delivered(page, 4).await;
    });
}

#[test]
fn what_the_broker_had_kept_is_told_from_what_is_published_now() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "kept/old", "-m", "1", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.wait_for_element(r#"[data-testid=topic-row][data-topic="kept/old"]"#).await;
        let age = |topic: &str| {
            format!(r#"document.querySelector('[data-topic="{topic}"] [data-testid=topic-age]').innerText"#)
        };
        // Nobody knows since when.
        assert_eq!(page.evaluate(&age("kept/old")).await, "");
        page.click("[data-testid=nav-publish]").await;
        page.click("[data-testid=section-subscribe]").await;
        subscribe(page, "kept/#").await;
        page.wait_for_text(&row("kept/old"), "retained").await;
        publish(hearth.mqtt(), V311, &["-t", "kept/new", "-m", "1", "-r", "-q", "1"]);
        publish(hearth.mqtt(), V311, &["-t", "kept/old", "-m", "2", "-r", "-q", "1"]);
        page.wait_for_text(&row("kept/new"), "QoS 0").await;
        page.wait_for_text(&row("kept/old"), "2").await;
        let marked = format!(
            "[...document.querySelectorAll('{ROW}')].filter(it => it.innerText.includes('retained')).length"
        );
        assert_eq!(page.evaluate(&marked).await, 1);
        page.click("[data-testid=nav-topics]").await;
        page.wait_for("an age", &age("kept/old")).await;
    });
}

#[test]
fn the_options_of_a_filter_are_what_the_broker_is_asked_for() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "kept/one", "-m", "old", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "subscribe").await;
        page.click("[data-testid=subscribe-options] summary").await;
        page.click("[data-testid=subscribe-no-local]").await;
        page.click("[data-testid=subscribe-handling-none]").await;
        page.click("[data-testid=subscribe-qos-2]").await;
        subscribe(page, "kept/#").await;
        page.wait_for_text("[data-testid=filter]", "QoS 2").await;
        page.click("[data-testid=subscribe-handling-send]").await;
        subscribe(page, "kept/one").await;
        page.wait_for_text(&format!("{} .mark", row("kept/one")), "B").await;

        page.click("[data-testid=section-publish]").await;
        page.fill("[data-testid=publish-topic]", "kept/own").await;
        page.click("[data-testid=publish-send]").await;
        page.wait_for_element(r#"[data-testid=sent-item][data-topic="kept/own"][data-echoed=true]"#).await;
        page.click("[data-testid=section-subscribe]").await;
        publish(hearth.mqtt(), V5, &["-t", "kept/two", "-m", "exactly", "-q", "2"]);
        page.wait_for_text(&row("kept/two"), "QoS 2").await;
        wait_for_delivered(page, 2).await;

        for (filter, complaint) in
            [("", "Type a topic filter first"), ("a/#/b", "no topic filter"), ("kept/one", "already")]
        {
            page.fill("[data-testid=subscribe-filter]", filter).await;
            page.click("[data-testid=subscribe-add]").await;
            page.wait_for_text("[data-testid=subscribe-complaint]", complaint).await;
        }
    });
}

#[test]
fn a_paused_stream_stands_still_and_what_came_shows_when_it_goes_on() {
    let hearth = Hearth::start();
    let (mut device, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "device"));
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &hearth, "subscribe").await;
        subscribe(page, "n/#").await;
        for number in 0..30 {
            device.publish_acknowledged(&format!("n/{number}"), b"1");
        }
        wait_for_delivered(page, 30).await;
        page.click("[data-testid=stream-pause]").await;
        device.publish_acknowledged("n/late", b"2");
        page.wait_for_text("[data-testid=stream-pause][data-paused=true]", "1 waiting").await;
        let has_late = format!("document.querySelector({:?}) !== null", row("n/late"));
        assert_eq!(page.evaluate(&has_late).await, false);
        page.click("[data-testid=stream-pause]").await;
        page.wait_for_element(&row("n/late")).await;

        // Whoever scrolls away from the newest looks at rows that must not move.
        page.evaluate("document.querySelector('[data-testid=stream]').scrollTop = 300").await;
        page.wait_for_element("[data-testid=stream-pause][data-paused=true]").await;
        page.click("[data-testid=stream-pause]").await;
        page.fill("[data-testid=stream-search]", "n/2").await;
        page.wait_for("eleven rows", &format!("document.querySelectorAll({ROW:?}).length === 11")).await;
        page.click("[data-testid=stream-clear]").await;
        page.wait_for_text("[data-testid=empty]", "No message yet").await;
        wait_for_delivered(page, 0).await;
    });
}

#[test]
fn a_flood_leaves_a_bounded_stream_that_counts_what_is_gone() {
    const MESSAGES: usize = 60_000;
    let hearth = Hearth::start();
    let (mut device, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "device"));
    browse("en", nothing, async |page| {
        open(page, &hearth, "subscribe").await;
        subscribe(page, "flood/#").await;
        for chunk in 0..MESSAGES / 1000 {
            for number in 0..1000 {
                let topic = format!("flood/{}", number % 50);
                let payload = format!("{}", chunk * 1000 + number);
                device.send(&Packet::Publish(Publish {
                    ..message(&topic, payload.as_bytes(), QoS::AtMostOnce)
                }));
            }
            // No more at once than a browser on a busy machine takes: QoS 0 beyond the broker's bound would be dropped.
            device.publish_acknowledged("flood/pace", b"");
            if chunk % 10 == 9 {
                wait_for_delivered(page, (chunk + 1) * 1001).await;
            }
        }
        let total = MESSAGES + MESSAGES / 1000;
        let counts =
            format!(r#"[data-testid=stream-counts][data-kept="10000"][data-dropped="{}"]"#, total - 10_000);
        page.wait_for_element(&counts).await;
        page.wait_for_text("[data-testid=stream-counts]", "dropped: the last 10,000 messages").await;
        let rows = page.evaluate(&format!("document.querySelectorAll({ROW:?}).length")).await;
        assert!(rows.as_u64().unwrap() < 60, "only what is seen is in the document, not {rows} rows");
        page.wait_for_text(ROW, &(MESSAGES - 1).to_string()).await;
    });
}

#[test]
fn the_command_lines_do_the_same_with_mosquittos_tools() {
    let hearth = Hearth::start();
    let mut tool = Formatted::start(&hearth, "odd/#", "%q %t %p %P");
    browse("en", nothing, async |page| {
        open(page, &hearth, "subscribe").await;
        page.click("[data-testid=subscribe-qos-1]").await;
        subscribe(page, "odd/it's $HOME/#").await;
        page.click("[data-testid=subscribe-commands] summary").await;
        let line = "document.querySelector('[data-testid=subscribe-commands] [data-testid=command]')?.innerText ?? ''";
        let line = page.wait_for("a command line", line).await;
        let line = line.as_str().unwrap();
        assert!(line.contains(&format!("-p {}", hearth.mqtt().port())), "{line}");
        // A shell runs it, and it hears what the page hears.
        let mut command = Command::new("sh");
        command.args(["-c", &line.replacen("mosquitto_sub", "exec stdbuf -oL mosquitto_sub -d", 1)]);
        let copied = Process::start("the copied line", &mut command);
        let mut cursor = 0;
        copied
            .wait_for_line(&mut cursor, "SUBACK", |line| line.starts_with("Subscribed (mid: ").then_some(()));
        let topic = "odd/it's $HOME/`x`";
        let all =
            ["-t", topic, "-m", "{\"a\": \"it's\"}", "-q", "1", "-D", "publish", "user-property", "k", "v w"];
        publish(hearth.mqtt(), V5, &all);
        let heard = format!("{topic} {{\"a\": \"it's\"}}");
        copied.wait_for_line(&mut cursor, "the message", |line| (line == heard).then_some(()));
        assert_eq!(tool.next(), format!("1 {heard} k:v w"));

        page.click(&row(topic)).await;
        page.wait_for_text("[data-testid=stream-detail]", "v w").await;
        page.screenshot("subscribe-message-desktop-light").await;
        let again = "document.querySelector('[data-testid=stream-detail] [data-testid=command]').innerText";
        let again = page.evaluate(again).await;
        let ended =
            Process::start("the copied line", Command::new("sh").args(["-c", again.as_str().unwrap()]))
                .wait();
        assert!(ended.status.success(), "{again}: {}", ended.stderr);
        assert_eq!(tool.next(), format!("1 {heard} k:v w"));
        wait_for_delivered(page, 2).await;
        page.click("[data-testid=stream-detail-close]").await;
        page.wait_for("no message", "!document.querySelector('[data-testid=stream-detail]')").await;
    });
}

#[test]
fn the_subscriptions_come_back_with_the_connection() {
    let mut hearth = Hearth::start();
    let is_refused = |line: &ConsoleLine| line.text.contains("WebSocket connection to");
    browse("en", is_refused, async |page| {
        open(page, &hearth, "subscribe").await;
        subscribe(page, "a/#").await;
        let stopped = hearth.stop();
        page.wait_for_element("[data-testid=filter][data-state=offline]").await;
        let hearth = stopped.start();
        page.wait_for_element("[data-testid=filter][data-state=granted]").await;
        publish(hearth.mqtt(), V311, &["-t", "a/b", "-m", "back", "-q", "1"]);
        page.wait_for_text(&row("a/b"), "back").await;
    });
}
