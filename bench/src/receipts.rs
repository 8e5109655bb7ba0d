//! Which of the messages that were sent arrived, at each of those who were to get them.

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::bits::Bits;

/// Bytes at the start of a payload: who sent which message, and when in nanoseconds.
pub(crate) const STAMP_BYTES: usize = 16;

/// What says a payload which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) publisher: u32,
    /// Counts the messages of the publisher from 0.
    pub(crate) number: u32,
    /// When it was to be sent, since the origin of the crowd.
    pub(crate) due_nanos: u64,
}

/// The books of a crowd.
#[derive(Debug)]
pub(crate) struct Receipts {
    /// Subscribers that get each message.
    copies: usize,
    sent_by_publisher: Vec<u32>,
    /// For each publisher, and where there are copies for each subscriber of it, what arrived.
    lanes: Vec<Bits>,
    /// Messages that arrived, each counted once for everybody who gets it.
    pub(crate) arrived: u64,
    /// Those that arrived once more.
    pub(crate) again: u64,
}

impl Stamp {
    /// A payload of so many bytes, that of a stamp at least.
    pub(crate) fn payload(self, bytes: usize) -> Bytes {
        let mut payload = vec![b'.'; bytes.max(STAMP_BYTES)];
        payload[..4].copy_from_slice(&self.publisher.to_be_bytes());
        payload[4..8].copy_from_slice(&self.number.to_be_bytes());
        payload[8..STAMP_BYTES].copy_from_slice(&self.due_nanos.to_be_bytes());
        payload.into()
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let (publisher, rest) = payload.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (due, _) = rest.split_first_chunk()?;
        Some(Self {
            publisher: u32::from_be_bytes(*publisher),
            number: u32::from_be_bytes(*number),
            due_nanos: u64::from_be_bytes(*due),
        })
    }
}

impl Receipts {
    /// Nothing was sent by so many publishers, whose messages go to so many subscribers each.
    pub(crate) fn new(publishers: usize, copies: usize) -> Self {
        let lanes = (0..publishers * copies).map(|_| Bits::default()).collect();
        Self { copies, sent_by_publisher: vec![0; publishers], lanes, arrived: 0, again: 0 }
    }

    /// Messages that are yet to arrive, or never do.
    pub(crate) fn missing(&self) -> u64 {
        (self.sent() * self.copies as u64).saturating_sub(self.arrived)
    }

    /// Messages that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent_by_publisher.iter().copied().map(u64::from).sum()
    }

    /// The stamp of a publisher's next message, which counts as sent.
    pub(crate) fn send(&mut self, publisher: usize, due_nanos: u64) -> Stamp {
        let next = &mut self.sent_by_publisher[publisher];
        // There are fewer publishers than 32 bits count.
        let stamp = Stamp { publisher: publisher as u32, number: *next, due_nanos };
        *next += 1;
        stamp
    }

    /// A subscriber got this; the stamp, and whether it got it for the first time.
    ///
    /// # Errors
    /// Nobody sent it, or not to this subscriber.
    pub(crate) fn receive(&mut self, subscriber: usize, payload: &[u8]) -> Result<(Stamp, bool)> {
        let stamp = Stamp::parse(payload).context("a message arrived that nobody sent")?;
        let publisher = stamp.publisher as usize;
        let sent = self.sent_by_publisher.get(publisher).context("a message of nobody arrived")?;
        if stamp.number >= *sent {
            anyhow::bail!("a message arrived before it was sent");
        }
        let lane = if self.copies == 1 { publisher } else { publisher * self.copies + subscriber };
        let lane = self.lanes.get_mut(lane).context("a message arrived at a subscriber of something else")?;
        let is_new = lane.insert(stamp.number);
        if is_new {
            self.arrived += 1;
        } else {
            self.again += 1;
        }
        Ok((stamp, is_new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_and_what_is_doubled_is_counted_for_each_subscriber() {
        let mut receipts = Receipts::new(1, 3);
        let payloads: Vec<_> = (0..10).map(|time| receipts.send(0, time).payload(64)).collect();
        assert_eq!((receipts.sent(), receipts.missing()), (10, 30));
        for subscriber in 0..3 {
            for payload in payloads.iter().skip(subscriber) {
                receipts.receive(subscriber, payload).unwrap();
            }
        }
        let (stamp, is_new) = receipts.receive(2, &payloads[9]).unwrap();
        assert_eq!((stamp.number, stamp.due_nanos, is_new), (9, 9, false));
        assert_eq!((receipts.arrived, receipts.again, receipts.missing()), (27, 1, 3));
    }

    #[test]
    fn a_message_of_a_pair_may_come_in_any_order() {
        let mut receipts = Receipts::new(2, 1);
        let payloads: Vec<_> = (0..200).map(|_| receipts.send(1, 0).payload(16)).collect();
        for payload in payloads.iter().rev() {
            assert!(receipts.receive(7, payload).unwrap().1);
        }
        assert_eq!((receipts.arrived, receipts.again, receipts.missing()), (200, 0, 0));
    }

    #[test]
    fn what_nobody_sent_is_refused() {
        let mut receipts = Receipts::new(1, 1);
        let of_another = Stamp { publisher: 3, number: 0, due_nanos: 0 };
        let of_the_future = Stamp { publisher: 0, number: 0, due_nanos: 0 };
        for payload in [&b"short"[..], &of_another.payload(16), &of_the_future.payload(16)] {
            assert!(receipts.receive(0, payload).is_err());
        }
    }
}
