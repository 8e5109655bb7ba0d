//! The command palette, and the appearance of highest contrast.

use serde_json::json;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V311, publish};
use crate::web_accessibility::{findings, load_axe};
use crate::web_page::open;

/// The key.
pub const ENTER: &str = "\u{E007}";
const DOWN: &str = "\u{E015}";
const ESCAPE: &str = "\u{E00C}";

/// Presses Ctrl and K.
pub async fn call_palette(page: &Page) {
    const CTRL: u8 = 2;
    for kind in ["rawKeyDown", "keyUp"] {
        let key =
            json!({"type": kind, "key": "k", "code": "KeyK", "modifiers": CTRL, "windowsVirtualKeyCode": 75});
        page.devtools("Input.dispatchKeyEvent", key).await;
    }
    page.wait_for("the palette", "document.querySelector('[data-testid=palette]')?.open").await;
    page.wait_for("the focus in it", "document.activeElement.dataset.testid === 'palette-input'").await;
}

/// Waits until the palette is gone.
pub async fn wait_until_closed(page: &Page) {
    page.wait_for("the palette to close", "!document.querySelector('[data-testid=palette]')").await;
}

#[test]
fn a_few_letters_lead_to_pages_topics_and_commands() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/attic/lamp", "-m", "on", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        page.wait_for_element(r#"[data-testid=topic-row][data-topic="home/attic/lamp"]"#).await;
        call_palette(page).await;
        page.press("abou").await;
        page.wait_for_text("[data-testid=palette-entry][aria-selected=true]", "About").await;
        page.press(ENTER).await;
        page.wait_for_element("[data-testid=page][data-page=about]").await;
        wait_until_closed(page).await;

        call_palette(page).await;
        page.press("attic lamp").await;
        page.wait_for_text("[data-testid=palette-entry]", "home/attic/lamp").await;
        page.click("[data-testid=palette-entry]").await;
        page.wait_for_text("[data-testid=detail-topic]", "home/attic/lamp").await;

        call_palette(page).await;
        page.press("zzz").await;
        page.wait_for_text("[data-testid=palette]", "Nothing has these words.").await;
        page.press(ESCAPE).await;
        wait_until_closed(page).await;

        call_palette(page).await;
        page.press("appearance").await;
        page.wait_for(
            "four of them",
            "document.querySelectorAll('[data-testid=palette-entry]').length === 4",
        )
        .await;
        page.press(DOWN).await;
        page.press(DOWN).await;
        let chosen = page.evaluate("document.querySelector('[aria-selected=true]').innerText").await;
        page.press(ENTER).await;
        wait_until_closed(page).await;
        let theme = page.evaluate("document.documentElement.dataset.theme").await;
        let name = theme.as_str().unwrap_or_default();
        let chosen = chosen.as_str().unwrap_or_default().to_lowercase();
        assert!(chosen.contains(name), "{chosen} was chosen, {name} is shown");
    });
}

#[test]
fn the_palette_and_the_highest_contrast_suit_a_screen_reader_and_weak_eyes() {
    let hearth = Hearth::start_with(&["--demo"]);
    browse("de", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=tile][data-stale=false]").await;
        load_axe(page).await;
        call_palette(page).await;
        page.press("kontrast").await;
        page.wait_for_text("[data-testid=palette-entry]", "Hoher Kontrast").await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found in the palette:\n{}", found.join("\n"));
        page.screenshot("palette-desktop-light").await;
        page.press(ENTER).await;
        page.wait_for("the appearance", "document.documentElement.dataset.theme === 'contrast'").await;
        for (screen, name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            page.show_on(screen, Scheme::Light).await;
            page.next_frame().await;
            let found = findings(page).await;
            assert!(found.is_empty(), "axe found on {name}:\n{}", found.join("\n"));
            page.screenshot(&format!("home-{name}-contrast")).await;
        }
        page.reload().await;
        page.wait_for("the appearance, kept", "document.documentElement.dataset.theme === 'contrast'").await;
    });
}
