//! How a broker is started, as a file says it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hearth_protocol::Version;
use serde::Deserialize;

/// Those that come with the benchmark.
const BUILT_IN: &str = include_str!("peers.toml");

/// What may stand between braces.
const PLACEHOLDERS: [&str; 6] = ["program", "folder", "tcp", "tcp5", "ws", "spare"];

/// One broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// For people, and `--only`.
    pub(crate) name: String,
    /// What is looked for: with `--program`, then on PATH. Without it the command needs nothing found.
    pub(crate) program: Option<String>,
    /// The command that starts it. It must not leave its process, which is what is measured.
    pub(crate) command: Vec<String>,
    /// A command whose output says its version.
    #[serde(default)]
    pub(crate) version: Vec<String>,
    /// The versions of MQTT that it speaks: `3.1.1`, `5`.
    pub(crate) versions: Vec<String>,
    /// Whether version 5 has a port of its own, `{tcp5}`.
    #[serde(default)]
    pub(crate) has_tcp5: bool,
    /// The path of its WebSocket, if it has one.
    pub(crate) web_socket: Option<String>,
    /// Files in its folder.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// Its environment, beside ours without that of Hearth.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipes {
    peer: Vec<Recipe>,
}

/// What the placeholders of a recipe stand for.
#[derive(Clone, Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) program: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) tcp: u16,
    pub(crate) tcp5: u16,
    pub(crate) ws: u16,
    pub(crate) spare: u16,
}

impl Recipe {
    /// Those that come with the benchmark.
    pub(crate) fn built_in() -> Result<Vec<Self>> {
        Self::parse(BUILT_IN)
    }

    /// Those of a file.
    pub(crate) fn read(file: &Path) -> Result<Vec<Self>> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} does not say how brokers are started", file.display()))
    }

    fn parse(text: &str) -> Result<Vec<Self>> {
        let Recipes { peer } = toml::from_str(text)?;
        for recipe in &peer {
            recipe.check().with_context(|| format!("the peer {:?}", recipe.name))?;
        }
        Ok(peer)
    }

    /// Where its program is, if it is installed.
    pub(crate) fn find(&self, programs: &BTreeMap<String, PathBuf>) -> Option<PathBuf> {
        let name = self.program.as_ref().or_else(|| self.command.first())?;
        if let Some(path) = programs.get(name) {
            return Some(path.clone());
        }
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// Whether it speaks this version.
    pub(crate) fn speaks(&self, version: Version) -> bool {
        self.versions.iter().any(|name| version_of(name) == Some(version))
    }

    fn check(&self) -> Result<()> {
        if self.command.is_empty() {
            bail!("`command` names no program");
        }
        if let Some(name) = self.versions.iter().find(|name| version_of(name).is_none()) {
            bail!("`versions` has {name:?}; there are \"3.1.1\" and \"5\"");
        }
        if self.versions.is_empty() {
            bail!("`versions` names no version of MQTT");
        }
        let texts =
            self.files.values().chain(&self.command).chain(&self.version).chain(self.environment.values());
        for text in texts {
            if let Some(name) = unknown_placeholder(text) {
                bail!("nothing is put in for {{{name}}}; there are {PLACEHOLDERS:?}");
            }
        }
        if let Some(file) =
            self.files.keys().find(|file| Path::new(file).is_absolute() || file.contains(".."))
        {
            bail!("`files` has {file:?}, which is outside of its folder");
        }
        Ok(())
    }
}

impl Filling<'_> {
    /// The text with everything put in.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{program}", &self.program.display().to_string())
            .replace("{folder}", &self.folder.display().to_string())
            .replace("{tcp}", &self.tcp.to_string())
            .replace("{tcp5}", &self.tcp5.to_string())
            .replace("{ws}", &self.ws.to_string())
            .replace("{spare}", &self.spare.to_string())
    }
}

fn version_of(name: &str) -> Option<Version> {
    match name {
        "3.1.1" => Some(Version::V311),
        "5" => Some(Version::V5),
        _ => None,
    }
}

/// A word of small letters and digits between braces that is not one of ours; other text between braces is the broker's.
fn unknown_placeholder(text: &str) -> Option<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).find(|name| {
        let is_word =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        is_word && !PLACEHOLDERS.contains(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLASH: &str = r#"
        [[peer]]
        name = "FlashMQ"
        program = "flashmq"
        command = ["{program}", "--config-file", "{folder}/flash.conf"]
        versions = ["3.1.1", "5"]
        [peer.files]
        "flash.conf" = "listen { port {tcp} }"
    "#;

    #[test]
    fn the_peers_that_come_along_are_whole() {
        let names: Vec<_> = Recipe::built_in().unwrap().into_iter().map(|recipe| recipe.name).collect();
        assert_eq!(
            names,
            ["Hearth", "Hearth, one shard", "Mosquitto", "rumqttd", "rmqttd", "aedes", "floor"]
        );
    }

    #[test]
    fn a_peer_of_a_file_is_filled_in_and_found() {
        let recipe = Recipe::parse(FLASH).unwrap().remove(0);
        let program = PathBuf::from("/opt/flash");
        let filling =
            Filling { program: &program, folder: Path::new("/run/x"), tcp: 1, tcp5: 2, ws: 3, spare: 4 };
        let command: Vec<_> = recipe.command.iter().map(|word| filling.fill(word)).collect();
        assert_eq!(command, ["/opt/flash", "--config-file", "/run/x/flash.conf"]);
        assert_eq!(filling.fill(&recipe.files["flash.conf"]), "listen { port 1 }");
        let programs = BTreeMap::from([("flashmq".to_owned(), program.clone())]);
        assert_eq!(recipe.find(&programs), Some(program));
        assert_eq!(recipe.find(&BTreeMap::new()), None);
        assert!(recipe.speaks(Version::V5) && !recipe.has_tcp5 && recipe.web_socket.is_none());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        for (from, to, what) in [
            ("{program}", "{port}", "port"),
            ("\"5\"", "\"4\"", "3.1.1"),
            ("[\"3.1.1\", \"5\"]", "[]", "no version"),
            ("\"flash.conf\"", "\"/etc/flash.conf\"", "outside"),
            ("versions", "version_list", "version_list"),
        ] {
            let error = Recipe::parse(&FLASH.replace(from, to)).unwrap_err();
            assert!(format!("{error:#}").contains(what), "{error:#}");
        }
    }
}
