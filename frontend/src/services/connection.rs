//! Drives the shared MQTT client over a WebSocket: opens, feeds, flushes, times, and opens again after a loss.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use hearth_protocol::connection::Backoff;
use hearth_protocol::connection::client::{Client, ClientEvent, PublishError, Token};
use hearth_protocol::packet::{Disconnect, Publish, RetainHandling, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter};

use super::client_options;
use super::clock::Clock;
use super::document;
use super::socket::{self, Socket, SocketEvent};
use crate::state::link::{Cause, Link};

/// How long opening a socket may take: a host that swallows packets would hold the page for minutes.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A person before the panel does not wait longer than this for the next attempt, and one page is no stampede.
const RETRY_MAX: Duration = Duration::from_secs(15);

/// How often the round trip is measured while the page is seen, in milliseconds.
const PING_EVERY_MS: u32 = 10_000;

/// Silence after which a page that wakes up asks before it believes what it shows.
const TRUST_MAX: Duration = Duration::from_secs(5);

/// How long the answer to that question may take.
const PROBE_MAX: Duration = Duration::from_secs(4);

/// What the rest of the app hears of.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The state of the connection changed.
    Link(Link),
    /// A message came.
    Message(Publish),
    /// The broker answered a publication of QoS 1 or 2.
    Published(Token, ReasonCode),
}

struct Inner {
    address: Option<String>,
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
    ping: RefCell<Option<Interval>>,
    received_at: Cell<Time>,
    // What the broker said before it closed; the close itself says less.
    said: RefCell<Option<Said>>,
    link: RefCell<Link>,
    on_event: Box<dyn Fn(ConnectionEvent)>,
    wake: RefCell<Option<[EventListener; 3]>>,
    leave: RefCell<Option<EventListener>>,
}

enum Said {
    Refused(ReasonCode),
    Goodbye(Disconnect),
}

/// The connection to the broker that served the page; it lives as long as the page.
#[derive(Clone)]
pub struct Connection {
    inner: Rc<Inner>,
}

impl Connection {
    /// A connection that is not opened yet. `None` as address: the page came from no server.
    pub fn new(address: Option<String>, on_event: impl Fn(ConnectionEvent) + 'static) -> Self {
        let inner = Rc::new(Inner {
            address,
            clock: Clock::default(),
            client: RefCell::new(Client::new(client_options::draw())),
            input: RefCell::default(),
            socket: RefCell::default(),
            socket_number: Cell::default(),
            backoff: RefCell::new(Backoff::default()),
            timer: RefCell::default(),
            retry: RefCell::default(),
            probe: RefCell::default(),
            ping: RefCell::default(),
            received_at: Cell::default(),
            said: RefCell::default(),
            link: RefCell::default(),
            on_event: Box::new(on_event),
            wake: RefCell::default(),
            leave: RefCell::default(),
        });
        let weak = Rc::downgrade(&inner);
        let listeners = document::on_wake(move || {
            if let Some(inner) = weak.upgrade() {
                inner.handle_wake();
            }
        });
        inner.wake.replace(Some(listeners));
        let weak = Rc::downgrade(&inner);
        inner.leave.replace(Some(document::on_leave(move || {
            if let Some(inner) = weak.upgrade() {
                inner.handle_leave();
            }
        })));
        let weak = Rc::downgrade(&inner);
        inner.ping.replace(Some(Interval::new(PING_EVERY_MS, move || {
            if let Some(inner) = weak.upgrade().filter(|_| document::is_visible()) {
                inner.ask();
            }
        })));
        Self { inner }
    }

    /// Opens it, now and after every loss.
    pub fn open(&self) {
        self.inner.connect();
    }

    /// The address of the broker.
    pub fn address(&self) -> Option<&str> {
        self.inner.address.as_deref()
    }

    /// The client id of this page.
    pub fn client_id(&self) -> Text {
        self.inner.client.borrow().options().client_id.clone()
    }

    /// The clock of the connection.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// Tries at once instead of waiting.
    pub fn retry_now(&self) {
        self.inner.handle_wake();
    }

    /// Publishes; the answer to QoS 1 and 2 comes as [`ConnectionEvent::Published`].
    ///
    /// # Errors
    /// The client's: a full queue, or something that the broker's terms forbid.
    pub fn publish(&self, message: Publish) -> Result<Token, PublishError> {
        let token = self.inner.client.borrow_mut().publish(self.inner.clock.now(), message)?;
        self.inner.flush();
        Ok(token)
    }
}

impl Inner {
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
                self.retry.replace(Some(timeout(self, OPEN_TIMEOUT, |inner| inner.end(Cause::Lost))));
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
                self.arm();
            }
            SocketEvent::Received(bytes) => {
                self.received_at.set(self.clock.now());
                let result = {
                    let mut input = self.input.borrow_mut();
                    socket::append(&bytes, &mut input);
                    self.client.borrow_mut().handle_input(self.clock.now(), &mut input)
                };
                self.drain_events();
                self.flush();
                match result {
                    // A refusal or a goodbye ends it, whether or not the broker closes too [MQTT-4.13.2-1].
                    Ok(()) if self.client.borrow().is_closing() => self.end(Cause::Lost),
                    Ok(()) => self.arm(),
                    Err(error) => self.end(Cause::Protocol(error.to_string())),
                }
            }
            SocketEvent::Closed => self.end(Cause::Lost),
        }
    }

    /// The page was shown, or the network came back.
    fn handle_wake(self: &Rc<Self>) {
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
        }
    }

    /// The page is going: its session is of no more use to anyone.
    fn handle_leave(self: &Rc<Self>) {
        let mut goodbye = Disconnect::new(ReasonCode::Success);
        goodbye.properties.session_expiry = Some(0);
        self.client.borrow_mut().disconnect(self.clock.now(), goodbye);
        self.flush();
        self.end(Cause::Lost);
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
        self.timer.replace(Some((at, timeout(self, wait, |inner| inner.handle_timer()))));
    }

    fn drain_events(self: &Rc<Self>) {
        loop {
            // Not held while the event is handled: a listener may publish.
            let event = self.client.borrow_mut().poll_event();
            let Some(event) = event else { return };
            self.on_client_event(event);
        }
    }

    fn on_client_event(self: &Rc<Self>, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) => (self.on_event)(ConnectionEvent::Message(message)),
            ClientEvent::Published { token, reason } => {
                (self.on_event)(ConnectionEvent::Published(token, reason));
            }
            ClientEvent::Connected { .. } => {
                self.backoff.borrow_mut().reset();
                // From now on the session is worth keeping.
                self.client.borrow_mut().options_mut().clean_start = false;
                self.set_link(Link::Online { round_trip: None });
                self.subscribe();
            }
            ClientEvent::Refused { reason, .. } => {
                self.said.replace(Some(Said::Refused(reason)));
            }
            ClientEvent::Disconnected(disconnect) => {
                self.said.replace(Some(Said::Goodbye(disconnect)));
            }
            ClientEvent::Pong { round_trip } => {
                self.probe.replace(None);
                self.set_link(Link::Online { round_trip: Some(round_trip) });
            }
            ClientEvent::Subscribed { reasons, .. } => {
                // Without the subscription the page would show a silent house.
                if let Some(&reason) = reasons.iter().find(|reason| reason.is_failure()) {
                    self.said.replace(Some(Said::Refused(reason)));
                    self.end(Cause::Lost);
                }
            }
            // The page names no authentication method, so the broker may not ask for one [MQTT-4.12.0-6].
            ClientEvent::Unsubscribed { .. }
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. } => {}
        }
    }

    /// Asks for everything. A resumed session has the subscription already, but only SUBSCRIBE brings the
    /// retained values again, which tell what is still true after a gap.
    fn subscribe(self: &Rc<Self>) {
        let Ok(filter) = TopicFilter::try_from("#") else { return };
        let subscription = Subscription {
            retain_as_published: true,
            retain_handling: RetainHandling::Send,
            ..Subscription::new(filter, QoS::AtMostOnce)
        };
        let now = self.clock.now();
        let mut client = self.client.borrow_mut();
        let sent = client.subscribe(now, vec![subscription], SubscribeProperties::default());
        client.ping(now);
        drop(client);
        if let Err(error) = sent {
            self.end(Cause::Protocol(error.to_string()));
        }
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

    /// Gives the connection up and plans the next.
    fn end(self: &Rc<Self>, cause: Cause) {
        let now = self.clock.now();
        self.socket_number.set(self.socket_number.get() + 1);
        self.socket.replace(None);
        self.timer.replace(None);
        self.probe.replace(None);
        self.input.borrow_mut().clear();
        self.client.borrow_mut().handle_close(now);
        self.drain_events();
        let wait = self.backoff.borrow_mut().next(js_sys::Math::random()).min(RETRY_MAX);
        let retry_at = now.saturating_add(wait);
        self.retry.replace(Some(timeout(self, wait, |inner| inner.connect())));
        self.set_link(match self.said.take() {
            Some(Said::Refused(reason)) => Link::Refused { reason, retry_at },
            Some(Said::Goodbye(disconnect)) => {
                Link::Waiting { cause: Cause::Closed(disconnect.reason), retry_at }
            }
            None => Link::Waiting { cause, retry_at },
        });
    }

    fn set_link(&self, link: Link) {
        if *self.link.borrow() != link {
            self.link.replace(link.clone());
            (self.on_event)(ConnectionEvent::Link(link));
        }
    }
}

/// A timer that ends with the connection.
fn timeout(inner: &Rc<Inner>, wait: Duration, fire: impl FnOnce(&Rc<Inner>) + 'static) -> Timeout {
    let weak: Weak<Inner> = Rc::downgrade(inner);
    Timeout::new(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX), move || {
        if let Some(inner) = weak.upgrade() {
            fire(&inner);
        }
    })
}
