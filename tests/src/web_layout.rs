//! How the web app's pages fit their screens; their pictures go to `screenshots` in the target folder.

use std::time::Instant;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::process::PATIENCE;
use crate::web_page::open;

/// The pages of the navigation.
pub const PAGES: [&str; 6] = ["home", "topics", "publish", "chart", "about", "connections"];

#[test]
fn every_page_fits_its_screen_and_has_its_picture_taken() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=lamp]:not([disabled])").await;
        page.wait_for_element("[data-testid=tile][data-stale=false]").await;
        for (screen, name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            for (scheme, scheme_name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
                page.show_on(screen, scheme).await;
                for shown in PAGES {
                    page.click(&format!("[data-testid=nav-{shown}]")).await;
                    page.wait_for_element(&format!("[data-testid=page][data-page={shown}]")).await;
                    assert_fits(page, &format!("{shown} on {name}")).await;
                    if shown == "chart" {
                        follow_a_topic(page).await;
                    }
                    page.screenshot(&format!("{shown}-{name}-{scheme_name}")).await;
                }
            }
        }
    });
}

#[test]
fn long_values_stay_inside_their_tiles() {
    let hearth = Hearth::start();
    for (topic, value) in [
        ("home/meter/energy", "1243.66"),
        ("home/meter/power", "12431"),
        ("home/hall/note", "the plumber comes on Thursday between eight and noon, ring twice"),
        ("home/hall/token", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        ("home/a-room-with-quite-a-long-name-that-nobody-shortened/temperature", "-273.15"),
    ] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", value, "-r", "-q", "1"]);
    }
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element(r#"[data-testid=tile][data-topic="home/meter/energy"]"#).await;
        for (screen, name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            page.show_on(screen, Scheme::Light).await;
            page.next_frame().await;
            page.screenshot(&format!("long-values-{name}")).await;
            assert_fits(page, &format!("home with long values on {name}")).await;
        }
    });
}

/// Nothing is wider than the screen, and no text is wider than the tile or button that it stands in.
pub async fn assert_fits(page: &Page, what: &str) {
    const STICKING_OUT: &str = "(() => { const width = document.documentElement.clientWidth; \
        const named = it => `${it.tagName}.${it.className} «${it.innerText}»`; \
        const tiles = [...document.querySelectorAll('[data-testid=tile], [data-testid=tile-value], button, nav a, .segmented__item')]; \
        const tight = tiles.filter(it => it.scrollWidth > it.clientWidth + 1).map(named); \
        const isWide = document.documentElement.scrollWidth > width; \
        const all = isWide ? [...document.querySelectorAll('*')] : []; \
        const wide = all.filter(it => it.getBoundingClientRect().right > width).map(named); \
        return isWide || tight.length ? [...tight, ...wide] : true; })()";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sticking_out = page.evaluate(STICKING_OUT).await;
        if sticking_out == true {
            return;
        }
        // A page that is still laying itself out may come right.
        assert!(Instant::now() < deadline, "{what} does not fit: {sticking_out:#}");
        page.next_frame().await;
    }
}

/// Chooses a topic for the chart and waits until something is drawn.
async fn follow_a_topic(page: &Page) {
    page.fill("[data-testid=chart-topic]", "car/speed").await;
    page.press("\u{E007}").await;
    let points = "Number(document.querySelector('[data-testid=chart]')?.dataset.points ?? 0) >= 5";
    page.wait_for("a chart of the car's speed", points).await;
}
