//! A broker that is too large to be taken in: the palette finds every topic, the retained messages are listed and cleared, births
//! of Sparkplug are heard, and a broker that grows is left to itself.

use crate::browser::{Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{Subscriber, V311, publish};
use crate::web_accessibility::{findings, load_axe};
use crate::web_page::open;
use crate::web_palette::{ENTER, call_palette, wait_until_closed};
use crate::web_payload::publish_bytes;
use crate::web_remote_tree::{grow, large, row, wait_for_rows};
use crate::web_retained::{item, wait_for_count};

#[test]
fn the_palette_finds_every_topic_through_the_broker() {
    let hearth = large(21, false);
    // As many with the same letters that the one is not among the first.
    for number in 0..120 {
        publish(hearth.mqtt(), V311, &["-t", &format!("a/{number}/many/007/12"), "-m", "1", "-q", "1"]);
    }
    publish(hearth.mqtt(), V311, &["-t", "many/007/12", "-m", "here", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "about").await;
        call_palette(page).await;
        page.press("020 ANY 99").await;
        page.wait_for_text("[data-testid=palette-note]", "12 of 19 topics").await;
        page.press("0").await;
        page.wait_for_text("[data-testid=palette-entry][aria-selected=true]", "many/020/990").await;
        page.press(ENTER).await;
        page.wait_for_text("[data-testid=detail-topic]", "many/020/990").await;
        wait_until_closed(page).await;

        call_palette(page).await;
        page.press("many/007/12").await;
        page.wait_for_text("[data-testid=palette-entry][aria-selected=true]", "many/007/12").await;
        page.wait_for_text("[data-testid=palette-note]", "topics that the broker has found").await;
        let first = "document.querySelector('[data-testid=palette-entry] .palette__label').textContent";
        page.wait_for("the whole name first", &format!("{first} === 'many/007/12'")).await;
        load_axe(page).await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found in the palette:\n{}", found.join("\n"));
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "palette-large-desktop-light"),
            (Screen::Phone, Scheme::Dark, "palette-large-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.press(ENTER).await;
        page.wait_for_text("[data-testid=detail-payload]", "here").await;

        call_palette(page).await;
        page.press("no such thing").await;
        page.wait_for_text("[data-testid=palette]", "Nothing has these words.").await;
    });
}

#[test]
fn what_a_large_broker_retains_is_listed_by_a_filter_and_cleared_with_a_way_back() {
    let hearth = large(21, true);
    publish(hearth.mqtt(), V311, &["-t", "home/door", "-m", "only heard", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "retained").await;
        wait_for_count(page, 21_001).await;
        page.wait_for_text("[data-testid=retained-count]", "21,001 messages, the first 100 listed").await;
        page.fill("[data-testid=retained-filter]", "home/#").await;
        wait_for_count(page, 1).await;
        page.wait_for_text(&item("home/lamp"), "2 bytes · ").await;
        page.fill("[data-testid=retained-filter]", "many/003/#").await;
        wait_for_count(page, 1_000).await;
        page.click("[data-testid=retained-more]").await;
        page.wait_for_text("[data-testid=retained-count]", "the first 400 listed").await;
        page.click("[data-testid=retained-more]").await;
        page.wait_for_text("[data-testid=retained-clear]", "Clear the 1,000 listed").await;
        page.evaluate("scrollTo(0, 0)").await;
        load_axe(page).await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found in the list:\n{}", found.join("\n"));
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "retained-large-desktop-light"),
            (Screen::Phone, Scheme::Dark, "retained-large-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;

        page.click("[data-testid=retained-clear]").await;
        page.wait_for_text("[data-testid=confirm]", "Clear 1,000 retained messages?").await;
        page.click("[data-testid=confirm-clear]").await;
        page.wait_for_text("[data-testid=retained-progress][data-busy=false]", "1,000 of 1,000 cleared")
            .await;
        wait_for_count(page, 0).await;
        page.fill("[data-testid=retained-filter]", "home/lamp").await;
        wait_for_count(page, 1).await;
        page.click(&format!("{} [data-testid=retained-clear-one]", item("home/lamp"))).await;
        page.click("[data-testid=confirm-clear]").await;
        page.wait_for_text("[data-testid=retained-progress][data-busy=false]", "1 of 1 cleared").await;
        wait_for_count(page, 0).await;
        page.click("[data-testid=retained-undo]").await;
        wait_for_count(page, 1).await;
    });
    let mut later =
        Subscriber::start(hearth.mqtt(), V311, &["-t", "home/lamp", "-t", "many/003/#", "-q", "1"]);
    assert_eq!(later.next_message().text, "home/lamp on", "nothing else is kept");
}

#[test]
fn births_of_sparkplug_are_heard_on_a_large_broker() {
    let hearth = large(21, false);
    let data = "spBv1.0/plant/DDATA/edge/press";
    browse("en", nothing, async |page| {
        open(page, &hearth, &format!("topics/{data}")).await;
        page.wait_for_text("[data-testid=page]", "spBv1.0").await;
        // Retained, as the page may not have subscribed yet. Offset, alias 7, an Int16; then alias 7 alone, 16 bits of -1.
        publish_bytes(&hearth, data, b"\x12\x06\x10\x07\x50\xff\xff\x03", &[]);
        page.wait_for_text("[data-path=\"/metrics/alias 7\"]", "65535").await;
        publish_bytes(&hearth, "spBv1.0/plant/NBIRTH/edge", b"\x12\x08\x0a\x02Up\x10\x01\x70\x01", &[]);
        let birth = b"\x12\x0e\x0a\x06Offset\x10\x07\x20\x02\x50\x00";
        publish_bytes(&hearth, "spBv1.0/plant/DBIRTH/edge/press", birth, &[]);
        page.wait_for_text("[data-path=\"/metrics/Offset\"]", "-1").await;
    });
}

#[test]
fn a_broker_that_grows_too_large_is_shown_by_its_own_tree_and_loaded_again_when_somebody_wants_it() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "off", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"1\"][data-total=\"1\"]").await;
        page.click("label:has([data-testid=topic-shape-list])").await;
        page.wait_for_text(&row("home/lamp"), "off").await;
        grow(&hearth, 21, true);
        page.wait_for_element("[data-testid=topic-count][data-total=\"21002\"]").await;
        wait_for_rows(page, "$SYS home many marker").await;
        page.wait_for_text(&row("many"), "21,000 topics").await;
        // What is heard of all of it from now on is what the page shows.
        publish(hearth.mqtt(), V311, &["-t", "other/thing", "-m", "new", "-r", "-q", "1"]);
        wait_for_rows(page, "$SYS home many marker other").await;

        page.click("label:has([data-testid=topic-shape-list])").await;
        page.wait_for_text("[data-testid=parts-notice]", "21,003 topics").await;
        page.click("[data-testid=load-everything]").await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"21003\"][data-total=\"21003\"]").await;
        page.wait_for("no notice", "!document.querySelector('[data-testid=parts-notice]')").await;
        publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "dimmed", "-r", "-q", "1"]);
        page.wait_for_text(&row("home/lamp"), "dimmed").await;
    });
}
