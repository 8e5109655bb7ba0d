//! The command lines of Mosquitto's tools that the page offers for copying.

use std::process::Command;

use crate::browser::{Page, Scheme, Screen, browse, nothing};
use crate::hearth::Hearth;
use crate::interop::mosquitto_broker::MosquittoBroker;
use crate::process::Process;
use crate::web_connections::{add, card, choose, connect, fill, go, in_state, open_section};
use crate::web_layout::assert_fits;
use crate::web_page::open;
use crate::web_publish::Formatted;
use crate::web_subscribe::subscribe;

async fn line(page: &Page, within: &str) -> String {
    let line =
        format!("document.querySelector('[data-testid={within}] [data-testid=command]')?.innerText ?? ''");
    page.wait_for("a command line", &line).await.as_str().unwrap().to_owned()
}

#[test]
fn a_line_connects_as_the_page_does_with_its_will_and_without_its_password() {
    let (hearth, mosquitto) = (Hearth::start(), MosquittoBroker::start());
    browse("en", nothing, async |page| {
        open(page, &hearth, "connections").await;
        for (version, tool) in [("3.1.1", "mqttv311"), ("5.0", "mqttv5")] {
            add(page, version, &format!("ws://{}", mosquitto.web_socket())).await;
            page.click(&format!(r#"[data-testid="connection-version-{version}"]"#)).await;
            fill(page, &[("user", "ada l"), ("password", "tell-nobody")]).await;
            open_section(page, "will").await;
            choose(page, "has-will", true).await;
            fill(page, &[("will-topic", "gone/ada"), ("will-payload", "it's over")]).await;
            page.click("[data-testid=connection-will-qos-1]").await;
            choose(page, "will-retain", true).await;
            connect(page).await;
            page.wait_for_element(&in_state(version, "online")).await;
            page.click(&card(version, "[data-testid=connection-show]")).await;
            go(page, "subscribe").await;
            subscribe(page, "plant/#").await;
            page.click("[data-testid=subscribe-commands] summary").await;
            let line = line(page, "subscribe-commands").await;
            // Where it takes MQTT over TCP, it does not say.
            let expected =
                format!("mosquitto_sub -h 127.0.0.1 -p 1883 -V {tool} -u 'ada l' -P \"$MQTT_PASSWORD\"");
            assert!(line.starts_with(&expected), "{line}");
            let will = r"--will-topic gone/ada --will-payload 'it'\''s over' --will-qos 1 --will-retain";
            assert!(line.contains(will) && line.ends_with(" -v -q 0 -t 'plant/#'"), "{line}");
            assert!(!page.text().await.contains("tell-nobody"));
            page.wait_for_text("[data-testid=command-assumed]", "1883").await;

            // The tool takes all of it, at the port where the broker is.
            let line = line.replace("-p 1883", &format!("-p {}", mosquitto.tcp().port()));
            let line = line.replacen("mosquitto_sub", "exec stdbuf -oL mosquitto_sub -d", 1);
            let mut command = Command::new("sh");
            command.args(["-c", &line]).env("MQTT_PASSWORD", "tell-nobody");
            let copied = Process::start("the copied line", &mut command);
            let mut cursor = 0;
            let is_granted = |line: &str| line.starts_with("Subscribed (mid: ").then_some(());
            copied.wait_for_line(&mut cursor, "SUBACK", is_granted);
        }
    });
}

#[test]
fn the_publish_form_is_a_line_that_sends_the_same_also_bytes_that_are_no_text() {
    let hearth = Hearth::start();
    let mut tool = Formatted::start(&hearth, "line/#", "%q %r %t %x %P");
    browse("en", nothing, async |page| {
        open(page, &hearth, "publish").await;
        page.click("[data-testid=publish-command] summary").await;
        page.wait_for_text("[data-testid=publish-command]", "as soon as").await;
        page.fill("[data-testid=publish-topic]", "line/it's").await;
        page.click("[data-testid=publish-qos-1]").await;
        for (kind, payload, hex) in [("text", "a 'b'", "6120276227"), ("hex", "00 ff 0a 25", "00ff0a25")] {
            page.click(&format!("[data-testid=publish-kind-{kind}]")).await;
            page.fill("[data-testid=publish-payload]", payload).await;
            let shown = if kind == "hex" { "printf" } else { "a " };
            page.wait_for_text("[data-testid=publish-command] [data-testid=command]", shown).await;
            let line = line(page, "publish-command").await;
            let ended = Process::start("the copied line", Command::new("sh").args(["-c", &line])).wait();
            assert!(ended.status.success(), "{line}: {}", ended.stderr);
            assert_eq!(tool.next().trim_end(), format!("1 0 line/it's {}", hex));
        }
        for (screen, scheme, name) in [
            (Screen::Desktop, Scheme::Dark, "publish-command-desktop-dark"),
            (Screen::Phone, Scheme::Light, "publish-command-phone-light"),
        ] {
            page.show_on(screen, scheme).await;
            page.evaluate("document.querySelector('[data-testid=publish-command]').scrollIntoView()").await;
            page.next_frame().await;
            assert_fits(page, name).await;
            page.screenshot(name).await;
        }
    });
}
