//! What the page connects with.

use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::ConnectProperties;
use hearth_protocol::{Text, Version};

/// Seconds. Browsers let the timers of a hidden page fire once a minute; the broker waits one and a half times
/// this before it gives the page up.
const KEEP_ALIVE_S: u16 = 60;

/// Seconds that the broker keeps the session of a page that sleeps or lost its network.
const SESSION_EXPIRY_S: u32 = 300;

/// The largest packet that a tab takes; it must hold it several times over while it is shown.
const PACKET_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The options of this load of the page.
pub(super) fn draw() -> ClientOptions {
    // Two pages with one id would throw each other out, so each load of the page draws its own.
    let id: String = (0..12)
        .map(|_| char::from_digit((js_sys::Math::random() * 36.0) as u32, 36).unwrap_or('0'))
        .collect();
    let mut options = ClientOptions::new(Text::try_from(format!("hearth-web-{id}")).unwrap_or_default());
    options.version = Version::V5;
    options.clean_start = true;
    options.keep_alive = KEEP_ALIVE_S;
    options.packet_size_max = PACKET_BYTES_MAX as usize;
    options.properties = ConnectProperties {
        session_expiry: Some(SESSION_EXPIRY_S),
        packet_size_max: Some(PACKET_BYTES_MAX),
        ..ConnectProperties::default()
    };
    options
}
