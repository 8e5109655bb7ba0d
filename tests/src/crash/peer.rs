//! The client machine of the product on a socket that nobody waits for; it keeps its session while the broker is gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hearth_protocol::connection::client::{Client, ClientEvent, ClientOptions};
use hearth_protocol::packet::Disconnect;
use hearth_protocol::{ReasonCode, Time, Version};

use super::Finding;
use crate::wire::text;

/// Longer than a drain of everything takes.
const SESSION_SECONDS: u32 = 24 * 3600;

/// A client of the harness.
pub struct Peer {
    pub client: Client,
    stream: Option<TcpStream>,
    input: BytesMut,
    output: BytesMut,
    origin: Instant,
    /// The broker has said once that it has the session.
    has_session: bool,
}

impl Peer {
    /// A client whose session lasts.
    pub fn new(version: Version, client_id: &str) -> Self {
        let mut options = ClientOptions::new(text(client_id));
        options.version = version;
        options.clean_start = false;
        options.keep_alive = 0;
        if version.is_v5() {
            options.properties.session_expiry = Some(SESSION_SECONDS);
        }
        Self {
            client: Client::new(options),
            stream: None,
            input: BytesMut::new(),
            output: BytesMut::new(),
            origin: Instant::now(),
            has_session: false,
        }
    }

    /// A client that leaves nothing behind.
    pub fn passing(version: Version, client_id: &str) -> Self {
        let mut peer = Self::new(version, client_id);
        peer.end_session_next();
        peer
    }

    /// The next connection begins and ends with no session.
    pub fn end_session_next(&mut self) {
        let options = self.client.options_mut();
        options.clean_start = true;
        options.properties.session_expiry = None;
        self.has_session = false;
    }

    pub fn has_transport(&self) -> bool {
        self.stream.is_some()
    }

    pub fn now(&self) -> Time {
        Time::from_millis(self.origin.elapsed().as_millis() as u64)
    }

    /// Opens a connection; a broker that is not there is no finding.
    pub fn open(&mut self, broker: SocketAddr) {
        let Ok(stream) = TcpStream::connect_timeout(&broker, Duration::from_secs(5)) else { return };
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        self.stream = Some(stream);
        self.client.handle_open(self.now());
    }

    /// Says goodbye; the broker closes then.
    pub fn leave(&mut self) {
        let now = self.now();
        if self.client.is_connected() {
            self.client.disconnect(now, Disconnect::new(ReasonCode::Success));
        }
    }

    /// Cuts the connection.
    pub fn cut(&mut self) {
        self.stream = None;
        self.input.clear();
        self.output.clear();
        let now = self.now();
        self.client.handle_close(now);
    }

    /// Writes and reads what there is; what happened, and whether anything did.
    pub fn turn(&mut self, events: &mut Vec<ClientEvent>) -> Result<bool, Finding> {
        self.flush();
        let (mut has_moved, mut has_ended) = (false, false);
        while let Some(stream) = &mut self.stream {
            let mut buffer = [0; 16 * 1024];
            match stream.read(&mut buffer) {
                Ok(0) => has_ended = true,
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    has_moved = true;
                    let now = self.now();
                    self.client.handle_input(now, &mut self.input).map_err(|error| {
                        format!("{}: the broker breaks a rule: {error}", self.client.options().client_id)
                    })?;
                    self.flush();
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_reset) => has_ended = true,
            }
            break;
        }
        while let Some(event) = self.client.poll_event() {
            self.look(&event)?;
            events.push(event);
        }
        if has_ended {
            self.cut();
        }
        Ok(has_moved || has_ended)
    }

    /// Reads what a broker that is dead has left on the way.
    pub fn read_to_end(&mut self, events: &mut Vec<ClientEvent>) -> Result<(), Finding> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.stream.is_some() && Instant::now() < deadline {
            self.turn(events)?;
        }
        self.cut();
        Ok(())
    }

    fn flush(&mut self) {
        if let Some(more) = self.client.take_output() {
            self.output.unsplit(more);
        }
        let Some(stream) = &mut self.stream else { return };
        while !self.output.is_empty() {
            match stream.write(&self.output) {
                Ok(count) => self.output.advance(count),
                // A broker that has gone away is noticed by reading, behind what it has said before.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_gone) => return self.output.clear(),
            }
        }
    }

    /// What no client may see.
    fn look(&mut self, event: &ClientEvent) -> Result<(), Finding> {
        let client_id = &self.client.options().client_id;
        match event {
            ClientEvent::Connected { session_present, .. } => {
                if self.has_session && !session_present {
                    return Err(format!("{client_id}: the broker has lost the session"));
                }
                self.has_session = !self.client.options().clean_start;
            }
            ClientEvent::Refused { reason, .. } => {
                return Err(format!("{client_id}: refused with {reason}"));
            }
            ClientEvent::Disconnected(disconnect)
                if !matches!(
                    disconnect.reason,
                    ReasonCode::ServerShuttingDown | ReasonCode::SessionTakenOver
                ) =>
            {
                return Err(format!("{client_id}: disconnected with {disconnect:?}"));
            }
            ClientEvent::Disconnected(_)
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. }
            | ClientEvent::Message(_)
            | ClientEvent::Published { .. }
            | ClientEvent::Subscribed { .. }
            | ClientEvent::Unsubscribed { .. }
            | ClientEvent::Pong { .. } => {}
        }
        Ok(())
    }
}
