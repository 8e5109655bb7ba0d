//! The page of connections: other brokers beside the own one, kept as profiles, with what goes wrong in words.

use serde_json::{Value, json};

use crate::browser::{ConsoleLine, Page, Scheme, Screen, browse, nothing};
use crate::hearth::{Hearth, HearthCommand};
use crate::interop::mosquitto_broker::MosquittoBroker;
use crate::mosquitto::{Subscriber, V5, V311, publish};
use crate::users::UsersFile;
use crate::web_accessibility::{findings, load_axe};
use crate::web_layout::assert_fits;
use crate::web_page::open;

/// A Hearth that lets in pages of other sites.
pub fn neighbour() -> Hearth {
    HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--shards", "2"])
        .env("HEARTH_WS_ALLOWED_ORIGINS", "*")
        .start()
}

/// The card of a connection, and something in it.
pub fn card(name: &str, what: &str) -> String {
    format!(r#"[data-testid=connection-card][data-name="{name}"] {what}"#)
}

/// The card of a connection in a state.
pub fn in_state(name: &str, state: &str) -> String {
    card(name, &format!("[data-testid=connection-state][data-state={state}]"))
}

/// Opens a part of the form.
pub async fn open_section(page: &Page, section: &str) {
    page.click(&format!("[data-testid=section-{section}]:not([open]) > summary")).await;
}

/// Sets a switch of the form.
pub async fn choose(page: &Page, testid: &str, on: bool) {
    let is_on = format!("document.querySelector('[data-testid={testid}]').checked");
    page.wait_for_element(&format!("[data-testid={testid}]")).await;
    if page.evaluate(&is_on).await != on {
        page.click(&format!("[data-testid={testid}]")).await;
    }
}

/// Fills the fields of the form.
pub async fn fill(page: &Page, fields: &[(&str, &str)]) {
    for (field, text) in fields {
        page.fill(&format!("[data-testid=connection-{field}]"), text).await;
    }
}

/// Begins a connection with this name and address.
pub async fn add(page: &Page, name: &str, address: &str) {
    page.click("[data-testid=nav-connections]").await;
    page.click("[data-testid=connection-add]").await;
    fill(page, &[("name", name)]).await;
    // As it is pasted: typed letter by letter, it would go to its parts before it is whole.
    let paste = format!(
        "(() => {{ const it = document.querySelector('[data-testid=connection-host]'); it.value = {}; \
         return it.dispatchEvent(new InputEvent('input', {{ bubbles: true }})); }})()",
        json!(address)
    );
    page.evaluate(&paste).await;
    page.wait_for(
        "a host without its scheme",
        "!document.querySelector('[data-testid=connection-host]').value.includes('/')",
    )
    .await;
}

/// Keeps what is in the form, and connects.
pub async fn connect(page: &Page) {
    page.click("[data-testid=connection-save-connect]").await;
}

/// Shows one of the open connections on all pages, as a person does.
async fn show(page: &Page, name: &str) {
    let choose = format!(
        "(() => {{ const it = document.querySelector('[data-testid=shown-connection]'); \
         it.value = [...it.options].find(option => option.text === {}).value; \
         return it.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()",
        json!(name)
    );
    page.wait_for_element("[data-testid=shown-connection]").await;
    page.evaluate(&choose).await;
}

/// Goes to a page.
pub async fn go(page: &Page, route: &str) {
    page.evaluate(&format!("(location.hash = '#/{route}')")).await;
    page.wait_for_element(&format!("[data-testid=page][data-page={}]", route.split('/').next().unwrap()))
        .await;
}

fn row(topic: &str, stale: bool) -> String {
    format!(r#"[data-testid=topic-row][data-topic="{topic}"][data-stale={stale}]"#)
}

async fn stored(page: &Page) -> String {
    let stored = page.evaluate("JSON.stringify(Object.entries(localStorage))").await;
    stored.as_str().unwrap().to_owned()
}

/// The browser itself reports WebSockets that cannot be opened.
fn is_refused(line: &ConsoleLine) -> bool {
    line.text.contains("WebSocket connection to")
}

#[test]
fn two_brokers_are_connected_at_a_time_and_keep_their_own_topics() {
    let (own, other) = (Hearth::start(), neighbour());
    publish(own.mqtt(), V311, &["-t", "own/value", "-m", "1", "-r", "-q", "1"]);
    publish(other.mqtt(), V311, &["-t", "other/value", "-m", "7", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &own, "topics").await;
        page.wait_for_element(&row("own/value", false)).await;
        add(page, "Workshop", &format!("ws://{}/mqtt", other.ws())).await;
        connect(page).await;
        page.wait_for_element(&in_state("Workshop", "online")).await;
        page.wait_for_text(&card("Workshop", "[data-testid=round-trip]"), "ms").await;
        page.wait_for_text(&card("Workshop", ""), "New session").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "connections-desktop-light"),
            (Screen::Desktop, Scheme::Dark, "connections-desktop-dark"),
            (Screen::Phone, Scheme::Light, "connections-phone-light"),
            (Screen::Phone, Scheme::Dark, "connections-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            page.screenshot(name).await;
        }
        page.show_on(Screen::Desktop, Scheme::Light).await;

        page.click(&card("Workshop", "[data-testid=connection-show]")).await;
        go(page, "topics").await;
        page.wait_for_element(&row("other/value", false)).await;
        assert_eq!(page.evaluate(r#"document.querySelector('[data-topic="own/value"]')"#).await, Value::Null);
        // What is published goes to the one that is shown, and both hear while only one is.
        let mut heard = Subscriber::start(other.mqtt(), V311, &["-t", "from/page", "-q", "1"]);
        go(page, "publish").await;
        page.fill("[data-testid=publish-topic]", "from/page").await;
        page.fill("[data-testid=publish-payload]", "there").await;
        page.click("[data-testid=publish-send]").await;
        assert_eq!(heard.next_message().text, "from/page there");
        publish(own.mqtt(), V311, &["-t", "own/meanwhile", "-m", "2", "-q", "1"]);
        go(page, "topics").await;
        show(page, "This broker").await;
        page.wait_for_element(&row("own/value", false)).await;
        page.wait_for_element(&row("own/meanwhile", false)).await;
        assert_eq!(
            page.evaluate(r#"document.querySelector('[data-topic="other/value"]')"#).await,
            Value::Null
        );

        go(page, "connections").await;
        page.click(&card("Workshop", "[data-testid=connection-delete]")).await;
        page.wait_for_text("[data-testid=confirm]", "Delete Workshop?").await;
        page.click("[data-testid=confirm-delete]").await;
        page.wait_for(
            "one connection",
            "document.querySelectorAll('[data-testid=connection-card]').length === 1",
        )
        .await;
        page.wait_for_element("[data-testid=nav-connections] [data-state=online]").await;
    });
}

#[test]
fn mosquitto_is_spoken_to_in_both_versions_from_a_phone() {
    let own = Hearth::start();
    let mosquitto = MosquittoBroker::start();
    publish(mosquitto.tcp(), V311, &["-t", "cellar/temperature", "-m", "12.5", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &own, "home").await;
        for (version, name) in [("3.1.1", "Old"), ("5.0", "New")] {
            add(page, name, &format!("ws://{}", mosquitto.web_socket())).await;
            page.click(&format!(r#"[data-testid="connection-version-{version}"]"#)).await;
            let has_properties = "document.querySelector('[data-testid=section-properties]') !== null";
            assert_eq!(page.evaluate(has_properties).await, version == "5.0");
            if version == "3.1.1" {
                page.screenshot("connection-form-phone-light").await;
            }
            connect(page).await;
            page.wait_for_element(&in_state(name, "online")).await;
            page.click(&card(name, "[data-testid=connection-show]")).await;
            go(page, "topics").await;
            page.wait_for_element(&row("cellar/temperature", false)).await;
            let value = format!("2{}.5", version.len());
            publish(mosquitto.tcp(), V311, &["-t", "cellar/temperature", "-m", &value, "-q", "1"]);
            page.wait_for_text("[data-testid=topic-value]", &value).await;
        }
    });
}

#[test]
fn a_wrong_password_is_told_in_words_and_a_right_one_opens_the_own_broker() {
    let users = UsersFile::new(&[("ann", "pencil")]);
    let hearth = users.start(&[]);
    browse("en", nothing, async |page| {
        page.open(&format!("http://{}/", hearth.http())).await;
        page.wait_for_text("[role=alert]", "under Connections").await;
        page.click("[data-testid=nav-connections]").await;
        // The address is that of the broker already.
        page.click(&card("This broker", "[data-testid=connection-duplicate]")).await;
        fill(page, &[("name", "As Ann"), ("user", "ann"), ("password", "crayon")]).await;
        connect(page).await;
        page.wait_for_element(&in_state("As Ann", "refused")).await;
        page.wait_for_text(&card("As Ann", ""), "bad user name or password (0x86)").await;
        page.wait_for_text(&card("As Ann", ""), "next try in").await;
        page.wait_for_text(&card("As Ann", ""), "Check user and password").await;
        page.screenshot("connections-refused-desktop-light").await;

        page.click(&card("As Ann", "[data-testid=connection-edit]")).await;
        fill(page, &[("password", "pencil")]).await;
        connect(page).await;
        page.wait_for_element(&in_state("As Ann", "online")).await;
        assert!(!stored(page).await.contains("pencil"), "a password is kept only where somebody wants it");
        page.click(&card("As Ann", "[data-testid=connection-show]")).await;
        publish(
            hearth.mqtt(),
            V311,
            &["-t", "for/ann", "-m", "1", "-r", "-q", "1", "-u", "ann", "-P", "pencil"],
        );
        go(page, "topics").await;
        page.wait_for_element(&row("for/ann", false)).await;

        // After a load, the password is asked for.
        page.reload().await;
        page.wait_for_element("[data-testid=connection][data-state=refused]").await;
        go(page, "connections").await;
        page.click(&card("As Ann", "[data-testid=connection-connect]")).await;
        page.wait_for_text("[data-testid=page]", "is not kept").await;
        let focused = "document.activeElement.dataset.testid";
        assert_eq!(page.evaluate(focused).await, "connection-password");
        page.press("pencil\u{E007}").await;
        page.wait_for_element(&in_state("As Ann", "online")).await;

        page.click(&card("As Ann", "[data-testid=connection-edit]")).await;
        choose(page, "keep-password", true).await;
        choose(page, "at-start", true).await;
        connect(page).await;
        page.wait_for_element(&in_state("As Ann", "online")).await;
        assert!(stored(page).await.contains("pencil"), "now somebody wants it");
        page.click(&card("As Ann", "[data-testid=connection-show]")).await;
        page.reload().await;
        go(page, "topics").await;
        page.wait_for_element(&row("for/ann", false)).await;
    });
}

#[test]
fn a_will_is_published_on_a_break_and_on_demand() {
    let hearth = Hearth::start();
    let mut tool = Subscriber::start_connected(hearth.mqtt(), V5, &["-t", "panel/state", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "connections").await;
        add(page, "Panel", &format!("ws://{}/mqtt", hearth.http())).await;
        open_section(page, "session").await;
        fill(page, &[("client-id", "panel")]).await;
        open_section(page, "will").await;
        choose(page, "has-will", true).await;
        fill(page, &[("will-topic", "panel/state"), ("will-payload", "gone")]).await;
        page.click("[data-testid=connection-will-qos-1]").await;
        page.screenshot("connection-form-desktop-light").await;
        connect(page).await;
        page.wait_for_element(&in_state("Panel", "online")).await;

        // An ordinary end publishes none: what comes next is from the end with the will.
        page.click(&card("Panel", "[data-testid=connection-disconnect]")).await;
        page.wait_for_element(&in_state("Panel", "closed")).await;
        page.wait_for_text(&card("Panel", ""), "You ended the connection").await;
        publish(hearth.mqtt(), V311, &["-t", "panel/state", "-m", "marker", "-q", "1"]);
        assert_eq!(tool.next_message().text, "panel/state marker");
        page.click(&card("Panel", "[data-testid=connection-connect]")).await;
        page.wait_for_element(&in_state("Panel", "online")).await;
        page.click(&card("Panel", "[data-testid=connection-disconnect-will]")).await;
        assert_eq!(tool.next_message().text, "panel/state gone");

        // Another client with its id takes its place: that is no end of its own.
        page.click(&card("Panel", "[data-testid=connection-connect]")).await;
        page.wait_for_element(&in_state("Panel", "online")).await;
        let _rival = Subscriber::start_connected(hearth.mqtt(), V5, &["-t", "x", "-i", "panel"]);
        assert_eq!(tool.next_message().text, "panel/state gone");
        page.wait_for_text(&card("Panel", ""), "session taken over (0x8E)").await;
        page.wait_for_text(&card("Panel", ""), "Another client uses this client id").await;
    });
}

#[test]
fn a_session_is_resumed_and_its_gap_filled_after_an_end_a_load_and_a_sleep() {
    let mut hearth = Hearth::start();
    browse("en", is_refused, async |page| {
        open(page, &hearth, "connections").await;
        add(page, "Lasting", &format!("ws://{}/mqtt", hearth.http())).await;
        choose(page, "at-start", true).await;
        open_section(page, "session").await;
        choose(page, "clean-start", false).await;
        // Without an id of its own nothing can be found again.
        connect(page).await;
        page.wait_for_text("[data-testid=fault-client-id]", "client id of its own").await;
        fill(page, &[("client-id", "lasting"), ("session-expiry", "3600")]).await;
        connect(page).await;
        page.wait_for_element(&in_state("Lasting", "online")).await;
        page.wait_for_text(&card("Lasting", ""), "New session").await;
        page.click(&card("Lasting", "[data-testid=connection-show]")).await;
        publish(hearth.mqtt(), V311, &["-t", "count", "-m", "0", "-q", "1"]);
        go(page, "topics").await;
        page.wait_for_element(&row("count", false)).await;

        go(page, "connections").await;
        page.click(&card("Lasting", "[data-testid=connection-disconnect]")).await;
        page.wait_for_element(&in_state("Lasting", "closed")).await;
        for number in ["1", "2", "3"] {
            publish(hearth.mqtt(), V311, &["-t", "count", "-m", number, "-q", "1"]);
        }
        go(page, "topics").await;
        page.wait_for_element(&row("count", true)).await;
        page.wait_for_text("[role=alert]", "last known state").await;
        page.screenshot("topics-ended-desktop-light").await;
        page.click("[role=alert] button").await;
        page.wait_for_element(&row("count", false)).await;
        page.click(&row("count", false)).await;
        for number in ["0", "1", "2", "3"] {
            let lines = "[...document.querySelectorAll('.messages__payload')].map(it => it.innerText.trim())";
            page.wait_for(&format!("message {number}"), &format!("{lines}.includes('{number}')")).await;
        }
        go(page, "connections").await;
        page.wait_for_text(&card("Lasting", ""), "still had the session").await;

        // Away, and loaded anew.
        page.open("about:blank").await;
        publish(hearth.mqtt(), V311, &["-t", "while/away", "-m", "4", "-q", "1"]);
        page.open(&format!("http://{}/#/topics", hearth.http())).await;
        page.wait_for_element(&row("while/away", false)).await;

        // Asleep, while the broker goes and comes.
        page.evaluate("(window.isTheSamePage = true)").await;
        let hearth = page.sleep_while(|| {
            let hearth = hearth.stop().start_again();
            publish(hearth.mqtt(), V311, &["-t", "while/asleep", "-m", "5", "-q", "1"]);
            hearth
        });
        page.wait_for_element(&row("while/asleep", false)).await;
        // Nobody has said it again, so that nothing shows that it is still true.
        page.wait_for_element(&row("while/away", true)).await;
        assert_eq!(page.evaluate("window.isTheSamePage").await, true);
        go(page, "connections").await;
        page.wait_for_text(&card("Lasting", ""), "still had the session").await;
        drop(hearth);
    });
}

#[test]
fn connections_are_exported_without_secrets_and_come_back_in_another_browser() {
    let hearth = Hearth::start();
    let mut exported = String::new();
    browse("en", nothing, async |page| {
        open(page, &hearth, "connections").await;
        add(page, "First", "wss://broker.example:8884/ws").await;
        fill(page, &[("user", "ann"), ("password", "pencil"), ("filters", "home/#\ncar/+")]).await;
        page.click("[data-testid=connection-save]").await;
        page.wait_for_text(&card("First", ""), "wss://broker.example:8884/ws").await;
        page.click(&card("First", "[data-testid=connection-duplicate]")).await;
        page.wait_for_text(&card("First, copy", ""), "Not open").await;
        page.click("[data-testid=connections-export]").await;
        let text = "document.querySelector('[data-testid=export-text]').value";
        exported = page.wait_for("the document", text).await.as_str().unwrap().to_owned();
        assert!(!exported.contains("pencil"), "{exported}");
        choose(page, "export-passwords", true).await;
        page.wait_for("the password", &format!("{text}.includes('pencil')")).await;
        page.screenshot("connections-export-desktop-light").await;
    });
    let document: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(
        (document["hearth_connections"].as_u64(), document["profiles"][0]["host"].as_str()),
        (Some(1), Some("broker.example"))
    );
    assert_eq!(document["profiles"][0]["filters"], json!(["home/#", "car/+"]));

    browse("de", nothing, async |page| {
        open(page, &hearth, "connections").await;
        page.click("[data-testid=connections-import]").await;
        let import = async |text: &str| {
            let paste = format!(
                "(() => {{ const it = document.querySelector('[data-testid=import-text]'); it.value = {}; \
                 return it.dispatchEvent(new InputEvent('input', {{ bubbles: true }})); }})()",
                json!(text)
            );
            page.wait_for_element("[data-testid=import-text]").await;
            page.evaluate(&paste).await;
            page.next_frame().await;
            page.click("[data-testid=import-take]").await;
        };
        import("{").await;
        page.wait_for_text("[data-testid=import-result]", "kein JSON").await;
        let mut with_more = document.clone();
        with_more["profiles"][0]["colour"] = json!("red");
        import(&with_more.to_string()).await;
        page.wait_for_text("[data-testid=import-result]", "2 dazugekommen").await;
        page.wait_for_text("[data-testid=import-result]", "profiles[0].colour").await;
        import(&exported).await;
        page.wait_for_text("[data-testid=import-result]", "2 waren schon da").await;
        page.screenshot("connections-import-desktop-light-german").await;
        page.click("[data-testid=connections-back]").await;
        page.wait_for_text(&card("First", ""), "wss://broker.example:8884/ws").await;
        page.click("[data-testid=connections-export]").await;
        let text = "document.querySelector('[data-testid=export-text]').value";
        let again = page.wait_for("the document", text).await;
        assert_eq!(again.as_str().unwrap(), exported, "nothing is lost on the way");
    });
}

#[test]
fn a_broker_that_the_server_does_not_name_is_not_reached_and_the_page_says_which_setting() {
    let other = neighbour();
    let own = HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ws", "none"])
        .env("HEARTH_WEB_BROKERS", "wss://broker.example")
        .start();
    let is_blocked = |line: &ConsoleLine| line.text.contains("Content Security Policy") || is_refused(line);
    browse("en", is_blocked, async |page| {
        open(page, &own, "connections").await;
        add(page, "Elsewhere", &format!("ws://{}/mqtt", other.ws())).await;
        connect(page).await;
        page.wait_for_element(&in_state("Elsewhere", "waiting")).await;
        page.wait_for_text(&card("Elsewhere", ""), "web.brokers").await;
    });
}

#[test]
fn a_broker_that_does_not_answer_is_told_with_what_may_be_wrong() {
    let own = Hearth::start();
    // It lets in pages of its own site only.
    let other = Hearth::start();
    browse("en", is_refused, async |page| {
        // Another site than that of the numbers.
        page.open(&format!("http://localhost:{}/#/connections", own.http().port())).await;
        page.click("[data-testid=connection-add]").await;
        connect(page).await;
        for field in ["name", "host"] {
            page.wait_for_text(&format!("[data-testid=fault-{field}]"), "Something must stand here").await;
        }
        fill(page, &[("host", "mqtt://a:1883"), ("port", "99999"), ("filters", "a#")]).await;
        page.click("[data-testid=connection-save]").await;
        page.wait_for_text("[data-testid=fault-host]", "not for browsers").await;
        page.wait_for_text("[data-testid=fault-port]", "1 to 65535").await;
        page.wait_for_text("[data-testid=fault-filters]", "a#").await;
        page.screenshot("connection-form-faults-desktop-light").await;
        go(page, "about").await;
        page.click("[data-testid=about-connections]").await;
        add(page, "Stranger", &format!("ws://{}/mqtt", other.ws())).await;
        connect(page).await;
        page.wait_for_element(&in_state("Stranger", "waiting")).await;
        page.wait_for_text(&card("Stranger", ""), "cannot be reached").await;
        page.wait_for_text(&card("Stranger", ""), "ws.allowed_origins").await;
        page.wait_for_element("[data-testid=nav-connections] [data-state=online]").await;
    });
}

#[test]
fn the_whole_form_fits_and_can_be_used_by_everybody() {
    let hearth = Hearth::start();
    browse("de", nothing, async |page| {
        open(page, &hearth, "connections").await;
        load_axe(page).await;
        page.click("[data-testid=connection-add]").await;
        for section in ["session", "will", "properties"] {
            open_section(page, section).await;
        }
        choose(page, "has-will", true).await;
        page.click("[data-testid=connection-save]").await;
        page.wait_for_element("[data-testid=fault-will-topic]").await;
        for (screen, screen_name) in [(Screen::Desktop, "desktop"), (Screen::Phone, "phone")] {
            for (scheme, scheme_name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
                page.show_on(screen, scheme).await;
                let what = format!("connection-form-{screen_name}-{scheme_name}-german");
                assert_fits(page, &what).await;
                // Colours may be on their way to those of the new scheme.
                let is_still = "document.getAnimations().every(it => it.playState !== 'running')";
                page.wait_for("colours that rest", is_still).await;
                let found = findings(page).await;
                assert!(found.is_empty(), "axe on {what}: {found:#?}");
                page.screenshot(&what).await;
            }
        }
        let small = "[...document.querySelectorAll('main button, main input, main summary, main textarea')] \
            .filter(it => it.getBoundingClientRect().height < 44).map(it => it.outerHTML)";
        assert_eq!(page.evaluate(small).await, json!([]), "a finger needs 44 pixels");
    });
}
