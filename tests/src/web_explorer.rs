//! The topics and one of them: side by side on a wide screen, one after the other on a phone.

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_layout::assert_fits;
use crate::web_page::open;

const ROW: &str = r#"[data-testid=topic-row][data-topic="home/kitchen/lamp"]"#;

/// How much of the width the list has, in percent.
async fn share(page: &Page) -> f64 {
    let share = "(() => { const list = document.querySelector('.explorer__list').getBoundingClientRect(); \
        return list.width / document.querySelector('.explorer').getBoundingClientRect().width * 100; })()";
    page.evaluate(share).await.as_f64().unwrap()
}

fn home() -> Hearth {
    let hearth = Hearth::start();
    for number in 0..200 {
        publish(hearth.mqtt(), V311, &["-t", &format!("attic/{number:03}"), "-m", "1", "-r"]);
    }
    for (topic, value) in [("home/kitchen/lamp", "on"), ("home/kitchen/temperature", "21.5")] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", value, "-r", "-q", "1"]);
    }
    hearth
}

#[test]
fn a_topic_opens_beside_the_list_and_the_divider_stays_where_it_was_put() {
    let hearth = home();
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.wait_for_element("[data-testid=topic-count][data-total=\"202\"]").await;
        page.fill("[data-testid=topic-filter]", "kitchen").await;
        page.click(ROW).await;
        page.wait_for_text("[data-testid=detail-payload]", "on").await;
        page.wait_for_element(&format!("{ROW}[aria-current=true]")).await;
        page.click(r#"[data-testid=topic-row][data-topic="home/kitchen/temperature"]"#).await;
        page.wait_for_text("[data-testid=detail-payload]", "21.5").await;
        // The list is the same one, with the filter that was typed.
        page.wait_for_element("[data-testid=topic-count][data-shown=\"2\"]").await;
        page.wait_for("one chosen row", "document.querySelectorAll('.topic-row[aria-current]').length === 1")
            .await;

        assert!((share(page).await - 44.0).abs() < 1.5, "{}", share(page).await);
        page.evaluate("document.querySelector('[data-testid=divider]').focus()").await;
        page.press("\u{E014}\u{E014}").await;
        page.wait_for_element("[data-testid=divider][aria-valuenow=\"48\"]").await;
        assert!((share(page).await - 48.0).abs() < 1.5, "{}", share(page).await);
        page.drag("[data-testid=divider]", 0.5, -5.0).await;
        let is_moved = "document.querySelector('[data-testid=divider]').ariaValueNow < 40";
        page.wait_for("the moved divider", is_moved).await;
        let moved = share(page).await;
        page.reload().await;
        page.wait_for_text("[data-testid=detail-payload]", "21.5").await;
        assert!((share(page).await - moved).abs() < 1.0, "{} was {moved}", share(page).await);
        page.click("[data-testid=detail-close]").await;
        page.wait_for("the list alone", "!document.querySelector('.explorer--split')").await;
    });
}

#[test]
fn a_link_to_a_topic_shows_its_row_in_the_list_and_in_the_tree() {
    let hearth = home();
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics/home/kitchen/lamp").await;
        page.wait_for_element(&format!("{ROW}[aria-current=true]")).await;
        let is_seen = format!(
            "(() => {{ const [row, list] = ['{ROW}', '.topic-list'].map(it => document.querySelector(it)?.getBoundingClientRect()); \
                return row && row.top >= list.top - 1 && row.bottom <= list.bottom + 1; }})()"
        );
        page.wait_for("the row on the screen", &is_seen).await;
        // Others that come before it do not push it away.
        for number in 0..40 {
            publish(hearth.mqtt(), V311, &["-t", &format!("cellar/{number:03}"), "-m", "1"]);
        }
        page.wait_for_element("[data-testid=topic-count][data-total=\"242\"]").await;
        page.wait_for("the row on the screen still", &is_seen).await;
        page.click("label:has([data-testid=topic-shape-tree])").await;
        page.click("[data-testid=tree-close-all]").await;
        page.wait_for("closed branches", &format!("!document.querySelector('{ROW}')")).await;
        page.reload().await;
        page.wait_for_element(&format!("{ROW}[aria-current=true]")).await;
        for (scheme, name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            page.show_on(Screen::Desktop, scheme).await;
            page.next_frame().await;
            assert_fits(page, "a topic beside the tree").await;
            page.screenshot(&format!("explorer-desktop-{name}")).await;
        }
        page.show_on(Screen::Phone, Scheme::Light).await;
        page.wait_for("the topic alone", "!document.querySelector('.topic-list')").await;
        page.wait_for_text("h1[data-testid=detail-topic]", "home/kitchen/lamp").await;
        assert_fits(page, "a topic on a phone").await;
        page.screenshot("topic-phone-light").await;
    });
}
