//! MQTT over WebSocket: clients that others wrote, the handshake, and how packets lie in frames.

use crate::hearth::Hearth;
use crate::independent::{IndependentClient, Library};
use crate::mosquitto::{Subscriber, V311, publish};

#[test]
fn mqtt_js_talks_to_tcp_clients_over_the_websocket_port() {
    talks_to_tcp_clients(Library::MqttJs, |hearth| format!("ws://{}/any/path", hearth.ws()));
}

#[test]
fn mqtt_js_talks_to_tcp_clients_over_the_web_apps_port() {
    talks_to_tcp_clients(Library::MqttJs, |hearth| format!("ws://{}/mqtt", hearth.http()));
}

#[test]
fn paho_talks_to_tcp_clients_over_the_websocket_port() {
    talks_to_tcp_clients(Library::PahoMqtt, |hearth| format!("ws://{}/", hearth.ws()));
}

#[test]
fn paho_talks_to_tcp_clients_over_the_web_apps_port() {
    talks_to_tcp_clients(Library::PahoMqtt, |hearth| format!("ws://{}/mqtt", hearth.http()));
}

#[test]
fn the_two_libraries_talk_to_each_other_across_versions_and_ports() {
    let hearth = Hearth::start();
    let web = format!("ws://{}/mqtt", hearth.http());
    let port = format!("ws://{}/mqtt", hearth.ws());
    for (one_version, other_version) in [("3.1.1", "5"), ("5", "3.1.1")] {
        let mut one = IndependentClient::connect(Library::MqttJs, &web, one_version);
        let mut other = IndependentClient::connect(Library::PahoMqtt, &port, other_version);
        one.subscribe("to/one", 2);
        other.subscribe("to/other", 2);
        for qos in 0..=2 {
            one.publish("to/other", "hello", qos, false);
            other.expect_message("to/other", "hello", qos, false);
            other.publish("to/one", "grüß dich", qos, false);
            one.expect_message("to/one", "grüß dich", qos, false);
        }
        one.disconnect();
        other.disconnect();
    }
}

/// Both ways between `library` and the tools over TCP, at every QoS, and a retained message to a late subscriber.
#[track_caller]
fn talks_to_tcp_clients(library: Library, url: impl Fn(&Hearth) -> String) {
    let hearth = Hearth::start();
    for version in ["3.1.1", "5"] {
        let mut client = IndependentClient::connect(library, &url(&hearth), version);
        let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "up/#", "-q", "2"]);
        assert_eq!(client.subscribe("down/#", 2), 2, "the granted QoS");
        for qos in 0..=2 {
            publish(hearth.mqtt(), V311, &["-t", "down/x", "-m", "21.5", "-q", &qos.to_string()]);
            client.expect_message("down/x", "21.5", qos, false);
            client.publish("up/x", "on", qos, false);
            tool.expect(qos, false, "up/x on");
        }
        client.publish("kept/x", version, 1, true);
        assert_eq!(client.subscribe("kept/+", 1), 1, "the granted QoS");
        client.expect_message("kept/x", version, 1, true);
        client.disconnect();
    }
}
