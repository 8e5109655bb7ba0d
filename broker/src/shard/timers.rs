//! Deadlines, in whole seconds: one table for all.

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_protocol::Time;

use super::Shard;
use crate::effect::EndReason;
use crate::ids::{ConnectionId, SessionId};

/// How long a transport may be up without CONNECT.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(10);

/// What a deadline is for. One that has moved or gone is seen when it comes, not before: nothing is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// CONNECT must have come.
    Connect(ConnectionId),
    /// The client must have sent something.
    KeepAlive(ConnectionId),
    /// A will is due, or a session without a connection is over.
    Session(SessionId),
}

/// Timers by the second in which they are due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_second: BTreeMap<u64, Vec<Timer>>,
}

impl Timers {
    /// Due at `at` or up to a second later, so that those of one second share a wake-up.
    pub(super) fn set(&mut self, at: Time, timer: Timer) {
        self.by_second.entry(at.as_millis().div_ceil(1000)).or_default().push(timer);
    }

    fn poll(&mut self, now: Time) -> Option<Vec<Timer>> {
        let entry = self.by_second.first_entry()?;
        (*entry.key() * 1000 <= now.as_millis()).then(|| entry.remove())
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.by_second.keys().next().map(|second| Time::from_millis(second * 1000))
    }
}

impl Shard {
    /// When [`Shard::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.poll_timeout()
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(due) = self.timers.poll(now) {
            for timer in due {
                match timer {
                    Timer::Connect(id) => self.on_connect_due(now, id),
                    Timer::KeepAlive(id) => self.on_keep_alive_due(now, id),
                    Timer::Session(id) => self.on_session_due(now, id),
                }
            }
        }
    }

    fn on_connect_due(&mut self, now: Time, id: ConnectionId) {
        if self.connection(id).is_some_and(|connection| connection.session.is_none()) {
            self.end_connection(now, id, EndReason::Lost);
        }
    }

    fn on_keep_alive_due(&mut self, now: Time, id: ConnectionId) {
        let Some(deadline) = self.connection(id).and_then(|connection| connection.protocol.poll_timeout())
        else {
            return;
        };
        if deadline <= now {
            self.end_connection(now, id, EndReason::KeepAlive);
        } else {
            self.timers.set(deadline, Timer::KeepAlive(id));
        }
    }

    fn on_session_due(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.index as usize) else { return };
        if session.serial != id.serial || session.connection.is_some() {
            return;
        }
        if session.will_at.is_some_and(|at| at <= now) {
            session.will_at = None;
            self.publish_will(now, id.index);
        }
        let session = &self.sessions[id.index as usize];
        if session.expires_at.is_some_and(|at| at <= now) {
            self.end_session(now, id.index);
        }
    }
}
