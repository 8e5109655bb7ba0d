//! Addresses that a person types without the `#`: one that is a page of the app leads to it, any other shows a page of the
//! app's looks.

use crate::browser::{ConsoleLine, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::http::fetch;
use crate::mosquitto::{V311, publish};
use crate::reverse_proxy::ReverseProxy;
use crate::web_accessibility::{findings, load_axe};

#[test]
fn a_page_that_is_typed_without_its_hash_is_found_also_under_a_sub_path() {
    let hearth = Hearth::start();
    let proxy = ReverseProxy::start("/house/hearth", hearth.http());
    publish(hearth.mqtt(), V311, &["-t", "home/door/front", "-m", "open", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        for home in
            [format!("http://{}/", hearth.http()), format!("http://{}/house/hearth/", proxy.address())]
        {
            for (path, shown, hash) in [
                ("topics/home/door/front", "topic", "#/topics/home/door/front"),
                ("about", "about", "#/about"),
                ("chart/home/x?last=3600", "chart", "#/chart/home/x?last=3600"),
            ] {
                page.open(&format!("{home}{path}")).await;
                page.wait_for_element(&format!("[data-testid=page][data-page={shown}]")).await;
                let address = page.evaluate("location.href").await;
                assert_eq!(address, format!("{home}{hash}"), "the address after {path}");
            }
        }
    });
}

#[test]
fn an_unknown_address_shows_a_page_of_the_apps_looks_that_leads_home() {
    let hearth = Hearth::start();
    let proxy = ReverseProxy::start("/house/hearth", hearth.http());
    let is_missing = |line: &ConsoleLine| line.text.contains("404");
    browse("en", is_missing, async |page| {
        page.open(&format!("http://{}/house/hearth/cellar/stairs", proxy.address())).await;
        page.wait_for_text("h1", "There is no such page").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "unknown-desktop-light"),
            (Screen::Desktop, Scheme::Dark, "unknown-desktop-dark"),
            (Screen::Phone, Scheme::Light, "unknown-phone-light"),
            (Screen::Phone, Scheme::Dark, "unknown-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.wait_for("its picture", "document.querySelector('img').naturalWidth > 0").await;
            page.screenshot(name).await;
            load_axe(page).await;
            let found = findings(page).await;
            assert!(found.is_empty(), "axe found on {name}:\n{}", found.join("\n"));
        }
        let paper = "getComputedStyle(document.body).backgroundColor";
        assert_eq!(page.evaluate(paper).await, "rgb(24, 19, 16)", "the paper of the dark look");
        page.click("a").await;
        page.wait_for_element("[data-testid=page][data-page=home]").await;
        let address = page.evaluate("location.href").await;
        assert_eq!(address, format!("http://{}/house/hearth/", proxy.address()));
    });
    let plain = fetch(hearth.http(), "/cellar", &[("Accept", "*/*")]);
    assert!(plain.status == 404 && !plain.text().contains("stylesheet"), "{}", plain.text());
}

#[test]
fn that_a_page_is_under_way_is_told_only_when_that_takes_a_while() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        page.open(&format!("http://{}/", hearth.http())).await;
        page.wait_for_element("[data-testid=page]").await;
        // Its own code comes too fast to be looked at.
        let begin = "(() => { const words = document.createElement('p'); words.className = 'waiting'; \
            document.body.append(words); const [fade] = words.getAnimations(); \
            return [getComputedStyle(words).opacity, String(fade.effect.getTiming().delay)].join(' '); })()";
        assert_eq!(page.evaluate(begin).await, "0 300");
        page.wait_for("the words", "getComputedStyle(document.querySelector('.waiting')).opacity === '1'")
            .await;
    });
}
