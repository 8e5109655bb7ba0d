//! What a person wrote down about a broker: where it is, who to be there, what to ask for.

mod document;
mod draft;
mod list;
mod plan;

use serde::{Deserialize, Serialize};

pub use document::{Import, ImportError, export, import};
pub use draft::{Draft, Switch};
pub use list::{Merged, Profiles};
pub use plan::{Fault, Field, Plan};

/// How many are kept: far more than anybody tells apart.
pub const PROFILES_MAX: usize = 100;

/// The version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speaks {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[default]
    #[serde(rename = "5.0")]
    V5,
}

impl Speaks {
    /// Both, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::V5, Self::V311];

    /// The word in the form, in storage and in tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        }
    }
}

/// One connection as it is kept. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Tells it from the others of this browser.
    pub id: u32,
    /// What it is called.
    pub name: String,
    /// Whether the WebSocket is encrypted.
    pub secure: bool,
    /// Host name or address; one of IPv6 without brackets.
    pub host: String,
    /// `None` is the scheme's own port.
    pub port: Option<u16>,
    /// The path of the WebSocket.
    pub path: String,
    /// The version.
    pub version: Speaks,
    /// Empty: a new one with each load of the page.
    pub client_id: String,
    /// Empty: none.
    pub user_name: String,
    /// Empty: none, or not typed yet.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// Whether there is a password, here or in somebody's head.
    pub uses_password: bool,
    /// Whether this browser keeps the password, where every program of its user can read it.
    pub keep_password: bool,
    /// Whether it is connected as soon as the page is open.
    pub connect_at_start: bool,
    /// What is subscribed to.
    pub filters: Vec<String>,
    /// Highest quality of service of what comes: 0, 1 or 2.
    pub filters_qos: u8,
    /// Whether the broker forgets what it held for an earlier connection.
    pub clean_start: bool,
    /// Silence after which the broker is asked for a sign of life; 0 is never.
    pub keep_alive: u16,
    /// How long the broker keeps the session of a connection that is gone; version 5 only.
    pub session_expiry: u32,
    /// Messages of QoS 1 and 2 taken at once; version 5 only.
    pub receive_maximum: Option<u16>,
    /// Largest packet taken, in bytes; version 5 only.
    pub packet_bytes_max: Option<u32>,
    /// Highest topic alias taken; version 5 only.
    pub topic_alias_maximum: Option<u16>,
    /// Version 5 only.
    pub request_response_information: bool,
    /// Version 5 only.
    pub request_problem_information: bool,
    /// Names and values; version 5 only.
    pub user_properties: Vec<(String, String)>,
    /// What the broker publishes when this connection breaks.
    pub will: Option<WillPlan>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            id: 0,
            name: String::new(),
            secure: false,
            host: String::new(),
            port: None,
            path: "/mqtt".to_owned(),
            version: Speaks::V5,
            client_id: String::new(),
            user_name: String::new(),
            password: String::new(),
            uses_password: false,
            keep_password: false,
            connect_at_start: false,
            filters: vec!["#".to_owned()],
            filters_qos: 1,
            clean_start: true,
            keep_alive: 60,
            session_expiry: 300,
            receive_maximum: None,
            packet_bytes_max: None,
            topic_alias_maximum: None,
            request_response_information: false,
            request_problem_information: true,
            user_properties: Vec::new(),
            will: None,
        }
    }
}

/// A will as it is kept. Times are seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WillPlan {
    /// Where to.
    pub topic: String,
    /// What, as text, or as hex behind `hex:`.
    pub payload: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it becomes the retained message of its topic.
    pub retain: bool,
    /// Between the break and the publication; version 5 only, as all below.
    pub delay: u32,
    /// How long the message lives.
    pub message_expiry: Option<u32>,
    /// Whether the payload is declared to be text.
    pub is_text: bool,
    /// Empty: none.
    pub content_type: String,
    /// Empty: none.
    pub response_topic: String,
    /// As text, or as hex behind `hex:`; empty: none.
    pub correlation_data: String,
    /// Names and values.
    pub user_properties: Vec<(String, String)>,
}

/// The profile without its secret, unless it may be kept.
pub fn storable(profile: &Profile) -> Profile {
    if profile.keep_password { profile.clone() } else { without_password(profile) }
}

/// The profile without its secret.
pub fn without_password(profile: &Profile) -> Profile {
    Profile { password: String::new(), ..profile.clone() }
}

#[cfg(test)]
pub(super) fn sample() -> Profile {
    document::sample()
}
