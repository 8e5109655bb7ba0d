//! What the operating system says about this process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Memory, time and files of the process at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OwnProcess {
    /// Bytes that are in memory now.
    pub(crate) resident_bytes: u64,
    /// The most that ever were.
    pub(crate) resident_bytes_peak: u64,
    /// Time that all of its threads have used of a core.
    pub(crate) cpu: Duration,
    /// Files and sockets that are open.
    pub(crate) open_files: u64,
}

impl OwnProcess {
    /// Asks for it; `None` on systems other than Linux, which have no `/proc`.
    pub(crate) fn look() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self {
            resident_bytes: kibibytes(&status, "VmRSS:")? * 1024,
            resident_bytes_peak: kibibytes(&status, "VmHWM:")? * 1024,
            cpu: cpu(&stat)?,
            // The one that is open to count them is one too many.
            open_files: (std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1),
        })
    }
}

/// The time of day `uptime` ago, in seconds since 1970.
pub(crate) fn started_at(uptime: Duration) -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(uptime).as_secs_f64()
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// User and system time, in the hundredths of a second that Linux counts in on every architecture of ours.
fn cpu(stat: &str) -> Option<Duration> {
    // The name of the program stands in parentheses and may hold anything; fields 14 and 15 of all are 12 and 13 behind it.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut ticks = behind.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = ticks.next()?.ok()? + ticks.next()?.ok()?;
    Some(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 4 0 100 9000 2000 18446744";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2048));
        assert_eq!(cpu("7 (short) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_open_files() {
        let process = OwnProcess::look().unwrap();
        assert!(process.resident_bytes > 0 && process.resident_bytes_peak >= process.resident_bytes / 2);
        assert!(process.open_files >= 3, "{process:?}");
    }
}
