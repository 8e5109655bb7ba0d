//! The client's side: connects, publishes, subscribes, and keeps QoS 1 and 2 across connections.

mod event;
mod options;
mod receive;
mod send;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

pub use event::{ClientEvent, PublishError, RequestError, Token};
pub use options::ClientOptions;

use super::ProtocolError;
use super::alias::InboundAliases;
use crate::codec;
use crate::packet::{Disconnect, Packet, PacketId, Publish};
use crate::session::{Inbound, Outbound};
use crate::{QoS, ReasonCode, Time};

/// How long the server may take for CONNACK or PINGRESP.
pub const RESPONSE_MAX: Duration = Duration::from_secs(10);

/// A client without I/O. Its driver moves bytes and time:
///
/// 1. `handle_open` when the transport is up, `handle_input` for bytes that came, `handle_close` when it ends;
/// 2. after each call: write `take_output`, look at every `poll_event`, come back at `poll_timeout`.
///
/// Requests that no answer came to are forgotten with the connection; QoS 1 and 2 messages are not.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    phase: Phase,
    outbound: Outbound<Sent>,
    /// QoS 2 messages that the server has taken over and whose PUBCOMP is due.
    released: Vec<(PacketId, Token)>,
    inbound: Inbound,
    /// QoS 1 and 2 messages that wait for room in the window or for a connection.
    queue: VecDeque<Sent>,
    requests: Vec<Request>,
    events: VecDeque<ClientEvent>,
    output: BytesMut,
    token_next: u64,
}

#[derive(Debug)]
enum Phase {
    Closed,
    /// CONNECT went out.
    Connecting {
        deadline: Time,
    },
    Open(Open),
    /// The connection is to end: nothing more is sent or read.
    Closing,
}

#[derive(Debug)]
struct Open {
    keep_alive: Duration,
    last_sent: Time,
    last_received: Time,
    /// When the PINGREQ that is not answered went out.
    pinged: Option<Time>,
    aliases: InboundAliases,
    packet_size_max: usize,
    qos_max: QoS,
    retain_available: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    token: Token,
    publish: Publish,
}

#[derive(Debug)]
struct Request {
    packet_id: PacketId,
    token: Token,
    kind: RequestKind,
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestKind {
    Subscribe,
    Unsubscribe,
}

impl Client {
    /// A client that is not connected.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            options,
            phase: Phase::Closed,
            outbound: Outbound::new(u16::MAX),
            released: Vec::new(),
            inbound: Inbound::new(),
            queue: VecDeque::new(),
            requests: Vec::new(),
            events: VecDeque::new(),
            output: BytesMut::new(),
            token_next: 0,
        }
    }

    /// What it connects with.
    pub const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// What it connects with next time.
    pub const fn options_mut(&mut self) -> &mut ClientOptions {
        &mut self.options
    }

    /// Whether the server took the connection and it still stands.
    pub const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Messages that are not through: under way or waiting.
    pub fn pending_len(&self) -> usize {
        self.outbound.inflight_len() + self.queue.len()
    }

    /// The transport is up: CONNECT goes out.
    pub fn handle_open(&mut self, now: Time) {
        self.handle_close(now);
        self.phase = Phase::Connecting { deadline: now.saturating_add(RESPONSE_MAX) };
        let connect = Packet::Connect(Box::new(self.options.connect()));
        if codec::encode(&connect, self.options.version, &mut self.output).is_err() {
            // Only a password or will above 65,535 bytes cannot be written.
            self.phase = Phase::Closing;
            let reason = ReasonCode::PacketTooLarge;
            self.events.push_back(ClientEvent::Refused { reason, reason_string: None });
        }
    }

    /// The transport has ended. What is under way waits for the next `handle_open`.
    pub fn handle_close(&mut self, _now: Time) {
        self.phase = Phase::Closed;
        self.output = BytesMut::new();
        for request in self.requests.drain(..) {
            // Every entry of `requests` holds an identifier of `outbound`.
            let _known = self.outbound.finish_request(request.packet_id);
        }
    }

    /// The earliest time passed: asks for a sign of life, or gives up.
    ///
    /// # Errors
    /// The server is silent; the transport must be closed.
    pub fn handle_timeout(&mut self, now: Time) -> Result<(), ProtocolError> {
        match &mut self.phase {
            Phase::Connecting { deadline } if *deadline <= now => {
                self.phase = Phase::Closing;
                Err(ProtocolError::new(ReasonCode::KeepAliveTimeout, "the server did not answer CONNECT"))
            }
            Phase::Open(open) => {
                if open.pinged.is_some_and(|pinged| pinged.saturating_add(RESPONSE_MAX) <= now) {
                    return Err(self.give_up(
                        now,
                        ProtocolError::new(ReasonCode::KeepAliveTimeout, "the server did not answer PINGREQ"),
                    ));
                }
                if open.ping_due().is_some_and(|due| due <= now) {
                    self.ping(now);
                }
                Ok(())
            }
            Phase::Connecting { .. } | Phase::Closed | Phase::Closing => Ok(()),
        }
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Connecting { deadline } => Some(*deadline),
            Phase::Open(open) => match open.pinged {
                Some(pinged) => Some(pinged.saturating_add(RESPONSE_MAX)),
                None => open.ping_due(),
            },
            Phase::Closed | Phase::Closing => None,
        }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Everything that is to be written; `None` when there is nothing.
    pub fn take_output(&mut self) -> Option<BytesMut> {
        (!self.output.is_empty()).then(|| self.output.split())
    }

    /// Ends the connection; the will is not published, unless the reason says so.
    pub fn disconnect(&mut self, now: Time, disconnect: Disconnect) {
        if self.is_connected() {
            self.send(now, &Packet::Disconnect(disconnect));
        }
        self.phase = Phase::Closing;
    }

    /// Asks the server for a sign of life now, if none is asked for yet.
    pub fn ping(&mut self, now: Time) {
        if let Phase::Open(open) = &mut self.phase
            && open.pinged.is_none()
        {
            open.pinged = Some(now);
            self.send(now, &Packet::PingReq);
        }
    }

    /// Ends the connection because of the server, and says why where the version has words for it.
    fn give_up(&mut self, now: Time, error: ProtocolError) -> ProtocolError {
        if self.is_connected() && self.options.version.is_v5() {
            self.send(now, &Packet::Disconnect(Disconnect::new(error.reason)));
        }
        self.phase = Phase::Closing;
        error
    }

    fn token(&mut self) -> Token {
        self.token_next += 1;
        Token(self.token_next)
    }
}

impl Open {
    /// When the server must hear from us [MQTT-3.1.2-20], or we have not heard from it.
    fn ping_due(&self) -> Option<Time> {
        let since = self.last_sent.min(self.last_received);
        (self.pinged.is_none() && !self.keep_alive.is_zero()).then(|| since.saturating_add(self.keep_alive))
    }
}
