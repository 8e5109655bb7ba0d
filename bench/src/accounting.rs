//! What the kernel says that a process has used: processor time and memory.

use std::fs;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of a process since its start, of all threads, in user and system mode; in steps of a clock tick.
pub(crate) fn ticked_cpu(process: u32) -> Result<Duration> {
    let file = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let ticks = ticks(&stat).with_context(|| format!("{file} is not what the kernel writes"))?;
    Ok(Duration::from_secs(1) * u32::try_from(ticks)?
        / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// The same in nanoseconds, of those threads that live: the scheduler's own count, where the kernel keeps it.
pub(crate) fn cpu(process: u32) -> Result<Duration> {
    let folder = format!("/proc/{process}/task");
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => sum += run_time(&text).context("a schedstat without a run time")?,
            // A thread that ended in between, or a kernel that does not keep this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {folder}")),
        }
    }
    if sum.is_zero() { ticked_cpu(process) } else { Ok(sum) }
}

/// Bytes of memory that it has now.
pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    status_bytes(process, "VmRSS:")
}

/// The most that it ever had.
pub(crate) fn peak_bytes(process: u32) -> Result<u64> {
    status_bytes(process, "VmHWM:")
}

fn status_bytes(process: u32, name: &str) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    kib_of(&status, name).map(|kib| kib << 10).with_context(|| format!("{file} has no {name}"))
}

/// The name may hold anything, blanks and brackets too, and ends with the last bracket; utime and stime are fields 14
/// and 15 (proc(5)).
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The first of three figures: time on a processor, in nanoseconds.
fn run_time(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn kib_of(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_move_the_fields() {
        let stat = "7 (a ) 1 2) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 10";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn the_run_time_is_the_first_figure() {
        assert_eq!(run_time("1500 9 3\n"), Some(Duration::from_nanos(1500)));
        assert_eq!(run_time(""), None);
    }

    #[test]
    fn memory_is_found_by_its_name() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!((kib_of(status, "VmRSS:"), kib_of(status, "VmHWM:")), (Some(1024), Some(2048)));
        assert_eq!(kib_of(status, "VmSwap:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_time_and_memory() {
        let process = std::process::id();
        while cpu(process).unwrap().is_zero() {
            std::hint::spin_loop();
        }
        let (now, peak) = (resident_bytes(process).unwrap(), peak_bytes(process).unwrap());
        assert!(now > 0 && peak > 0);
    }
}
