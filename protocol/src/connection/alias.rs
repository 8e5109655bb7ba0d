//! Topic aliases of the messages that come in.

use super::ProtocolError;
use crate::packet::Publish;
use crate::{ReasonCode, TopicName};

/// What the peer's aliases stand for (MQTT 5.0, 3.3.2.3.4). Holds memory once the peer uses one.
#[derive(Debug, Default)]
pub(super) struct InboundAliases {
    alias_max: u16,
    topics: Vec<Option<TopicName>>,
}

impl InboundAliases {
    /// Takes aliases from 1 to `alias_max`.
    pub(super) const fn new(alias_max: u16) -> Self {
        Self { alias_max, topics: Vec::new() }
    }

    /// Gives the message its topic and takes the alias away, which means nothing beyond this connection.
    pub(super) fn resolve(&mut self, publish: &mut Publish) -> Result<(), ProtocolError> {
        let Some(alias) = publish.properties.as_mut().and_then(|properties| properties.topic_alias.take())
        else {
            return Ok(());
        };
        if alias > self.alias_max {
            let detail = format!("topic alias: {alias} is above {} [MQTT-3.3.2-9]", self.alias_max);
            return Err(ProtocolError::new(ReasonCode::TopicAliasInvalid, detail));
        }
        let place = usize::from(alias) - 1;
        if publish.topic.as_str().is_empty() {
            let known = self.topics.get(place).and_then(Option::as_ref);
            publish.topic = known
                .ok_or_else(|| {
                    let detail = format!("topic alias: {alias} stands for no topic yet (3.3.4)");
                    ProtocolError::new(ReasonCode::ProtocolError, detail)
                })?
                .clone();
            return Ok(());
        }
        if place >= self.topics.len() {
            self.topics.resize(place + 1, None);
        }
        // Some senders repeat the topic with its alias each time.
        let topic = &mut self.topics[place];
        if topic.as_ref() != Some(&publish.topic) {
            *topic = Some(publish.topic.detached());
        }
        Ok(())
    }
}
