//! What a finger, a person who bears no motion and one who needs contrast are owed on every page.

use serde_json::json;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_connections::go;
use crate::web_layout::assert_fits;
use crate::web_page::open;
use crate::web_subscribe::subscribe;

/// Every page, with a topic where one belongs.
const ROUTES: [&str; 11] = [
    "home",
    "topics",
    "topics/home/kitchen/temperature",
    "topics/home/living/lamp",
    "publish",
    "subscribe",
    "retained",
    "chart/home/kitchen/temperature",
    "about",
    "connections",
    "no-such-page",
];

/// Controls on which a finger has less than 44 pixels in one direction. A link in the middle of a sentence is as high as its line.
const SMALL: &str = "(() => {
    const controls = 'button, a[href], select, summary, textarea, [role=button], [role=switch], [role=slider], ' +
        'input:not([type=radio], [type=checkbox], [type=file]), label:has(input[type=radio], input[type=checkbox])';
    const isShown = it => it.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !it.closest('.visually-hidden, .skip, [inert]');
    const isInline = it => it.matches('a') && getComputedStyle(it).display === 'inline' && it.parentElement.innerText.trim() !== it.innerText.trim();
    const small = [];
    for (const it of document.querySelectorAll(controls)) {
        if (!isShown(it) || isInline(it) || it.closest('label') && !it.matches('label')) continue;
        const box = it.getBoundingClientRect();
        if (box.width < 43.5 || box.height < 43.5)
            small.push(`${Math.round(box.width)}x${Math.round(box.height)} ${it.outerHTML.slice(0, 160)}`);
    }
    return small;
})()";

/// Opens everything that opens.
const OPEN_ALL: &str = "document.querySelectorAll('details').forEach(it => { it.open = true })";

async fn show(page: &Page, hearth: &Hearth, route: &str) {
    let named = [("home", "#/", "home"), ("no-such-page", "#/no-such-page", "missing")];
    if let Some((_, hash, name)) = named.iter().find(|(named, _, _)| *named == route) {
        page.evaluate(&format!("(location.hash = '{hash}')")).await;
        page.wait_for_element(&format!("[data-testid=page][data-page={name}]")).await;
    } else if route.contains('/') {
        open(page, hearth, route).await;
    } else {
        go(page, route).await;
    }
    page.evaluate(OPEN_ALL).await;
    page.next_frame().await;
    page.next_frame().await;
}

#[test]
fn a_finger_has_44_pixels_for_every_control_of_every_page() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &hearth, "subscribe").await;
        page.wait_for_element("[data-testid=connection][data-state=online]").await;
        subscribe(page, "home/#").await;
        page.click("[data-testid=stream-row]").await;
        page.wait_for_element("[data-testid=stream-detail]").await;
        let mut small = vec![("a message", page.evaluate(SMALL).await)];
        go(page, "publish").await;
        page.fill("[data-testid=publish-topic]", "home/bell").await;
        page.click("[data-testid=publish-send]").await;
        page.wait_for_element(r#"[data-testid=sent-item][data-echoed=true]"#).await;
        for route in ROUTES {
            show(page, &hearth, route).await;
            small.push((route, page.evaluate(SMALL).await));
        }
        // Values inside a payload, and what differs from the one before.
        for payload in
            [r#"{"n":1,"a":{"b":[1,{"c":2}]},"d":"x"}"#, r#"{"n":2,"a":{"b":[1,{"c":2}]},"d":"x"}"#]
        {
            publish(hearth.mqtt(), V311, &["-t", "packed", "-m", payload, "-q", "1"]);
            show(page, &hearth, "topics/packed").await;
        }
        page.click("label:has([data-testid=payload-view-json])").await;
        page.wait_for_element("[data-testid=detail-tree] .tree__chart").await;
        page.wait_for_element("[data-testid=detail-changes]").await;
        page.evaluate(OPEN_ALL).await;
        page.next_frame().await;
        page.screenshot("topic-tree-phone-light").await;
        small.push(("values", page.evaluate(SMALL).await));
        small.retain(|(_, found)| *found != json!([]));
        assert!(small.is_empty(), "{small:#?}");
    });
}

async fn prefer(page: &Page, feature: &str, value: &str) {
    let features = json!({"features": [{"name": feature, "value": value}]});
    page.devtools("Emulation.setEmulatedMedia", features).await;
}

#[test]
fn who_bears_no_motion_sees_none() {
    // Longer than a flash.
    const MOVING: &str = "(() => { const seconds = list => Math.max(...list.split(',').map(parseFloat));
        return [...document.querySelectorAll('*')].flatMap(it => [null, '::before', '::after'].map(part => getComputedStyle(it, part)))
            .filter(it => seconds(it.animationDuration) > 0.001 && it.animationName !== 'none'
                || seconds(it.transitionDuration) > 0.001 || it.scrollBehavior === 'smooth').length; })()";
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=lamp]:not([disabled])").await;
        page.wait_for("something that moves", MOVING).await;
        prefer(page, "prefers-reduced-motion", "reduce").await;
        for route in ROUTES {
            show(page, &hearth, route).await;
            assert_eq!(page.evaluate(MOVING).await, 0, "{route}");
        }
    });
}

#[test]
fn who_needs_contrast_gets_lines_and_full_ink_and_the_systems_own_colours() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=lamp]:not([disabled])").await;
        let of = async |name: &str| {
            let color =
                format!("getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()");
            page.evaluate(&color).await
        };
        assert_ne!(of("--ink-soft").await, of("--ink").await);
        prefer(page, "prefers-contrast", "more").await;
        assert_eq!(of("--ink-soft").await, of("--ink").await);
        for route in ["home", "topics", "publish", "retained", "connections"] {
            show(page, &hearth, route).await;
            assert_fits(page, route).await;
        }
        show(page, &hearth, "home").await;
        page.screenshot("home-desktop-more-contrast").await;
        prefer(page, "forced-colors", "active").await;
        let edge = "getComputedStyle(document.querySelector('.nav__item[aria-current=page]')).outlineStyle";
        assert_eq!(page.evaluate(edge).await, "solid");
        page.screenshot("home-desktop-forced-colours").await;
    });
}
