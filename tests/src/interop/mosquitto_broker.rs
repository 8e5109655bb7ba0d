//! Mosquitto as the broker, for our own client.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{PATIENCE, Process};

/// Where Debian has it, which is not on everybody's PATH.
const USUAL_PLACE: &str = "/usr/sbin/mosquitto";

/// A running Mosquitto that keeps nothing.
pub struct MosquittoBroker {
    tcp: SocketAddr,
    web_socket: SocketAddr,
    process: Process,
    // Dropped last.
    _folder: TempDir,
}

impl MosquittoBroker {
    /// Starts it on free ports of loopback.
    #[track_caller]
    pub fn start() -> Self {
        // It takes no port 0: ports that were free a moment ago are the best there is.
        const TRIES: usize = 10;
        (0..TRIES).find_map(|_| Self::try_start()).expect("Mosquitto starts on free ports")
    }

    pub fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    pub fn web_socket(&self) -> SocketAddr {
        self.web_socket
    }

    fn try_start() -> Option<Self> {
        let [tcp, web_socket] = [(), ()]
            .map(|()| TcpListener::bind("127.0.0.1:0").unwrap())
            .map(|listener| listener.local_addr().unwrap());
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("mosquitto.conf");
        let text = format!(
            "listener {} {}\nlistener {} {}\nprotocol websockets\n\
             allow_anonymous true\npersistence false\nlog_dest stderr\n",
            tcp.port(),
            tcp.ip(),
            web_socket.port(),
            web_socket.ip(),
        );
        fs::write(&settings, text).unwrap();
        let process = Process::start("mosquitto", Command::new(executable()).arg("-c").arg(settings));
        let mut broker = Self { tcp, web_socket, process, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while [tcp, web_socket].iter().any(|address| TcpStream::connect(address).is_err()) {
            if broker.process.wait_status(Duration::from_millis(5)).is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "Mosquitto does not listen: {}", broker.process.stderr());
        }
        Some(broker)
    }
}

/// The broker's program: what `cargo xtask test` found or fetched.
fn executable() -> PathBuf {
    let told = std::env::var_os("HEARTH_MOSQUITTO").map(PathBuf::from);
    let path = told.unwrap_or_else(|| PathBuf::from(USUAL_PLACE));
    let is_there = Path::new(&path).is_file();
    assert!(is_there, "there is no Mosquitto at {}; run `cargo xtask test`, which finds it", path.display());
    path
}
