//! The web app in a real browser, beside devices that speak MQTT over TCP.

use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};

use crate::browser::{ConsoleLine, Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{Subscriber, V5, V311, publish};
use crate::reverse_proxy::ReverseProxy;
use crate::users::UsersFile;
use crate::web_accessibility::{findings, load_axe};
use crate::wire::{Wire, connect, message};

const ONLINE: &str = r#"[data-testid=connection][data-state=online]"#;

#[test]
fn a_value_that_mosquitto_pub_sends_appears_in_the_page() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", "20.1", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        let row = r#"[data-testid=topic-row][data-topic="home/kitchen/temperature"]"#;
        page.wait_for_text(&format!("{row}[data-retained=true] [data-testid=topic-value]"), "20.1").await;
        publish(hearth.mqtt(), V5, &["-t", "home/kitchen/temperature", "-m", "21.5", "-q", "2"]);
        page.wait_for_text(&format!("{row} [data-testid=topic-value]"), "21.5").await;
        page.wait_for_element(&format!("{row}[data-stale=false]")).await;

        page.click(row).await;
        page.wait_for_text("[data-testid=detail-topic]", "home/kitchen/temperature").await;
        page.wait_for_text("[data-testid=detail-payload]", "21.5").await;
        publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", "22.5"]);
        page.wait_for_text("[data-testid=detail-payload]", "22.5").await;

        page.click("[data-testid=nav-home]").await;
        let tile = r#"[data-testid=tile][data-topic="home/kitchen/temperature"] [data-testid=tile-value]"#;
        page.wait_for_text(tile, "22.5").await;
    });
}

#[test]
fn a_tap_on_the_lamp_reaches_mosquitto_sub_and_the_lamps_echo_confirms_it() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp", "-m", "off", "-r", "-q", "1"]);
    let mut lamp = Subscriber::start(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp/set", "-q", "1"]);
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &hearth, "home").await;
        let in_state =
            |state| format!(r#"[data-topic="home/kitchen/lamp"][data-testid=lamp][data-state={state}]"#);
        page.wait_for_element(&in_state("off")).await;

        page.click(&in_state("off")).await;
        page.wait_for_element(&in_state("pending")).await;
        assert_eq!(lamp.next_message().text, "home/kitchen/lamp/set on");
        publish(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp", "-m", "on", "-r", "-q", "1"]);
        page.wait_for_element(&format!("{}[aria-checked=true]", in_state("on"))).await;

        page.click(&in_state("on")).await;
        page.wait_for_element(&in_state("pending")).await;
        assert_eq!(lamp.next_message().text, "home/kitchen/lamp/set off");
        // Nobody answers.
        page.wait_for_element(&in_state("failed")).await;
        page.wait_for_text("[data-testid=lamp-state]", "No answer").await;
        page.screenshot("lamp-failed-phone-light").await;
    });
}

#[test]
fn a_door_that_stands_open_has_its_own_symbol_and_stands_out() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/door/front", "-m", "closed", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_text("[data-testid=tile-value]", "Closed").await;
        let look = "(it => [it.querySelector('path').getAttribute('d'), getComputedStyle(it).backgroundColor])\
            (document.querySelector('[data-testid=tile]'))";
        let shut = page.evaluate(look).await;
        publish(hearth.mqtt(), V311, &["-t", "home/door/front", "-m", "open", "-r", "-q", "1"]);
        page.wait_for_text("[data-testid=tile-value]", "Open").await;
        let ajar = page.evaluate(look).await;
        assert!(shut[0] != ajar[0] && shut[1] != ajar[1], "{shut} and {ajar}");
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "door-open-desktop-light"),
            (Screen::Phone, Scheme::Dark, "door-open-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        load_axe(page).await;
        let found = findings(page).await;
        assert!(found.is_empty(), "axe found at the open door:\n{}", found.join("\n"));
    });
}

#[test]
fn the_page_comes_back_by_itself_after_a_restart_of_the_broker() {
    let mut hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "before", "-m", "1", "-r", "-q", "1"]);
    // The browser itself reports a WebSocket that cannot connect.
    let is_refused = |line: &ConsoleLine| line.text.contains("WebSocket connection to");
    browse("en", is_refused, async |page| {
        open(page, &hearth, "topics").await;
        page.wait_for_element(r#"[data-topic="before"][data-stale=false]"#).await;
        page.evaluate("window.isTheSamePage = true").await;

        let stopped = hearth.stop();
        page.wait_for_element("[data-testid=connection]:not([data-state=online])").await;
        page.wait_for_element(r#"[data-topic="before"][data-stale=true]"#).await;
        page.screenshot("topics-offline-desktop-light").await;

        let hearth = stopped.start();
        publish(hearth.mqtt(), V311, &["-t", "after", "-m", "2", "-r", "-q", "1"]);
        page.wait_for_element(ONLINE).await;
        page.wait_for_text(r#"[data-topic="after"][data-stale=false] [data-testid=topic-value]"#, "2").await;
        page.wait_for("the same page as before", "window.isTheSamePage").await;
    });
}

#[test]
fn a_page_that_is_not_let_in_says_why_and_shows_no_empty_house() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    let hearth = users.start(&["--demo"]);
    browse("en", nothing, async |page| {
        page.open(&format!("http://{}/", hearth.http())).await;
        page.wait_for_element("[data-testid=connection][data-state=refused]").await;
        page.wait_for_text("[role=alert]", "not authorized").await;
        page.wait_for_text("[role=alert]", "--anonymous local").await;
        page.wait_for_text("[data-testid=empty]", "Not connected").await;
        page.screenshot("home-refused-desktop-light").await;
        let alert = page.evaluate("document.querySelector('[role=alert]').innerText").await;
        assert!(!alert.as_str().unwrap().contains("last known state"), "nothing is known: {alert}");

        // It asks again, and what it says stays meanwhile.
        page.evaluate(ATTEMPTS).await;
        page.wait_for("two more attempts", "attempts.count >= 2").await;
        assert_eq!(page.evaluate("attempts.alertGone").await, false);
    });
}

#[test]
fn the_publish_form_reaches_mosquitto_sub() {
    let hearth = Hearth::start();
    let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "from/#", "-q", "2"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        for (qos, is_retained, state) in
            [(0, false, "sent"), (1, true, "acknowledged"), (2, false, "acknowledged")]
        {
            let topic = format!("from/page/{qos}");
            page.fill("[data-testid=publish-topic]", &topic).await;
            page.fill("[data-testid=publish-payload]", "{\"grüße\": 1}").await;
            page.click(&format!("[data-testid=publish-qos-{qos}]")).await;
            let is_checked = "document.querySelector('[data-testid=publish-retain]').checked";
            if page.evaluate(is_checked).await != is_retained {
                page.click("[data-testid=publish-retain]").await;
            }
            page.click("[data-testid=publish-send]").await;
            tool.expect(qos, false, &format!("{topic} {{\"grüße\": 1}}"));
            page.wait_for_element(&format!("[data-testid=publish-result][data-state={state}]")).await;
        }
        let mut late = Subscriber::start(hearth.mqtt(), V311, &["-t", "from/#", "-q", "2"]);
        late.expect(1, true, "from/page/1 {\"grüße\": 1}");
    });
}

#[test]
fn the_filter_shows_only_topics_whose_name_or_value_matches() {
    let hearth = Hearth::start();
    for (topic, value) in [("home/kitchen/lamp", "on"), ("home/bath/lamp", "off"), ("car/speed", "48")] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", value, "-r", "-q", "1"]);
    }
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        let count = |shown: u8| format!(r#"[data-testid=topic-count][data-total="3"][data-shown="{shown}"]"#);
        page.wait_for_element(&count(3)).await;
        for (filter, shown) in [("LAMP", 2), ("48", 1), ("home/+/lamp", 2), ("nothing like it", 0)] {
            page.fill("[data-testid=topic-filter]", filter).await;
            page.wait_for_element(&count(shown)).await;
            // The pool keeps rows that it does not need just now, hidden.
            let rows =
                "[...document.querySelectorAll('[data-testid=topic-row]')].filter(it => it.offsetParent)";
            page.wait_for(&format!("{shown} rows for `{filter}`"), &format!("{rows}.length === {shown}"))
                .await;
        }
    });
}

#[test]
fn thousands_of_topics_leave_the_page_quick() {
    const TOPICS: usize = 5_000;
    let hearth = Hearth::start();
    let (mut device, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "device"));
    for number in 0..TOPICS {
        let publish = message(&format!("many/{number:04}"), b"1", QoS::AtMostOnce);
        device.send(&Packet::Publish(Publish { retain: true, ..publish }));
    }
    device.publish_acknowledged("marker", b"all are there");
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics").await;
        let count =
            |shown| format!(r#"[data-testid=topic-count][data-total="{TOPICS}"][data-shown="{shown}"]"#);
        page.wait_for_element(&count(TOPICS)).await;
        let rows = page.evaluate("document.querySelectorAll('[data-testid=topic-row]').length").await;
        assert!(rows.as_u64().unwrap() < 100, "only what is seen is in the document, not {rows} rows");

        let scroll = "document.querySelector('[data-testid=topic-list]').scrollTop = 1e9";
        page.evaluate(scroll).await;
        page.wait_for_text(r#"[data-testid=topic-row][data-topic="many/4999"]"#, "4999").await;
        page.fill("[data-testid=topic-filter]", "many/12").await;
        page.wait_for_element(&count(100)).await;
        // From its first row on, wherever the list stood before.
        page.wait_for_text(r#"[data-testid=topic-row][data-topic="many/1200"]"#, "1200").await;
    });
}

#[test]
fn everything_can_be_done_from_the_keyboard() {
    const ENTER: &str = "\u{E007}";
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp", "-m", "off", "-r", "-q", "1"]);
    let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "home/#", "-t", "typed", "-q", "1"]);
    tool.expect(1, true, "home/kitchen/lamp off");
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for_element("[data-testid=lamp]").await;
        tab_to(page, "lamp").await;
        page.press(" ").await;
        assert_eq!(tool.next_message().text, "home/kitchen/lamp/set on");

        tab_to(page, "nav-topics").await;
        page.press(ENTER).await;
        page.wait_for_element("[data-testid=page][data-page=topics]").await;
        // While the page's code is on its way, too.
        page.press("/").await;
        page.wait_for("focus on the filter", &format!("{FOCUSED} === 'topic-filter'")).await;
        page.press("lamp").await;
        page.wait_for_element(r#"[data-testid=topic-row][data-topic="home/kitchen/lamp"]"#).await;
        tab_to(page, "topic-row").await;
        page.press(ENTER).await;
        page.wait_for_element("[data-testid=page][data-page=topic]").await;

        tab_to(page, "nav-publish").await;
        page.press(ENTER).await;
        page.wait_for_element("[data-testid=page][data-page=publish]").await;
        tab_to(page, "publish-topic").await;
        page.press("typed").await;
        tab_to(page, "publish-payload").await;
        page.press("by hand").await;
        tab_to(page, "publish-send").await;
        page.press(ENTER).await;
        assert_eq!(tool.next_message().text, "typed by hand");
    });
}

#[test]
fn a_german_browser_gets_german_words_and_numbers() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", "21.5", "-r", "-q", "1"]);
    browse("de", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.wait_for("a German document", "document.documentElement.lang === 'de'").await;
        page.wait_for_text("[data-testid=tile-value]", "21,5").await;
        page.wait_for_text("[data-testid=nav-home]", "Zuhause").await;
        page.screenshot("home-desktop-light-german").await;

        page.click("[data-testid=nav-about]").await;
        page.click("[data-testid=language-en]").await;
        page.wait_for("an English document", "document.documentElement.lang === 'en'").await;
        page.wait_for_text("[data-testid=nav-home]", "Home").await;
        page.reload().await;
        page.wait_for_text("[data-testid=nav-home]", "Home").await;
    });
}

#[test]
fn the_page_works_under_a_sub_path_of_another_server() {
    let hearth = Hearth::start();
    let proxy = ReverseProxy::start("/house/hearth", hearth.http());
    let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp/set", "-q", "1"]);
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/lamp", "-m", "off", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        page.open(&format!("http://{}/house/hearth/", proxy.address())).await;
        page.wait_for_element(ONLINE).await;
        page.click("[data-testid=lamp]").await;
        assert_eq!(tool.next_message().text, "home/kitchen/lamp/set on");
        page.click("[data-testid=nav-topics]").await;
        page.wait_for_element(r#"[data-testid=topic-row][data-topic="home/kitchen/lamp"]"#).await;
        page.reload().await;
        page.wait_for_element("[data-testid=page][data-page=topics]").await;
        page.wait_for_element(ONLINE).await;
    });
}

#[test]
fn what_a_stranger_publishes_is_shown_as_text_and_never_run() {
    let hearth = Hearth::start();
    let hostile = "<img src=x onerror='window.isRun=true'><script>window.isRun=true</script>";
    publish(hearth.mqtt(), V311, &["-t", "a/<b>bold</b>", "-m", hostile, "-r", "-q", "1"]);
    publish(hearth.mqtt(), V311, &["-t", "home/<i>/lamp", "-m", hostile, "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "home").await;
        page.click("[data-testid=nav-topics]").await;
        page.wait_for_text("[data-testid=topic-value]", "<img src=x").await;
        // The row shows the last level on its own, so the name is not one run of text.
        page.wait_for_text("[data-testid=topic-row]", "a/<b>bold</").await;
        page.click(r#"[data-testid=topic-row][data-topic="a/<b>bold</b>"]"#).await;
        page.wait_for_text("[data-testid=detail-payload]", "<script>").await;
        assert_eq!(page.evaluate("window.isRun === undefined").await, true);
    });
}

#[test]
fn the_chart_follows_its_topic_live() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", "20", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart/home/kitchen/temperature").await;
        page.wait_for_text("[data-testid=chart-latest]", "20").await;
        for value in ["21.5", "19.25", "22.75"] {
            publish(hearth.mqtt(), V311, &["-t", "home/kitchen/temperature", "-m", value, "-q", "1"]);
            page.wait_for_text("[data-testid=chart-latest]", value).await;
        }
        let points = "Number(document.querySelector('[data-testid=chart]').dataset.points) >= 3";
        page.wait_for("the points of three messages", points).await;
        page.wait_for("a drawn canvas", IS_DRAWN).await;
    });
}

#[test]
fn what_is_being_typed_stays_whatever_comes_in() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "attic/load", "-m", "1", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "chart").await;
        page.wait_for_text("[data-testid=chart-latest]", "1").await;
        page.fill("[data-testid=chart-topic]", "cellar/").await;
        // A number with a known meaning is offered before others, so this changes the chart and the list of topics.
        publish(hearth.mqtt(), V311, &["-t", "attic/temperature", "-m", "20", "-r", "-q", "1"]);
        page.wait_for_text("[data-testid=chart-latest]", "20").await;
        let typed = "document.querySelector('[data-testid=chart-topic]').value";
        assert_eq!(page.evaluate(typed).await, "cellar/");
        publish(hearth.mqtt(), V311, &["-t", "cellar/humidity", "-m", "71", "-r", "-q", "1"]);
        page.press("humidity\u{E007}").await;
        page.wait_for_text("[data-testid=chart-latest]", "71").await;
        assert_eq!(page.evaluate(typed).await, "cellar/humidity");
    });
}

/// Counts the attempts to connect, and looks whether the alert goes away at one.
const ATTEMPTS: &str = "(() => { \
    window.attempts = { count: 0, alertGone: false }; \
    let before = ''; \
    new MutationObserver(() => { \
        const state = document.querySelector('[data-testid=connection]')?.dataset.state ?? before; \
        if (state === 'connecting' && before !== state) attempts.count += 1; \
        before = state; \
        if (!document.querySelector('[role=alert]')) attempts.alertGone = true; \
    }).observe(document.body, { attributes: true, childList: true, subtree: true }); \
    return true; })()";

/// The test id of the focused element.
const FOCUSED: &str = "(document.activeElement?.dataset?.testid ?? '')";

/// Whether the canvas has more than one colour.
const IS_DRAWN: &str = "(() => { const c = document.querySelector('canvas[data-testid=chart]'); \
    const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer); \
    return new Set(d).size > 2; })()";

/// Opens a page of the app and waits until it is connected.
pub async fn open(page: &Page, hearth: &Hearth, route: &str) {
    let route = if route == "home" { "" } else { route };
    page.open(&format!("http://{}/#/{route}", hearth.http())).await;
    page.wait_for_element(ONLINE).await;
}

/// Presses Tab until the element has the focus.
async fn tab_to(page: &Page, testid: &str) {
    const STOPS_MAX: usize = 60;
    let mut seen = Vec::new();
    for _ in 0..STOPS_MAX {
        let focused = page.evaluate(FOCUSED).await;
        if focused == testid {
            let outline = "getComputedStyle(document.activeElement)";
            let is_seen = format!("{outline}.outlineStyle !== 'none' || {outline}.boxShadow !== 'none'");
            page.wait_for(&format!("a focus ring at {testid}"), &is_seen).await;
            return;
        }
        seen.push(focused);
        page.press("\u{E004}").await;
    }
    panic!("Tab does not come to {testid}; it came to {seen:?}");
}
