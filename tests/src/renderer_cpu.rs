//! The processor time that a browser's pages take, as the system tells it.

use std::time::Duration;

/// Processor time, user and system.
#[derive(Clone, Copy)]
pub struct Cpu {
    /// Of all threads.
    pub process: Duration,
    /// Of the one that runs the page's script.
    pub main_thread: Duration,
}

impl Cpu {
    /// Of a process, while it is there.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            process: time_in(&format!("/proc/{pid}/stat"))?,
            main_thread: time_in(&format!("/proc/{pid}/task/{pid}/stat"))?,
        })
    }
}

/// The processor time, user and system, in a file of the form of `/proc/PID/stat`.
fn time_in(path: &str) -> Option<Duration> {
    const TICKS_PER_SECOND: u64 = 100;
    let stat = std::fs::read_to_string(path).ok()?;
    // The name of the program, in parentheses, may have blanks; behind it the times are the 12th and 13th field.
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = times.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Every process that shows a page, of browsers that descend from this test.
pub fn cpu_of_renderers() -> Vec<(u32, Cpu)> {
    let pids = std::fs::read_dir("/proc").expect("the benchmark needs /proc").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_renderer = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("--type=renderer") && descends_from_this(*pid)
    };
    pids.filter(is_renderer).filter_map(|pid| Some((pid, Cpu::of(pid)?))).collect()
}

fn descends_from_this(mut pid: u32) -> bool {
    while pid > 1 {
        if pid == std::process::id() {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent =
            stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    false
}
