//! What a broker does that is a matter of choice.

use hearth_protocol::Text;

/// The choices of whoever runs the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a payload that is not the UTF-8 text its payload format indicator says is refused with 0x99.
    /// Off: it costs a look at every byte.
    pub check_payload_format: bool,
    /// Whether birth certificates of Sparkplug are kept as retained messages below `$sparkplug/certificates`, which is the
    /// broker's own then.
    pub sparkplug_certificates: bool,
    /// What stands before the client id in the response information that a client may ask for (MQTT 5.0,
    /// 3.2.2.3.15): `responses` makes it `responses/CLIENT`. Empty: there is none.
    pub response_topic: Text,
    /// Where clients are sent, if anywhere.
    pub redirect: Option<Redirect>,
    /// Whether somebody has the live tree, so that clients may look at it.
    pub tree: bool,
}

/// Another server for clients of version 5 (MQTT 5.0, 4.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The server reference: host names with ports, separated by spaces.
    pub server: Text,
    /// Everybody is sent there; else only those for whom there is no room, and all when the broker stops.
    pub is_for_all: bool,
    /// The code says for good (0x9D), not for now (0x9C).
    pub is_permanent: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            check_payload_format: false,
            sparkplug_certificates: true,
            response_topic: Text::try_from("responses").unwrap_or_default(),
            redirect: None,
            tree: false,
        }
    }
}
