//! A broker under test: started on a free port of this machine, watched, killed, started again.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::accounting;

/// How long a broker may take until it can be connected to.
const START_MAX: Duration = Duration::from_secs(60);
/// How often that is tried.
const LOOK: Duration = Duration::from_micros(200);

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) hearth: PathBuf,
    pub(crate) mosquitto: PathBuf,
}

/// Which broker, and how it keeps what it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Hearth; the value of `durability`.
    Hearth(&'static str),
    /// Mosquitto.
    Mosquitto(Persistence),
}

/// When Mosquitto writes its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// After every change; it looks once a second.
    EveryChange,
    /// As it comes: every half hour.
    Default,
    /// Never.
    None,
}

/// A running broker. Its folder and the process go when this is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    subject: Subject,
    programs: Programs,
    folder: PathBuf,
    child: Child,
    /// Where it speaks MQTT.
    pub(crate) address: SocketAddr,
}

impl Subject {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Self; 6] = [
        Self::Hearth("fsync"),
        Self::Hearth("os"),
        Self::Hearth("none"),
        Self::Mosquitto(Persistence::EveryChange),
        Self::Mosquitto(Persistence::Default),
        Self::Mosquitto(Persistence::None),
    ];

    /// Mosquitto as it keeps things unless told otherwise.
    pub(crate) const MOSQUITTO: Self = Self::Mosquitto(Persistence::Default);

    /// For people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Hearth(durability) => format!("Hearth, `{durability}`"),
            Self::Mosquitto(Persistence::EveryChange) => "Mosquitto, autosave on changes".to_owned(),
            Self::Mosquitto(Persistence::Default) => "Mosquitto, persistence default".to_owned(),
            Self::Mosquitto(Persistence::None) => "Mosquitto, no persistence".to_owned(),
        }
    }

    fn command(self, programs: &Programs, folder: &Path, address: SocketAddr) -> Result<Command> {
        match self {
            Self::Hearth(durability) => {
                let mut command = Command::new(&programs.hearth);
                for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
                    command.env_remove(name);
                }
                command.args(["--mqtt", &address.to_string(), "--http", "none", "--ws", "none"]);
                command.args(["--log", "warn", "--durability", durability, "--data"]).arg(folder);
                command.env("HEARTH_LIMITS_QUEUED_MESSAGES_MAX", "100000000");
                command.env("HEARTH_LIMITS_QUEUED_BYTES_MAX", "16 GiB");
                Ok(command)
            }
            Self::Mosquitto(persistence) => {
                let file = folder.join("mosquitto.conf");
                fs::write(&file, configuration(persistence, folder, address))?;
                let mut command = Command::new(&programs.mosquitto);
                command.arg("-c").arg(file);
                Ok(command)
            }
        }
    }
}

impl Broker {
    /// Starts it on a free port with a new folder inside of this one.
    pub(crate) fn start(subject: Subject, programs: &Programs, parent: &Path) -> Result<Self> {
        let folder = parent.join(format!("hearth-bench-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Nobody else takes it on a machine that is left alone; if somebody does, the start fails and says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = spawn(subject, programs, &folder, address)?;
        let mut broker = Self { subject, programs: programs.clone(), folder, child, address };
        broker.wait_until_ready()?;
        Ok(broker)
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again where it was; from the start of the process until it can be connected to.
    pub(crate) fn start_again(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        self.child = spawn(self.subject, &self.programs, &self.folder, self.address)?;
        self.wait_until_ready()?;
        Ok(begin.elapsed())
    }

    /// Processor time since its start, of all threads, in user and system mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        accounting::ticked_cpu(self.child.id())
    }

    /// Bytes of memory that it has now.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        accounting::resident_bytes(self.child.id())
    }

    /// Bytes of all files in its folder.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.folder)? {
            match entry?.metadata() {
                Ok(metadata) => bytes += metadata.len(),
                // Mosquitto writes a new file and renames it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("{} ended at its start ({status}): {}", self.subject.name(), log.trim());
            }
            if Instant::now() > deadline {
                bail!("{} did not listen within {} s", self.subject.name(), START_MAX.as_secs());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A process that cannot be killed has ended, and the next start removes what is left of the folder.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(subject: Subject, programs: &Programs, folder: &Path, address: SocketAddr) -> Result<Child> {
    let mut command = subject.command(programs, folder, address)?;
    let log = File::create(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// The queues are as large as ours, so that neither drops what the other keeps.
fn configuration(persistence: Persistence, folder: &Path, address: SocketAddr) -> String {
    let autosave = match persistence {
        Persistence::EveryChange => "persistence true\nautosave_interval 1\nautosave_on_changes true\n",
        Persistence::Default => "persistence true\n",
        Persistence::None => "persistence false\n",
    };
    // It gives up root's rights and could not write the folder then.
    format!(
        "listener {} {}\nallow_anonymous true\nuser root\nlog_type error\nlog_dest stderr\nset_tcp_nodelay true\n\
         max_queued_messages 0\nmax_inflight_messages 1024\n{autosave}persistence_location {}/\n",
        address.port(),
        address.ip(),
        folder.display()
    )
}

fn is_setting(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("HEARTH_")
}
