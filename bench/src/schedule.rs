//! When the messages of an open loop are due, whatever becomes of those before.

use std::time::Duration;

/// Steps in which messages are due: a finer clock would be the generator's load.
pub(crate) const STEP: Duration = Duration::from_micros(250);

/// When the messages of an open loop are due.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Messages a second.
    rate: f64,
    /// Messages in all.
    messages: u64,
    /// The next one.
    pub(crate) next: u64,
}

impl Schedule {
    /// So many messages a second for some time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive count far below 2^52"
    )]
    pub(crate) fn new(rate: f64, time: Duration) -> Self {
        Self { rate, messages: (rate * time.as_secs_f64()).round() as u64, next: 0 }
    }

    /// Whether all were due.
    pub(crate) const fn is_over(&self) -> bool {
        self.next >= self.messages
    }

    /// The next message that is due by now, and when it was: at the end of its step.
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    pub(crate) fn pop(&mut self, elapsed: Duration) -> Option<(u64, Duration)> {
        let due = Duration::from_secs_f64(self.next as f64 / self.rate);
        let step = STEP.as_nanos();
        let due = Duration::from_nanos(u64::try_from(due.as_nanos().div_ceil(step) * step).ok()?);
        if self.is_over() || due > elapsed {
            return None;
        }
        self.next += 1;
        Some((self.next - 1, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_was_held_up_sends_late_what_was_due_and_says_when_it_was() {
        let mut schedule = Schedule::new(1000.0, Duration::from_millis(10));
        assert_eq!(schedule.pop(Duration::ZERO), Some((0, Duration::ZERO)));
        assert_eq!(schedule.pop(Duration::from_micros(900)), None);
        let held_up = Duration::from_millis(5);
        let late: Vec<_> = std::iter::from_fn(|| schedule.pop(held_up)).collect();
        assert_eq!(late.first(), Some(&(1, Duration::from_millis(1))));
        assert_eq!(late.last(), Some(&(5, Duration::from_millis(5))));
        let rest = std::iter::from_fn(|| schedule.pop(Duration::from_secs(1))).count();
        assert_eq!((rest, schedule.is_over()), (4, true));
    }

    #[test]
    fn messages_of_one_step_are_due_together() {
        let mut schedule = Schedule::new(40_000.0, Duration::from_secs(1));
        assert_eq!(schedule.pop(Duration::ZERO), Some((0, Duration::ZERO)));
        assert_eq!(schedule.pop(STEP / 2), None);
        let together: Vec<_> = std::iter::from_fn(|| schedule.pop(STEP)).collect();
        assert_eq!(together.len(), 10);
        assert!(together.iter().all(|(_, due)| *due == STEP));
    }
}
