//! What axe-core says to every page of the web app: as a person with a screen reader, or with weak eyes, finds it.

use std::path::PathBuf;

use serde_json::Value;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::web_page::open;

/// Every page: its name and the address behind the `#`.
const PAGES: [(&str, &str); 8] = [
    ("home", "/"),
    ("topics", "/topics"),
    ("topic", "/topics/car/position"),
    ("retained", "/retained"),
    ("publish", "/publish/home/hall/lamp/set"),
    ("chart", "/chart/car/speed"),
    ("about", "/about"),
    ("missing", "/nowhere"),
];

/// Runs the rules of WCAG 2.2, A and AA, and what is good practice beyond; each finding as a line that names its element.
const FINDINGS: &str = r#"
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
        let mut findings = Vec::new();
        for (screen, screen_name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            for (scheme, scheme_name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
                page.show_on(screen, scheme).await;
                for (name, address) in PAGES {
                    page.evaluate(&format!("(location.hash = '#{address}')")).await;
                    page.wait_for_element(&format!("[data-testid=page][data-page={name}]")).await;
                    page.wait_for("the page's code", "!document.querySelector('.waiting')").await;
                    page.next_frame().await;
                    let found = page.run(FINDINGS).await;
                    let found = found.as_array().cloned().unwrap_or_default();
                    let line = |it: &Value| {
                        format!("{name}, {screen_name}, {scheme_name}: {}", it.as_str().unwrap_or_default())
                    };
                    findings.extend(found.iter().map(line));
                }
            }
        }
        assert!(findings.is_empty(), "axe found {}:\n{}", findings.len(), findings.join("\n"));
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
        let found = page.run(FINDINGS).await;
        let found = found.as_array().cloned().unwrap_or_default();
        assert!(
            found.iter().any(|it| it.as_str().is_some_and(|line| line.starts_with("image-alt"))),
            "{found:?}"
        );
    });
}

/// Brings the checker into the page by the debugger's way, as the content policy lets no other script in.
async fn load_axe(page: &Page) {
    let modules = std::env::var_os("HEARTH_NODE_MODULES").map(PathBuf::from);
    let modules = modules.expect("HEARTH_NODE_MODULES names npm's packages; `cargo xtask test` sets it");
    let path = modules.join("axe-core/axe.min.js");
    let script = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    page.run(&format!("{script}; return typeof axe;")).await;
    assert_eq!(page.evaluate("typeof axe").await, "object");
}
