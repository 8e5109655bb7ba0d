//! How the client ends a connection, and what it may say then.

use super::{Client, Phase, Session};
use crate::codec;
use crate::connection::ProtocolError;
use crate::packet::{Disconnect, DisconnectProperties, Packet};
use crate::{ReasonCode, Time};

impl Client {
    /// Ends the connection: close the transport behind `take_output`. With the reason "normal disconnection" the
    /// server publishes no will, with every other it does; before version 5 any other is no DISCONNECT at all, which
    /// has the same effect.
    ///
    /// What a client may not say is left out or replaced: a reason that only a server gives becomes 0x80, a server
    /// reference goes, and so does a session expiry where CONNECT asked for none (3.14.2), and of reason string and
    /// user properties what is too much for the server [MQTT-3.14.2-3], [MQTT-3.14.2-4].
    pub fn disconnect(&mut self, now: Time, disconnect: Disconnect) {
        if matches!(self.phase, Phase::Connecting(_)) {
            self.on_unanswered();
        }
        self.part(now, disconnect);
    }

    fn part(&mut self, now: Time, disconnect: Disconnect) {
        if matches!(self.phase, Phase::Closed | Phase::Closing) {
            return;
        }
        if let Some(packet) = self.sayable(disconnect) {
            if let Packet::Disconnect(Disconnect { properties, .. }) = &packet
                && let Some(seconds) = properties.session_expiry
            {
                self.session = if seconds == 0 { Session::Connection } else { Session::Lasting };
            }
            self.send(now, &packet);
        }
        self.phase = Phase::Closing;
    }

    /// Ends the connection because of the server, and says why where the version has words for it (4.13).
    pub(super) fn give_up(&mut self, now: Time, error: ProtocolError) -> ProtocolError {
        if self.asked.version().is_v5() {
            self.part(now, Disconnect::new(error.reason));
        }
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Closing;
        }
        error
    }

    /// What of it may be said; `None` when nothing may.
    fn sayable(&self, disconnect: Disconnect) -> Option<Packet> {
        let Disconnect { mut reason, mut properties } = disconnect;
        if self.asked.version().is_v5() {
            if !is_of_client(reason) {
                reason = ReasonCode::UnspecifiedError;
            }
            properties.server_reference = None;
            let asked = self.asked.session_expiry();
            properties.session_expiry =
                properties.session_expiry.filter(|seconds| *seconds == 0 || asked > 0);
        } else if reason != ReasonCode::Success {
            return None;
        }
        let bare = DisconnectProperties { session_expiry: properties.session_expiry, ..Default::default() };
        let terse = DisconnectProperties { reason_string: properties.reason_string.clone(), ..bare.clone() };
        [properties, terse, bare, DisconnectProperties::default()]
            .into_iter()
            .map(|properties| Packet::Disconnect(Disconnect { reason, properties }))
            .find(|packet| self.fits(packet))
    }

    /// Whether it can be written and the server takes one of its size, as far as it has said so [MQTT-3.2.2-15].
    fn fits(&self, packet: &Packet) -> bool {
        let bytes_max = match &self.phase {
            Phase::Open(open) => open.granted.packet_size_max,
            Phase::Connecting(_) | Phase::Closed | Phase::Closing => usize::MAX,
        };
        codec::encoded_len(packet, self.asked.version()).is_ok_and(|len| len <= bytes_max)
    }
}

/// Whether the standard lets a client give this reason for its end (3.14.2.1).
const fn is_of_client(reason: ReasonCode) -> bool {
    matches!(reason.byte(), 0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
}
