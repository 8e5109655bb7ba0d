//! A chart that is read: values under the pointer, a finger and the keyboard, the part of time in the address, and a picture that
//! follows the look of the page.

use std::time::Duration;

use serde_json::json;

use crate::browser::{ConsoleLine, Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::web_accessibility::{findings, load_axe};
use crate::web_chart::{CHART, publish_course, wait_for_past, wait_for_span, wait_for_values};
use crate::web_page::open;

const CURSOR: &str = "[data-testid=chart-cursor]";
const ESCAPE: &str = "\u{E00C}";

/// A broker that knows 40 values of `tank/level`, 0 to 39, and 20 of `tank/heat`, always 7.
fn measured() -> Hearth {
    let hearth = Hearth::start();
    publish_course(&hearth, "tank/heat", (0..20).map(|_| "7".to_owned()), Duration::from_millis(20));
    publish_course(&hearth, "tank/level", (0..40).map(|it| it.to_string()), Duration::from_millis(50));
    wait_for_values(&hearth, "tank/level", 40);
    wait_for_values(&hearth, "tank/heat", 20);
    hearth
}

/// Lets a pointer do something at a share of the chart's width.
async fn point(page: &Page, event: &str, kind: &str, share: f64) {
    let script = format!(
        "(() => {{ const it = document.querySelector('[data-testid=chart-stage]'); \
         const box = it.getBoundingClientRect(); \
         return it.dispatchEvent(new PointerEvent('{event}', {{ pointerType: '{kind}', pointerId: 7, bubbles: true, \
         clientX: box.left + box.width * {share}, clientY: box.top + box.height / 2 }})); }})()"
    );
    page.evaluate(&script).await;
}

async fn press_with_shift(page: &Page, key: &str) {
    const SHIFT: u8 = 8;
    for kind in ["rawKeyDown", "keyUp"] {
        page.devtools(
            "Input.dispatchKeyEvent",
            json!({"type": kind, "key": key, "code": key, "modifiers": SHIFT}),
        )
        .await;
    }
}

async fn wait_for_hash(page: &Page, hash: &str) {
    page.wait_for(&format!("the address {hash}"), &format!("location.hash === {hash:?}")).await;
}

#[test]
fn values_are_read_under_the_pointer_by_a_finger_and_by_keys() {
    let hearth = measured();
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart/tank/level?and=tank/heat").await;
        wait_for_past(page).await;
        page.wait_for_text("[data-testid=chart-highest]", "39").await;
        page.wait_for_text(CURSOR, "Point at the chart").await;
        point(page, "pointermove", "mouse", 0.99).await;
        page.wait_for_text(CURSOR, "· 39").await;
        page.wait_for_text(CURSOR, "tank/heat").await;
        page.wait_for_text(CURSOR, "· 7").await;
        page.wait_for_element(&format!("{CURSOR}[aria-live=off]")).await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "chart-read-desktop-light"),
            (Screen::Phone, Scheme::Dark, "chart-read-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.click("[data-testid=chart-zoom-in]").await;
            page.click("[data-testid=chart-zoom-in]").await;
            point(page, "pointermove", "mouse", 0.8).await;
            page.next_frame().await;
            page.screenshot(name).await;
            page.click("[data-testid=chart-reset]").await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;
        point(page, "pointerleave", "mouse", 1.1).await;
        page.wait_for_text(CURSOR, "Point at the chart").await;

        // What a finger read stays when it is gone.
        point(page, "pointerdown", "touch", 0.99).await;
        page.wait_for_text(CURSOR, "· 39").await;
        point(page, "pointerup", "touch", 0.99).await;
        point(page, "pointerleave", "touch", 0.99).await;
        page.next_frame().await;
        page.wait_for_text(CURSOR, "· 39").await;

        page.evaluate("document.querySelector('[data-testid=chart-stage]').focus()").await;
        page.press(ESCAPE).await;
        page.wait_for_text(CURSOR, "Point at the chart").await;
        press_with_shift(page, "ArrowLeft").await;
        page.wait_for_text(CURSOR, "· 39").await;
        press_with_shift(page, "ArrowLeft").await;
        page.wait_for_text(CURSOR, "· 38").await;
        page.wait_for_element(&format!("{CURSOR}[aria-live=polite]")).await;
        press_with_shift(page, "ArrowRight").await;
        page.wait_for_text(CURSOR, "· 39").await;
        load_axe(page).await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found on the chart:\n{}", found.join("\n"));
    });
}

#[test]
fn the_address_of_a_chart_names_the_part_of_time() {
    let hearth = measured();
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart/tank/level").await;
        wait_for_past(page).await;
        wait_for_span(page, 300.0).await;
        page.click("label:has([data-testid=chart-span-1h])").await;
        wait_for_hash(page, "#/chart/tank/level?last=3600").await;
        page.reload().await;
        wait_for_past(page).await;
        wait_for_span(page, 3_600.0).await;
        page.wait_for("the range", "document.querySelector('[data-testid=chart-span-1h]').checked").await;

        page.fill("[data-testid=chart-add-topic]", "tank/heat").await;
        page.press("\u{E007}").await;
        page.click("[data-testid=chart-add]:not([disabled])").await;
        wait_for_hash(page, "#/chart/tank/level?and=tank/heat&last=3600").await;
        wait_for_span(page, 3_600.0).await;
        page.click("label:has([data-testid=chart-span-5m])").await;
        wait_for_hash(page, "#/chart/tank/level?and=tank/heat").await;

        // A part that does not reach the present.
        page.click("[data-testid=chart-earlier]").await;
        page.wait_for("two times", "/&from=\\d+&to=\\d+$/.test(location.hash)").await;
        page.evaluate("(location.hash = '#/chart/tank/level?and=tank/heat&last=86400')").await;
        wait_for_span(page, 86_400.0).await;
        open(page, &hearth, "chart/tank/level?from=1700000000000&to=1700000600000").await;
        page.reload().await;
        wait_for_past(page).await;
        wait_for_span(page, 600.0).await;
        page.wait_for_element(&format!("{CHART}[data-from=\"1700000000000\"][data-live=false]")).await;
    });
}

#[test]
fn a_chart_is_drawn_anew_as_soon_as_colours_or_size_change() {
    let hearth = measured();
    // Reading pixels is what a test does.
    let is_allowed = |line: &ConsoleLine| line.text.contains("readback operations");
    browse("en", is_allowed, async |page| {
        // Nothing that happens by itself every second draws it.
        let source = "window.setInterval = () => 0;";
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})).await;
        page.show_on(Screen::Desktop, Scheme::Light).await;
        open(page, &hearth, "chart/tank/level").await;
        wait_for_past(page).await;
        let corner =
            format!("document.querySelector('{CHART}').getContext('2d').getImageData(2, 2, 1, 1).data[0]");
        page.wait_for("a light picture", &format!("{corner} > 200")).await;
        page.show_on(Screen::Desktop, Scheme::Dark).await;
        page.wait_for("a dark picture", &format!("{corner} < 100")).await;
        page.show_on(Screen::Phone, Scheme::Dark).await;
        let fits = format!(
            "(it => Math.abs(it.width - it.getBoundingClientRect().width * devicePixelRatio) < 2)\
             (document.querySelector('{CHART}'))"
        );
        page.wait_for("a picture of its size", &fits).await;
    });
}
