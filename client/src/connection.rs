//! Drives the shared MQTT client over a WebSocket: opens, feeds, flushes, times, and opens again after a loss.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use hearth_protocol::connection::client::{Client, ClientEvent, ClientOptions};
use hearth_protocol::connection::{Backoff, ProtocolError};
use hearth_protocol::packet::Disconnect;
use hearth_protocol::{ReasonCode, Time};
use js_sys::ArrayBuffer;

use crate::clock::Clock;
use crate::link::{Cause, Link};
use crate::page;
use crate::socket::{self, Socket, SocketEvent};

/// Silence after which a page that wakes up asks before it believes what it shows.
const TRUST_MAX: Duration = Duration::from_secs(5);

/// How long the answer to that question may take.
const PROBE_MAX: Duration = Duration::from_secs(4);

/// How a connection behaves that is not MQTT's business.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long opening a socket may take: a host that swallows packets would hold the page for minutes.
    pub open_timeout: Duration,
    /// The longest wait before the next attempt.
    pub retry_max: Duration,
    /// How often the round trip is measured while the page is seen; `None` for never.
    pub ping_every: Option<Duration>,
    /// What is said when the page goes; with `None` the socket breaks off, and the server publishes the will.
    pub farewell: Option<Disconnect>,
}

/// What a connection tells, in order.
#[derive(Debug)]
pub enum Event<'a> {
    /// The state of the connection changed.
    Link(Link),
    /// A WebSocket frame came; the events up to `Handled` come out of it.
    Frame {
        /// The frame as the browser gave it.
        buffer: &'a ArrayBuffer,
        /// Where in this memory its copy begins, which payloads of messages are slices of.
        address: usize,
    },
    /// Something happened. The connection itself closes after `Refused` and `Disconnected`.
    Client(ClientEvent),
    /// Everything that a frame brought was told.
    Handled,
}

type Listener = dyn Fn(&Connection, Event<'_>);

struct Inner {
    address: Option<String>,
    settings: Settings,
    clock: Clock,
    client: RefCell<Client>,
    input: RefCell<BytesMut>,
    socket: RefCell<Option<Socket>>,
    // Events of a socket that has been given up are told by its number.
    socket_number: Cell<u64>,
    backoff: RefCell<Backoff>,
    timer: RefCell<Option<(Time, Timeout)>>,
    retry: RefCell<Option<Timeout>>,
    probe: RefCell<Option<Timeout>>,
    received_at: Cell<Time>,
    // What the broker said before it closed; the close itself says less.
    said: RefCell<Option<Said>>,
    link: RefCell<Link>,
    is_wanted: Cell<bool>,
    is_paused: Cell<bool>,
    on_event: Box<Listener>,
    // Kept for as long as the connection is.
    page: RefCell<Vec<EventListener>>,
    ping: RefCell<Option<Interval>>,
}

enum Said {
    Refused(ReasonCode),
    Goodbye(Disconnect),
}

/// A connection to one broker; the last clone ends it.
#[derive(Clone)]
pub struct Connection {
    inner: Rc<Inner>,
}

impl Connection {
    /// A connection that is not opened yet. `None` as address: there is no broker to connect to.
    pub fn new(
        address: Option<String>,
        options: ClientOptions,
        settings: Settings,
        on_event: impl Fn(&Self, Event<'_>) + 'static,
    ) -> Self {
        let inner = Rc::new(Inner {
            address,
            settings,
            clock: Clock::default(),
            client: RefCell::new(Client::new(options)),
            input: RefCell::default(),
            socket: RefCell::default(),
            socket_number: Cell::default(),
            backoff: RefCell::default(),
            timer: RefCell::default(),
            retry: RefCell::default(),
            probe: RefCell::default(),
            received_at: Cell::default(),
            said: RefCell::default(),
            link: RefCell::default(),
            is_wanted: Cell::new(false),
            is_paused: Cell::new(false),
            on_event: Box::new(on_event),
            page: RefCell::default(),
            ping: RefCell::default(),
        });
        inner.listen_to_page();
        Self { inner }
    }

    /// Opens it, now and after every loss.
    pub fn open(&self) {
        self.inner.is_wanted.set(true);
        self.inner.connect();
    }

    /// Says goodbye and closes it until it is opened again; nothing is told of it any more.
    pub fn close(&self, goodbye: Disconnect) {
        self.inner.say_goodbye(goodbye);
        self.inner.is_wanted.set(false);
        self.inner.drop_socket();
        self.inner.retry.replace(None);
        self.inner.said.replace(None);
        self.inner.backoff.borrow_mut().reset();
        self.inner.link.replace(Link::Closed);
    }

    /// Tells no more events of the client until [`Connection::resume`], so that whoever waits for the connection can begin
    /// to listen before the first message is told.
    pub fn pause(&self) {
        self.inner.is_paused.set(true);
    }

    /// Tells what has waited, and goes on.
    pub fn resume(&self) {
        if self.inner.is_paused.replace(false) {
            self.inner.on_handled(Ok(()));
        }
    }

    /// Gives the connection up as if the server had refused it, and plans the next.
    pub fn refuse(&self, reason: ReasonCode) {
        self.inner.said.replace(Some(Said::Refused(reason)));
        self.inner.end(Cause::Lost);
    }

    /// The address of the broker.
    pub fn address(&self) -> Option<&str> {
        self.inner.address.as_deref()
    }

    /// The state of the connection.
    pub fn link(&self) -> Link {
        self.inner.link.borrow().clone()
    }

    /// The clock of the connection.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// Tries at once instead of waiting.
    pub fn retry_now(&self) {
        self.inner.handle_wake();
    }

    /// Bytes that the browser has taken over but not sent yet.
    pub fn buffered_bytes(&self) -> u32 {
        self.inner.socket.borrow().as_ref().map_or(0, Socket::buffered_bytes)
    }

    /// Lets the client do something. What it has to say stays until [`Connection::flush`], and events that this causes are
    /// told then too.
    pub fn with_client<T>(&self, act: impl FnOnce(&mut Client, Time) -> T) -> T {
        act(&mut self.inner.client.borrow_mut(), self.inner.clock.now())
    }

    /// Writes what the client has to say, and tells what happened.
    pub fn flush(&self) {
        self.inner.flush();
        self.inner.drain_events();
        self.inner.arm();
    }
}

impl Inner {
    fn listen_to_page(self: &Rc<Self>) {
        let mut listeners = page::on_wake(weakly(self, Self::handle_wake));
        listeners.push(page::on_leave(weakly(self, Self::handle_leave)));
        self.page.replace(listeners);
        self.ping.replace(self.settings.ping_every.map(|every| {
            let ask = weakly(self, Self::ask);
            Interval::new(millis(every), move || {
                if page::is_visible() {
                    ask();
                }
            })
        }));
    }

    fn connect(self: &Rc<Self>) {
        let Some(address) = &self.address else {
            return self.set_link(Link::Waiting { cause: Cause::Lost, retry_at: self.clock.now() });
        };
        self.retry.replace(None);
        let number = self.socket_number.get() + 1;
        self.socket_number.set(number);
        self.set_link(Link::Connecting);
        let weak = Rc::downgrade(self);
        let opened = Socket::open(address, move |event| {
            if let Some(inner) = weak.upgrade().filter(|inner| inner.socket_number.get() == number) {
                inner.handle_socket(event);
            }
        });
        match opened {
            Ok(socket) => {
                self.socket.replace(Some(socket));
                let give_up = timeout(self, self.settings.open_timeout, |inner| inner.end(Cause::Lost));
                self.retry.replace(Some(give_up));
            }
            Err(_) => self.end(Cause::Lost),
        }
    }

    fn handle_socket(self: &Rc<Self>, event: SocketEvent) {
        match event {
            SocketEvent::Opened => {
                self.retry.replace(None);
                self.client.borrow_mut().handle_open(self.clock.now());
                self.flush();
                self.drain_events();
                match self.client.borrow().is_closing() {
                    false => self.arm(),
                    true => self.end(Cause::Lost),
                }
            }
            SocketEvent::Received(bytes) => self.handle_frame(&bytes),
            SocketEvent::Closed => self.end(Cause::Lost),
        }
    }

    fn handle_frame(self: &Rc<Self>, buffer: &ArrayBuffer) {
        self.received_at.set(self.clock.now());
        let (address, result) = {
            let mut input = self.input.borrow_mut();
            let carried = input.len();
            socket::append(buffer, &mut input);
            let address = input[carried..].as_ptr().addr();
            (address, self.client.borrow_mut().handle_input(self.received_at.get(), &mut input))
        };
        self.tell(Event::Frame { buffer, address });
        self.on_handled(result);
    }

    /// The client has handled what came, and may have something to tell and to say.
    fn on_handled(self: &Rc<Self>, result: Result<(), ProtocolError>) {
        self.drain_events();
        self.tell(Event::Handled);
        self.flush();
        // A listener may have closed it.
        let is_closing = self.is_wanted.get() && self.client.borrow().is_closing();
        match result {
            // A refusal or a goodbye ends it, whether or not the broker closes too [MQTT-4.13.2-1].
            Ok(()) if is_closing => self.end(Cause::Lost),
            Ok(()) => self.arm(),
            Err(error) => self.end(Cause::Protocol(error.to_string())),
        }
    }

    /// The page was shown, or the network came back.
    fn handle_wake(self: &Rc<Self>) {
        if !self.is_wanted.get() {
            return;
        }
        let link = self.link.borrow().clone();
        match link {
            Link::Waiting { .. } | Link::Refused { .. } => {
                self.backoff.borrow_mut().reset();
                self.connect();
            }
            Link::Online { .. } => {
                self.handle_timer();
                let silence = self.clock.now().saturating_since(self.received_at.get());
                if self.link.borrow().is_online() && silence > TRUST_MAX {
                    self.set_link(Link::Checking);
                    self.ask();
                    self.probe.replace(Some(timeout(self, PROBE_MAX, |inner| inner.end(Cause::Silent))));
                }
            }
            Link::Connecting | Link::Checking => self.handle_timer(),
            // It is not wanted then.
            Link::Closed => {}
        }
    }

    /// The page is going, perhaps for ever.
    fn handle_leave(self: &Rc<Self>) {
        if !self.is_wanted.get() {
            return;
        }
        if let Some(farewell) = &self.settings.farewell {
            self.say_goodbye(farewell.clone());
        }
        self.end(Cause::Lost);
    }

    fn say_goodbye(self: &Rc<Self>, goodbye: Disconnect) {
        self.client.borrow_mut().disconnect(self.clock.now(), goodbye);
        self.flush();
    }

    /// Asks the broker for a sign of life.
    fn ask(self: &Rc<Self>) {
        self.client.borrow_mut().ping(self.clock.now());
        self.flush();
        self.arm();
    }

    fn handle_timer(self: &Rc<Self>) {
        self.timer.replace(None);
        let now = self.clock.now();
        let due = self.client.borrow().poll_timeout().is_some_and(|at| at <= now);
        if due {
            let result = self.client.borrow_mut().handle_timeout(now);
            self.flush();
            if result.is_err() {
                return self.end(Cause::Silent);
            }
        }
        self.arm();
    }

    /// Sets the browser's timer, unless one is set that fires in time: setting it anew for each message would
    /// cost more than the message.
    fn arm(self: &Rc<Self>) {
        let Some(at) = self.client.borrow().poll_timeout() else { return };
        if self.timer.borrow().as_ref().is_some_and(|(set, _)| *set <= at) {
            return;
        }
        // One millisecond more than needed, since browsers round down.
        let wait = at.saturating_since(self.clock.now()) + Duration::from_millis(1);
        self.timer.replace(Some((at, timeout(self, wait, Self::handle_timer))));
    }

    fn drain_events(self: &Rc<Self>) {
        while !self.is_paused.get() {
            // Not held while the event is handled: a listener may publish.
            let event = self.client.borrow_mut().poll_event();
            let Some(event) = event else { return };
            self.on_client_event(event);
        }
    }

    fn on_client_event(self: &Rc<Self>, event: ClientEvent) {
        match &event {
            ClientEvent::Connected { .. } => {
                self.backoff.borrow_mut().reset();
                self.set_link(Link::Online { round_trip: None });
            }
            ClientEvent::Refused { reason, .. } => {
                self.said.replace(Some(Said::Refused(*reason)));
            }
            ClientEvent::Disconnected(disconnect) => {
                self.said.replace(Some(Said::Goodbye(disconnect.clone())));
            }
            ClientEvent::Pong { round_trip } => {
                self.probe.replace(None);
                self.set_link(Link::Online { round_trip: Some(*round_trip) });
            }
            // Neither the app nor the package names an authentication method, so the broker may not ask for
            // one [MQTT-4.12.0-6].
            ClientEvent::Message(_)
            | ClientEvent::Published { .. }
            | ClientEvent::Subscribed { .. }
            | ClientEvent::Unsubscribed { .. }
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. } => {}
        }
        self.tell(Event::Client(event));
    }

    /// Writes out what the client has to say. A socket that does not take it reports its close by itself.
    fn flush(&self) {
        loop {
            let output = self.client.borrow_mut().take_output();
            let Some(output) = output else { return };
            if let Some(socket) = &*self.socket.borrow() {
                let _ = socket.send(&output);
            }
        }
    }

    fn drop_socket(self: &Rc<Self>) {
        self.socket_number.set(self.socket_number.get() + 1);
        self.socket.replace(None);
        self.timer.replace(None);
        self.probe.replace(None);
        self.client.borrow_mut().handle_close(self.clock.now());
        self.input.borrow_mut().clear();
    }

    /// Gives the connection up and plans the next.
    fn end(self: &Rc<Self>, cause: Cause) {
        if !self.is_wanted.get() {
            return;
        }
        self.drop_socket();
        self.is_paused.set(false);
        self.drain_events();
        let now = self.clock.now();
        let mut wait = self.backoff.borrow_mut().next(js_sys::Math::random()).min(self.settings.retry_max);
        if matches!(&*self.said.borrow(), Some(Said::Goodbye(goodbye)) if goodbye.reason == ReasonCode::SessionTakenOver)
        {
            // Whoever took the client id is connected now: two that take it from each other at once never rest.
            wait = self.settings.retry_max;
        }
        let retry_at = now.saturating_add(wait);
        self.retry.replace(Some(timeout(self, wait, Self::connect)));
        self.set_link(match self.said.take() {
            Some(Said::Refused(reason)) => Link::Refused { reason, retry_at },
            Some(Said::Goodbye(disconnect)) => {
                Link::Waiting { cause: Cause::Closed(disconnect.reason), retry_at }
            }
            None => Link::Waiting { cause, retry_at },
        });
    }

    fn set_link(self: &Rc<Self>, link: Link) {
        if *self.link.borrow() != link {
            self.link.replace(link.clone());
            self.tell(Event::Link(link));
        }
    }

    fn tell(self: &Rc<Self>, event: Event<'_>) {
        if self.is_wanted.get() {
            (self.on_event)(&Connection { inner: Rc::clone(self) }, event);
        }
    }
}

fn weakly(inner: &Rc<Inner>, act: impl Fn(&Rc<Inner>) + Clone + 'static) -> impl Fn() + Clone + 'static {
    let weak: Weak<Inner> = Rc::downgrade(inner);
    move || {
        if let Some(inner) = weak.upgrade() {
            act(&inner);
        }
    }
}

/// A timer that ends with the connection.
fn timeout(inner: &Rc<Inner>, wait: Duration, fire: impl Fn(&Rc<Inner>) + Clone + 'static) -> Timeout {
    Timeout::new(millis(wait), weakly(inner, fire))
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
