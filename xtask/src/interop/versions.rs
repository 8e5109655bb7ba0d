//! The versions that were tried: as pinned, or as found on this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// How the line begins that another machine may write differently.
pub(super) const FOUND: &str = "Found on the machine that wrote this page:";

/// Version numbers.
#[derive(Debug, Default)]
pub(super) struct Versions {
    mosquitto_tools: String,
    mosquitto_broker: String,
    paho_mqtt: String,
    mqtt_js: String,
    rumqttc: String,
}

impl Versions {
    /// Reads the lists of pinned packages, and asks Mosquitto's programs.
    pub(super) fn find(workspace: &Workspace, mosquitto: &Path) -> Result<Self> {
        let read = |path: &str| {
            fs::read_to_string(workspace.root.join(path)).with_context(|| format!("cannot read {path}"))
        };
        // Asked who they are, both answer and end as if they were called wrongly.
        let ask = |program: &OsStr, flag: &str| {
            let output = workspace.command(program).arg(flag).output();
            let output = output.with_context(|| format!("cannot start {}", program.display()))?;
            anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let tools = ask(OsStr::new("mosquitto_sub"), "--version")?;
        let broker = ask(mosquitto.as_os_str(), "-h")?;
        Ok(Self {
            mosquitto_tools: after(&tools, "version ").context("mosquitto_sub does not tell its version")?,
            mosquitto_broker: after(&broker, "version ").context("mosquitto does not tell its version")?,
            paho_mqtt: after(&read("tests/requirements.txt")?, "paho-mqtt==")
                .context("tests/requirements.txt pins no paho-mqtt")?,
            mqtt_js: after(&read("tests/package.json")?, "\"mqtt\": \"")
                .context("tests/package.json pins no mqtt")?,
            rumqttc: after(&read("Cargo.lock")?, "name = \"rumqttc\"\nversion = \"")
                .context("Cargo.lock has no rumqttc")?,
        })
    }

    /// The line about those that the checkout pins.
    pub(super) fn pinned(&self) -> String {
        let Self { paho_mqtt, mqtt_js, rumqttc, .. } = self;
        format!("Pinned: paho-mqtt {paho_mqtt}, MQTT.js {mqtt_js} and rumqttc {rumqttc}.")
    }

    /// The line about those that the distribution chooses, which begins with [`FOUND`].
    pub(super) fn found(&self) -> String {
        let Self { mosquitto_tools, mosquitto_broker, .. } = self;
        format!(
            "{FOUND} mosquitto_pub, mosquitto_sub and mosquitto_rr {mosquitto_tools}, and the broker Mosquitto \
             {mosquitto_broker}."
        )
    }
}

/// The version number behind the first occurrence of `mark`.
fn after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let number: String = rest.chars().take_while(|it| it.is_ascii_digit() || *it == '.').collect();
    let number = number.trim_end_matches('.');
    (!number.is_empty()).then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_behind_its_mark() {
        let told = "mosquitto_sub version 2.0.11 running on libmosquitto 2.0.11.\n";
        assert_eq!(after(told, "version ").as_deref(), Some("2.0.11"));
        assert_eq!(after("paho-mqtt==2.2.0\n", "paho-mqtt==").as_deref(), Some("2.2.0"));
        assert_eq!(after("mosquitto version", "version "), None);
        assert_eq!(after("version x", "version "), None);
    }
}
