//! The topic's page: payloads of every kind in a form that a person can read.

use std::io::Write as _;

use tempfile::NamedTempFile;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{V5, V311, publish};
use crate::web_page::open;

/// A picture of one red point.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDAT\
    x\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

const SHOWN: &str = "[data-testid=detail-payload]";

/// Publishes bytes that no command line can hold.
pub fn publish_bytes(hearth: &Hearth, topic: &str, payload: &[u8], more: &[&str]) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(payload).unwrap();
    let file = file.path().to_str().unwrap();
    publish(hearth.mqtt(), V5, &[&["-t", topic, "-f", file, "-r", "-q", "1"], more].concat());
}

async fn open_topic(page: &Page, hearth: &Hearth, topic: &str) {
    open(page, hearth, &format!("topics/{topic}")).await;
    page.wait_for_text("[data-testid=detail-topic]", topic).await;
}

async fn choose(page: &Page, view: &str) {
    page.click(&format!("label:has([data-testid=payload-view-{view}])")).await;
}

fn leaf(path: &str) -> String {
    format!(r#"[data-testid=detail-tree] [data-path="{path}"]"#)
}

#[test]
fn json_is_shown_indented_and_as_a_tree_whose_numbers_lead_to_their_charts() {
    let hearth = Hearth::start();
    let payload = r#"{"temperature":21.50,"gps":{"lat":52.5,"fix":true},"list":[1,null,"x"]}"#;
    publish(hearth.mqtt(), V311, &["-t", "car/state", "-m", payload, "-r", "-q", "1"]);
    browse("en", nothing, async |page| {
        open_topic(page, &hearth, "car/state").await;
        page.wait_for_text(SHOWN, "\"temperature\": 21.50").await;
        choose(page, "json").await;
        page.wait_for_text(&leaf("/temperature"), "21.5").await;
        page.wait_for_text(&leaf("/gps/fix"), "true").await;
        page.wait_for_text(&leaf("/list/1"), "null").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "topic-tree-desktop-light"),
            (Screen::Phone, Scheme::Dark, "topic-tree-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.screenshot(name).await;
        }
        // Closed by a person, a branch stays closed when the next message comes.
        page.click("[data-testid=detail-tree] details:has([data-path=\"/gps/lat\"]) > summary").await;
        let is_closed = "!document.querySelector('[data-path=\"/gps/lat\"]')";
        page.wait_for("a closed branch", is_closed).await;
        let payload = payload.replace("21.50", "22.75");
        publish(hearth.mqtt(), V311, &["-t", "car/state", "-m", &payload, "-r", "-q", "1"]);
        page.wait_for_text(&leaf("/temperature"), "22.75").await;
        page.wait_for("a branch that is still closed", is_closed).await;
        page.wait_for_text("[data-testid=detail-changes] summary", "1 value differs").await;
        page.click("[data-testid=detail-changes] summary").await;
        page.wait_for_text("[data-testid=detail-changes] ins", "22.75").await;
        page.wait_for_text("[data-testid=detail-changes] del", "21.5").await;

        page.click(&format!("{} a", leaf("/temperature"))).await;
        page.wait_for_element("[data-testid=page][data-page=chart]").await;
        page.wait_for_text("[data-testid=chart-latest]", "22.75").await;
    });
}

#[test]
fn packed_payloads_are_taken_apart() {
    let hearth = Hearth::start();
    publish_bytes(&hearth, "bin/msgpack", b"\x82\xa1t\xcb\x40\x35\x80\0\0\0\0\0\xa2ok\xc3", &[]);
    publish_bytes(&hearth, "bin/cbor", b"\xa2\x61t\xf9\x4d\x60\x62ok\xf5", &[]);
    let told = ["-D", "publish", "content-type", "application/cbor"];
    publish_bytes(&hearth, "bin/told", b"\x64text", &told);
    publish_bytes(
        &hearth,
        "spBv1.0/plant/DDATA/edge/press",
        b"\x12\x0e\x0a\x05speed\x20\x09\x65\0\0\x20\x41\x18\0",
        &[],
    );
    browse("en", nothing, async |page| {
        for topic in ["bin/msgpack", "bin/cbor"] {
            open_topic(page, &hearth, topic).await;
            page.wait_for_text(&leaf("/t"), "21.5").await;
            page.wait_for_text(&leaf("/ok"), "true").await;
        }
        open_topic(page, &hearth, "bin/told").await;
        page.wait_for_text("[data-testid=detail-tree]", "text").await;
        open_topic(page, &hearth, "spBv1.0/plant/DDATA/edge/press").await;
        page.wait_for_text(&leaf("/metrics/speed"), "10").await;
        page.screenshot("topic-sparkplug").await;
    });
}

#[test]
fn pictures_are_drawn_and_any_payload_can_be_read_as_hex_and_base64() {
    let hearth = Hearth::start();
    publish_bytes(&hearth, "camera/last", PNG, &[]);
    publish_bytes(&hearth, "raw", b"\0\x01\xfe\xff", &[]);
    browse("en", nothing, async |page| {
        open_topic(page, &hearth, "camera/last").await;
        let drawn = "document.querySelector('[data-testid=detail-image]')?.naturalWidth === 1";
        page.wait_for("a picture that the browser understood", drawn).await;
        choose(page, "hex").await;
        page.wait_for_text(SHOWN, "89 50 4e 47").await;

        open_topic(page, &hearth, "raw").await;
        page.wait_for_text(SHOWN, "00 01 fe ff").await;
        choose(page, "base64").await;
        page.wait_for_text(SHOWN, "AAH+/w==").await;
        // What differs from the message before it, row by row.
        publish_bytes(&hearth, "raw", b"\0\x01\xfe\xfe", &[]);
        page.wait_for_text("[data-testid=detail-changes] summary", "1 value differs").await;
        page.click("[data-testid=detail-changes] summary").await;
        page.wait_for_text("[data-testid=detail-changes] dt", "00000000").await;
        page.wait_for_text("[data-testid=detail-changes] del", "00 01 fe ff").await;
        page.wait_for_text("[data-testid=detail-changes] ins", "00 01 fe fe").await;
    });
}

#[test]
fn a_payload_of_ten_megabytes_leaves_the_page_at_work_and_is_there_whole() {
    let hearth = Hearth::start();
    let mut payload = vec![b'a'; 10_000_000];
    payload.extend_from_slice(b"THE END");
    publish_bytes(&hearth, "big", &payload, &[]);
    browse("en", nothing, async |page| {
        open_topic(page, &hearth, "big").await;
        page.wait_for_text(SHOWN, "aaaa").await;
        page.wait_for_text(".payload__cut", "of 10,000,007 bytes").await;
        // The page goes on while the payload is on it.
        publish(hearth.mqtt(), V311, &["-t", "small", "-m", "7", "-r", "-q", "1"]);
        page.click("[data-testid=nav-topics]").await;
        page.wait_for_text(r#"[data-testid=topic-row][data-topic="small"] [data-testid=topic-value]"#, "7")
            .await;
        open_topic(page, &hearth, "big").await;
        page.click(".payload__cut button").await;
        let end = "document.querySelector('[data-testid=detail-payload]').textContent.endsWith('THE END')";
        page.wait_for("the last byte of the payload", end).await;
    });
}

#[test]
fn what_is_not_done_with_a_large_payload_is_said() {
    let hearth = Hearth::start();
    let list = |bytes: usize| format!("[{}1]", "1,".repeat(bytes / 2));
    publish_bytes(&hearth, "list", list(20_000).as_bytes(), &[]);
    browse("en", nothing, async |page| {
        open_topic(page, &hearth, "list").await;
        page.wait_for_text("[data-testid=detail-payload], .tree", "1").await;
        publish_bytes(&hearth, "list", list(1_100_000).as_bytes(), &[]);
        page.wait_for_text("[data-testid=detail-no-tree]", "1 MiB at most").await;
        page.wait_for_text("[data-testid=detail-no-changes]", "above 16 KiB").await;
    });
}
