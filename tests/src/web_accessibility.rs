//! What axe-core says to every page of the web app: as a person with a screen reader, or with weak eyes, finds it.

use std::path::PathBuf;

use serde_json::Value;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::web_page::open;

/// Every page: its name and the address behind the `#`.
const PAGES: [(&str, &str); 10] = [
    ("home", "/"),
    ("topics", "/topics"),
    ("topic", "/topics/car/position"),
    ("retained", "/retained"),
    ("publish", "/publish/home/hall/lamp/set"),
    ("subscribe", "/subscribe"),
    ("chart", "/chart/car/speed"),
    ("connections", "/connections"),
    ("about", "/about"),
    ("missing", "/nowhere"),
];

/// Runs the rules of WCAG 2.2, A and AA, and what is good practice beyond; each finding as a line that names its element.
/// A colour on its way to another is neither: what moves is brought to its end first, and what has none is halted.
const FINDINGS: &str = r#"
    for (const it of document.getAnimations()) { try { it.finish(); } catch { it.cancel(); } }
    const result = await axe.run(document, { resultTypes: ["violations"] });
    return result.violations.flatMap(it => it.nodes.map(node =>
        `${it.id} (${it.impact}): ${it.help}: ${node.target.join(" ")}: ${node.any.concat(node.all, node.none).map(c => c.message).join("; ")}`));
"#;

#[test]
fn axe_finds_nothing_on_any_page_in_light_and_dark_on_desktop_and_phone() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=tile][data-stale=false]").await;
        load_axe(page).await;
        let mut all = Vec::new();
        for (screen, screen_name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            for (scheme, scheme_name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
                page.show_on(screen, scheme).await;
                for (name, address) in PAGES {
                    page.evaluate(&format!("(location.hash = '#{address}')")).await;
                    page.wait_for_element(&format!("[data-testid=page][data-page={name}]")).await;
                    page.wait_for("the page's code", "!document.querySelector('.waiting')").await;
                    if name == "subscribe" {
                        follow(page).await;
                    }
                    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
                        .await;
                    page.next_frame().await;
                    let line = |it: String| format!("{name}, {screen_name}, {scheme_name}: {it}");
                    all.extend(findings(page).await.into_iter().map(line));
                }
            }
        }
        assert!(all.is_empty(), "axe found {}:\n{}", all.len(), all.join("\n"));
    });
}

/// Without this the test above would pass with an axe that looks at nothing.
#[test]
fn axe_finds_a_picture_without_words() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        open(page, &hearth, "about").await;
        load_axe(page).await;
        page.evaluate("document.querySelector('main').append(document.createElement('img'))").await;
        let found = findings(page).await;
        assert!(found.iter().any(|line| line.starts_with("image-alt")), "{found:?}");
    });
}

/// What axe finds on the page as it is shown.
pub async fn findings(page: &Page) -> Vec<String> {
    let found = page.run(FINDINGS).await;
    let found = found.as_array().cloned().unwrap_or_default();
    found.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Lets the subscribe page have a filter, messages and one that is looked at.
async fn follow(page: &Page) {
    if page.evaluate("document.querySelector('[data-testid=filter]') === null").await == true {
        page.fill("[data-testid=subscribe-filter]", "car/#").await;
        page.click("[data-testid=subscribe-add]").await;
    }
    page.click("[data-testid=stream-row]").await;
    page.wait_for_element("[data-testid=stream-detail]").await;
}

/// Brings the checker into the page by the debugger's way, as the content policy lets no other script in.
pub async fn load_axe(page: &Page) {
    let modules = std::env::var_os("HEARTH_NODE_MODULES").map(PathBuf::from);
    let modules = modules.expect("HEARTH_NODE_MODULES names npm's packages; `cargo xtask test` sets it");
    let path = modules.join("axe-core/axe.min.js");
    let script = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    page.run(&format!("{script}; return typeof axe;")).await;
    assert_eq!(page.evaluate("typeof axe").await, "object");
}
