//! Whether people who cannot see the screen, or not well, can use the web app: names, language, contrast.

use serde_json::{Value, json};

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::web_layout::PAGES;
use crate::web_page::open;

/// Roles of what a person operates.
const CONTROLS: [&str; 9] =
    ["button", "link", "textbox", "searchbox", "combobox", "switch", "radio", "checkbox", "menuitem"];

/// Every text whose colour stands out less from what is behind it than WCAG 2.2, 1.4.3 asks (4.5, or 3 where it is
/// large). What stands on a picture or a gradient is left out: its background has no one colour.
const FAINT_TEXTS: &str = r"(() => {
    const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const parse = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return { rgb: [r, g, b], alpha: a / 255 };
    };
    const over = (top, bottom) => top.rgb.map((it, at) => it * top.alpha + bottom[at] * (1 - top.alpha));
    const background = element => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.backgroundImage !== 'none') return null;
            const layer = parse(style.backgroundColor);
            layers.push(layer);
            if (layer.alpha === 1) break;
        }
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        if (element.closest('.visually-hidden, :disabled, [aria-hidden=true], noscript, script, style')) continue;
        const behind = background(element);
        if (!behind) continue;
        const style = getComputedStyle(element);
        const [one, other] = [luminance(over(parse(style.color), behind)), luminance(behind)];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (contrast < (isLarge ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${element.className} «${text.data}»`);
    }
    return faint;
})()";

#[test]
fn every_control_has_a_name_and_every_page_a_heading() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=tile][data-stale=false]").await;
        for shown in PAGES {
            show(page, shown).await;
            let tree = page.devtools("Accessibility.getFullAXTree", json!({})).await;
            let nodes: Vec<&Value> = tree["nodes"].as_array().unwrap().iter().collect();
            let nodes = nodes.into_iter().filter(|node| node["ignored"] != true);
            let role = |node: &Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
            let mut headings = 0;
            let mut controls = 0;
            for node in nodes {
                let role = role(node);
                let name = node["name"]["value"].as_str().unwrap_or_default();
                headings += usize::from(role == "heading" && !name.is_empty());
                if CONTROLS.contains(&role.as_str()) {
                    controls += 1;
                    assert!(!name.trim().is_empty(), "a {role} on {shown} has no name: {node:#}");
                }
            }
            assert!(controls >= PAGES.len(), "{shown} has its navigation");
            assert!(headings > 0, "{shown} has a heading");
        }
    });
}

#[test]
fn every_text_stands_out_from_what_is_behind_it() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=tile][data-stale=false]").await;
        for scheme in [Scheme::Light, Scheme::Dark] {
            page.show_on(Screen::Desktop, scheme).await;
            for shown in PAGES {
                show(page, shown).await;
                // Colours may be on their way to those of the new scheme.
                let what = format!("{shown} in {scheme:?} with texts that can be read");
                let is_readable = format!("{FAINT_TEXTS}.length === 0");
                let faint = page.evaluate(FAINT_TEXTS).await;
                page.wait_for(&format!("{what}; faint are {faint:#}"), &is_readable).await;
            }
        }
    });
}

#[test]
fn a_chosen_appearance_wins_over_the_systems_and_is_kept() {
    let hearth = Hearth::start();
    const BACKGROUND: &str = "getComputedStyle(document.body).backgroundColor";
    browse("en", nothing, async |page| {
        open(page, &hearth, "about").await;
        let light = page.evaluate(BACKGROUND).await;
        page.click("[data-testid=theme-dark]").await;
        page.wait_for("a dark background", &format!("{BACKGROUND} !== {light}")).await;
        let dark = page.evaluate(BACKGROUND).await;
        page.reload().await;
        page.wait_for("a dark background after loading again", &format!("{BACKGROUND} === {dark}")).await;
        page.show_on(Screen::Desktop, Scheme::Dark).await;
        page.click("[data-testid=theme-light]").await;
        page.wait_for("a light background on a dark system", &format!("{BACKGROUND} === {light}")).await;
        page.click("[data-testid=theme-system]").await;
        page.wait_for("the system's dark background", &format!("{BACKGROUND} === {dark}")).await;
    });
}

async fn show(page: &Page, name: &str) {
    page.click(&format!("[data-testid=nav-{name}]")).await;
    page.wait_for_element(&format!("[data-testid=page][data-page={name}]")).await;
    page.wait_for("the page's code", "!document.querySelector('.waiting')").await;
    page.next_frame().await;
}
