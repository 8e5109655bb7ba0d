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

/// Ready sockets that one turn takes.
const EVENTS_MAX: usize = 1024;
/// Bytes that one read takes.
const READ_BYTES: usize = 64 << 10;

/// What is told of each event of each client.
pub(crate) type OnEvent<'a> = dyn FnMut(usize, &mut Client, Time, ClientEvent) -> Result<()> + 'a;

/// The connections. Each has a number, from 0 in the order in which they were opened.
#[derive(Debug)]
pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    peers: Vec<Peer>,
    begin: Instant,
    /// What a read takes, before it goes to its client.
    received: Box<[u8]>,
}

#[derive(Debug)]
struct Peer {
    client: Client,
    socket: Option<TcpStream>,
    input: BytesMut,
    /// What the socket did not take.
    output: BytesMut,
}

impl Swarm {
    /// Nobody yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_MAX),
            peers: Vec::new(),
            begin: Instant::now(),
            received: vec![0; READ_BYTES].into(),
        })
    }

    /// One client more, whose CONNECT goes out; its number.
    pub(crate) fn open(&mut self, broker: SocketAddr, options: ClientOptions) -> Result<usize> {
        let client = Client::new(options);
        self.peers.push(Peer { client, socket: None, input: BytesMut::new(), output: BytesMut::new() });
        let number = self.peers.len() - 1;
        self.reopen(number, broker)?;
        Ok(number)
    }

    /// Connects a client again, after [`Swarm::close`] or with other options.
    pub(crate) fn reopen(&mut self, number: usize, broker: SocketAddr) -> Result<()> {
        self.close(number);
        let socket = std::net::TcpStream::connect(broker)
            .with_context(|| format!("the broker at {broker} takes no connection"))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number), both)?;
        let now = self.now();
        let peer = &mut self.peers[number];
        peer.socket = Some(socket);
        peer.client.handle_open(now);
        peer.flush()
    }

    /// Cuts a connection without a word.
    pub(crate) fn close(&mut self, number: usize) {
        let now = self.now();
        let peer = &mut self.peers[number];
        peer.socket = None;
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

    /// Waits for sockets, at most so long, and serves those that are ready.
    pub(crate) fn turn(&mut self, patience: Duration, on_event: &mut OnEvent<'_>) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let now = time_since(self.begin);
        for event in &self.events {
            let Token(number) = event.token();
            let peer = &mut self.peers[number];
            if event.is_readable() || event.is_read_closed() {
                peer.receive(number, now, &mut self.received, on_event)?;
            }
            peer.flush()?;
        }
        for (number, peer) in self.peers.iter_mut().enumerate() {
            if peer.client.poll_timeout().is_some_and(|due| due <= now) {
                let served = peer.client.handle_timeout(now);
                served.with_context(|| format!("connection {number}"))?;
                peer.flush()?;
            }
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
            self.turn(left, &mut |number, client, now, event| on_event(state, number, client, now, event))?;
        }
        Ok(true)
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
        received: &mut [u8],
        on_event: &mut OnEvent<'_>,
    ) -> Result<()> {
        loop {
            let Some(socket) = &mut self.socket else { return Ok(()) };
            match socket.read(received) {
                Ok(0) => bail!("the broker ended connection {number}"),
                Ok(len) => self.input.extend_from_slice(&received[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| format!("connection {number}")),
            }
            let handled = self.client.handle_input(now, &mut self.input);
            handled.with_context(|| format!("connection {number}"))?;
            while let Some(event) = self.client.poll_event() {
                on_event(number, &mut self.client, now, event)?;
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(bytes) = self.client.take_output() {
            if self.output.is_empty() {
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
