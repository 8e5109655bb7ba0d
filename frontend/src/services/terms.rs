//! What a connection is made with.

use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::{ConnectProperties, Disconnect};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, Version};

use super::document;
use crate::state::address::{broker_address, development_address};

/// Seconds. Browsers let the timers of a hidden page fire once a minute; the broker waits one and a half times
/// this before it gives the page up.
const KEEP_ALIVE_S: u16 = 60;

/// Seconds that the broker keeps the session of a page that sleeps or lost its network.
const SESSION_EXPIRY_S: u32 = 300;

/// The largest packet that a tab takes; it must hold it several times over while it is shown.
const PACKET_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The terms of one connection.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where the broker is; `None` for a page that no server sent.
    pub address: Option<String>,
    /// What is said in CONNECT.
    pub options: ClientOptions,
    /// What is subscribed to.
    pub filters: Vec<(TopicFilter, QoS)>,
    /// What is said when the page goes.
    pub farewell: Disconnect,
    /// Whether it is the broker that served the page, which tells more over HTTP.
    pub is_own: bool,
}

impl Terms {
    /// Those for the broker that served the page, for this load of it.
    pub fn own() -> Self {
        let href = document::href();
        let address = if cfg!(debug_assertions) { development_address(&href) } else { broker_address(&href) };
        let mut options = ClientOptions::new(Text::try_from(draw_id()).unwrap_or_default());
        options.version = Version::V5;
        options.clean_start = true;
        options.keep_alive = KEEP_ALIVE_S;
        options.packet_size_max = PACKET_BYTES_MAX as usize;
        options.properties = ConnectProperties {
            session_expiry: Some(SESSION_EXPIRY_S),
            packet_size_max: Some(PACKET_BYTES_MAX),
            ..ConnectProperties::default()
        };
        let everything = TopicFilter::try_from("#").ok();
        let filters = everything.into_iter().map(|filter| (filter, QoS::AtMostOnce)).collect();
        Self { address, options, filters, farewell: last_farewell(), is_own: true }
    }
}

/// Two pages with one id would throw each other out, so each load of the page draws its own.
pub fn draw_id() -> String {
    let id: String = (0..12)
        .map(|_| char::from_digit((js_sys::Math::random() * 36.0) as u32, 36).unwrap_or('0'))
        .collect();
    format!("hearth-web-{id}")
}

/// For a session that is of no more use to anyone when the page is gone.
pub fn last_farewell() -> Disconnect {
    let mut farewell = Disconnect::new(ReasonCode::Success);
    farewell.properties.session_expiry = Some(0);
    farewell
}
