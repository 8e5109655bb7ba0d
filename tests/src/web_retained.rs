//! The page of retained messages: found, cleared after a question, and given back.

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{Subscriber, V5, V311, publish};
use crate::web_page::open;

/// Waits until so many messages are found.
pub async fn wait_for_count(page: &Page, count: usize) {
    page.wait_for_element(&format!(r#"[data-testid=retained-count][data-count="{count}"]"#)).await;
}

/// The item of a topic.
pub fn item(topic: &str) -> String {
    format!(r#"[data-testid=retained-item][data-topic="{topic}"]"#)
}

#[test]
fn a_subtree_is_cleared_after_a_question_and_comes_back_whole() {
    let hearth = Hearth::start();
    for number in 0..40 {
        publish(hearth.mqtt(), V311, &["-t", &format!("old/{number:02}"), "-m", "x", "-r", "-q", "1"]);
    }
    let properties =
        ["-D", "publish", "user-property", "unit", "C", "-D", "publish", "content-type", "text/plain"];
    let told = ["-t", "old/told", "-m", "21.5", "-r", "-q", "1"];
    publish(hearth.mqtt(), V5, &[&told[..], &properties[..]].concat());
    publish(hearth.mqtt(), V311, &["-t", "new", "-m", "kept", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.click("[data-testid=topics-retained]").await;
        wait_for_count(page, 42).await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "retained-desktop-light"),
            (Screen::Phone, Scheme::Dark, "retained-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.screenshot(name).await;
        }
        page.fill("[data-testid=retained-filter]", "old/#").await;
        wait_for_count(page, 41).await;

        page.click("[data-testid=retained-clear]").await;
        page.wait_for_text("[data-testid=confirm]", "Clear 41 retained messages?").await;
        page.wait_for_text("[data-testid=confirm]", "and 33 more").await;
        page.screenshot("retained-question").await;
        page.click("[data-testid=confirm-cancel]").await;
        page.wait_for("no question", "!document.querySelector('[data-testid=confirm]')").await;
        wait_for_count(page, 41).await;

        page.click("[data-testid=retained-clear]").await;
        page.click("[data-testid=confirm-clear]").await;
        page.wait_for_text("[data-testid=retained-progress][data-busy=false]", "41 of 41 cleared").await;
        wait_for_count(page, 0).await;
        let mut late = Subscriber::start(hearth.mqtt(), V311, &["-t", "#", "-q", "1"]);
        assert_eq!(late.next_message().text, "new kept");

        page.click("[data-testid=retained-undo]").await;
        page.wait_for_text("[data-testid=retained-progress][data-busy=false]", "41 of 41 given back").await;
        wait_for_count(page, 41).await;
        // With its properties, as it was.
        open(page, &hearth, "topics/old/told").await;
        page.wait_for_text("[data-testid=page]", "text/plain").await;
        page.wait_for_text("[data-testid=page]", "unit").await;
    });
    let mut later = Subscriber::start(hearth.mqtt(), V311, &["-t", "old/told", "-q", "1"]);
    assert_eq!(later.next_message().text, "old/told 21.5");
}

#[test]
fn one_and_a_few_marked_ones_are_cleared() {
    let hearth = Hearth::start();
    for topic in ["a", "b", "c", "d"] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", "1", "-r", "-q", "1"]);
    }
    browse("en", nothing, async |page| {
        open(page, &hearth, "retained").await;
        wait_for_count(page, 4).await;
        // The page was not there when it came: the age is the broker's.
        page.wait_for_text(&item("a"), "1 byte · ").await;
        page.click(&format!("{} [data-testid=retained-clear-one]", item("b"))).await;
        page.wait_for_text("[data-testid=confirm]", "Clear this retained message?").await;
        page.click("[data-testid=confirm-clear]").await;
        wait_for_count(page, 3).await;

        for topic in ["a", "d"] {
            page.click(&format!("{} input", item(topic))).await;
        }
        page.wait_for_text("[data-testid=retained-clear]", "Clear 2 marked").await;
        page.click("[data-testid=retained-clear]").await;
        page.click("[data-testid=confirm-clear]").await;
        wait_for_count(page, 1).await;
        page.wait_for_element(&item("c")).await;
        // The key that closes a dialog cancels.
        page.click("[data-testid=retained-clear]").await;
        page.wait_for_element("[data-testid=confirm]").await;
        page.press("\u{E00C}").await;
        page.wait_for("no question", "!document.querySelector('[data-testid=confirm]')").await;
        wait_for_count(page, 1).await;
        // Each clearing comes back, the last one first.
        page.click("[data-testid=retained-undo]").await;
        wait_for_count(page, 3).await;
        page.click("[data-testid=retained-undo]").await;
        wait_for_count(page, 4).await;
        page.wait_for("nothing more to undo", "!document.querySelector('[data-testid=retained-undo]')").await;
    });
}
