//! A broker under comparison: started by its recipe on free ports, measured, ended.

mod recipe;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hearth_protocol::Version;

use recipe::Filling;
pub(crate) use recipe::Recipe;

use crate::accounting;
use crate::swarm::Door;
use crate::traffic::Way;

/// How long a broker may take until it listens everywhere.
const START_MAX: Duration = Duration::from_secs(20);
/// How often that is tried.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of a broker's last words that are shown.
const LAST_WORDS_BYTES: usize = 2000;

/// A recipe whose program was found.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) recipe: Recipe,
    program: PathBuf,
}

/// A running broker. Its process and folder go when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    installed: Installed,
    folder: PathBuf,
    child: Child,
    tcp: SocketAddr,
    tcp5: SocketAddr,
    ws: SocketAddr,
}

impl Installed {
    /// Those of the recipes whose programs are there, and the names of the others.
    pub(crate) fn find(
        recipes: Vec<Recipe>,
        programs: &BTreeMap<String, PathBuf>,
    ) -> (Vec<Self>, Vec<String>) {
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for recipe in recipes {
            match recipe.find(programs) {
                Some(program) => found.push(Self { recipe, program }),
                None => absent.push(recipe.name),
            }
        }
        (found, absent)
    }

    /// For people.
    pub(crate) fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Whether it can be spoken to so.
    pub(crate) fn has_door(&self, version: Version, way: Way) -> bool {
        self.recipe.speaks(version)
            && match way {
                Way::Tcp => true,
                // Which versions a WebSocket of rumqttd has stands nowhere; the oldest one is there.
                Way::WebSocket => {
                    self.recipe.web_socket.is_some() && !(self.recipe.has_tcp5 && version.is_v5())
                }
            }
    }

    /// What it says of its version: the first word with digits and points.
    pub(crate) fn version(&self) -> Option<String> {
        let filling =
            Filling { program: &self.program, folder: Path::new(""), tcp: 0, tcp5: 0, ws: 0, spare: 0 };
        let mut words = self.recipe.version.iter().map(|word| filling.fill(word));
        let mut command = without_our_settings(Command::new(words.next()?));
        let output = command.args(words).stdin(Stdio::null()).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        version_in(&String::from_utf8_lossy(&text))
    }
}

impl Peer {
    /// Starts it with a new folder inside of this one.
    pub(crate) fn start(installed: &Installed, parent: &Path) -> Result<Self> {
        let folder = parent.join(format!("peer-{}", std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let [tcp, tcp5, ws, spare] = free_ports()?;
        let program = &installed.program;
        let filling = Filling { program, folder: &folder, tcp, tcp5, ws, spare };
        for (name, text) in &installed.recipe.files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap_or(&folder))?;
            fs::write(file, filling.fill(text))?;
        }
        let child = spawn(&installed.recipe, &filling)?;
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let installed = installed.clone();
        let mut peer = Self { installed, folder, child, tcp: at(tcp), tcp5: at(tcp5), ws: at(ws) };
        peer.wait_until_ready()?;
        Ok(peer)
    }

    /// Where it is spoken to so.
    pub(crate) fn door(&self, version: Version, way: Way) -> Door {
        let Recipe { has_tcp5, web_socket, .. } = &self.installed.recipe;
        match way {
            Way::Tcp if *has_tcp5 && version.is_v5() => self.tcp5.into(),
            Way::Tcp => self.tcp.into(),
            Way::WebSocket => Door { address: self.ws, path: web_socket.clone() },
        }
    }

    /// Processor time since its start.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        accounting::cpu(self.child.id())
    }

    /// Bytes of memory that it has now.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        accounting::resident_bytes(self.child.id())
    }

    /// The most that it ever had.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        accounting::peak_bytes(self.child.id())
    }

    /// What it said last, for an error.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LAST_WORDS_BYTES)..];
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let Recipe { name, has_tcp5, web_socket, .. } = self.installed.recipe.clone();
        let doors = [Some(self.tcp), has_tcp5.then_some(self.tcp5), web_socket.map(|_| self.ws)];
        let deadline = Instant::now() + START_MAX;
        for door in doors.into_iter().flatten() {
            while TcpStream::connect(door).is_err() {
                if let Some(status) = self.child.try_wait()? {
                    bail!("{name} ended at its start ({status}): {}", self.last_words());
                }
                if Instant::now() > deadline {
                    let words = self.last_words();
                    bail!("{name} did not listen at {door} within {} s: {words}", START_MAX.as_secs());
                }
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A process that cannot be killed has ended, and the next start removes what is left of the folder.
        let _ended = self.child.kill();
        let _status = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(recipe: &Recipe, filling: &Filling<'_>) -> Result<Child> {
    let mut words = recipe.command.iter().map(|word| filling.fill(word));
    let program = words.next().context("a command names no program")?;
    let mut command = without_our_settings(Command::new(program));
    command.args(words).current_dir(filling.folder);
    command.envs(recipe.environment.iter().map(|(name, value)| (name, filling.fill(value))));
    let log = File::create(filling.folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// What is set for a Hearth of this person is not meant for the one that is measured.
fn without_our_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HEARTH_")) {
        command.env_remove(name);
    }
    command
}

/// Nobody else takes them on a machine that is left alone; if somebody does, the start fails and says so.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn version_in(text: &str) -> Option<String> {
    let is_version =
        |word: &&str| word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let words = text.split(|sign: char| sign.is_whitespace() || ",/()".contains(sign));
    words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| is_version(&word.trim_end_matches('.')))
        .map(|word| word.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_word_of_digits_and_points() {
        assert_eq!(
            version_in("mosquitto version 2.0.11\n\nmosquitto is an MQTT 3.1.1 broker"),
            Some("2.0.11".into())
        );
        assert_eq!(version_in("rmqtt/v0.24.0 rustc/1.95.0"), Some("0.24.0".into()));
        assert_eq!(version_in("no such option"), None);
    }

    #[test]
    fn free_ports_are_different_ones() {
        let [one, two, three] = free_ports().unwrap();
        assert!(one != two && two != three && one != three);
    }
}
