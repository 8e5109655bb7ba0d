//! A publication that is repeated: how often and how fast at most, and what became of all of them.

use super::outcome::Outcome;

/// More times would be a load generator; a page is closed before.
pub const TIMES_MAX: u32 = 100_000;

/// Browsers do not fire timers reliably more often than this, in milliseconds.
pub const EVERY_MS_MIN: u32 = 10;

/// An hour, in milliseconds.
pub const EVERY_MS_MAX: u32 = 3_600_000;

/// Publications without an answer after which the next ones wait: half of the client's queue, which others use too.
const UNANSWERED_MAX: u32 = 100;

/// How often and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many times in all.
    pub times: u32,
    /// Milliseconds from one to the next.
    pub every_ms: u32,
}

/// What is wrong with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Not a whole number from 1 to [`TIMES_MAX`].
    Times,
    /// Not a whole number from [`EVERY_MS_MIN`] to [`EVERY_MS_MAX`].
    Every,
}

impl Plan {
    /// Reads what was typed.
    ///
    /// # Errors
    /// The number that is out of its bounds.
    pub fn parse(times: &str, every_ms: &str) -> Result<Self, PlanError> {
        let number = |typed: &str| typed.trim().parse::<u32>().ok();
        let times = number(times).filter(|times| (1..=TIMES_MAX).contains(times)).ok_or(PlanError::Times)?;
        let every_ms = number(every_ms)
            .filter(|every| (EVERY_MS_MIN..=EVERY_MS_MAX).contains(every))
            .ok_or(PlanError::Every)?;
        Ok(Self { times, every_ms })
    }
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It does.
    Running,
    /// All were sent.
    Done,
    /// A person stopped it.
    Stopped,
    /// One could not be sent at all.
    Broken,
}

impl Phase {
    /// The word for tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Broken => "broken",
        }
    }
}

/// A repetition under way or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What was asked for.
    pub plan: Plan,
    /// Whether it goes on.
    pub phase: Phase,
    /// Handed to the connection.
    pub sent: u32,
    /// Acknowledged by the broker.
    pub acknowledged: u32,
    /// Acknowledged, with nobody subscribed.
    pub unheard: u32,
    /// Refused, or without an answer when the connection broke.
    pub failed: u32,
    unanswered: u32,
}

impl Run {
    /// Nothing was sent yet.
    pub const fn new(plan: Plan) -> Self {
        Self { plan, phase: Phase::Running, sent: 0, acknowledged: 0, unheard: 0, failed: 0, unanswered: 0 }
    }

    /// The timer has fired: whether one is to be sent now. Without answers the broker is given time.
    pub fn poll_send(&self) -> bool {
        self.phase == Phase::Running && self.sent < self.plan.times && self.unanswered < UNANSWERED_MAX
    }

    /// One was sent, or could not be.
    pub fn on_sent(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(_) => {
                self.failed += 1;
                self.phase = Phase::Broken;
                return;
            }
            Outcome::Sending => self.unanswered += 1,
            Outcome::Sent | Outcome::Acknowledged | Outcome::NobodyListens => {}
        }
        self.sent += 1;
        if self.sent == self.plan.times {
            self.phase = Phase::Done;
        }
    }

    /// The broker answered one.
    pub fn on_answer(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Acknowledged => self.acknowledged += 1,
            Outcome::NobodyListens => self.unheard += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Sending | Outcome::Sent => return,
        }
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// The connection broke.
    pub fn on_lost(&mut self) {
        self.failed += self.unanswered;
        self.unanswered = 0;
        if self.phase == Phase::Running {
            self.phase = Phase::Broken;
        }
    }

    /// A person stops it.
    pub fn stop(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopped;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::outcome::Failure;

    #[test]
    fn a_plan_has_bounds() {
        assert_eq!(Plan::parse(" 10 ", "1000"), Ok(Plan { times: 10, every_ms: 1000 }));
        for (times, every, error) in [
            ("0", "1000", PlanError::Times),
            ("100001", "1000", PlanError::Times),
            ("", "1000", PlanError::Times),
            ("1", "9", PlanError::Every),
            ("1", "3600001", PlanError::Every),
            ("1", "1.5", PlanError::Every),
        ] {
            assert_eq!(Plan::parse(times, every), Err(error), "{times} {every}");
        }
    }

    #[test]
    fn it_ends_after_its_times_and_counts_the_answers_that_come_later() {
        let mut run = Run::new(Plan { times: 3, every_ms: 10 });
        while run.poll_send() {
            run.on_sent(&Outcome::Sending);
        }
        assert_eq!((run.sent, run.phase), (3, Phase::Done));
        for outcome in [Outcome::Acknowledged, Outcome::NobodyListens, Outcome::Failed(Failure::Unknown)] {
            run.on_answer(&outcome);
        }
        assert_eq!((run.acknowledged, run.unheard, run.failed), (1, 1, 1));
    }

    #[test]
    fn it_waits_for_a_broker_that_does_not_answer() {
        let mut run = Run::new(Plan { times: TIMES_MAX, every_ms: 10 });
        while run.poll_send() {
            run.on_sent(&Outcome::Sending);
        }
        assert_eq!((run.sent, run.phase), (UNANSWERED_MAX, Phase::Running));
        run.on_answer(&Outcome::Acknowledged);
        assert!(run.poll_send());
        run.on_lost();
        assert_eq!((run.failed, run.phase), (UNANSWERED_MAX - 1, Phase::Broken));
        assert!(!run.poll_send());
    }

    #[test]
    fn it_ends_when_it_is_stopped_or_one_cannot_be_sent() {
        let mut run = Run::new(Plan { times: 5, every_ms: 10 });
        run.on_sent(&Outcome::Sent);
        run.stop();
        assert_eq!((run.poll_send(), run.phase), (false, Phase::Stopped));
        let mut run = Run::new(Plan { times: 5, every_ms: 10 });
        run.on_sent(&Outcome::Failed(Failure::Offline));
        assert_eq!((run.poll_send(), run.phase, run.sent), (false, Phase::Broken, 0));
    }
}
