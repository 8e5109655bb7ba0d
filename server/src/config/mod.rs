//! Settings: what was typed in four places, then what is meant.
//!
//! Defaults < TOML file < environment (`HEARTH_…`) < flags. Each place yields [`Typed`] values; one table,
//! [`SETTINGS`], says which settings there are, and [`Config`] is what the rest of the server reads.

mod address;
mod door;
mod environment;
mod error;
mod file;
mod history;
mod kind;
mod machine;
mod number;
mod origin;
mod reference;
mod server_reference;
mod setting;
mod table;
mod tree;
mod trusted_proxies;
mod typed;
mod web_brokers;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hearth_broker::{Limits, Options, Redirect};
use hearth_protocol::Text;

use crate::auth::{Anonymous, UsersFile};
use crate::store::Durability;

pub use address::ListenAddress;
pub use door::{DoorLimits, WRITE_PROGRESS_BYTES};
pub use error::ConfigError;
pub use history::{HistoryConfig, HistoryFilters};
pub use kind::Kind;
pub use machine::Machine;
pub use origin::AllowedOrigins;
pub use setting::Setting;
pub use table::SETTINGS;
pub use tree::TreeConfig;
pub use trusted_proxies::TrustedProxies;
pub use typed::{Place, Raw, Typed};
pub use web_brokers::WebBrokers;

/// What is meant: every setting, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folder for everything that outlives the process.
    pub data: PathBuf,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// Which log lines are written, in the syntax of `tracing_subscriber::EnvFilter`; known to parse.
    pub log: String,
    /// Threads that serve clients; at least one.
    pub shards: u16,
    /// Whether the simulated home runs.
    pub demo: bool,
    /// Where MQTT over TCP listens; empty: nowhere.
    pub mqtt: Vec<ListenAddress>,
    /// Where the web app is served; empty: nowhere.
    pub http: Vec<ListenAddress>,
    /// Where MQTT over WebSocket is served at any path; empty: nowhere.
    pub ws: Vec<ListenAddress>,
    /// Where MQTT, the web app and MQTT over WebSocket share a port; empty: nowhere.
    pub one: Vec<ListenAddress>,
    /// Permissions of the files of unix sockets.
    pub unix_permissions: u32,
    /// Other sites whose pages may connect through an `http` or `one` listener.
    pub http_allowed_origins: AllowedOrigins,
    /// Sites whose pages may connect through a `ws` listener.
    pub ws_allowed_origins: AllowedOrigins,
    /// The brokers that the web app may connect to beside its own.
    pub web_brokers: WebBrokers,
    /// The file of users, if somebody has named one.
    pub auth_users: Option<PathBuf>,
    /// Whether clients without a name are served.
    pub auth_anonymous: Anonymous,
    /// The proxies that say for whom they connect.
    pub trusted_proxies: TrustedProxies,
    /// The listeners to which they do.
    pub proxy_listeners: Vec<Kind>,
    /// Bounds of the broker.
    pub limits: Limits,
    /// Whether payloads are held against their payload format indicator.
    pub check_payload_format: bool,
    /// Whether birth certificates of Sparkplug are kept.
    pub sparkplug_certificates: bool,
    /// What response information begins with; empty: there is none.
    pub response_topic: String,
    /// The server reference for clients that are sent elsewhere; empty: none is.
    pub redirect_to: String,
    /// Whether every client is sent there.
    pub redirect_all: bool,
    /// Whether they are told to stay there.
    pub redirect_permanent: bool,
    /// Seconds between two updates of the `$SYS` topics; 0: there are none.
    pub sys_interval_seconds: u32,
    /// Which values are kept for later.
    pub history: HistoryConfig,
    /// How much the live tree holds.
    pub tree: TreeConfig,
    /// Bounds of the door.
    pub door: DoorLimits,
}

impl Config {
    /// What holds when nothing is set, on this machine.
    pub fn defaults(machine: &Machine) -> Self {
        Self {
            data: PathBuf::from("hearth-data"),
            durability: Durability::default(),
            log: "info".to_owned(),
            shards: machine.cores,
            demo: false,
            mqtt: machine.loopback(1883),
            http: machine.loopback(8080),
            ws: machine.loopback(9001),
            one: Vec::new(),
            unix_permissions: 0o660,
            http_allowed_origins: AllowedOrigins::default(),
            ws_allowed_origins: AllowedOrigins::default(),
            web_brokers: WebBrokers::default(),
            auth_users: None,
            auth_anonymous: Anonymous::default(),
            trusted_proxies: TrustedProxies::default(),
            proxy_listeners: Kind::ALL.to_vec(),
            limits: limits(machine),
            check_payload_format: false,
            sparkplug_certificates: true,
            response_topic: "responses".to_owned(),
            redirect_to: String::new(),
            redirect_all: false,
            redirect_permanent: false,
            sys_interval_seconds: 10,
            history: HistoryConfig::default(),
            tree: TreeConfig::default(),
            door: DoorLimits::default(),
        }
    }

    /// Lays the four places over each other.
    ///
    /// `file` is what `--config` said; without it `HEARTH_CONFIG` counts, and without that no file is read.
    pub fn load(
        machine: &Machine,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: Vec<Typed>,
    ) -> Result<Self, ConfigError> {
        let environment = environment::read(environment)?;
        let mut typed = Vec::new();
        if let Some(path) = file.map(Path::to_path_buf).or(environment.file) {
            typed = file::read(&path)?;
        }
        typed.extend(environment.typed);
        typed.extend(flags);
        Self::defaults(machine).with(machine, &typed)
    }

    /// What a file alone means, for `hearth check-config`.
    pub fn load_file(machine: &Machine, path: &Path) -> Result<Self, ConfigError> {
        Self::defaults(machine).with(machine, &file::read(path)?)
    }

    /// The same with what was typed; a later one replaces an earlier one.
    pub fn with(mut self, machine: &Machine, typed: &[Typed]) -> Result<Self, ConfigError> {
        for typed in typed {
            typed.setting.apply(&mut self, machine, &typed.raw).map_err(|problem| ConfigError::Value {
                place: typed.place.clone(),
                key: typed.setting.key,
                problem,
            })?;
        }
        self.check_redirect(typed)?;
        Ok(self)
    }

    /// Whoever is sent elsewhere must be told where.
    fn check_redirect(&self, typed: &[Typed]) -> Result<(), ConfigError> {
        let asks = |typed: &&Typed| match typed.setting.key {
            "redirect.all" => self.redirect_all,
            "redirect.permanent" => self.redirect_permanent,
            _ => false,
        };
        match typed.iter().rev().find(asks).filter(|_| self.redirect_to.is_empty()) {
            None => Ok(()),
            Some(typed) => Err(ConfigError::Value {
                place: typed.place.clone(),
                key: typed.setting.key,
                problem: "there is no server to send clients to; name it in redirect.to".to_owned(),
            }),
        }
    }

    /// The choices of the broker.
    pub fn options(&self) -> Options {
        // Checked when they were set.
        let text = |text: &str| Text::try_from(text).unwrap_or_default();
        let redirect = (!self.redirect_to.is_empty()).then(|| Redirect {
            server: text(&self.redirect_to),
            is_for_all: self.redirect_all,
            is_permanent: self.redirect_permanent,
        });
        Options {
            check_payload_format: self.check_payload_format,
            sparkplug_certificates: self.sparkplug_certificates,
            response_topic: text(&self.response_topic),
            redirect,
            tree: self.tree.enabled,
        }
    }

    /// Where the users are kept.
    pub fn users_file(&self) -> UsersFile {
        let path = self.auth_users.clone().unwrap_or_else(|| self.data.join("users.toml"));
        UsersFile { path, is_named: self.auth_users.is_some() }
    }

    /// Where a kind of listener listens.
    pub fn addresses(&self, kind: Kind) -> &[ListenAddress] {
        match kind {
            Kind::Mqtt => &self.mqtt,
            Kind::Http => &self.http,
            Kind::Ws => &self.ws,
            Kind::One => &self.one,
        }
    }

    /// The settings that differ from `other`'s, as the lines of a TOML file would say them.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        SETTINGS
            .iter()
            .filter(|setting| setting.show(self) != setting.show(other))
            .map(|setting| format!("{} = {}", setting.key, setting.show(self)))
            .collect()
    }
}

/// The bounds of the broker by default.
fn limits(machine: &Machine) -> Limits {
    let limits = Limits::default();
    // The other half is for what is retained, the store's cache, sockets, and the rest of the machine.
    let held_bytes_max = machine.memory_bytes.map_or(limits.held_bytes_max, |bytes| bytes / 2);
    Limits { held_bytes_max, ..limits }
}

#[cfg(test)]
mod tests;
