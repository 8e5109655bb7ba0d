//! Telling a person what is being done and how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Does `work` between a line that says what it is and a line that says how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("{what} …"));
    let start = Instant::now();
    let done = work()?;
    say(&format!("{what}: done in {}", seconds(start.elapsed())));
    Ok(done)
}

/// A line of xtask's own, apart from the output of what it runs.
pub(crate) fn say(line: &str) {
    eprintln!("[xtask] {line}");
}

/// A duration as a person reads it.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 90 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_minutes_once_seconds_get_long() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(89)), "89.0 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
