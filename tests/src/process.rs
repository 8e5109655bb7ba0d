//! A child process whose lines a test waits for, and which ends with the test.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a condition may take before a test gives up: far above what a busy machine of two cores needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running program with its output, line by line.
pub struct Process {
    name: String,
    child: Child,
    stdin: Mutex<Option<ChildStdin>>,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

/// What a program left when it ended by itself.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Default)]
struct Lines {
    state: Mutex<LinesState>,
    grown: Condvar,
}

#[derive(Default)]
struct LinesState {
    lines: Vec<String>,
    ended: bool,
}

impl Process {
    /// Starts `command`; `name` is what messages call it.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => panic!(
                "cannot start {:?}: {error}; run `cargo xtask test`, which installs what the tests need",
                command.get_program()
            ),
        };
        let stdin = Mutex::new(child.stdin.take());
        let stdout = Arc::new(Lines::default());
        let stderr = Arc::new(Lines::default());
        let readers = vec![
            read_lines(child.stdout.take().unwrap(), Arc::clone(&stdout)),
            read_lines(child.stderr.take().unwrap(), Arc::clone(&stderr)),
        ];
        Self { name: name.to_owned(), child, stdin, stdout, stderr, readers }
    }

    /// Writes a line to the standard input.
    #[track_caller]
    pub fn write_line(&self, line: &str) {
        self.try_write_line(line).expect("the program reads its input");
    }

    /// Writes a line to the standard input of a program that may have ended.
    pub fn try_write_line(&self, line: &str) -> std::io::Result<()> {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let stdin = stdin.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{line}").and_then(|()| stdin.flush())
    }

    /// Waits for the first line of standard output, at or after the cursor, that `wanted` takes; the cursor
    /// then stands behind it.
    #[track_caller]
    pub fn wait_for_line<T>(
        &self,
        cursor: &mut usize,
        what: &str,
        wanted: impl FnMut(&str) -> Option<T>,
    ) -> T {
        match self.stdout.find(cursor, wanted) {
            Ok(found) => found,
            Err(why) => {
                panic!("waited for {what} from {}: {why}; its errors end:\n{}", self.name, self.stderr.tail())
            }
        }
    }

    /// The first line of standard output, at or after the cursor, that `wanted` takes, or why there is none; the cursor
    /// then stands behind it.
    pub fn find_line<T>(
        &self,
        cursor: &mut usize,
        wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, &'static str> {
        self.stdout.find(cursor, wanted)
    }

    /// How many lines of standard output there are: the cursor of one who waits for later ones.
    pub fn line_count(&self) -> usize {
        self.stdout.state.lock().unwrap().lines.len()
    }

    /// Waits for the first line of standard error, from the start of the program on, that `wanted` takes.
    #[track_caller]
    pub fn wait_for_error_line<T>(&self, what: &str, wanted: impl FnMut(&str) -> Option<T>) -> T {
        match self.stderr.find(&mut 0, wanted) {
            Ok(found) => found,
            Err(why) => panic!("waited for {what} from {}: {why}", self.name),
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Sends a signal to this one process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // The only failure is that the process has ended, and then there is nothing left to tell it.
        let _ended = kill_process(pid, signal);
    }

    /// Waits for the program to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> Ended {
        drop(self.stdin.lock().unwrap().take());
        let Some(status) = self.wait_status(PATIENCE) else {
            panic!("waited for the end of {}: it still runs", self.name);
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Ended { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// The exit status, if the program ends within `patience`.
    pub fn wait_status(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            // The end of a child gives no wake-up that safe code could wait for.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- standard output of {} (its end):\n{}", self.name, self.stdout.tail());
            eprintln!("--- standard error of {} (its end):\n{}", self.name, self.stderr.tail());
        }
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        self.signal(Signal::TERM);
        if self.wait_status(Duration::from_secs(5)).is_none() {
            self.signal(Signal::KILL);
            let _status = self.child.wait();
        }
    }
}

impl Lines {
    fn find<T>(
        &self,
        cursor: &mut usize,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, &'static str> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        loop {
            while *cursor < state.lines.len() {
                *cursor += 1;
                if let Some(found) = wanted(&state.lines[*cursor - 1]) {
                    return Ok(found);
                }
            }
            if state.ended {
                return Err("its output ended");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("nothing of the kind came in time");
            }
            state = self.grown.wait_timeout(state, left).unwrap().0;
        }
    }

    fn text(&self) -> String {
        let state = self.state.lock().unwrap();
        state.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    fn tail(&self) -> String {
        const LINES_MAX: usize = 40;
        let state = self.state.lock().unwrap();
        let first = state.lines.len().saturating_sub(LINES_MAX);
        state.lines[first..].iter().flat_map(|line| [line, "\n"]).collect()
    }
}

fn read_lines(output: impl Read + Send + 'static, lines: Arc<Lines>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            lines.state.lock().unwrap().lines.push(line);
            lines.grown.notify_all();
            bytes.clear();
        }
        lines.state.lock().unwrap().ended = true;
        lines.grown.notify_all();
    })
}
