//! A topic's page: everything that came with a message, and Sparkplug's metrics by their names.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V5, publish};
use crate::web_page::open;

fn publish_bytes(hearth: &Hearth, topic: &str, payload: &[u8]) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(payload).unwrap();
    publish(hearth.mqtt(), V5, &["-t", topic, "-f", file.path().to_str().unwrap(), "-q", "1"]);
}

/// The rows of a list of facts as `name=value`.
async fn rows(page: &Page, selector: &str) -> Vec<String> {
    let rows = format!(
        "[...document.querySelectorAll('{selector} .facts__row')] \
            .map(it => it.querySelector('dt').innerText + '=' + it.querySelector('dd').innerText)"
    );
    let rows = page.evaluate(&rows).await;
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_property_flag_and_time_of_a_message_is_shown() {
    let hearth = Hearth::start();
    let properties = [
        ["payload-format-indicator", "1"],
        ["message-expiry-interval", "3600"],
        ["content-type", "text/plain"],
        ["response-topic", "answers/here"],
        ["correlation-data", "A7"],
    ];
    let users = [["zone", "north"], ["alpha", "1"], ["zone", "south"]];
    let mut arguments = vec!["-t", "told", "-m", "21.5", "-r", "-q", "1"];
    arguments.extend(properties.iter().flat_map(|[name, value]| ["-D", "publish", name, value]));
    arguments.extend(users.iter().flat_map(|[name, value]| ["-D", "publish", "user-property", name, value]));
    publish(hearth.mqtt(), V5, &arguments);
    publish(hearth.mqtt(), V5, &["-t", "plain", "-m", "x", "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics/told").await;
        page.wait_for_element("[data-testid=detail-user-properties]").await;
        let shown = rows(page, "[data-testid=detail-properties]").await;
        let expiry = shown.iter().find_map(|row| row.strip_prefix("Expires after=")).expect("an expiry");
        let seconds: u32 = expiry.replace(",", "").trim_end_matches(" s").parse().unwrap();
        assert!((3500..=3600).contains(&seconds), "{expiry}");
        for row in [
            "Payload format=UTF-8 text",
            "Content type=text/plain",
            "Response topic=answers/here",
            "Correlation data=41 37",
            "Correlation data as text=A7",
        ] {
            assert!(shown.iter().any(|shown| shown == row), "{row} in {shown:?}");
        }
        // In their order, with names that repeat.
        let users = rows(page, "[data-testid=detail-user-properties]").await;
        assert_eq!(users, ["zone=north", "alpha=1", "zone=south"]);
        let facts = rows(page, "[data-testid=detail-facts]").await;
        for row in ["Size=4 bytes", "QoS=0", "Duplicate flag (DUP)=No"] {
            assert!(facts.iter().any(|fact| fact == row), "{row} in {facts:?}");
        }
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "topic-properties-desktop-light"),
            (Screen::Phone, Scheme::Dark, "topic-properties-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.screenshot(name).await;
        }
        open(page, &hearth, "topics/plain").await;
        page.wait_for_text("[data-testid=detail-properties]", "without MQTT 5 properties").await;
    });
}

#[test]
fn sparkplug_metrics_have_their_names_once_their_birth_was_heard() {
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        open(page, &hearth, "topics/spBv1.0/plant/DDATA/edge/press").await;
        page.wait_for_text("[data-testid=page]", "spBv1.0").await;
        // Alias 7 alone, 16 bits of -1.
        let data = b"\x12\x06\x10\x07\x50\xff\xff\x03";
        publish_bytes(&hearth, "spBv1.0/plant/DDATA/edge/press", data);
        page.wait_for_text("[data-path=\"/metrics/alias 7\"]", "65535").await;
        page.wait_for_text("[data-testid=detail-unborn]", "rebirth").await;
        publish_bytes(&hearth, "spBv1.0/plant/NBIRTH/edge", b"\x12\x08\x0a\x02Up\x10\x01\x70\x01");
        // Offset, alias 7, an Int16.
        let birth = b"\x12\x0e\x0a\x06Offset\x10\x07\x20\x02\x50\x00";
        publish_bytes(&hearth, "spBv1.0/plant/DBIRTH/edge/press", birth);
        page.wait_for_text("[data-path=\"/metrics/Offset\"]", "-1").await;
        page.wait_for("no note", "!document.querySelector('[data-testid=detail-unborn]')").await;
        page.screenshot("topic-sparkplug-named").await;
    });
}
