//! Which messages were acknowledged, and which arrived.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use bytes::Bytes;
use hearth_protocol::ReasonCode;
use hearth_protocol::connection::Token;

use crate::bits::Bits;

/// Bytes at the start of a payload that say which message it is.
const NUMBER_BYTES: usize = 8;

/// The messages of all publishers, each by publisher and number.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    publishers: Vec<Publisher>,
    /// Messages that were acknowledged without an error.
    pub(crate) acknowledged: u64,
    /// Those that were acknowledged with one.
    pub(crate) refused: u64,
    /// Messages that arrived, each counted once.
    pub(crate) arrived: u64,
    /// Those that arrived once more.
    pub(crate) again: u64,
}

#[derive(Debug, Default)]
struct Publisher {
    next: u32,
    under_way: VecDeque<(Token, u32)>,
    acknowledged: Bits,
    arrived: Bits,
}

impl Tally {
    /// One of so many publishers, that have sent nothing.
    pub(crate) fn new(publishers: usize) -> Self {
        Self { publishers: (0..publishers).map(|_| Publisher::default()).collect(), ..Self::default() }
    }

    /// Messages that were given out.
    pub(crate) fn sent(&self) -> u64 {
        self.publishers.iter().map(|publisher| u64::from(publisher.next)).sum()
    }

    /// The payload of a publisher's next message, of so many bytes, 8 at least.
    pub(crate) fn payload(&self, publisher: usize, bytes: usize) -> Bytes {
        let mut payload = vec![b'.'; bytes.max(NUMBER_BYTES)];
        // There are fewer publishers than 32 bits count.
        payload[..4].copy_from_slice(&(publisher as u32).to_be_bytes());
        payload[4..NUMBER_BYTES].copy_from_slice(&self.publishers[publisher].next.to_be_bytes());
        payload.into()
    }

    /// That message went to the client under this token.
    pub(crate) fn on_sent(&mut self, publisher: usize, token: Token) {
        let publisher = &mut self.publishers[publisher];
        publisher.under_way.push_back((token, publisher.next));
        publisher.next += 1;
    }

    /// The broker answered.
    pub(crate) fn on_published(&mut self, publisher: usize, token: Token, reason: ReasonCode) -> Result<()> {
        let publisher = &mut self.publishers[publisher];
        let place = publisher.under_way.iter().position(|(other, _)| *other == token);
        let sent = place.and_then(|place| publisher.under_way.remove(place));
        let (_, number) = sent.context("the broker acknowledged a message that was never sent")?;
        if reason.is_failure() {
            self.refused += 1;
        } else {
            publisher.acknowledged.insert(number);
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// A subscriber got this payload.
    pub(crate) fn on_message(&mut self, payload: &[u8]) -> Result<()> {
        let (publisher, number) = parse(payload).context("a message arrived that nobody sent")?;
        let publisher = self.publishers.get_mut(publisher).context("a message of nobody arrived")?;
        if publisher.arrived.insert(number) {
            self.arrived += 1;
        } else {
            self.again += 1;
        }
        Ok(())
    }

    /// Messages that were acknowledged and have not arrived.
    pub(crate) fn lost(&self) -> u64 {
        self.publishers.iter().map(|publisher| publisher.acknowledged.count_without(&publisher.arrived)).sum()
    }
}

fn parse(payload: &[u8]) -> Option<(usize, u32)> {
    let (publisher, rest) = payload.split_first_chunk::<4>()?;
    let (number, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*publisher) as usize, u32::from_be_bytes(*number)))
}

#[cfg(test)]
mod tests {
    use hearth_protocol::connection::{Client, ClientOptions};
    use hearth_protocol::packet::Publish;
    use hearth_protocol::{QoS, Text, Time, TopicName};

    use super::*;

    fn tokens(count: usize) -> Vec<Token> {
        let mut client = Client::new(ClientOptions::new(Text::try_from("c").unwrap()));
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: TopicName::new(Text::try_from("t").unwrap()).unwrap(),
            packet_id: None,
            payload: Bytes::new(),
            properties: None,
        };
        (0..count).map(|_| client.publish(Time::ZERO, publish.clone()).unwrap()).collect()
    }

    #[test]
    fn lost_is_what_was_acknowledged_and_did_not_arrive() {
        let mut tally = Tally::new(2);
        let tokens = tokens(70);
        let mut payloads = Vec::new();
        for token in &tokens {
            payloads.push(tally.payload(1, 16));
            tally.on_sent(1, *token);
        }
        assert_eq!((tally.sent(), tally.lost()), (70, 0), "nothing was promised yet");
        for token in tokens.iter().rev().skip(1) {
            tally.on_published(1, *token, ReasonCode::Success).unwrap();
        }
        tally.on_published(1, tokens[69], ReasonCode::QuotaExceeded).unwrap();
        assert_eq!((tally.acknowledged, tally.refused, tally.lost()), (69, 1, 69));
        for payload in &payloads[2..] {
            tally.on_message(payload).unwrap();
        }
        tally.on_message(&payloads[5]).unwrap();
        assert_eq!((tally.arrived, tally.again, tally.lost()), (68, 1, 2));
        assert!(tally.on_message(b"not ours").is_err());
        assert!(tally.on_published(0, tokens[0], ReasonCode::Success).is_err());
    }
}
