//! The home beside a real broker.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions};
use hearth_protocol::packet::{Disconnect, Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName};

use super::*;
use crate::client_link::ClientLink;
use crate::config::{Config, ListenAddress, Machine};
use crate::server::Server;
use crate::store::Durability;

/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(mqtt: &[&str]) -> Config {
    let machine = Machine { cores: 2, has_ipv6_loopback: false, memory_bytes: None };
    let mqtt = mqtt.iter().map(|address| ListenAddress::Tcp(address.parse().unwrap())).collect();
    Config {
        mqtt,
        http: Vec::new(),
        ws: Vec::new(),
        demo: true,
        durability: Durability::None,
        ..Config::defaults(&machine)
    }
}

/// Somebody who watches the home.
struct Watcher {
    link: ClientLink,
    clock: Clock,
    /// The last payload of each topic.
    seen: BTreeMap<String, String>,
}

impl Watcher {
    async fn start(address: SocketAddr) -> Self {
        let clock = Clock::start();
        let options = ClientOptions::new(Text::try_from("watcher").unwrap());
        let mut link = ClientLink::new(Client::new(options), address, clock);
        link.connect().await.unwrap();
        assert!(matches!(link.next_event().await, Ok(ClientEvent::Connected { .. })));
        let filter = TopicFilter::new(Text::try_from("#").unwrap()).unwrap();
        let all = vec![Subscription::new(filter, QoS::AtLeastOnce)];
        link.client().subscribe(clock.now(), all, SubscribeProperties::default()).unwrap();
        Self { link, clock, seen: BTreeMap::new() }
    }

    async fn wait_until(&mut self, what: &str, is_so: impl Fn(&BTreeMap<String, String>) -> bool) {
        let waiting = async {
            while !is_so(&self.seen) {
                if let ClientEvent::Message(publish) = self.link.next_event().await.unwrap() {
                    let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                    self.seen.insert(publish.topic.as_str().to_owned(), payload);
                }
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(outcome.is_ok(), "no {what}: {:?}", self.seen);
    }

    fn publish(&mut self, topic: &str, payload: &'static [u8]) {
        let topic = TopicName::new(Text::try_from(topic).unwrap()).unwrap();
        let payload = Bytes::from_static(payload);
        let qos = QoS::AtLeastOnce;
        let publish =
            Publish { dup: false, qos, retain: false, topic, packet_id: None, payload, properties: None };
        self.link.client().publish(self.clock.now(), publish).unwrap();
    }
}

#[tokio::test]
async fn the_home_lives_obeys_and_ends_with_the_server() {
    let server = Server::start(&config(&["127.0.0.1:0"])).await.unwrap();
    let mut watcher = Watcher::start(server.listening()[0].address.tcp().unwrap()).await;
    let everything = |seen: &BTreeMap<String, String>| {
        let is_online =
            |prefix: &str| seen.get(&format!("{prefix}/online")).is_some_and(|word| word == "true");
        ["home/kitchen", "home/bath/lamp", "home/door", "home/meter", "car"].iter().all(|it| is_online(it))
            && ["home/living/temperature", "home/door/front", "home/meter/power", "car/position", "car/speed"]
                .iter()
                .all(|topic| seen.contains_key(*topic))
            && seen.get("home/kitchen/lamp").is_some_and(|state| state == "on")
    };
    watcher.wait_until("living home", everything).await;

    // The meter hears of the lamps as everybody does. They take 102 W together, the kitchen's 42 W of that; what else
    // is on stays so for longer than the test lasts.
    let power = |seen: &BTreeMap<String, String>| seen["home/meter/power"].parse::<f64>().unwrap();
    watcher.wait_until("power of the lamps", |seen| power(seen) > 310.0).await;
    for (command, state) in [(&b"off"[..], "off"), (b"toggle", "on"), (b"toggle", "off")] {
        watcher.publish("home/kitchen/lamp/set", command);
        watcher.wait_until(state, |seen| seen["home/kitchen/lamp"] == state).await;
    }
    watcher.wait_until("power without the kitchen's lamp", |seen| power(seen) < 300.0).await;

    watcher.link.close(Disconnect::new(ReasonCode::Success)).await;
    let stopped = tokio::time::timeout(PATIENCE, server.stop()).await;
    assert!(stopped.is_ok(), "the devices do not end");
}

#[tokio::test]
async fn without_a_listener_of_mqtt_the_server_runs_all_the_same() {
    let server = Server::start(&config(&[])).await.unwrap();
    tokio::time::timeout(PATIENCE, server.stop()).await.unwrap();
}

#[test]
fn a_listener_on_every_network_is_reached_over_loopback() {
    for (listener, expected) in [
        ("0.0.0.0:1883", "127.0.0.1:1883"),
        ("[::]:1883", "[::1]:1883"),
        ("192.168.1.5:1883", "192.168.1.5:1883"),
        ("127.0.0.1:9", "127.0.0.1:9"),
    ] {
        assert_eq!(reachable(listener.parse().unwrap()), expected.parse().unwrap());
    }
}
