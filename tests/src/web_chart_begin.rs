//! What a chart shows before anybody chose anything: a number that people know, its name, a range that its past fills; and on a
//! phone all of that above the navigation.

use std::time::Duration;

use serde_json::json;

use crate::browser::{ConsoleLine, Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_accessibility::{findings, load_axe};
use crate::web_chart::{publish_course, wait_for_past, wait_for_span, wait_for_values};
use crate::web_page::open;

const TITLE: &str = "h1[data-testid=chart-title]";

/// A broker that knows a fast car and the temperature of a room.
fn home() -> Hearth {
    let hearth = Hearth::start();
    let speeds = (0..12).map(|it| it.to_string());
    publish_course(&hearth, "car/speed", speeds, Duration::from_millis(10));
    let values = (0..12).map(|it| format!("{:.1}", 20.0 + f64::from(it % 4) / 10.0));
    publish_course(&hearth, "home/living/temperature", values, Duration::from_millis(10));
    for (topic, value) in [("car/speed", "48"), ("home/living/temperature", "20.5")] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", value, "-r", "-q", "1"]);
    }
    wait_for_values(&hearth, "home/living/temperature", 13);
    hearth
}

/// Lets the page hear that the broker's values began two hours before they did.
async fn begin_two_hours_earlier(page: &Page) {
    let source = "const ask = window.fetch; window.fetch = async (...of) => { \
        const answer = await ask.apply(window, of); \
        if (!String(of[0]).includes('history/series')) return answer; \
        const list = await answer.json(); \
        for (const series of list.series) series.first -= 7_200_000; \
        return new Response(JSON.stringify(list)); };";
    page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})).await;
}

#[test]
fn a_chart_without_a_topic_begins_with_a_temperature_and_says_whose() {
    let hearth = home();
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart").await;
        page.wait_for_text(TITLE, "Living · Temperature").await;
        wait_for_past(page).await;
        wait_for_span(page, 300.0).await;
        page.fill("[data-testid=chart-topic]", "car/speed").await;
        page.press("\u{E007}").await;
        page.wait_for_text(TITLE, "Car · Speed").await;
        page.evaluate("(location.hash = '#/chart/home/living/temperature?and=car/speed')").await;
        page.wait_for_text(TITLE, "Living · Temperature and Car · Speed").await;
        assert_eq!(page.evaluate("document.querySelectorAll('h1').length").await, 1);
    });
    browse("de", nothing, async |page| {
        open(page, &hearth, "chart").await;
        page.wait_for_text(TITLE, "Living · Temperatur").await;
    });
}

#[test]
fn a_chart_begins_with_a_day_where_the_past_is_long_and_with_what_its_address_says() {
    let hearth = home();
    browse("en", nothing, async |page| {
        begin_two_hours_earlier(page).await;
        open(page, &hearth, "chart").await;
        wait_for_span(page, 86_400.0).await;
        page.wait_for("the range", "document.querySelector('[data-testid=chart-span-24h]').checked").await;
        assert_eq!(page.evaluate("location.hash").await, "#/chart");
        // Five minutes were asked for here, which the address goes on to say.
        page.click("label:has([data-testid=chart-span-5m])").await;
        page.wait_for("the address", "location.hash === '#/chart?last=300'").await;
        page.reload().await;
        wait_for_past(page).await;
        wait_for_span(page, 300.0).await;
        page.wait_for("the range", "document.querySelector('[data-testid=chart-span-5m]').checked").await;
        assert_eq!(page.evaluate("location.hash").await, "#/chart?last=300");
        page.click("label:has([data-testid=chart-span-24h])").await;
        page.wait_for("the address without it", "location.hash === '#/chart'").await;
    });
}

#[test]
fn a_phone_shows_the_whole_chart_above_its_navigation() {
    let hearth = home();
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &hearth, "chart").await;
        wait_for_past(page).await;
        let above = "document.querySelector('[data-testid=chart]').getBoundingClientRect().bottom \
            <= document.querySelector('nav').getBoundingClientRect().top";
        page.wait_for("the canvas above the navigation", above).await;
        let wide = "Number(document.querySelector('[data-testid=chart]').dataset.plotWidth) >= 270";
        page.wait_for("a plot that is nearly as wide as its card", wide).await;
        let ranges = "(it => new Set(it.map(box => box.top)).size === 1 \
            && it.every(box => box.width >= 44 && box.height >= 44))\
            ([...document.querySelectorAll('.chart .segmented__item')].map(item => item.getBoundingClientRect()))";
        assert_eq!(page.evaluate(ranges).await, true, "ranges in one line, each as large as a finger");
        // Words of different sizes stand on one line where an empty box behind each of them has the same bottom.
        let baselines = "[...document.querySelectorAll('.figure dd:not(.figure__note)')].map(it => { \
            const mark = document.createElement('span'); mark.style.display = 'inline-block'; it.append(mark); \
            const { bottom } = mark.getBoundingClientRect(); mark.remove(); return Math.round(bottom); })";
        let lines = page.evaluate(baselines).await;
        let lines = lines.as_array().unwrap();
        assert!(lines.len() == 4 && lines.iter().all(|line| *line == lines[0]), "{lines:?}");
        page.wait_for_text("[data-testid=chart-cursor]", "Touch the chart").await;
        let told = page.evaluate("document.querySelector('[data-testid=chart-cursor]').innerText").await;
        assert!(!told.as_str().unwrap().contains("Shift"), "{told}");
        for (scheme, name) in
            [(Scheme::Light, "chart-begin-phone-light"), (Scheme::Dark, "chart-begin-phone-dark")]
        {
            page.show_on(Screen::Phone, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        load_axe(page).await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found on the chart:\n{}", found.join("\n"));
    });
}

#[test]
fn a_page_whose_clock_is_hours_ahead_shows_the_past_of_the_broker() {
    let hearth = home();
    // The first question is for what is to come; its refusal tells what time it is.
    let is_refused = |line: &ConsoleLine| line.text.contains("/api/v1/history") && line.text.contains("400");
    browse("en", is_refused, async |page| {
        let source = "const here = Date.now; Date.now = () => here() + 7_200_000;";
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": source})).await;
        open(page, &hearth, "chart/home/living/temperature?last=300").await;
        wait_for_past(page).await;
    });
}
