//! A tap on a switch and what became of it: pending until the device echoes the state, then confirmed or failed.

use std::time::Duration;

use hearth_protocol::{ReasonCode, Time};

/// How long a device may take to report its new state. Longer than a sleepy radio device needs, shorter than a
/// person's patience.
pub const ECHO_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a command came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The device did not report the wanted state in [`ECHO_TIMEOUT`].
    NoAnswer,
    /// The broker knows of nobody who listens to the command topic.
    NobodyListens,
    /// The broker refused the command.
    Refused(ReasonCode),
    /// The connection broke before the device answered.
    Offline,
}

/// Where a switch stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// Nothing is under way: the reported state is what counts.
    #[default]
    Settled,
    /// Sent and not yet echoed.
    Pending {
        /// The wanted state.
        target: bool,
        /// When patience ends.
        deadline: Time,
    },
    /// Came to nothing; the reported state still counts.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The person wants this state.
    Tap {
        /// The wanted state.
        target: bool,
    },
    /// The device reported a state.
    Echo {
        /// The reported state.
        on: bool,
    },
    /// The broker answered the publication.
    Answered(ReasonCode),
    /// Time passed.
    Tick,
    /// The connection broke.
    LinkLost,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Publish the command for this state.
    Publish {
        /// The wanted state.
        target: bool,
    },
}

impl Command {
    /// The next state, and what to do.
    #[must_use]
    pub fn reduce(self, input: Input, now: Time) -> (Self, Option<Effect>) {
        let next = match (self, input) {
            (Self::Pending { .. }, Input::Tap { .. }) => self,
            (Self::Settled | Self::Failed { .. }, Input::Tap { target }) => {
                let deadline = now.saturating_add(ECHO_TIMEOUT);
                return (Self::Pending { target, deadline }, Some(Effect::Publish { target }));
            }
            (Self::Pending { target, .. }, Input::Echo { on }) if on == target => Self::Settled,
            // The old state, reported once more on the way, decides nothing.
            (Self::Pending { .. }, Input::Echo { .. }) => self,
            (Self::Failed { .. }, Input::Echo { .. }) => Self::Settled,
            (Self::Pending { .. }, Input::Answered(ReasonCode::NoMatchingSubscribers)) => {
                Self::Failed { failure: Failure::NobodyListens }
            }
            (Self::Pending { .. }, Input::Answered(reason)) if reason.is_failure() => {
                Self::Failed { failure: Failure::Refused(reason) }
            }
            (Self::Pending { deadline, .. }, Input::Tick) if now >= deadline => {
                Self::Failed { failure: Failure::NoAnswer }
            }
            (Self::Pending { .. }, Input::LinkLost) => Self::Failed { failure: Failure::Offline },
            (Self::Pending { .. }, Input::Answered(_) | Input::Tick)
            | (Self::Settled, Input::Echo { .. })
            | (Self::Settled | Self::Failed { .. }, Input::Answered(_) | Input::Tick | Input::LinkLost) => {
                self
            }
        };
        (next, None)
    }

    /// When [`Input::Tick`] is due.
    pub const fn poll_timeout(self) -> Option<Time> {
        match self {
            Self::Pending { deadline, .. } => Some(deadline),
            Self::Settled | Self::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_millis(1000);
    const LATE: Time = Time::from_millis(6000);

    fn tapped() -> Command {
        let (command, effect) = Command::Settled.reduce(Input::Tap { target: true }, START);
        assert_eq!(effect, Some(Effect::Publish { target: true }));
        command
    }

    fn after(command: Command, input: Input, now: Time) -> Command {
        let (next, effect) = command.reduce(input, now);
        assert_eq!(effect, None);
        next
    }

    #[test]
    fn a_tap_is_pending_until_the_device_echoes_it() {
        let command = tapped();
        assert_eq!(command.poll_timeout(), Some(LATE));
        assert_eq!(after(command, Input::Answered(ReasonCode::Success), START), command);
        assert_eq!(after(command, Input::Echo { on: false }, START), command);
        assert_eq!(after(command, Input::Echo { on: true }, START), Command::Settled);
    }

    #[test]
    fn a_device_that_stays_silent_fails_at_the_deadline_and_not_before() {
        let command = tapped();
        assert_eq!(after(command, Input::Tick, Time::from_millis(5999)), command);
        assert_eq!(after(command, Input::Tick, LATE), Command::Failed { failure: Failure::NoAnswer });
    }

    #[test]
    fn the_broker_can_end_the_wait() {
        for (reason, failure) in [
            (ReasonCode::NoMatchingSubscribers, Failure::NobodyListens),
            (ReasonCode::NotAuthorized, Failure::Refused(ReasonCode::NotAuthorized)),
        ] {
            assert_eq!(after(tapped(), Input::Answered(reason), START), Command::Failed { failure });
        }
        assert_eq!(after(tapped(), Input::LinkLost, START), Command::Failed { failure: Failure::Offline });
    }

    #[test]
    fn a_failure_ends_with_the_next_report_or_the_next_tap() {
        let failed = Command::Failed { failure: Failure::NoAnswer };
        assert_eq!(after(failed, Input::Echo { on: false }, START), Command::Settled);
        let (again, effect) = failed.reduce(Input::Tap { target: false }, START);
        assert_eq!(effect, Some(Effect::Publish { target: false }));
        assert!(matches!(again, Command::Pending { target: false, .. }));
    }

    #[test]
    fn a_second_tap_while_pending_sends_nothing() {
        let command = tapped();
        assert_eq!(after(command, Input::Tap { target: false }, START), command);
    }
}
