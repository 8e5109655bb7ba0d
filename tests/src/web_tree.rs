//! The topics as a tree: opened and closed, filtered, ordered, by pointer and by keyboard.

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_page::open;

/// The rows from top to bottom, each with its depth.
const ROWS: &str = "[...document.querySelectorAll('.topic-item')] \
    .sort((a, b) => a.getAttribute('aria-posinset') - b.getAttribute('aria-posinset')) \
    .map(it => '>'.repeat(it.dataset.depth ?? 0) + it.querySelector('.topic-row__topic').textContent).join(' ')";

async fn wait_for_rows(page: &Page, rows: &str) {
    page.wait_for(&format!("the rows {rows:?}"), &format!("{ROWS} === {rows:?}")).await;
}

fn toggle(path: &str) -> String {
    format!(r#".topic-item:has([data-topic="{path}"]) [data-testid=topic-toggle]"#)
}

async fn house(page: &Page, hearth: &Hearth) {
    for topic in ["home/kitchen/lamp", "home/kitchen", "home/bath/lamp", "car/speed"] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", "1", "-r", "-q", "1"]);
    }
    open(page, hearth, "topics").await;
    wait_for_rows(page, "car/speed home/bath/lamp home/kitchen home/kitchen/lamp").await;
    page.click("label:has([data-testid=topic-shape-tree])").await;
    wait_for_rows(page, "car home").await;
}

#[test]
fn branches_open_close_and_lead_to_their_topics() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        house(page, &hearth).await;
        page.wait_for_text(r#"[data-topic="home"] [data-testid=topic-value]"#, "3 topics").await;
        page.click(&toggle("home")).await;
        wait_for_rows(page, "car home >bath >kitchen").await;
        page.click(&toggle("home/kitchen")).await;
        wait_for_rows(page, "car home >bath >kitchen >>lamp").await;
        // A level without a message opens wherever it is touched.
        page.click(r#"[data-testid=topic-row][data-topic="car"]"#).await;
        wait_for_rows(page, "car >speed home >bath >kitchen >>lamp").await;
        publish(hearth.mqtt(), V311, &["-t", "home/attic", "-m", "2", "-q", "1"]);
        wait_for_rows(page, "car >speed home >attic >bath >kitchen >>lamp").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Dark, "tree-desktop-dark"),
            (Screen::Phone, Scheme::Light, "tree-phone-light"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.click(r#"[data-testid=topic-row][data-topic="home/kitchen"]"#).await;
        page.wait_for_text("[data-testid=detail-topic]", "home/kitchen").await;
        // The shape and what is open are as they were left.
        page.click("[data-testid=nav-topics]").await;
        wait_for_rows(page, "car >speed home >attic >bath >kitchen >>lamp").await;
        page.click("[data-testid=tree-close-all]").await;
        wait_for_rows(page, "car home").await;
        page.click("[data-testid=tree-open-all]").await;
        wait_for_rows(page, "car >speed home >attic >bath >>lamp >kitchen >>lamp").await;
    });
}

#[test]
fn the_tree_answers_the_filter_and_the_wanted_order() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        house(page, &hearth).await;
        page.fill("[data-testid=topic-filter]", "lamp").await;
        wait_for_rows(page, "home >bath >>lamp >kitchen >>lamp").await;
        page.wait_for_element("[data-testid=topic-count][data-shown=\"2\"][data-total=\"4\"]").await;
        page.fill("[data-testid=topic-filter]", "").await;
        page.press("\u{E00C}").await;
        wait_for_rows(page, "car home").await;
        page.click("[data-testid=topic-order] option[value=traffic]").await;
        wait_for_rows(page, "home car").await;
        for value in ["2", "3", "4"] {
            publish(hearth.mqtt(), V311, &["-t", "car/speed", "-m", value, "-q", "1"]);
        }
        wait_for_rows(page, "car home").await;
    });
}

#[test]
fn a_link_leads_to_what_is_looked_at_and_the_way_back_does_too() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        house(page, &hearth).await;
        let is_address = |hash: &str| format!("location.hash === {hash:?}");
        page.wait_for("the tree's address", &is_address("#/topics?as=tree&by=name")).await;
        page.fill("[data-testid=topic-filter]", "a b/#").await;
        page.wait_for("the filter's address", &is_address("#/topics?find=a%20b/%23&as=tree&by=name")).await;
        // Followed while the page is shown, and when it is loaded.
        for reload in [false, true] {
            page.evaluate("(location.hash = '#/topics?find=lamp&as=tree&by=traffic')").await;
            if reload {
                page.reload().await;
            }
            wait_for_rows(page, "home >kitchen >>lamp >bath >>lamp").await;
            let shown = "document.querySelector('[data-testid=topic-filter]').value + ' ' + \
                document.querySelector('[data-testid=topic-order]').value";
            page.wait_for("filter and order", &format!("({shown}) === 'lamp traffic'")).await;
        }
        // Where the topic takes the place of the list, the list is as it was.
        page.show_on(Screen::Phone, Scheme::Light).await;
        page.click(r#"[data-topic="home/bath/lamp"]"#).await;
        page.wait_for_text("[data-testid=detail-topic]", "home/bath/lamp").await;
        assert_eq!(page.evaluate("location.hash").await, "#/topics/home/bath/lamp");
        page.evaluate("history.back()").await;
        wait_for_rows(page, "home >kitchen >>lamp >bath >>lamp").await;
        page.fill("[data-testid=topic-filter]", "").await;
        page.press("\u{E00C}").await;
        page.click("label:has([data-testid=topic-shape-list])").await;
        page.wait_for("the plain address", &is_address("#/topics")).await;
    });
}

#[test]
fn the_keyboard_opens_and_closes_branches() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        house(page, &hearth).await;
        page.evaluate(r#"document.querySelector('[data-topic="home"]').focus()"#).await;
        page.press("\u{E014}").await;
        wait_for_rows(page, "car home >bath >kitchen").await;
        page.press("\u{E015}").await;
        let focused = "document.activeElement?.dataset?.topic";
        page.wait_for("the focus on the next row", &format!("{focused} === 'home/bath'")).await;
        page.press("\u{E013}").await;
        page.press("\u{E012}").await;
        wait_for_rows(page, "car home").await;
    });
}

#[test]
fn who_clears_the_filter_goes_on_typing_in_it() {
    const TAB: &str = "\u{E004}";
    const ENTER: &str = "\u{E007}";
    const CLEAR: &str = ".search__clear:not([hidden])";
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/lamp", "-m", "on", "-r"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        wait_for_rows(page, "home/lamp").await;
        let typed = |text: &str| {
            format!(
                "document.activeElement?.matches('[data-testid=topic-filter]') && document.activeElement.value === '{text}' \
                    && !document.querySelector('{CLEAR}') === {}",
                text.is_empty()
            )
        };
        page.click("[data-testid=topic-filter]").await;
        page.press("nothing").await;
        page.wait_for("the filter", &typed("nothing")).await;
        page.click(CLEAR).await;
        page.wait_for("an empty field with the focus, by mouse", &typed("")).await;
        wait_for_rows(page, "home/lamp").await;
        page.press("lamp").await;
        page.wait_for("the next filter", &typed("lamp")).await;
        page.press(TAB).await;
        page.press(ENTER).await;
        page.wait_for("an empty field with the focus, by key", &typed("")).await;
    });
}
