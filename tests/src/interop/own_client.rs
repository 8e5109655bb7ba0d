//! The client machine of the product: what its web app, bridges and demo devices are made of.

use bytes::Bytes;
use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::{Publish, PublishProperties, Subscription, Will};
use hearth_protocol::{QoS, TopicName, Version};

use super::client::Connection;
use super::message::{Address, Content, Filter, Heard, Message, Properties, Session};
use crate::carrier::Carrier;
use crate::device::Device;
use crate::wire::{self, text, topic_filter};

/// A connection.
pub struct OwnClient {
    device: Device,
    version: Version,
    session_present: bool,
}

impl OwnClient {
    #[track_caller]
    pub fn connect(broker: &Address, version: Version, session: &Session) -> Self {
        let mut options = ClientOptions::new(text(&session.id));
        options.version = version;
        options.clean_start = session.clean;
        // Each connection is a client of its own, as of a program that was started anew.
        options.adopt_session = session.lasts;
        if version.is_v5() && session.lasts {
            options.properties.session_expiry = Some(3600);
        }
        options.will = session.will.as_ref().map(|Message { topic, payload, qos, retain, .. }| Will {
            topic: TopicName::new(text(topic)).unwrap(),
            payload: payload.bytes().into(),
            qos: to_qos(*qos),
            retain: *retain,
            properties: Default::default(),
        });
        let mut device = Device::with_options(options);
        let session_present = device.connect_over(match broker {
            Address::Tcp(at) => Carrier::tcp(*at),
            Address::WebSocket(at, path) => Carrier::web_socket(*at, path),
        });
        Self { device, version, session_present }
    }
}

impl Connection for OwnClient {
    fn session_present(&self) -> Option<bool> {
        (self.version >= Version::V311).then_some(self.session_present)
    }

    #[track_caller]
    fn subscribe(&mut self, filters: &[Filter]) -> Vec<u8> {
        let wanted = |it: &Filter| Subscription::new(topic_filter(&it.filter), to_qos(it.qos));
        let reasons = self.device.subscribe_all(filters.iter().map(wanted).collect());
        reasons.into_iter().map(|reason| reason.byte()).collect()
    }

    #[track_caller]
    fn publish(&mut self, message: &Message) {
        let Message { topic, payload, qos, retain, properties } = message;
        let publish = wire::message(topic, &payload.bytes(), to_qos(*qos));
        let properties = self.version.is_v5().then(|| Box::new(to_properties(properties)));
        let sent = self.device.publish_whole(Publish { retain: *retain, properties, ..publish });
        let reason = self.device.wait_for_published(sent);
        assert!(!reason.is_failure(), "the broker refuses the message: {reason:?}");
    }

    #[track_caller]
    fn next_message(&mut self) -> Heard {
        let publish = self.device.next_message();
        Heard {
            topic: publish.topic.as_str().to_owned(),
            content: Content::of(&publish.payload),
            qos: publish.qos.bits(),
            retain: publish.retain,
            properties: publish.properties.map(|it| from_properties(&it)).unwrap_or_default(),
        }
    }

    #[track_caller]
    fn leave(mut self: Box<Self>) {
        self.device.leave();
    }

    fn cut(mut self: Box<Self>) {
        self.device.cut();
    }
}

fn to_qos(qos: u8) -> QoS {
    [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)]
}

fn to_properties(given: &Properties) -> PublishProperties {
    let mut properties = PublishProperties {
        response_topic: given.response_topic.as_deref().map(|topic| TopicName::new(text(topic)).unwrap()),
        correlation_data: given.correlation.clone().map(Bytes::from),
        content_type: given.content_type.as_deref().map(text),
        ..PublishProperties::default()
    };
    for (name, value) in &given.user {
        properties.user_properties.push(text(name), text(value));
    }
    properties
}

fn from_properties(properties: &PublishProperties) -> Properties {
    let to_text = |data: &Bytes| String::from_utf8(data.to_vec()).unwrap();
    Properties {
        response_topic: properties.response_topic.as_ref().map(|topic| topic.as_str().to_owned()),
        correlation: properties.correlation_data.as_ref().map(to_text),
        content_type: properties.content_type.as_ref().map(|text| text.as_str().to_owned()),
        user: properties
            .user_properties
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
            .collect(),
    }
}
