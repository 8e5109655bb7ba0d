//! rumqttc's client of version 3.1.1.

use std::time::{Duration, Instant};

use hearth_protocol::Version;
use rumqttc::{
    Client, Connection as Link, Event, LastWill, MqttOptions, Outgoing, Packet, Publish, QoS,
    SubscribeFilter, SubscribeReasonCode, Transport,
};

use super::client::Connection;
use super::message::{Address, Content, Filter, Heard, Message, PACKET_BYTES_MAX, Properties, Session};
use crate::process::PATIENCE;

/// A connection; it moves only while something is waited for.
pub struct RumqttcV4 {
    client: Client,
    link: Link,
    session_present: bool,
    messages: Vec<Publish>,
}

impl RumqttcV4 {
    pub const VERSION: Version = Version::V311;

    #[track_caller]
    pub fn connect(address: &Address, session: &Session) -> Self {
        let mut options = match address {
            Address::Tcp(at) => MqttOptions::new(&session.id, at.ip().to_string(), at.port()),
            // It takes the URL for the host.
            Address::WebSocket(at, _path) => MqttOptions::new(&session.id, address.url(), at.port()),
        };
        if let Address::WebSocket(..) = address {
            options.set_transport(Transport::Ws);
        }
        options.set_clean_session(session.clean).set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        if let Some(Message { topic, payload, qos, retain, .. }) = &session.will {
            options.set_last_will(LastWill::new(topic, payload.bytes(), to_qos(*qos), *retain));
        }
        let (client, link) = Client::new(options, 10);
        let mut connection = Self { client, link, session_present: false, messages: Vec::new() };
        connection.session_present = connection.wait_for("CONNACK", |event| match event {
            Event::Incoming(Packet::ConnAck(answer)) => Some(answer.session_present),
            _ => None,
        });
        connection
    }

    /// The first event that `wanted` takes; messages are kept.
    #[track_caller]
    fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = match self.link.recv_timeout(left.max(Duration::from_millis(1))) {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => panic!("waited for {what}: {error}"),
                Err(error) => panic!("waited for {what}: {error:?}"),
            };
            if let Some(found) = wanted(&event) {
                return found;
            }
            if let Event::Incoming(Packet::Publish(publish)) = event {
                self.messages.push(publish);
            }
        }
    }
}

impl Connection for RumqttcV4 {
    fn session_present(&self) -> Option<bool> {
        Some(self.session_present)
    }

    #[track_caller]
    fn subscribe(&mut self, filters: &[Filter]) -> Vec<u8> {
        let filters = filters.iter().map(|it| SubscribeFilter::new(it.filter.clone(), to_qos(it.qos)));
        self.client.subscribe_many(filters).unwrap();
        self.wait_for("SUBACK", |event| match event {
            Event::Incoming(Packet::SubAck(answer)) => Some(answer.return_codes.clone()),
            _ => None,
        })
        .into_iter()
        .map(|code| match code {
            SubscribeReasonCode::Success(qos) => qos as u8,
            SubscribeReasonCode::Failure => 0x80,
        })
        .collect()
    }

    #[track_caller]
    fn publish(&mut self, message: &Message) {
        let Message { topic, payload, qos, retain, .. } = message;
        self.client.publish(topic, to_qos(*qos), *retain, payload.bytes()).unwrap();
        self.wait_for("the last acknowledgement", |event| match (event, qos) {
            (Event::Outgoing(Outgoing::Publish(_)), 0)
            | (Event::Incoming(Packet::PubAck(_)), 1)
            | (Event::Incoming(Packet::PubComp(_)), 2) => Some(()),
            _ => None,
        });
    }

    #[track_caller]
    fn next_message(&mut self) -> Heard {
        let publish = if self.messages.is_empty() {
            self.wait_for("a message", |event| match event {
                Event::Incoming(Packet::Publish(publish)) => Some(publish.clone()),
                _ => None,
            })
        } else {
            self.messages.remove(0)
        };
        Heard {
            content: Content::of(&publish.payload),
            topic: publish.topic,
            qos: publish.qos as u8,
            retain: publish.retain,
            properties: Properties::default(),
        }
    }

    #[track_caller]
    fn leave(mut self: Box<Self>) {
        self.client.disconnect().unwrap();
        self.wait_for("DISCONNECT", |event| match event {
            Event::Outgoing(Outgoing::Disconnect) => Some(()),
            _ => None,
        });
    }

    /// The socket closes with the connection, and no DISCONNECT was asked for.
    fn cut(self: Box<Self>) {}
}

fn to_qos(qos: u8) -> QoS {
    rumqttc::qos(qos).unwrap()
}
