//! The bounds of the door: what holds before a shard knows of a connection.

/// Each is a setting of the same name under `limits`; the table of settings has the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorLimits {
    /// Connections that have not said who they are.
    pub half_open_max: usize,
    /// Connections accepted in a second, on all listeners together.
    pub connects_per_second_max: u64,
    /// MQTT connections of one IPv4 address or one /64 of IPv6.
    pub connections_per_address_max: u32,
    /// Connections accepted in a second from one of them.
    pub connects_per_second_per_address_max: u64,
    /// Addresses that are remembered.
    pub addresses_max: usize,
    /// HTTP connections at once, WebSockets not counted.
    pub http_connections_max: usize,
    /// Seconds for the head of a request, and between two of them.
    pub http_head_seconds_max: u16,
    /// Seconds in which a reader must take [`WRITE_PROGRESS_BYTES`] of a response.
    pub http_write_seconds_max: u16,
    /// Seconds after which TCP gives a peer up that does not acknowledge.
    pub unreachable_seconds_max: u16,
}

/// What a reader of HTTP must take in each `http_write_seconds_max`: little enough for a bad radio link, and enough
/// that nobody holds a connection for hours by reading a byte now and then.
pub const WRITE_PROGRESS_BYTES: usize = 16 * 1024;

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            half_open_max: 4096,
            connects_per_second_max: 10_000,
            connections_per_address_max: 10_000,
            connects_per_second_per_address_max: 200,
            addresses_max: 131_072,
            http_connections_max: 1024,
            http_head_seconds_max: 10,
            http_write_seconds_max: 30,
            unreachable_seconds_max: 240,
        }
    }
}
