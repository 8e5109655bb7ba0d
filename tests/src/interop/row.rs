//! The rows of the table: which client, in which version, over which transport, at which broker.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hearth_protocol::Version;

use super::client::{Client, Connect, Library};
use super::message::Address;
use super::mosquitto_tools::MosquittoTools;
use super::scenario::{Scenario, Stage};
use crate::hearth::Hearth;
use crate::independent::{self, IndependentClient};

/// A client that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    MosquittoTools,
    PahoMqtt,
    MqttJs,
}

/// What carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    WebSocket,
}

/// A row: a client at Hearth.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub program: Program,
    pub version: Version,
    pub transport: Transport,
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
        let hearth = shared_hearth();
        let ways = self.ways(scenario, &hearth);
        let version = self.version;
        scenario.play(Stage::new(version, |publisher_id| match self.program {
            Program::MosquittoTools => Box::new(MosquittoTools::new(hearth.mqtt(), version)),
            Program::PahoMqtt => independent(independent::Library::PahoMqtt, version, ways, publisher_id),
            Program::MqttJs => independent(independent::Library::MqttJs, version, ways, publisher_id),
        }));
    }

    fn ways(self, scenario: Scenario, hearth: &Hearth) -> Ways {
        let tcp = Address::Tcp(hearth.mqtt());
        match self.transport {
            Transport::Tcp => Ways { hears: tcp.clone(), publishes: tcp },
            Transport::WebSocket => {
                let hears = Address::WebSocket(hearth.http(), "/mqtt");
                // Of a packet that a WebSocket does not take in one write, paho-mqtt 2.2.0 forgets the rest.
                let is_too_large = self.program == Program::PahoMqtt && scenario == Scenario::LargePayload;
                let publishes = if is_too_large { tcp } else { Address::WebSocket(hearth.ws(), "/any/path") };
                Ways { hears, publishes }
            }
        }
    }
}

fn independent(
    library: independent::Library,
    version: Version,
    Ways { hears, publishes }: Ways,
    publisher_id: String,
) -> Box<dyn Client> {
    let connect_to = |address: Address| -> Connect {
        let url = address.url();
        Box::new(move |session| Box::new(IndependentClient::connect_with(library, &url, version, session)))
    };
    Box::new(Library::new(publisher_id, connect_to(hears), connect_to(publishes)))
}

/// One broker for the scenarios that run at the same time; the last of them ends it.
fn shared_hearth() -> Arc<Hearth> {
    static HEARTH: Mutex<Weak<Hearth>> = Mutex::new(Weak::new());
    let mut shared = HEARTH.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let hearth = Arc::new(Hearth::start());
        *shared = Arc::downgrade(&hearth);
        hearth
    })
}
