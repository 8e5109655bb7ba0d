//! The broker under test: started on free ports of loopback, ended with the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Ended, Process};

/// A running broker.
pub struct Hearth {
    process: Process,
    listeners: Vec<Listener>,
    unix_sockets: Vec<PathBuf>,
    // Dropped last: the process may still write there while it ends.
    data: Arc<TempDir>,
}

/// One `listening` line.
enum ReadyLine {
    Tcp(Listener),
    Unix(PathBuf),
}

/// A listener of TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub kind: String,
    pub address: SocketAddr,
}

/// The addresses of a broker that is no more, and its folder.
pub struct Stopped {
    addresses: [SocketAddr; 3],
    data: Arc<TempDir>,
}

/// A command line of the broker that is not running yet.
pub struct HearthCommand {
    command: Command,
    listener_count: usize,
}

impl Hearth {
    /// Two shards; MQTT over TCP, the web app and WebSocket, each on a free port.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    #[track_caller]
    pub fn start_with(more: &[&str]) -> Self {
        let addresses = ["127.0.0.1:0"; 3].map(|address| address.parse().unwrap());
        Self::start_on(addresses, more, Arc::new(TempDir::new().unwrap()))
    }

    /// The same with a folder that has something in it.
    #[track_caller]
    pub fn start_with_data(data: TempDir) -> Self {
        let addresses = ["127.0.0.1:0"; 3].map(|address| address.parse().unwrap());
        Self::start_on(addresses, &[], Arc::new(data))
    }

    /// Ends this broker; what comes back can start another on the same addresses.
    #[track_caller]
    pub fn stop(&mut self) -> Stopped {
        let stopped = self.ended();
        assert_eq!(
            self.terminate().status.code(),
            Some(0),
            "the broker ends well before it is started again"
        );
        stopped
    }

    /// The same, as a crash does.
    #[track_caller]
    pub fn crash(&mut self) -> Stopped {
        self.kill();
        self.ended()
    }

    fn ended(&self) -> Stopped {
        Stopped { addresses: [self.mqtt(), self.http(), self.ws()], data: Arc::clone(&self.data) }
    }

    #[track_caller]
    fn start_on([mqtt, http, ws]: [SocketAddr; 3], more: &[&str], data: Arc<TempDir>) -> Self {
        HearthCommand::new()
            .args(["--mqtt", &mqtt.to_string(), "--http", &http.to_string(), "--ws", &ws.to_string()])
            .args(["--shards", "2"])
            .args(more.iter().copied())
            .start_in(data)
    }

    /// Where MQTT over TCP listens.
    pub fn mqtt(&self) -> SocketAddr {
        self.address("mqtt")
    }

    /// Where the web app is served.
    pub fn http(&self) -> SocketAddr {
        self.address("http")
    }

    /// Where MQTT over WebSocket listens.
    pub fn ws(&self) -> SocketAddr {
        self.address("ws")
    }

    /// Where one port serves everything.
    pub fn one(&self) -> SocketAddr {
        self.address("one")
    }

    /// The first unix socket.
    pub fn unix_socket(&self) -> &Path {
        self.unix_sockets.first().expect("the broker listens on a unix socket")
    }

    /// Every listener of TCP in the order of its line.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    fn address(&self, kind: &str) -> SocketAddr {
        let listener = self.listeners.iter().find(|listener| listener.kind == kind);
        listener.unwrap_or_else(|| panic!("no {kind} listener among {:?}", self.listeners)).address
    }

    /// What it said on standard error so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Waits for a line of the log that has all of these in it, and gives it.
    #[track_caller]
    pub fn wait_for_log(&self, parts: &[&str]) -> String {
        self.process.wait_for_error_line(&format!("a log line with {parts:?}"), |line| {
            parts.iter().all(|part| line.contains(part)).then(|| line.to_owned())
        })
    }

    /// How many files and sockets the broker has open, where the system tells.
    pub fn open_files(&self) -> Option<usize> {
        let folder = format!("/proc/{}/fd", self.process.id());
        std::fs::read_dir(folder).ok().map(Iterator::count)
    }

    /// Bytes of memory that the broker holds, where the system tells.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next())?;
        Some(kib.parse::<u64>().expect("a number of kB") << 10)
    }

    /// Time of the processor that the broker has used, where the system tells.
    pub fn processor_time(&self) -> Option<Duration> {
        const TICKS_PER_SECOND: u64 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // The name of the program, in parentheses, may have blanks; behind it the times are the 12th and 13th field.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number of ticks"))
            .sum();
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Ends the broker as a crash does.
    #[track_caller]
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
    }

    /// Asks the broker to stop, as a service manager does, and waits until it did.
    #[track_caller]
    pub fn terminate(&mut self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Its folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Asks the broker to read its files again.
    pub fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// As [`Hearth::terminate`], with the signal of Ctrl-C.
    #[track_caller]
    pub fn interrupt(&mut self) -> Ended {
        self.process.signal(Signal::INT);
        self.process.wait()
    }
}

impl Drop for Hearth {
    fn drop(&mut self) {
        // A thread that panics need not end the process, and its clients may be nobody whom the test watches.
        let has_panicked = self.process.stderr().contains("panicked at");
        assert!(std::thread::panicking() || !has_panicked, "the broker panicked:\n{}", self.process.stderr());
    }
}

impl Stopped {
    /// Starts a broker on the addresses of the one that was, which knows nothing of it.
    #[track_caller]
    pub fn start(self) -> Hearth {
        Hearth::start_on(self.addresses, &[], Arc::new(TempDir::new().unwrap()))
    }

    /// Starts it again, with its folder.
    #[track_caller]
    pub fn start_again(self) -> Hearth {
        Hearth::start_on(self.addresses, &[], self.data)
    }
}

impl HearthCommand {
    /// The bare command, without the environment's own settings of the broker.
    pub fn new() -> Self {
        Self::of(Command::new(executable()))
    }

    /// The same where no file may become larger than so many blocks of 512 bytes, as on a full disk.
    #[cfg(unix)]
    pub fn with_little_room(blocks: u32) -> Self {
        let mut command = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.arg("-c").arg(script).arg(executable());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        for (name, _value) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEARTH_") {
                command.env_remove(name);
            }
        }
        // A broker must not print a backtrace for a mistake of its user even where the variable asks for it.
        command.env("RUST_BACKTRACE", "1").env("NO_COLOR", "1");
        Self { command, listener_count: 0 }
    }

    /// The same with another program in its place.
    pub fn of_program(program: &Path) -> Self {
        let command = Self::new();
        let mut other = Command::new(program);
        for (name, value) in command.command.get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        Self { command: other, ..command }
    }

    /// Adds arguments.
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut is_listener = false;
        for argument in arguments {
            self.command.arg(argument);
            if is_listener && argument != "none" {
                self.listener_count += 1;
            }
            is_listener = ["--mqtt", "--http", "--ws", "--one"].contains(&argument);
        }
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// How many listeners the environment or a file brings, beside those of the flags.
    pub fn with_more_listeners(mut self, count: usize) -> Self {
        self.listener_count += count;
        self
    }

    /// Starts the broker and waits for the line of each listener.
    #[track_caller]
    pub fn start(self) -> Hearth {
        self.start_in(Arc::new(TempDir::new().unwrap()))
    }

    /// Starts the broker in a folder and waits for nothing.
    #[track_caller]
    pub fn spawn_in(mut self, data: &Path) -> Process {
        self.command.arg("--data").arg(data);
        Process::start("hearth", &mut self.command)
    }

    #[track_caller]
    fn start_in(self, data: Arc<TempDir>) -> Hearth {
        let listener_count = self.listener_count;
        let process = self.spawn_in(data.path());
        let mut cursor = 0;
        let (mut listeners, mut unix_sockets) = (Vec::new(), Vec::new());
        for _ in 0..listener_count {
            match process.wait_for_line(&mut cursor, "a `listening` line", ReadyLine::read) {
                ReadyLine::Tcp(listener) => listeners.push(listener),
                ReadyLine::Unix(path) => unix_sockets.push(path),
            }
        }
        Hearth { process, listeners, unix_sockets, data }
    }

    /// Runs the command to its end, with a line on its standard input.
    #[track_caller]
    pub fn run_with_line(mut self, line: &str) -> Ended {
        let mut process = Process::start("hearth", &mut self.command);
        process.write_line(line);
        process.wait()
    }

    /// Runs the command to its end.
    #[track_caller]
    pub fn run(mut self) -> Ended {
        Process::start("hearth", &mut self.command).wait()
    }
}

impl ReadyLine {
    /// Reads `listening KIND ADDRESS`.
    fn read(line: &str) -> Option<Self> {
        let (kind, address) = line.strip_prefix("listening ")?.split_once(' ')?;
        if let Some(path) = address.strip_prefix("unix:") {
            return Some(Self::Unix(PathBuf::from(path)));
        }
        Some(Self::Tcp(Listener { kind: kind.to_owned(), address: address.parse().ok()? }))
    }
}

/// The broker's program: what `cargo xtask test` built, or else what cargo builds now in this profile.
fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        if let Some(path) = std::env::var_os("HEARTH_BIN") {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "HEARTH_BIN names {}, which is no file", path.display());
            return path;
        }
        let own = std::env::current_exe().unwrap();
        let profile_folder = own.parent().and_then(Path::parent).unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "hearth", "--bin", "hearth"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile_folder.ends_with("release") {
            build.arg("--release");
        }
        let path = profile_folder.join("hearth");
        let built = build.status().is_ok_and(|status| status.success());
        assert!(
            built && path.is_file(),
            "there is no broker at {} and cargo did not build it; run `cargo xtask test`",
            path.display()
        );
        path
    })
}
