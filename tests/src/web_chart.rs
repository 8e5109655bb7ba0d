//! Charts of the past and the present: gaps, spikes, zoom and pan, several series, and the files they are saved as.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::http::fetch;
use crate::mosquitto::{V311, publish};
use crate::process::PATIENCE;
use crate::web_page::open;
use crate::wire::{Wire, connect, message};
use hearth_protocol::{QoS, Version};

/// The canvas.
pub const CHART: &str = "[data-testid=chart]";
const ARROW_LEFT: &str = "\u{E012}";
const ARROW_RIGHT: &str = "\u{E014}";

/// Publishes one payload after the other, with a pause behind each.
pub fn publish_course(hearth: &Hearth, topic: &str, payloads: impl Iterator<Item = String>, pause: Duration) {
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "course")).0;
    for payload in payloads {
        publisher.publish_to_the_end(message(topic, payload.as_bytes(), QoS::AtLeastOnce));
        std::thread::sleep(pause);
    }
}

/// Waits until the broker's history has so many values of a topic.
pub fn wait_for_values(hearth: &Hearth, topic: &str, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = fetch(hearth.http(), &format!("/api/v1/history/series?filter={topic}"), &[]);
        let list: Value = serde_json::from_slice(&answer.body).unwrap();
        let there: u64 =
            list["series"].as_array().unwrap().iter().map(|it| it["count"].as_u64().unwrap()).sum();
        if there >= count {
            return;
        }
        assert!(Instant::now() < deadline, "{there} of {count} values of {topic} are written");
    }
}

/// What the chart says of itself.
async fn told(page: &Page, name: &str) -> f64 {
    let value = page.evaluate(&format!("Number(document.querySelector('{CHART}').dataset.{name})")).await;
    value.as_f64().unwrap()
}

/// Waits until the server's answer is drawn.
pub async fn wait_for_past(page: &Page) {
    page.wait_for_element(&format!("{CHART}[data-past=true]")).await;
}

/// How long the shown part of time is, in seconds.
async fn span(page: &Page) -> f64 {
    (told(page, "to").await - told(page, "from").await) / 1000.0
}

/// Waits until so many seconds are shown.
pub async fn wait_for_span(page: &Page, seconds: f64) {
    let data = format!("document.querySelector('{CHART}')?.dataset");
    let is_there = format!("Math.abs(({data}?.to - {data}?.from) / 1000 - {seconds}) < 1");
    page.wait_for(&format!("{seconds} seconds"), &is_there).await;
}

async fn save_files_in(page: &Page, folder: &Path) {
    let folder = folder.to_str().unwrap();
    page.devtools("Browser.setDownloadBehavior", json!({"behavior": "allow", "downloadPath": folder})).await;
}

/// The file that the browser saves under this name.
async fn saved(page: &Page, folder: &Path, name: &str) -> Vec<u8> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(file) = std::fs::read(folder.join(name))
            && !file.is_empty()
        {
            return file;
        }
        let there: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(Instant::now() < deadline, "no {name} among {there:?}");
        page.next_frame().await;
    }
}

#[test]
fn the_past_is_drawn_with_its_spike_and_its_gap_and_goes_on_live() {
    let hearth = Hearth::start();
    let course = |from: u32| {
        (from..from + 1500)
            .map(|number| if number == 777 { "99.5".to_owned() } else { (number % 7).to_string() })
    };
    publish_course(&hearth, "plant/speed", course(0), Duration::ZERO);
    // Longer than two seconds and far longer than usual.
    std::thread::sleep(Duration::from_secs(4));
    publish_course(&hearth, "plant/speed", course(1500), Duration::ZERO);
    wait_for_values(&hearth, "plant/speed", 3000);
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart/plant/speed").await;
        wait_for_past(page).await;
        page.wait_for_text("[data-testid=chart-highest]", "99.5").await;
        page.wait_for_text("[data-testid=chart-lowest]", "0").await;
        page.wait_for_element(&format!("{CHART}[data-gaps=\"1\"]")).await;
        page.wait_for_text("[data-testid=chart-note]", "1 gap of").await;
        // What comes now is drawn at once, behind the past.
        publish(hearth.mqtt(), V311, &["-t", "plant/speed", "-m", "123.25", "-q", "1"]);
        page.wait_for_text("[data-testid=chart-highest]", "123.25").await;
        page.wait_for_text("[data-testid=chart-latest]", "123.25").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "chart-past-desktop-light"),
            (Screen::Desktop, Scheme::Dark, "chart-past-desktop-dark"),
            (Screen::Phone, Scheme::Dark, "chart-past-phone-dark"),
            (Screen::Phone, Scheme::Light, "chart-past-phone-light"),
        ] {
            page.show_on(screen, scheme).await;
            page.click("[data-testid=chart-zoom-in]").await;
            page.click("[data-testid=chart-zoom-in]").await;
            page.click("[data-testid=chart-zoom-in]").await;
            wait_for_span(page, 37.5).await;
            page.screenshot(name).await;
            let width = page.evaluate("document.documentElement.scrollWidth <= innerWidth").await;
            assert_eq!(width, true, "{name} fits its screen");
            page.click("[data-testid=chart-reset]").await;
        }
    });
}

#[test]
fn keys_buttons_ranges_and_the_mouse_move_the_part_of_time() {
    let hearth = Hearth::start();
    let course = (0..40).map(|number| number.to_string());
    publish_course(&hearth, "tank/level", course, Duration::from_millis(50));
    wait_for_values(&hearth, "tank/level", 40);
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart/tank/level").await;
        wait_for_past(page).await;
        wait_for_span(page, 300.0).await;
        page.evaluate("document.querySelector('[data-testid=chart-stage]').focus()").await;
        page.press("+").await;
        wait_for_span(page, 150.0).await;
        assert_eq!(page.evaluate(&format!("document.querySelector('{CHART}').dataset.live")).await, "true");
        page.press("-").await;
        wait_for_span(page, 300.0).await;
        let (before, now) = (told(page, "from").await, told(page, "to").await);
        page.press(ARROW_LEFT).await;
        page.wait_for_element(&format!("{CHART}[data-live=false]")).await;
        let moved = before - told(page, "from").await;
        assert!((60_000.0..90_000.0).contains(&moved), "{moved} ms of 75,000, and {now}");
        page.press(ARROW_RIGHT).await;
        page.press(ARROW_RIGHT).await;
        page.wait_for_element(&format!("{CHART}[data-live=true]")).await;
        page.press("+++0").await;
        wait_for_span(page, 300.0).await;

        for (range, seconds) in [("1h", 3_600.0), ("24h", 86_400.0), ("7d", 604_800.0), ("30d", 2_592_000.0)]
        {
            page.click(&format!("label:has([data-testid=chart-span-{range}])")).await;
            wait_for_span(page, seconds).await;
            page.wait_for_text("[data-testid=chart-highest]", "39").await;
        }
        page.click("[data-testid=chart-zoom-out]").await;
        wait_for_span(page, 5_184_000.0).await;
        page.click("[data-testid=chart-reset]").await;
        wait_for_span(page, 2_592_000.0).await;

        // A wheel zooms where the pointer is; a mouse that is dragged chooses a range.
        let wheel = "(() => { const it = document.querySelector('[data-testid=chart-stage]'); \
            const box = it.getBoundingClientRect(); \
            it.dispatchEvent(new WheelEvent('wheel', {deltaY: -346.57359, clientX: box.right, clientY: box.top + 50, \
                bubbles: true, cancelable: true})); return 1; })()";
        page.evaluate(wheel).await;
        wait_for_span(page, 1_296_000.0).await;
        page.drag("[data-testid=chart-stage]", 0.25, 0.75).await;
        page.wait_for_element(&format!("{CHART}[data-live=false]")).await;
        let share = span(page).await / 1_296_000.0;
        assert!((0.4..0.7).contains(&share), "{share} of what was shown");

        custom_range(page).await;
    });
}

/// A range that is typed: wrong ones are told, and a right one is shown.
async fn custom_range(page: &Page) {
    page.click("label:has([data-testid=chart-span-custom])").await;
    page.click("[data-testid=chart-apply]").await;
    page.wait_for_text("[data-testid=chart-custom]", "Choose two times").await;
    let fill = |id: &str, value: &str| {
        format!("(() => {{ document.querySelector('[data-testid={id}]').value = '{value}'; return 1; }})()")
    };
    page.evaluate(&fill("chart-from", "2026-01-01T00:00:00")).await;
    page.evaluate(&fill("chart-to", "2026-01-03T00:00:00")).await;
    page.click("[data-testid=chart-apply]").await;
    wait_for_span(page, 172_800.0).await;
    page.wait_for_text("[data-testid=chart-note]", "No values in this range").await;
}

#[test]
fn several_series_stand_on_one_chart_and_what_is_shown_can_be_saved() {
    let hearth = Hearth::start();
    let json = (0..20)
        .map(|number| format!(r#"{{"temperature":{},"humidity":60}}"#, 20.0 + f64::from(number) / 4.0));
    publish_course(&hearth, "home/hall", json, Duration::from_millis(20));
    publish_course(
        &hearth,
        "home/power",
        (0..20).map(|it| (it * 100).to_string()),
        Duration::from_millis(20),
    );
    wait_for_values(&hearth, "home/hall", 40);
    wait_for_values(&hearth, "home/power", 20);
    let folder = TempDir::new().unwrap();
    browse("en", nothing, async |page| {
        save_files_in(page, folder.path()).await;
        open(page, &hearth, "chart/home/hall?field=/temperature").await;
        page.wait_for_text("[data-testid=chart-latest]", "24.75\u{202f}°C").await;
        page.fill("[data-testid=chart-add-topic]", "home/power").await;
        page.press("\u{E007}").await;
        page.click("[data-testid=chart-add]:not([disabled])").await;
        page.wait_for("two series", "document.querySelectorAll('[data-testid=chart-series]').length === 2")
            .await;
        wait_for_past(page).await;
        page.wait_for_text("[data-testid=chart-latest]", "1,900\u{202f}W").await;
        assert!(page.evaluate("location.hash").await.as_str().unwrap().ends_with("&and=home/power"));
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "chart-two-desktop-light"),
            (Screen::Phone, Scheme::Dark, "chart-two-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            for _ in 0..4 {
                page.click("[data-testid=chart-zoom-in]").await;
            }
            page.next_frame().await;
            page.screenshot(name).await;
            page.click("[data-testid=chart-reset]").await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;
        page.click("[data-testid=chart-csv]").await;
        let csv = String::from_utf8(saved(page, folder.path(), "home-hall-temperature.csv").await).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "time,topic,field,unit,value");
        assert_eq!(lines.len(), 41, "{csv}");
        assert!(lines[1].ends_with("Z,home/hall,/temperature,°C,20"), "{}", lines[1]);
        assert!(lines[40].ends_with("Z,home/power,,W,1900"), "{}", lines[40]);

        page.click("[data-testid=chart-json]").await;
        let json: Value =
            serde_json::from_slice(&saved(page, folder.path(), "home-hall-temperature.json").await).unwrap();
        assert_eq!(json["series"][1]["points"].as_array().unwrap().len(), 20);
        assert_eq!(json["series"][0]["points"][4][1], 21.0);

        page.click("[data-testid=chart-png]").await;
        let png = saved(page, folder.path(), "home-hall-temperature.png").await;
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(&png[16..24], &[0, 0, 9, 0x60, 0, 0, 4, 0xb0], "2400 by 1200 pixels");

        page.click("[data-testid=chart-remove]").await;
        page.wait_for("one series", "document.querySelectorAll('[data-testid=chart-series]').length === 1")
            .await;
        page.wait_for_text("[data-testid=chart-latest]", "1,900\u{202f}W").await;
    });
}

#[test]
fn a_topic_that_was_not_heard_shows_the_past_that_the_broker_kept() {
    let hearth = Hearth::start();
    publish_course(&hearth, "cellar/pump", (0..12).map(|it| it.to_string()), Duration::from_millis(10));
    wait_for_values(&hearth, "cellar/pump", 12);
    let folder = TempDir::new().unwrap();
    browse("en", nothing, async |page| {
        save_files_in(page, folder.path()).await;
        open(page, &hearth, "topics/cellar/pump").await;
        page.wait_for_text("[data-testid=detail-history] [data-testid=chart-highest]", "11").await;
        wait_for_span(page, 86_400.0).await;
        publish(hearth.mqtt(), V311, &["-t", "cellar/pump", "-m", "15", "-q", "1"]);
        page.wait_for_text("[data-testid=detail-history] [data-testid=chart-highest]", "15").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "topic-history-desktop-light"),
            (Screen::Phone, Scheme::Dark, "topic-history-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.evaluate("document.querySelector('[data-testid=detail-history]').scrollIntoView()").await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;
        page.click("[data-testid=messages-csv]").await;
        let csv = String::from_utf8(saved(page, folder.path(), "cellar-pump.csv").await).unwrap();
        assert!(csv.starts_with("time,qos,retain,encoding,payload\r\n"), "{csv}");
        assert!(csv.ends_with("Z,0,false,text,15\r\n"), "{csv}");
    });
}

#[test]
fn a_broker_without_a_past_says_so_and_the_chart_follows_what_comes() {
    let hearth = Hearth::start_with(&["--durability", "none"]);
    publish(hearth.mqtt(), V311, &["-t", "attic/load", "-m", "3", "-r", "-q", "1"]);
    let is_refused = |line: &crate::browser::ConsoleLine| line.text.contains("404");
    browse("en", is_refused, async |page| {
        open(page, &hearth, "chart/attic/load").await;
        page.wait_for_text("[data-testid=chart-latest]", "3").await;
        page.wait_for_text("[data-testid=chart-note]", "The broker has no past of this").await;
        publish(hearth.mqtt(), V311, &["-t", "attic/load", "-m", "8", "-q", "1"]);
        page.wait_for_text("[data-testid=chart-highest]", "8").await;
    });
}

#[test]
fn a_tile_of_the_home_shows_how_the_day_went_before_the_page_was_opened() {
    let hearth = Hearth::start();
    for value in ["20", "35", "21"] {
        publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", value, "-r", "-q", "1"]);
    }
    wait_for_values(&hearth, "home/kitchen/temperature", 3);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=tile]").await;
        // One retained value is all that the page has heard itself.
        let line = "document.querySelector('[data-testid=tile] .spark__line')?.getAttribute('d') ?? ''";
        let highest = page
            .wait_for("a course of three values", &format!("({line}).split(' ').length >= 4 && ({line})"))
            .await;
        let highest = highest.as_str().unwrap();
        assert!(
            highest.contains(" 3.0L") && !highest.ends_with(" 3.0"),
            "up to the 35, then down: {highest}"
        );
    });
}
