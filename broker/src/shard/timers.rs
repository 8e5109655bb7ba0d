//! Deadlines, in whole seconds: one table for all.

use std::collections::BTreeMap;
use std::time::Duration;

use hearth_protocol::{ReasonCode, Text, Time};

use super::Shard;
use crate::effect::EndReason;
use crate::faults::{self, Fault};
use crate::ids::{ConnectionId, SessionId};
use crate::limits::Limit;

/// What a deadline is for. One that has moved or gone is seen when it comes, not before: nothing is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// CONNECT must have come.
    Connect(ConnectionId),
    /// A client that authenticates again must have done so.
    Renewal(ConnectionId),
    /// The client must have sent something.
    KeepAlive(ConnectionId),
    /// A will is due, or a session without a connection is over.
    Session(SessionId),
}

/// Timers by the second in which they are due.
///
/// A timer outlives the connection or session that it was set for by [`HOP_MAX`] at most, however far its
/// deadline was: clients that come and go leave no heap of them behind.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_second: BTreeMap<u64, Vec<Timer>>,
}

/// The farthest that a timer is set; whoever finds a deadline beyond sets the next one.
const HOP_MAX: Duration = Duration::from_secs(300);

/// How soon a client that is not read is looked at again.
const PAUSED: Duration = Duration::from_secs(1);

impl Timers {
    /// Due at `at` or up to a second later, so that those of one second share a wake-up. When `at` is far it is
    /// due earlier; the time is returned.
    pub(super) fn set(&mut self, now: Time, at: Time, timer: Timer) -> Time {
        let at = at.min(now.saturating_add(HOP_MAX));
        self.by_second.entry(at.as_millis().div_ceil(1000)).or_default().push(timer);
        at
    }

    #[cfg(any(test, feature = "generate"))]
    pub(super) fn len(&self) -> usize {
        self.by_second.values().map(Vec::len).sum()
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
        self.timers.poll_timeout().into_iter().chain(self.gauge.poll_timeout()).min()
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.handle_turn_begin(now);
        while let Some(due) = self.timers.poll(now) {
            for timer in due {
                match timer {
                    Timer::Connect(id) => self.on_connect_due(id),
                    Timer::Renewal(id) => self.on_renewal_due(now, id),
                    Timer::KeepAlive(id) => self.on_keep_alive_due(now, id),
                    Timer::Session(id) => self.on_session_due(now, id),
                }
            }
        }
        self.release_if_due(now);
    }

    fn on_connect_due(&mut self, id: ConnectionId) {
        let Some(connection) = self.connection(id).filter(|connection| connection.session.is_none()) else {
            return;
        };
        let seconds = self.shared.limits.connect_seconds_max;
        let client_id = connection.applicant().map_or(Text::EMPTY, |applicant| applicant.client_id.clone());
        let is_applicant = connection.applicant().is_some();
        self.limited_early(id, client_id, Limit::ConnectTime);
        if is_applicant {
            self.on_admission_due(id);
        } else {
            let detail = format!("no CONNECT came within {seconds} s (3.1.4)");
            self.refuse(id, None, ReasonCode::ProtocolError, detail);
        }
    }

    fn on_keep_alive_due(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connection(id) else { return };
        let Some(deadline) = connection.protocol.poll_timeout() else { return };
        if connection.is_paused {
            // What it says is not heard, by no fault of its own.
            self.timers.set(now, now.saturating_add(PAUSED), Timer::KeepAlive(id));
            return;
        }
        if deadline <= now {
            if !faults::has(Fault::SilenceAllowed) {
                self.end_connection(now, id, EndReason::KeepAlive);
            }
        } else {
            self.timers.set(now, deadline, Timer::KeepAlive(id));
        }
    }

    /// Sees to it that somebody looks at a session without a connection when something of it is due.
    pub(super) fn watch_session(&mut self, now: Time, index: u32) {
        let session = &mut self.sessions[index];
        let Some(at) = session.will_due().into_iter().chain(session.expires_at).min() else { return };
        // One timer for the nearest deadline is enough: it finds out about the others.
        if session.timer_at.is_none_or(|timer_at| at < timer_at) {
            let id = session.id(index);
            session.timer_at = Some(self.timers.set(now, at, Timer::Session(id)));
        }
    }

    fn on_session_due(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.index) else { return };
        if session.id(id.index) != id || session.timer_at.is_some_and(|at| at > now) {
            // Another session's, or one that a nearer timer took the place of.
            return;
        }
        session.timer_at = None;
        if session.connection.is_some() {
            return;
        }
        if session.will_due().is_some_and(|at| at <= now) {
            self.publish_will(now, id.index);
        }
        if self.sessions[id.index].expires_at.is_some_and(|at| at <= now) {
            if faults::has(Fault::SessionKept) {
                return;
            }
            self.stats.sessions_expired += 1;
            self.end_session(now, id.index);
        } else {
            self.keep_session(now, id.index);
            self.watch_session(now, id.index);
        }
    }
}
