//! A broker with little memory to give away.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Plan;

/// How long a broker may take until it can be connected to.
const START_MAX: Duration = Duration::from_secs(60);

/// Bytes that Hearth may hold for clients.
pub(super) const HELD_MIB: u64 = 64;

/// Which broker.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contender {
    Hearth,
    /// Its queues bounded in bytes as Hearth's memory is.
    Mosquitto,
}

/// A running broker. Its folder and the process go when this is dropped.
#[derive(Debug)]
pub(super) struct Broker {
    child: Child,
    folder: PathBuf,
    pub(super) address: SocketAddr,
}

impl Contender {
    pub(super) const ALL: [Self; 2] = [Self::Hearth, Self::Mosquitto];

    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hearth => "Hearth, `held_bytes_max` 64 MiB",
            Self::Mosquitto => "Mosquitto, `max_queued_bytes` 64 MiB",
        }
    }

    /// Starts it on a free port, without a store.
    pub(super) fn start(self, plan: &Plan) -> Result<Broker> {
        let folder = plan.folder.join(format!("hearth-overload-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Nobody else takes it on a machine that is left alone; if somebody does, the start fails and says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = match self {
            Self::Hearth => {
                let mut command = Command::new(&plan.hearth);
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("HEARTH_") {
                        command.env_remove(name);
                    }
                }
                command.args(["--mqtt", &address.to_string(), "--http", "none", "--ws", "none"]);
                command.args(["--log", "error", "--durability", "none", "--data"]).arg(&folder);
                command.env("HEARTH_LIMITS_HELD_BYTES_MAX", format!("{HELD_MIB} MiB"));
                command.env("HEARTH_LIMITS_QUEUED_BYTES_MAX", "16 GiB");
                command
            }
            Self::Mosquitto => {
                let file = folder.join("mosquitto.conf");
                let configuration = format!(
                    "listener {} {}\nallow_anonymous true\nuser root\nlog_type error\nlog_dest stderr\npersistence false\n\
                     set_tcp_nodelay true\nmax_inflight_messages 1024\nmax_queued_messages 0\nmax_queued_bytes {}\n",
                    address.port(),
                    address.ip(),
                    HELD_MIB << 20
                );
                fs::write(&file, configuration)?;
                let mut command = Command::new(&plan.mosquitto);
                command.arg("-c").arg(file);
                command
            }
        };
        let log = File::create(folder.join("log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.name()))?;
        let mut broker = Broker { child, folder, address };
        broker.wait_until_ready()?;
        Ok(broker)
    }
}

impl Broker {
    /// Processor time since its start, of all threads, in user and system mode.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The name may hold anything, blanks too, and ends with the last bracket; utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").context("a stat without a name")?;
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0)).sum();
        Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// The most memory that it ever had, in MiB.
    pub(super) fn peak_mib(&self) -> Result<f64> {
        let status = self.proc("status")?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        let kib: f64 = kib.context("a status without VmHWM")?.parse()?;
        Ok(kib / 1024.0)
    }

    fn proc(&self, name: &str) -> Result<String> {
        let file = format!("/proc/{}/{name}", self.child.id());
        fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("it ended at its start ({status}): {}", log.trim());
            }
            if Instant::now() > deadline {
                bail!("it did not listen within {} s", START_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
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
