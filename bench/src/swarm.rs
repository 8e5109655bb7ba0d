//! Many connections on one thread, each the shared client machine on a socket.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use hearth_protocol::Time;
use hearth_protocol::connection::{Client, ClientEvent, ClientOptions};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::ticker::Ticker;
use crate::web_socket::WebSocket;

/// Ready sockets that one turn takes.
const EVENTS_MAX: usize = 1024;
/// Bytes that one read takes.
const READ_BYTES: usize = 64 << 10;
/// How often the clients' own timers are looked at, which are seconds.
const TIMERS_EVERY: Duration = Duration::from_millis(100);
/// Nobody's number.
const TICKER: Token = Token(usize::MAX);

/// What is told of each event of each client.
pub(crate) type OnEvent<'a> = dyn FnMut(usize, &mut Client, Time, ClientEvent) -> Result<()> + 'a;

/// Where a broker is and what is spoken there.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// The listener.
    pub(crate) address: SocketAddr,
    /// The path of a WebSocket; without it MQTT is spoken at once.
    pub(crate) path: Option<String>,
}

/// The connections. Each has a number, from 0 in the order in which they were opened.
#[derive(Debug)]
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    begin: Instant,
    timers_due: Instant,
    ticker: Option<Ticker>,
    /// What a read takes, before it goes to its client.
    received: Box<[u8]>,
}

#[derive(Debug)]
struct Peer {
    client: Client,
    socket: Option<TcpStream>,
    web_socket: Option<WebSocket>,
    input: BytesMut,
    /// What the socket did not take.
    output: BytesMut,
}

impl From<SocketAddr> for Door {
    fn from(address: SocketAddr) -> Self {
        Self { address, path: None }
    }
}

impl Swarm {
    /// Nobody yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            peers: Vec::new(),
            begin: Instant::now(),
            timers_due: Instant::now() + TIMERS_EVERY,
            ticker: None,
            received: vec![0; READ_BYTES].into(),
        })
    }

    /// How many were opened.
    pub(crate) const fn len(&self) -> usize {
        self.peers.len()
    }

    /// One client more, whose CONNECT goes out; its number.
    pub(crate) fn open(&mut self, broker: impl Into<Door>, options: ClientOptions) -> Result<usize> {
        let client = Client::new(options);
        let (input, output) = (BytesMut::new(), BytesMut::new());
        self.peers.push(Peer { client, socket: None, web_socket: None, input, output });
        let number = self.peers.len() - 1;
        self.reopen(number, broker)?;
        Ok(number)
    }

    /// Connects a client again, after [`Swarm::close`] or with other options.
    pub(crate) fn reopen(&mut self, number: usize, broker: impl Into<Door>) -> Result<()> {
        self.close(number);
        let Door { address, path } = broker.into();
        let socket = std::net::TcpStream::connect(address)
            .with_context(|| format!("the broker at {address} takes no connection"))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number), both)?;
        let now = self.now();
        let peer = &mut self.peers[number];
        peer.socket = Some(socket);
        peer.web_socket = path.map(|path| WebSocket::ask(&address.to_string(), &path, &mut peer.output));
        peer.client.handle_open(now);
        peer.flush()
    }

    /// Cuts a connection without a word.
    pub(crate) fn close(&mut self, number: usize) {
        let now = self.now();
        let peer = &mut self.peers[number];
        peer.socket = None;
        peer.web_socket = None;
        peer.client.handle_close(now);
        peer.input.clear();
        peer.output.clear();
    }

    /// A client, for a request; [`Swarm::flush`] sends it.
    pub(crate) fn client(&mut self, number: usize) -> (&mut Client, Time) {
        let now = self.now();
        (&mut self.peers[number].client, now)
    }

    /// Sends what a client has for its socket.
    pub(crate) fn flush(&mut self, number: usize) -> Result<()> {
        self.peers[number].flush()
    }

    /// From now on turns end so often, whatever their patience.
    pub(crate) fn tick(&mut self, step: Duration) -> Result<()> {
        let ticker = Ticker::start(step, self.poll.registry(), TICKER);
        self.ticker = Some(ticker.context("the system gives no timer")?);
        Ok(())
    }

    /// No more ticks.
    pub(crate) fn tick_no_more(&mut self) {
        self.ticker = None;
    }

    /// Waits for sockets, at most so long, and serves those that are ready.
    pub(crate) fn turn(&mut self, patience: Duration, on_event: &mut OnEvent<'_>) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let now = time_since(self.begin);
        for event in &self.events {
            let Token(number) = event.token();
            if event.token() == TICKER {
                // What is left of a ticker that is gone is nobody's.
                self.ticker.as_ref().map_or(Ok(()), Ticker::acknowledge)?;
                continue;
            }
            let peer = &mut self.peers[number];
            let is_ending = event.is_read_closed();
            if event.is_readable() || is_ending {
                peer.receive(number, now, is_ending, &mut self.received, on_event)?;
            }
            peer.flush()?;
        }
        if Instant::now() >= self.timers_due {
            self.timers_due = Instant::now() + TIMERS_EVERY;
            self.handle_timeouts(now)?;
        }
        Ok(())
    }

    /// Turns until something is so; whether it was within the time.
    pub(crate) fn turn_until<S>(
        &mut self,
        patience: Duration,
        state: &mut S,
        is_so: impl Fn(&S) -> bool,
        mut on_event: impl FnMut(&mut S, usize, &mut Client, Time, ClientEvent) -> Result<()>,
    ) -> Result<bool> {
        let deadline = Instant::now() + patience;
        while !is_so(state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.turn(left.min(TIMERS_EVERY), &mut |number, client, now, event| {
                on_event(state, number, client, now, event)
            })?;
        }
        Ok(true)
    }

    fn handle_timeouts(&mut self, now: Time) -> Result<()> {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            if peer.client.poll_timeout().is_some_and(|due| due <= now) {
                let served = peer.client.handle_timeout(now);
                served.with_context(|| format!("connection {number}"))?;
                peer.flush()?;
            }
        }
        Ok(())
    }

    fn now(&self) -> Time {
        time_since(self.begin)
    }
}

impl Peer {
    /// Reads until there is no more: a socket is told of only when something new comes.
    fn receive(
        &mut self,
        number: usize,
        now: Time,
        is_ending: bool,
        received: &mut [u8],
        on_event: &mut OnEvent<'_>,
    ) -> Result<()> {
        let connection = || format!("connection {number}");
        loop {
            let Some(socket) = &mut self.socket else { return Ok(()) };
            let len = match socket.read(received) {
                Ok(0) => bail!("the broker ended connection {number}"),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(connection),
            };
            match &mut self.web_socket {
                None => self.input.extend_from_slice(&received[..len]),
                Some(web_socket) => web_socket
                    .unwrap(&received[..len], &mut self.input, &mut self.output)
                    .with_context(connection)?,
            }
            self.client.handle_input(now, &mut self.input).with_context(connection)?;
            while let Some(event) = self.client.poll_event() {
                on_event(number, &mut self.client, now, event)?;
            }
            // Less than was asked for is all there was; what comes later makes it ready again.
            if len < received.len() && !is_ending {
                return Ok(());
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        let may_send = self.web_socket.as_ref().is_none_or(WebSocket::is_open);
        if may_send && let Some(bytes) = self.client.take_output() {
            if self.web_socket.is_some() {
                WebSocket::wrap(&bytes, &mut self.output)?;
            } else if self.output.is_empty() {
                self.output = bytes;
            } else {
                self.output.extend_from_slice(&bytes);
            }
        }
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while !self.output.is_empty() {
            match socket.write(&self.output) {
                Ok(len) => self.output.advance(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the broker takes nothing more"),
            }
        }
        Ok(())
    }
}

fn time_since(begin: Instant) -> Time {
    Time::from_millis(u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX))
}
