//! What the broker holds in memory for its clients, and what it does about too much of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hearth_protocol::Time;

/// What one shard holds. Alone in its cache line, since every shard reads all of them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Account {
    /// Bytes of the messages that this shard has made and somebody holds yet, on whichever shard.
    messages: AtomicUsize,
    /// Bytes of what refers to messages here, and of output that sockets have not taken.
    rest: AtomicUsize,
}

/// Enters the bytes of a message into an account for as long as there is the message.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

/// How a shard stands to `limits.held_bytes_max`.
///
/// Nobody waits for ever: publishers wait only while what is held becomes less. When it does not, those who hold it are stuck
/// or away, or are publishers themselves whose acknowledgements stand behind their messages; then everything is read
/// again, and what would have to be held is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pressure {
    /// There is room.
    #[default]
    None,
    /// Publishers are not read.
    Pausing,
    /// Everybody is read, and nothing more is held for those who are not ready for it.
    Refusing,
}

/// Decides about [`Pressure`] by what is held.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    pressure: Pressure,
    /// When it was looked at last.
    looked_at: Time,
    /// While publishers are not read: when, and how much was held.
    progress: (Time, usize),
}

/// How long publishers wait without a sign that it helps.
const PATIENCE: Duration = Duration::from_secs(1);

/// The part of the bound by which less must be held after [`PATIENCE`]: 1/64, so that they wait for ten seconds at most.
const PROGRESS_PART: usize = 64;

/// The part of the bound by which less must be held before it is over: 1/8, so that it does not begin anew at once.
const ROOM_PART: usize = 8;

/// How often it is looked at while publishers wait, and no turn comes for another reason.
const LOOK: Duration = Duration::from_millis(100);

impl Account {
    /// Notes down what is held beside messages.
    pub(crate) fn set_rest(&self, bytes: usize) {
        // A sum that nothing else is published by, as all of them here.
        self.rest.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.messages.load(Ordering::Relaxed).saturating_add(self.rest.load(Ordering::Relaxed))
    }
}

impl Charge {
    pub(crate) fn new(account: &Arc<Account>, bytes: usize) -> Self {
        account.messages.fetch_add(bytes, Ordering::Relaxed);
        Self { account: Arc::clone(account), bytes }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.messages.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Pressure {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::None, Self::Pausing, Self::Refusing];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pausing => "pausing",
            Self::Refusing => "refusing",
        }
    }
}

impl Gauge {
    pub(crate) const fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// Whether it is worth looking again; once a millisecond is enough.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now > self.looked_at
    }

    /// When to look if nothing else happens.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        match self.pressure {
            Pressure::Pausing => Some(self.looked_at.saturating_add(LOOK)),
            Pressure::None | Pressure::Refusing => None,
        }
    }

    /// So many bytes are held, of so many that may be; the new state if it is another one.
    pub(crate) fn look(&mut self, now: Time, held: usize, held_max: usize) -> Option<Pressure> {
        self.looked_at = now;
        let has_room = held < held_max - held_max / ROOM_PART;
        let next = match self.pressure {
            Pressure::None if held >= held_max => Pressure::Pausing,
            Pressure::Pausing | Pressure::Refusing if has_room => Pressure::None,
            Pressure::Pausing if now.saturating_since(self.progress.0) >= PATIENCE => {
                let is_less = held.saturating_add(held_max / PROGRESS_PART) < self.progress.1;
                self.progress = (now, held);
                if is_less { Pressure::Pausing } else { Pressure::Refusing }
            }
            same @ (Pressure::None | Pressure::Pausing | Pressure::Refusing) => same,
        };
        if next == self.pressure {
            return None;
        }
        self.pressure = next;
        self.progress = (now, held);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_wait_while_it_becomes_less_and_are_read_again_when_there_is_room() {
        let mut gauge = Gauge::default();
        let mut look = |millis, held| gauge.look(Time::from_millis(millis), held, 6400);
        assert_eq!(look(1, 6399), None);
        assert_eq!(look(2, 6400), Some(Pressure::Pausing));
        assert_eq!(look(900, 6300), None);
        assert_eq!(look(1002, 6200), None, "200 less in a second");
        assert_eq!(look(1900, 5601), None);
        assert_eq!(look(1901, 5599), Some(Pressure::None));
        assert_eq!(look(1902, 6399), None);
    }

    #[test]
    fn nobody_waits_for_who_does_not_read() {
        let mut gauge = Gauge::default();
        let mut look = |millis, held| gauge.look(Time::from_millis(millis), held, 6400);
        assert_eq!(look(5, 9000), Some(Pressure::Pausing));
        assert_eq!(look(1004, 8990), None);
        assert_eq!(look(1005, 8990), Some(Pressure::Refusing));
        assert_eq!(look(90_000, 8990), None);
        assert_eq!(look(90_001, 5599), Some(Pressure::None));
    }

    #[test]
    fn a_message_is_entered_for_as_long_as_it_is_held() {
        let account = Arc::new(Account::default());
        let (one, two) = (Charge::new(&account, 10), Charge::new(&account, 32));
        account.set_rest(100);
        assert_eq!(account.bytes(), 142);
        drop(one);
        assert_eq!(account.bytes(), 132);
        drop(two);
        assert_eq!(account.bytes(), 100);
    }
}
