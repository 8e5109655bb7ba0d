//! The client's side: connects, publishes, subscribes, and keeps QoS 1 and 2 across connections.

mod authentication;
mod check;
mod event;
mod goodbye;
mod options;
mod receive;
mod send;
mod terms;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

pub use event::{AuthError, ClientEvent, PublishError, RequestError, Token};
pub use options::ClientOptions;

use super::ProtocolError;
use super::alias::{InboundAliases, OutboundAliases};
use crate::codec;
use crate::packet::{Packet, PacketId, Publish};
use crate::session::{Inbound, Outbound};
use crate::{ReasonCode, Text, Time};
use terms::{Asked, Granted};

/// How long the server may take for CONNACK, or after PINGREQ for any packet.
pub const RESPONSE_MAX: Duration = Duration::from_secs(10);

/// A buffer or queue that grew above this is given back once it is empty.
const IDLE_OUTPUT_BYTES: usize = 64 << 10;
const IDLE_QUEUE_LEN: usize = 64;

/// A client without I/O. Its driver moves bytes and time:
///
/// 1. `handle_open` when the transport is up, `handle_input` for bytes that came, `handle_close` when it ends;
/// 2. after each call: write `take_output`, look at every `poll_event`, come back at `poll_timeout`;
/// 3. and close the transport when `is_closing` says so.
///
/// Requests that no answer came to are forgotten with the connection; QoS 1 and 2 messages are not.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    /// What the last CONNECT said.
    asked: Asked,
    phase: Phase,
    session: Session,
    outbound: Outbound<Sent>,
    /// QoS 2 messages that the server has taken over and whose PUBCOMP is due.
    released: VecDeque<Released>,
    inbound: Inbound,
    /// Those of `inbound` that connections before this one left and this one has not confirmed.
    inherited: Inbound,
    /// QoS 1 and 2 messages that wait for room in the window or for a connection.
    queue: VecDeque<Sent>,
    requests: VecDeque<Request>,
    events: VecDeque<ClientEvent>,
    output: BytesMut,
    token_next: u64,
}

#[derive(Debug)]
enum Phase {
    Closed,
    /// CONNECT went out.
    Connecting(Turn),
    Open(Open),
    /// The connection is to end: nothing more is sent or read.
    Closing,
}

/// Whether this side has a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    /// None yet, or none any more.
    None,
    /// As long as the connection.
    Connection,
    /// For longer.
    Lasting,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The server's, until the deadline.
    Server { deadline: Time },
    /// The driver's, to answer a challenge.
    Driver,
}

#[derive(Debug)]
struct Open {
    granted: Granted,
    /// The authentication that `reauthenticate` began.
    authentication: Option<Turn>,
    last_sent: Time,
    last_received: Time,
    /// When the PINGREQ that is not answered went out.
    pinged: Option<Time>,
    aliases_in: InboundAliases,
    aliases_out: OutboundAliases,
    /// QoS 2 messages that may be held at once: the receive maximum, and what older connections left.
    inbound_max: usize,
}

/// What `handle_timeout` has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// CONNACK, or AUTH before it, did not come.
    Connect,
    /// AUTH did not come after CONNACK.
    Authentication,
    /// The server is to hear from us, or we from it.
    Ping,
    /// Nothing came since PINGREQ.
    Silence,
}

#[derive(Clone, Debug)]
struct Sent {
    token: Token,
    publish: Publish,
}

/// A QoS 2 message that the server took over and that waits for PUBCOMP.
#[derive(Debug)]
struct Released {
    packet_id: PacketId,
    token: Token,
    /// What PUBREC said of it: PUBCOMP does not say whether anybody listens (3.7.2.1).
    reason: ReasonCode,
    reason_string: Option<Text>,
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
            asked: Asked::of(&options),
            options,
            phase: Phase::Closed,
            session: Session::None,
            outbound: Outbound::new(u16::MAX),
            released: VecDeque::new(),
            inbound: Inbound::new(),
            inherited: Inbound::new(),
            queue: VecDeque::new(),
            requests: VecDeque::new(),
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

    /// Whether the client is done with the connection: write `take_output`, then close the transport, which nothing
    /// more may pass [MQTT-3.14.4-1], [MQTT-3.14.4-2].
    pub const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Messages that are not through: under way or waiting.
    pub fn pending_len(&self) -> usize {
        self.outbound.inflight_len() + self.queue.len()
    }

    /// The transport is up: CONNECT goes out.
    pub fn handle_open(&mut self, now: Time) {
        self.handle_close(now);
        self.phase = Phase::Connecting(Turn::server(now));
        self.asked = Asked::of(&self.options);
        let connect = Packet::Connect(Box::new(self.asked.connect.clone()));
        let objection = self.options.objection().or_else(|| {
            // Only a password or will above 65,535 bytes cannot be written.
            let written = codec::encode(&connect, self.asked.version(), &mut self.output);
            written.err().map(|_| ReasonCode::PacketTooLarge)
        });
        if let Some(reason) = objection {
            self.phase = Phase::Closing;
            self.events.push_back(ClientEvent::Refused {
                reason,
                reason_string: None,
                server_reference: None,
            });
        }
    }

    /// The transport has ended. What is under way waits for the next `handle_open`.
    pub fn handle_close(&mut self, _now: Time) {
        if matches!(self.phase, Phase::Connecting(_)) {
            self.on_unanswered();
        }
        self.phase = Phase::Closed;
        if self.session == Session::Connection {
            self.session = Session::None;
        }
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
        let silence = |packet| ProtocolError::new(ReasonCode::KeepAliveTimeout, packet);
        match self.timer().filter(|(due, _)| *due <= now) {
            None => Ok(()),
            Some((_, Timer::Connect)) => {
                self.on_unanswered();
                Err(self.give_up(now, silence("the server did not answer CONNECT")))
            }
            Some((_, Timer::Authentication)) => {
                Err(self.give_up(now, silence("the server did not answer AUTH")))
            }
            Some((_, Timer::Silence)) => Err(self.give_up(now, silence("the server did not answer PINGREQ"))),
            Some((_, Timer::Ping)) => {
                self.send_ping(now);
                Ok(())
            }
        }
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timer().map(|(due, _)| due)
    }

    fn timer(&self) -> Option<(Time, Timer)> {
        match &self.phase {
            Phase::Connecting(turn) => turn.deadline().map(|due| (due, Timer::Connect)),
            Phase::Open(open) => [
                (open.silence_due(), Timer::Silence),
                (open.authentication.and_then(Turn::deadline), Timer::Authentication),
                (open.ping_due(), Timer::Ping),
            ]
            .into_iter()
            .filter_map(|(due, timer)| Some((due?, timer)))
            .min_by_key(|(due, _)| *due),
            Phase::Closed | Phase::Closing => None,
        }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// Everything that is to be written; `None` when there is nothing.
    pub fn take_output(&mut self) -> Option<BytesMut> {
        match self.output.len() {
            0 => None,
            // The rest of the buffer stays for what comes next.
            1..=IDLE_OUTPUT_BYTES => Some(self.output.split()),
            _ => Some(std::mem::take(&mut self.output)),
        }
    }

    /// Asks the server for a sign of life now, if none is asked for yet.
    pub fn ping(&mut self, now: Time) {
        if matches!(&self.phase, Phase::Open(open) if open.pinged.is_none()) {
            self.send_ping(now);
        }
    }

    fn send_ping(&mut self, now: Time) {
        if let Phase::Open(open) = &mut self.phase {
            open.pinged.get_or_insert(now);
            self.send(now, &Packet::PingReq);
        }
    }

    /// The connection ends before CONNACK. If CONNECT went out, the server may have begun a session, and that one is
    /// this client's.
    fn on_unanswered(&mut self) {
        if self.session == Session::None && self.output.is_empty() && self.asked.lasts() {
            self.session = Session::Lasting;
        }
    }

    fn token(&mut self) -> Token {
        self.token_next += 1;
        Token(self.token_next)
    }
}

impl Turn {
    /// The server has its time to answer what goes out now.
    const fn server(now: Time) -> Self {
        Self::Server { deadline: now.saturating_add(RESPONSE_MAX) }
    }

    const fn deadline(self) -> Option<Time> {
        match self {
            Self::Server { deadline } => Some(deadline),
            Self::Driver => None,
        }
    }
}

impl Open {
    /// When the server must hear from us [MQTT-3.1.2-20], or we have not heard from it.
    fn ping_due(&self) -> Option<Time> {
        let keep_alive = self.granted.keep_alive;
        let since = match self.pinged {
            None => self.last_sent.min(self.last_received),
            Some(_) => self.last_sent,
        };
        (!keep_alive.is_zero()).then(|| since.saturating_add(keep_alive))
    }

    /// When the server has been silent for too long after PINGREQ. Any packet is a sign of life: PINGRESP may stand
    /// behind many others.
    fn silence_due(&self) -> Option<Time> {
        self.pinged.map(|pinged| pinged.max(self.last_received).saturating_add(RESPONSE_MAX))
    }
}

#[cfg(test)]
mod tests;
