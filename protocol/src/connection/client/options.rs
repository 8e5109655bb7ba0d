//! What a client asks for, and how much it holds.

use bytes::Bytes;

use crate::packet::{Connect, ConnectProperties, Will};
use crate::{ReasonCode, Text, Version};

/// How to connect; each `handle_open` uses what stands here then.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The version to speak.
    pub version: Version,
    /// May be empty; a server of version 5 then chooses one, which the client takes over. Version 3.1.1 has it empty
    /// only with `clean_start` [3.1.1: MQTT-3.1.3-7], version 3.1 never and with 23 characters at most (3.1, 3.1).
    pub client_id: Text,
    /// Forget what the server holds of an earlier connection.
    pub clean_start: bool,
    /// Take for this client's own a session that the server holds and this client knows nothing of, because another
    /// one with its client id made it, perhaps before the program started anew. Nothing of that session must be under
    /// way on this side. Without it version 5 ends such a connection [MQTT-3.2.2-4]; the versions before leave the
    /// choice to the client, which then goes on.
    pub adopt_session: bool,
    /// Seconds of silence after which PINGREQ goes out; 0 for never.
    pub keep_alive: u16,
    /// User name.
    pub user_name: Option<Text>,
    /// Password; before version 5 only with a user name [3.1.1: MQTT-3.1.2-22].
    pub password: Option<Bytes>,
    /// What the server publishes when this client is gone without a word.
    pub will: Option<Will>,
    /// Version 5 only.
    pub properties: ConnectProperties,
    /// Largest packet that the client takes, in bytes. Stated in CONNECT when `properties` leaves it open and
    /// the version can.
    pub packet_size_max: usize,
    /// Aliases that the client gives to topics at most, where the server grants any; 0 for none.
    pub topic_aliases_max: u16,
    /// QoS 1 and 2 messages that may wait for room or for a connection; more are refused, so that a client
    /// that is cut off does not grow without end.
    pub queue_max: usize,
}

/// What 3.1 lets a client id have.
const V31_CLIENT_ID_CHARS_MAX: usize = 23;

impl ClientOptions {
    /// Version 5, clean start, a keep-alive of 30 s; no user, no will.
    pub fn new(client_id: Text) -> Self {
        Self {
            version: Version::V5,
            client_id,
            clean_start: true,
            adopt_session: false,
            keep_alive: 30,
            user_name: None,
            password: None,
            will: None,
            properties: ConnectProperties::default(),
            packet_size_max: 256 << 20,
            topic_aliases_max: 32,
            queue_max: 10_000,
        }
    }

    /// Why a server must refuse what stands here, so that it is not asked.
    pub(super) fn objection(&self) -> Option<ReasonCode> {
        let has_bad_id = match self.version {
            Version::V31 => !(1..=V31_CLIENT_ID_CHARS_MAX).contains(&self.client_id.chars().count()),
            Version::V311 => self.client_id.is_empty() && !self.clean_start,
            Version::V5 => false,
        };
        let is_half = !self.version.is_v5() && self.password.is_some() && self.user_name.is_none();
        let bad_login = is_half.then_some(ReasonCode::BadUserNameOrPassword);
        has_bad_id.then_some(ReasonCode::ClientIdentifierNotValid).or(bad_login)
    }

    pub(super) fn connect(&self) -> Connect {
        let mut properties = ConnectProperties::default();
        if self.version.is_v5() {
            properties = self.properties.clone();
            properties.packet_size_max =
                properties.packet_size_max.or_else(|| u32::try_from(self.packet_size_max).ok());
        }
        Connect {
            version: self.version,
            bridge: false,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_id: self.client_id.clone(),
            will: self.will.clone(),
            user_name: self.user_name.clone(),
            password: self.password.clone(),
            properties,
        }
    }
}
