//! The rows of the table: which client, in which version, over which transport, at which broker.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hearth_protocol::Version;

use super::client::{Client, Connect, Connection, Library};
use super::message::{Address, Session};
use super::mosquitto_broker::MosquittoBroker;
use super::mosquitto_tools::MosquittoTools;
use super::own_client::OwnClient;
use super::rumqttc_v4::RumqttcV4;
use super::rumqttc_v5::RumqttcV5;
use super::scenario::{Scenario, Stage};
use crate::hearth::Hearth;
use crate::independent::{self, IndependentClient};

/// A client that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    MosquittoTools,
    PahoMqtt,
    MqttJs,
    Rumqttc,
    Own,
}

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    WebSocket,
}

/// What the client is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    Hearth,
    Mosquitto,
}

/// A row: a client at a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub program: Program,
    pub version: Version,
    pub transport: Transport,
    pub broker: Broker,
}

/// Where a client's connections go. Over WebSocket those that hear use the web app's port and those that publish the
/// other one, so that both are tried.
struct Ways {
    hears: Address,
    publishes: Address,
}

impl Row {
    /// Plays a scenario.
    #[track_caller]
    pub fn play(self, scenario: Scenario) {
        match self.broker {
            Broker::Hearth => {
                static SHARED: Shared<Hearth> = Shared::new();
                let hearth = SHARED.get_or_start(Hearth::start);
                self.play_at(scenario, self.ways(scenario, &hearth));
            }
            Broker::Mosquitto => {
                static SHARED: Shared<MosquittoBroker> = Shared::new();
                let mosquitto = SHARED.get_or_start(MosquittoBroker::start);
                self.play_at(scenario, self.ways_to_mosquitto(scenario, &mosquitto));
            }
        }
    }

    #[track_caller]
    fn play_at(self, scenario: Scenario, ways: Ways) {
        let version = self.version;
        scenario.play(Stage::new(version, |publisher_id| match self.program {
            Program::MosquittoTools => Box::new(MosquittoTools::new(ways.tcp(), version)),
            Program::PahoMqtt => independent(independent::Library::PahoMqtt, version, ways, publisher_id),
            Program::MqttJs => independent(independent::Library::MqttJs, version, ways, publisher_id),
            Program::Rumqttc if version == RumqttcV5::VERSION => {
                library(ways, publisher_id, RumqttcV5::connect)
            }
            Program::Rumqttc => {
                assert_eq!(version, RumqttcV4::VERSION, "rumqttc has no other versions");
                library(ways, publisher_id, RumqttcV4::connect)
            }
            Program::Own => library(ways, publisher_id, move |address: &Address, session: &Session| {
                OwnClient::connect(address, version, session)
            }),
        }));
    }

    fn ways(self, scenario: Scenario, hearth: &Hearth) -> Ways {
        let tcp = Address::Tcp(hearth.mqtt());
        match self.transport {
            Transport::Tcp => Ways { hears: tcp.clone(), publishes: tcp },
            Transport::WebSocket => {
                let hears = Address::WebSocket(hearth.http(), "/mqtt");
                let publishes = if self.publishes_over_tcp(scenario) {
                    tcp
                } else {
                    Address::WebSocket(hearth.ws(), "/any/path")
                };
                Ways { hears, publishes }
            }
        }
    }

    fn ways_to_mosquitto(self, scenario: Scenario, mosquitto: &MosquittoBroker) -> Ways {
        let tcp = Address::Tcp(mosquitto.tcp());
        match self.transport {
            Transport::Tcp => Ways { hears: tcp.clone(), publishes: tcp },
            Transport::WebSocket => {
                let publishes = Address::WebSocket(mosquitto.web_socket(), "/mqtt");
                let hears = if self.hears_over_tcp(scenario) { tcp } else { publishes.clone() };
                Ways { hears, publishes }
            }
        }
    }

    /// Mosquitto 2.0.11 seldom comes to the end of so large a packet on a WebSocket, whichever client listens.
    fn hears_over_tcp(self, scenario: Scenario) -> bool {
        self.broker == Broker::Mosquitto
            && self.transport == Transport::WebSocket
            && scenario == Scenario::LargePayload
    }

    /// Of a packet that a WebSocket does not take in one write, paho-mqtt 2.2.0 forgets the rest.
    fn publishes_over_tcp(self, scenario: Scenario) -> bool {
        self.program == Program::PahoMqtt
            && self.transport == Transport::WebSocket
            && scenario == Scenario::LargePayload
    }

    /// What a reader of a cell has to know beside that it passed.
    pub fn note(self, scenario: Scenario) -> Option<&'static str> {
        if self.publishes_over_tcp(scenario) {
            return Some(
                "Heard over WebSocket, published over TCP: of a packet that a WebSocket does not take in one write, \
                 paho-mqtt 2.2.0 forgets the rest, whatever the broker.",
            );
        }
        if self.hears_over_tcp(scenario) {
            return Some(
                "Published over WebSocket, heard over TCP: Mosquitto 2.0.11 stops in the middle of sending ten megabytes \
                 over a WebSocket, to MQTT.js too.",
            );
        }
        match (self.program, scenario) {
            (Program::MosquittoTools, Scenario::ManyFilters) => {
                Some("All at QoS 1: mosquitto_sub has one QoS for all its filters.")
            }
            _ => None,
        }
    }
}

impl Ways {
    #[track_caller]
    fn tcp(&self) -> SocketAddr {
        match self.hears {
            Address::Tcp(address) => address,
            Address::WebSocket(..) => panic!("this client speaks TCP only"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MosquittoTools => "Mosquitto's tools",
            Self::PahoMqtt => "paho-mqtt",
            Self::MqttJs => "MQTT.js",
            Self::Rumqttc => "rumqttc",
            Self::Own => "Hearth's own client",
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::WebSocket => "WebSocket",
        })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hearth => "Hearth",
            Self::Mosquitto => "Mosquitto",
        })
    }
}

fn independent(
    library: independent::Library,
    version: Version,
    ways: Ways,
    publisher_id: String,
) -> Box<dyn Client> {
    self::library(ways, publisher_id, move |address: &Address, session: &Session| {
        IndependentClient::connect_with(library, &address.url(), version, session)
    })
}

fn library<C: Connection + 'static>(
    Ways { hears, publishes }: Ways,
    publisher_id: String,
    connect: impl Fn(&Address, &Session) -> C + Clone + 'static,
) -> Box<dyn Client> {
    let connect_to = |address: Address| -> Connect {
        let connect = connect.clone();
        Box::new(move |session| Box::new(connect(&address, session)))
    };
    Box::new(Library::new(publisher_id, connect_to(hears), connect_to(publishes)))
}

/// One broker for the scenarios that run at the same time; the last of them ends it.
struct Shared<B> {
    broker: Mutex<Weak<B>>,
}

impl<B> Shared<B> {
    const fn new() -> Self {
        Self { broker: Mutex::new(Weak::new()) }
    }

    fn get_or_start(&self, start: impl FnOnce() -> B) -> Arc<B> {
        let mut shared = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let broker = Arc::new(start());
            *shared = Arc::downgrade(&broker);
            broker
        })
    }
}
