//! The publish page: every kind of payload and property, what becomes of a message, answers, repetition and saved forms.

use std::io::Write as _;
use std::process::Command;

use bytes::Bytes;
use hearth_protocol::packet::{Packet, Publish, PublishProperties};
use hearth_protocol::{QoS, Version};
use tempfile::NamedTempFile;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::mosquitto::{Subscriber, V5, V311};
use crate::process::Process;
use crate::web_layout::assert_fits;
use crate::web_page::open;
use crate::wire::{Wire, connect};

/// `mosquitto_sub` that prints messages with their properties by a format of its own.
pub struct Formatted {
    process: Process,
    cursor: usize,
}

impl Formatted {
    pub fn start(hearth: &Hearth, filter: &str, format: &str) -> Self {
        // Without stdbuf its lines come in blocks of 4 KiB when nobody sits at a terminal.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub", "-d", "-V", "mqttv5", "-h", "127.0.0.1", "-q", "2"]);
        command.args([
            "-p",
            &hearth.mqtt().port().to_string(),
            "-t",
            filter,
            "-F",
            &format!("MESSAGE|{format}"),
        ]);
        let process = Process::start("mosquitto_sub", &mut command);
        let mut cursor = 0;
        process
            .wait_for_line(&mut cursor, "SUBACK", |line| line.starts_with("Subscribed (mid: ").then_some(()));
        Self { process, cursor }
    }

    pub fn next(&mut self) -> String {
        let is_message = |line: &str| line.strip_prefix("MESSAGE|").map(str::to_owned);
        self.process.wait_for_line(&mut self.cursor, "a message", is_message)
    }
}

async fn unfold(page: &Page, testid: &str) {
    page.click(&format!("[data-testid={testid}] summary")).await;
}

async fn send(page: &Page, state: &str) {
    page.click("[data-testid=publish-send]").await;
    page.wait_for_element(&format!("[data-testid=publish-result][data-state={state}]")).await;
}

async fn choose_kind(page: &Page, kind: &str) {
    page.click(&format!("[data-testid=publish-kind-{kind}]")).await;
}

#[test]
fn every_property_reaches_mosquitto_sub_as_it_was_typed() {
    let hearth = Hearth::start();
    let mut tool = Formatted::start(&hearth, "out/#", "%t|%p|%q|%r|%C|%D|%E|%F|%R|%P");
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        page.fill("[data-testid=publish-topic]", "out/all").await;
        page.fill("[data-testid=publish-payload]", "21.5").await;
        page.click("[data-testid=publish-qos-2]").await;
        unfold(page, "publish-properties").await;
        page.fill("[data-testid=publish-content-type]", "text/plain").await;
        page.fill("[data-testid=publish-expiry]", "600").await;
        page.fill("[data-testid=publish-response]", "back/here").await;
        page.fill("[data-testid=publish-correlation]", "hex:41 42").await;
        page.click("[data-testid=publish-utf8]").await;
        for (number, name, value) in [(1, "unit", "C"), (2, "a", "1"), (3, "unit", "K")] {
            page.click("[data-testid=publish-user-add]").await;
            page.fill(&format!("[data-testid=publish-user-name-{number}]"), name).await;
            page.fill(&format!("[data-testid=publish-user-value-{number}]"), value).await;
        }
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Light, "publish-properties-desktop-light"),
            (Screen::Phone, Scheme::Dark, "publish-properties-phone-dark"),
        ] {
            page.show_on(screen, scheme).await;
            page.next_frame().await;
            assert_fits(page, name).await;
            page.screenshot(name).await;
        }
        send(page, "acknowledged").await;
        assert_eq!(tool.next(), "out/all|21.5|2|0|text/plain|AB|600|1|back/here|unit:C a:1 unit:K");
        page.wait_for_element(r#"[data-testid=sent-item][data-topic="out/all"][data-echoed=true]"#).await;

        page.fill("[data-testid=publish-expiry]", "soon").await;
        send(page, "failed").await;
        page.wait_for_text("[data-testid=publish-result]", "whole number of seconds").await;
    });
}

#[test]
fn json_hex_and_files_are_checked_and_sent_byte_for_byte() {
    let hearth = Hearth::start();
    let mut tool = Formatted::start(&hearth, "out/#", "%t|%x");
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"\x00\xff\r\n\x7f").unwrap();
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        page.fill("[data-testid=publish-topic]", "out/json").await;
        choose_kind(page, "json").await;
        page.fill("[data-testid=publish-payload]", "{\"a\":tru}").await;
        page.wait_for_text("[data-testid=publish-note][data-good=false]", "line 1, column").await;
        send(page, "failed").await;
        page.fill("[data-testid=publish-payload]", "{\"a\":1}").await;
        page.wait_for_text("[data-testid=publish-note][data-good=true]", "Valid JSON").await;
        send(page, "sent").await;
        assert_eq!(tool.next(), "out/json|7b2261223a317d", "what was broken was not sent");
        page.click("[data-testid=publish-indent]").await;
        let typed = "document.querySelector('[data-testid=publish-payload]').value.includes('\\n')";
        page.wait_for("indented JSON", typed).await;

        choose_kind(page, "hex").await;
        page.fill("[data-testid=publish-topic]", "out/hex").await;
        page.fill("[data-testid=publish-payload]", "00 fg").await;
        page.wait_for_text("[data-testid=publish-note][data-good=false]", "“g” at place 5").await;
        page.fill("[data-testid=publish-payload]", "00 ff 0x10").await;
        page.wait_for_text("[data-testid=publish-note][data-good=true]", "3 bytes").await;
        send(page, "sent").await;
        assert_eq!(tool.next(), "out/hex|00ff10");

        choose_kind(page, "file").await;
        page.fill("[data-testid=publish-topic]", "out/file").await;
        send(page, "failed").await;
        page.wait_for_text("[data-testid=publish-result]", "choose a file first").await;
        page.choose_file("[data-testid=publish-file]", file.path()).await;
        page.wait_for_text("[data-testid=publish-note]", "5 bytes").await;
        send(page, "sent").await;
        assert_eq!(tool.next(), "out/file|00ff0d0a7f");
    });
}

#[test]
fn answers_stand_beside_their_requests_with_the_time_they_took() {
    let hearth = Hearth::start();
    let (mut responder, _) = Wire::connect(hearth.mqtt(), connect(Version::V5, "responder"));
    responder.subscribe("ask/#", QoS::AtMostOnce);
    browse("en", nothing, async |page| {
        page.show_on(Screen::Phone, Scheme::Light).await;
        open(page, &hearth, "publish").await;
        page.fill("[data-testid=publish-topic]", "ask/{{counter}}").await;
        unfold(page, "publish-properties").await;
        page.click("[data-testid=publish-make-up]").await;
        let mut asked = Vec::new();
        for _ in 0..2 {
            page.click("[data-testid=publish-send]").await;
            asked.push(responder.next_publish());
        }
        // The later one is answered first, and the other twice.
        for (request, words) in [(1, "the second"), (0, "the first"), (0, "once more")] {
            let properties = asked[request].properties.as_ref().unwrap();
            let answer = PublishProperties {
                correlation_data: properties.correlation_data.clone(),
                ..PublishProperties::EMPTY
            };
            responder.send(&Packet::Publish(Publish {
                topic: properties.response_topic.clone().unwrap(),
                payload: Bytes::copy_from_slice(words.as_bytes()),
                properties: Some(Box::new(answer)),
                ..crate::wire::message("t", b"", QoS::AtMostOnce)
            }));
        }
        let of = |number: u8| format!(r#"[data-testid=sent-item][data-topic="ask/{number}"]"#);
        page.wait_for_text(&format!("{} [data-testid=sent-replies][data-count='1']", of(2)), "the second")
            .await;
        let twice = format!("{} [data-testid=sent-replies][data-count='2']", of(1));
        page.wait_for_text(&twice, "the first").await;
        page.wait_for_text(&twice, "once more").await;
        page.wait_for_text(&format!("{twice} [data-testid=sent-reply]"), " ms").await;
        page.evaluate("document.querySelector('[data-testid=sent-item]').scrollIntoView()").await;
        page.next_frame().await;
        page.screenshot("publish-answers-phone-light").await;
    });
}

#[test]
fn a_form_with_placeholders_is_repeated_stopped_saved_and_loaded() {
    let hearth = Hearth::start();
    let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "out/#", "-q", "1"]);
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        page.fill("[data-testid=publish-topic]", "out/{{counter}}").await;
        page.fill("[data-testid=publish-payload]", "n={{counter}} {{ other }}").await;
        page.click("[data-testid=publish-qos-1]").await;
        unfold(page, "publish-repeat").await;
        page.fill("[data-testid=repeat-times]", "0").await;
        page.click("[data-testid=repeat-start]").await;
        page.wait_for_text("[data-testid=repeat-counts]", "1 to 100,000").await;
        page.fill("[data-testid=repeat-times]", "3").await;
        page.fill("[data-testid=repeat-every]", "20").await;
        page.click("[data-testid=repeat-start]").await;
        for number in 1..=3 {
            tool.expect(1, false, &format!("out/{number} n={number} {{{{ other }}}}"));
        }
        page.wait_for_text("[data-testid=repeat-counts][data-state=done]", "3 of 3 sent, 3 acknowledged")
            .await;

        page.fill("[data-testid=repeat-times]", "100000").await;
        page.click("[data-testid=repeat-start]").await;
        tool.next_message();
        page.screenshot("publish-repeat-desktop-light").await;
        page.click("[data-testid=repeat-stop]").await;
        page.wait_for_text("[data-testid=repeat-counts][data-state=stopped]", "of 100,000 sent").await;

        unfold(page, "publish-saved").await;
        page.fill("[data-testid=saved-name]", "numbers").await;
        page.click("[data-testid=saved-save]").await;
        page.wait_for_text("[data-testid=saved-note]", "Saved").await;
        page.fill("[data-testid=publish-topic]", "something else").await;
        page.reload().await;
        page.wait_for_element("[data-testid=connection][data-state=online]").await;
        unfold(page, "publish-saved").await;
        page.click("[data-testid=saved-load][data-name=numbers]").await;
        let topic = "document.querySelector('[data-testid=publish-topic]').value === 'out/{{counter}}'";
        page.wait_for("the saved topic", topic).await;
        page.wait_for("the saved QoS", "document.querySelector('[data-testid=publish-qos-1]').checked").await;
        page.click("[data-testid=saved-remove]").await;
        page.wait_for("no saved form", "!document.querySelector('[data-testid=saved-load]')").await;
    });
}

#[test]
fn what_became_of_a_message_is_told() {
    let mut hearth = Hearth::start();
    let is_refused = |line: &crate::browser::ConsoleLine| line.text.contains("WebSocket connection to");
    browse("en", is_refused, async |page| {
        open(page, &hearth, "publish").await;
        // The page is subscribed to everything but what begins with a dollar sign.
        page.fill("[data-testid=publish-topic]", "$nobody/listens").await;
        for qos in ["1", "2"] {
            page.click(&format!("[data-testid=publish-qos-{qos}]")).await;
            send(page, "no-subscribers").await;
        }
        let _tool = Subscriber::start(hearth.mqtt(), V5, &["-t", "$nobody/#"]);
        send(page, "acknowledged").await;
        page.fill("[data-testid=publish-topic]", "a/+").await;
        send(page, "failed").await;
        page.wait_for_text("[data-testid=publish-result]", "cannot contain +").await;
        page.fill("[data-testid=publish-topic]", "a/b").await;
        hearth.stop();
        page.wait_for_element("[data-testid=connection]:not([data-state=online])").await;
        send(page, "failed").await;
        page.wait_for_text("[data-testid=publish-result]", "no connection").await;
    });
}

#[test]
fn the_button_and_its_result_stay_in_sight_and_what_comes_stands_beside_the_form() {
    const IN_SIGHT: &str = "['publish-send', 'publish-result'].every((name) => { \
        const place = document.querySelector(`[data-testid=${name}]`).getBoundingClientRect(); \
        const there = document.elementFromPoint(place.left + 2, place.top + place.height / 2); \
        return there?.closest('.form__end') !== null && place.bottom <= innerHeight; })";
    let hearth = Hearth::start();
    browse("en", nothing, async |page| {
        open(page, &hearth, "subscribe").await;
        page.fill("[data-testid=subscribe-filter]", "echo/#").await;
        page.click("[data-testid=subscribe-add]").await;
        page.wait_for_element("[data-testid=filter][data-state=granted]").await;
        page.click("[data-testid=section-publish]").await;
        for (screen, is_beside) in [(Screen::Desktop, true), (Screen::Phone, false)] {
            page.show_on(screen, Scheme::Light).await;
            page.fill("[data-testid=publish-topic]", "echo/a").await;
            page.fill("[data-testid=publish-payload]", "hello").await;
            page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })").await;
            page.evaluate("document.querySelector('[data-testid=publish-topic]').scrollIntoView() ?? true")
                .await;
            page.wait_for("the button and its result in sight", IN_SIGHT).await;
            send(page, "sent").await;
            page.wait_for_element("[data-testid=sent-item][data-echoed=true]").await;
            let beside = "document.querySelector('[data-testid=stream-row]') !== null";
            page.wait_for("the stream beside it, or not", &format!("({beside}) === {is_beside}")).await;
            assert_fits(page, "publish").await;
        }
        page.show_on(Screen::Desktop, Scheme::Dark).await;
        page.screenshot("publish-beside-desktop-dark").await;
    });
}
