//! The chore `measure`: resident memory and start time of the release program.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::shown;
use crate::server::{self, Profile};
use crate::step::step;
use crate::workspace::Workspace;

/// Starts whose median is told.
const STARTS: usize = 21;
/// How long the server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(10);
/// The budgets of the design.
const MEMORY_BUDGET_KIB: u64 = 12 * 1024;
const START_BUDGET_MS: f64 = 50.0;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on free ports of this machine that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct RunningServer {
    child: Child,
    data: PathBuf,
    /// Where the web app is served.
    pub(crate) http: SocketAddr,
    /// From the start of the process until the last listener was ready.
    start: Duration,
}

/// Prints the table.
pub(crate) fn measure(workspace: &Workspace) -> Result<()> {
    let program = server::build(workspace, Profile::Release)?;
    let mut starts = Vec::new();
    step(&format!("starting it {STARTS} times"), || {
        for _ in 0..STARTS {
            starts.push(RunningServer::start(&program)?.start);
        }
        Ok(())
    })?;
    starts.sort();
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let hearth = RunningServer::start(&program)?;
    let memory =
        step(&format!("loading the web app, then leaving it alone for {} s", IDLE.as_secs()), || {
            load_web_app(workspace, &hearth)?;
            std::thread::sleep(IDLE);
            resident_kib(hearth.child.id())
        })?;
    println!("{:<52}{:>12}{:>12}", "", "measured", "budget");
    println!(
        "{:<52}{:>9.1} ms{START_BUDGET_MS:>9.0} ms",
        format!("start to listening, median of {STARTS}"),
        milliseconds(starts[STARTS / 2])
    );
    println!("{:<52}{:>9.1} ms", "start to listening, slowest", milliseconds(starts[STARTS - 1]));
    println!(
        "{:<52}{:>8} KiB{MEMORY_BUDGET_KIB:>8} KiB",
        "resident memory, idle after the web app was loaded", memory.all
    );
    println!("{:<52}{:>8} KiB", "  of it not shared with the program's file", memory.anonymous);
    Ok(())
}

impl RunningServer {
    /// Starts a program and waits until it listens.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        static STARTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("hearth-xtask-{}-{number}", std::process::id()));
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if ["HEARTH_", "XTASK_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let anywhere = "127.0.0.1:0";
        command.args(["--mqtt", anywhere, "--http", anywhere, "--ws", anywhere, "--log", "warn", "--data"]);
        command.arg(&data).stdin(Stdio::null()).stdout(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", shown(&command)))?;
        let output = child.stdout.take().context("the server's output cannot be read")?;
        let (http, start) = match wait_for_listeners(output, begin) {
            Ok(found) => found,
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error.context(format!("`{}` does not listen", shown(&command))));
            }
        };
        Ok(Self { child, data, http, start })
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // A process that cannot be killed has ended, and a folder that cannot be removed was never made.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _removed = fs::remove_dir_all(&self.data);
    }
}

fn wait_for_listeners(output: impl Read, begin: Instant) -> Result<(SocketAddr, Duration)> {
    let mut http = None;
    let mut ready = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        let Some((kind, address)) = line.strip_prefix("listening ").and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        ready += 1;
        if kind == "http" {
            http = Some(address.parse()?);
        }
        if ready == 3
            && let Some(http) = http
        {
            return Ok((http, begin.elapsed()));
        }
    }
    bail!("it ended before all three listeners were ready")
}

/// Fetches every file of the web app once, as a browser would.
fn load_web_app(workspace: &Workspace, hearth: &RunningServer) -> Result<()> {
    fetch(hearth.http, "/", "br")?;
    for entry in workspace.web_dist().read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "index.html" {
            fetch(hearth.http, &format!("/{name}"), "br")?;
        }
    }
    Ok(())
}

/// Fetches a page and gives the bytes of its body as they came over the wire.
pub(crate) fn fetch(server: SocketAddr, path: &str, encoding: &str) -> Result<usize> {
    let what = format!("http://{server}{path} with encoding {encoding}");
    let mut stream = TcpStream::connect(server).with_context(|| format!("cannot reach {what}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("cannot read {what}"))?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.with_context(|| format!("{what} gave no HTTP answer"))?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{what} gave status {status}");
    }
    Ok(answer.len() - end - 4)
}

#[derive(Debug)]
struct Memory {
    all: u64,
    anonymous: u64,
}

fn resident_kib(process: u32) -> Result<Memory> {
    let path = format!("/proc/{process}/status");
    let status =
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}, which only Linux has"))?;
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().nth(1));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("{path} has no {name}"))
    };
    Ok(Memory { all: field("VmRSS")?, anonymous: field("RssAnon")? })
}
