//! Sparkplug B in the page: names of metrics whose births came before it was opened, from where the broker keeps them or from the
//! edge node itself.

use hearth_protocol::{QoS, Version};

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::{Hearth, HearthCommand};
use crate::mosquitto::{V5, V311, try_publish};
use crate::web_layout::assert_fits;
use crate::web_page::open;
use crate::web_remote_tree::grow;
use crate::wire::{Wire, connect};

const DATA: &str = "spBv1.0/plant/DDATA/edge/press";
const REBIRTH: &str = "[data-testid=rebirth-ask]";

/// A field of a protobuf message that holds bytes.
fn bytes(tag: u8, inner: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2, u8::try_from(inner.len()).unwrap()], inner].concat()
}

/// An edge node with one device, whose data names metrics by alias alone.
struct EdgeNode(Wire);

impl EdgeNode {
    fn start(hearth: &Hearth) -> Self {
        let (mut wire, _) = Wire::connect(hearth.mqtt(), connect(Version::V311, "edge"));
        wire.subscribe("spBv1.0/plant/NCMD/edge", QoS::AtMostOnce);
        Self(wire)
    }

    /// Offset, alias 7, an Int16 of the device; Up, alias 1, of the node.
    fn births(&mut self) {
        let up = bytes(2, &[bytes(1, b"Up"), b"\x10\x01\x20\x0b\x70\x01".to_vec()].concat());
        let offset = bytes(2, &[bytes(1, b"Offset"), b"\x10\x07\x20\x02\x50\x00".to_vec()].concat());
        let made_at = |at: u8, metric: Vec<u8>| [vec![0x08, at], metric].concat();
        self.0.publish_acknowledged("spBv1.0/plant/NBIRTH/edge", &made_at(1, up));
        self.0.publish_acknowledged("spBv1.0/plant/DBIRTH/edge/press", &made_at(2, offset));
    }

    /// -1 for alias 7.
    fn data(&mut self) {
        self.0.publish_acknowledged(DATA, b"\x12\x06\x10\x07\x50\xff\xff\x03");
    }

    /// Publishes data until the page shows this.
    async fn data_until(&mut self, page: &Page, selector: &str) {
        let seen = format!("!!document.querySelector({})", serde_json::json!(selector));
        for _ in 0..600 {
            self.data();
            if page.evaluate(&seen).await == true {
                return;
            }
            page.next_frame().await;
        }
        panic!("{selector} never shows");
    }
}

#[test]
fn on_a_large_broker_metrics_have_names_that_were_told_before_the_page_was_opened() {
    let mut hearth = Hearth::start();
    EdgeNode::start(&hearth).births();
    // What is kept is kept on the disk.
    let hearth = hearth.stop().start_again();
    grow(&hearth, 21, false);
    let mut edge = EdgeNode::start(&hearth);
    browse("en", nothing, async |page| {
        open(page, &hearth, &format!("topics/{DATA}")).await;
        edge.data_until(page, r#"[data-path="/metrics/Offset"]"#).await;
        page.wait_for_text(r#"[data-path="/metrics/Offset"]"#, "-1").await;
        page.wait_for("no question", &format!("!document.querySelector('{REBIRTH}')")).await;
        page.evaluate("(location.hash = '#/topics/$sparkplug/certificates/spBv1.0/plant/DBIRTH/edge/press')")
            .await;
        page.wait_for_text("[data-testid=detail-topic]", "certificates").await;
        page.wait_for_text(r#"[data-path="/metrics/Offset"]"#, "0").await;
    });
    let forged = ["-t", "$sparkplug/certificates/spBv1.0/plant/NBIRTH/edge", "-m", "x", "-r", "-q", "1"];
    let refused = try_publish(hearth.mqtt(), V5, &forged);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.to_lowercase().contains("not authorized"), "{told}");
    let beside = try_publish(hearth.mqtt(), V311, &["-t", "$sparkplug/other", "-m", "x", "-q", "1"]);
    assert!(beside.status.success());
}

#[test]
fn an_edge_node_is_asked_for_its_births_where_nobody_has_kept_them() {
    let hearth = HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
        .env("HEARTH_MESSAGES_SPARKPLUG_CERTIFICATES", "false")
        .start();
    let mut edge = EdgeNode::start(&hearth);
    edge.births();
    browse("en", nothing, async |page| {
        open(page, &hearth, &format!("topics/{DATA}")).await;
        edge.data_until(page, REBIRTH).await;
        page.wait_for_text("[data-path=\"/metrics/alias 7\"]", "65535").await;
        page.wait_for_text("[data-testid=detail-unborn]", "rebirth").await;
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "topic-rebirth-desktop-light"),
            (Screen::Phone, Scheme::Dark, "topic-rebirth-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            assert_fits(page, name).await;
            page.screenshot(name).await;
        }
        page.click(REBIRTH).await;
        page.wait_for_text("[data-testid=rebirth-outcome]", "Asked").await;
        let command = edge.0.next_publish();
        assert_eq!((command.topic.as_str(), command.retain), ("spBv1.0/plant/NCMD/edge", false));
        let metric =
            command.payload.windows(20).position(|it| it == b"Node Control/Rebirth").expect("the name");
        // A Boolean that is true, behind the time at which it was made.
        let value = &command.payload[metric + 20..];
        assert!(value[0] == 0x18 && value.ends_with(b"\x20\x0b\x70\x01"), "{value:02x?}");
        edge.births();
        page.wait_for_text(r#"[data-path="/metrics/Offset"]"#, "-1").await;
        page.wait_for("no question", &format!("!document.querySelector('{REBIRTH}')")).await;
    });
}
