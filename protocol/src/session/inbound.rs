//! QoS 2 messages that came in and whose PUBREL has not.

use super::PacketIds;
use crate::packet::PacketId;

/// The receiver's half of QoS 2 (MQTT 5.0, 4.3.3): an identifier is held from PUBLISH to PUBREL, and a PUBLISH
/// that comes again meanwhile is the same message [MQTT-4.3.3-10].
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    held: PacketIds,
}

impl Inbound {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self { held: PacketIds::new() }
    }

    /// Takes a PUBLISH; false when its identifier is held already, so that it must not be passed on again.
    pub fn begin(&mut self, id: PacketId) -> bool {
        self.held.claim(id)
    }

    /// Takes a PUBREL; false when the identifier was not held.
    pub fn release(&mut self, id: PacketId) -> bool {
        let held = self.held.release(id);
        if self.held.is_empty() {
            self.held.clear();
        }
        held
    }

    /// How many are held.
    pub const fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.held.clear();
    }
}
