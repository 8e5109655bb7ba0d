//! The example of the client package, as it comes out of the box.

use super::{open_broker, site};
use crate::browser::{browse, nothing};
use crate::mosquitto::{Subscriber, V5, publish};

#[test]
fn the_example_connects_shows_messages_and_publishes() {
    let hearth = open_broker();
    let site = site(Vec::new());
    let mut subscriber = Subscriber::start(hearth.mqtt(), V5, &["-t", "example/out", "-q", "1"]);
    browse("en", nothing, async |page| {
        page.open(&site.url("package/example/index.html")).await;
        page.fill("#url", &format!("ws://{}/mqtt", hearth.ws())).await;
        page.fill("#filter", "example/#").await;
        page.click("#connect").await;
        page.wait_for_text("#state", "online").await;
        publish(hearth.mqtt(), V5, &["-t", "example/in", "-m", "<b>21.5</b>", "-q", "1"]);
        page.wait_for_text("#messages", "example/in").await;
        page.wait_for_text("#messages", "<b>21.5</b>").await;
        page.fill("#topic", "example/out").await;
        page.fill("#payload", "hello").await;
        page.click("#publish").await;
        page.wait_for_text("#outcome", "success").await;
        assert_eq!(subscriber.next_message().text, "example/out hello");
        page.screenshot("package-example").await;
        page.fill("#topic", "a/#").await;
        page.click("#publish").await;
        page.wait_for_text("#outcome", "contains the wildcard").await;
        page.click("#disconnect").await;
        page.wait_for_text("#state", "closed").await;
    });
}
