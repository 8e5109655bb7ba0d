//! A connection to one broker, subscribed to what its terms say, for as long as the page lives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hearth_client::connection::{Connection as Driver, Event, Settings};
use hearth_protocol::connection::client::{ClientEvent, ClientOptions, PublishError, RequestError, Token};
use hearth_protocol::packet::{
    Disconnect, Publish, RetainHandling, SubscribeProperties, Subscription, UnsubscribeProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter, TopicName};

use super::terms::Terms;
use crate::state::link::Link;
use crate::state::outcome::Answer;
use crate::state::seen::Copies;
use crate::state::subscriptions::{Ask, Change, Owner, Subscriptions, TREE_ID};

/// How long opening a socket may take: a host that swallows packets would hold the page for minutes.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A person before the panel does not wait longer than this for the next attempt, and one page is no stampede.
const RETRY_MAX: Duration = Duration::from_secs(15);

/// How often the round trip is measured while the page is seen.
const PING_EVERY: Duration = Duration::from_secs(10);

/// What the rest of the app hears of.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The state of the connection changed.
    Link(Link),
    /// The broker took the connection, and still has the session of an earlier one or not.
    Accepted {
        /// Whether it has.
        is_resumed: bool,
    },
    /// A message came.
    Message(Publish),
    /// The broker answered a publication of QoS 1 or 2.
    Published(Token, Answer),
    /// The broker answered a request to subscribe or unsubscribe.
    Answered(Token, Vec<ReasonCode>),
}

/// What is subscribed to, and how.
struct Wants {
    terms: Terms,
    subscriptions: RefCell<Subscriptions>,
    /// Whether subscriptions have identifiers, those of the tree too.
    is_numbered: Cell<bool>,
    /// Whether the broker has said what it has of the session.
    is_accepted: Cell<bool>,
}

/// The connection; clones are the same one.
#[derive(Clone)]
pub struct Connection {
    driver: Driver,
    wants: Rc<Wants>,
}

impl Connection {
    /// A connection that is not opened yet.
    pub fn new(terms: Terms, on_event: impl Fn(ConnectionEvent) + 'static) -> Self {
        let settings = Settings {
            open_timeout: OPEN_TIMEOUT,
            retry_max: RETRY_MAX,
            ping_every: Some(PING_EVERY),
            farewell: Some(terms.farewell.clone()),
        };
        let address = terms.address.clone();
        let options = terms.options.clone();
        let wants = Rc::new(Wants {
            terms,
            subscriptions: RefCell::default(),
            is_numbered: Cell::default(),
            is_accepted: Cell::default(),
        });
        let heard = Rc::clone(&wants);
        let driver = Driver::new(address, options, settings, move |driver, event| match event {
            Event::Link(link) => heard.handle_link(link, &on_event),
            Event::Client(event) => heard.handle_client_event(driver, event, &on_event),
            Event::Frame { .. } | Event::Handled => {}
        });
        Self { driver, wants }
    }

    /// Opens it, now and after every loss.
    pub fn open(&self) {
        self.driver
            .with_client(|client, _| client.options_mut().clean_start = self.wants.terms.options.clean_start);
        self.driver.open();
    }

    /// Ends it, with this reason, until it is opened again. Nothing is told of that.
    pub fn close(&self, reason: ReasonCode) {
        self.wants.is_accepted.set(false);
        self.driver.close(Disconnect::new(reason));
    }

    /// The address of the broker.
    pub fn address(&self) -> Option<&str> {
        self.driver.address()
    }

    /// The client id of this page.
    pub fn client_id(&self) -> Text {
        self.driver.with_client(|client, _| client.options().client_id.clone())
    }

    /// What it says in CONNECT.
    pub fn options(&self) -> ClientOptions {
        self.driver.with_client(|client, _| client.options().clone())
    }

    /// The clock of the connection.
    pub fn now(&self) -> Time {
        self.driver.now()
    }

    /// Tries at once instead of waiting.
    pub fn retry_now(&self) {
        self.driver.retry_now();
    }

    /// Sees to it that messages on this topic come, also where the filters that fill the tree leave it out: those of a large
    /// broker name a few topics, and `#` leaves out what begins with a dollar sign [MQTT-4.7.2-1].
    pub fn hear(&self, topic: &TopicName) {
        let is_heard = self.wants.subscriptions.borrow().filling().any(|filter| filter.matches(topic));
        if !is_heard && let Ok(filter) = TopicFilter::try_from(topic.as_str()) {
            let subscription = Subscription {
                retain_handling: RetainHandling::DoNotSend,
                ..Subscription::new(filter, QoS::AtLeastOnce)
            };
            // Refused, or not sent, it brings nothing, which is what the person sees.
            let _asked = self.subscribe(Owner::Answer, subscription);
        }
    }

    /// Takes a publication that goes out with the next [`Self::flush`]; what becomes of it is not told before.
    ///
    /// # Errors
    /// The client's: a full queue, or something that the broker's terms forbid.
    pub fn queue(&self, message: Publish) -> Result<Token, PublishError> {
        self.driver.with_client(|client, now| client.publish(now, message))
    }

    /// Writes what was queued.
    pub fn flush(&self) {
        self.driver.flush();
    }

    /// Publishes; the answer to QoS 1 and 2 comes as [`ConnectionEvent::Published`].
    ///
    /// # Errors
    /// The client's: a full queue, or something that the broker's terms forbid.
    pub fn publish(&self, message: Publish) -> Result<Token, PublishError> {
        let token = self.driver.with_client(|client, now| client.publish(now, message))?;
        self.driver.flush();
        Ok(token)
    }

    /// Whether the broker may tell which subscriptions brought a message.
    pub fn has_identifiers(&self) -> bool {
        self.wants.is_numbered.get()
    }

    /// Whether a message is one for the list and the tree of topics, by the identifiers of the subscriptions that brought it.
    pub fn is_trees(&self, ids: &[u32]) -> bool {
        self.wants.subscriptions.borrow().is_trees(ids)
    }

    /// Whether the subscribe page's filter with this identifier brings what this page publishes although it is not to, since the
    /// tree has the same filter.
    pub fn is_local(&self, id: u32) -> bool {
        self.wants.subscriptions.borrow().is_local(id)
    }

    /// How to know messages that the broker only repeats for the subscribe page's filters with these identifiers.
    pub fn copies(&self, ids: &[u32]) -> Copies {
        // Before version 5 nothing but what the broker had kept has the flag.
        let is_v5 = self.driver.with_client(|client, _| client.options().version.is_v5());
        if !is_v5 {
            return Copies::Marked;
        }
        self.wants.subscriptions.borrow().copies(ids, self.has_identifiers())
    }

    /// Subscribes for an owner; the answer comes as [`ConnectionEvent::Answered`]. Where the broker has identifiers, each message
    /// tells which filters of the subscribe page brought it.
    ///
    /// # Errors
    /// The client's: nothing was sent.
    pub fn subscribe(&self, owner: Owner, subscription: Subscription) -> Result<Token, RequestError> {
        match owner {
            Owner::Stream(_) => self.wants.number(&self.driver),
            Owner::Tree | Owner::Answer => {}
        }
        let ask = self.wants.subscriptions.borrow_mut().want(owner, subscription);
        let sent = self.wants.ask(&self.driver, ask);
        self.driver.flush();
        sent
    }

    /// Ends the subscription of an owner. What it shares with others stays; the answer to what is said comes as
    /// [`ConnectionEvent::Answered`].
    pub fn unsubscribe(&self, owner: Owner, filter: TopicFilter) {
        let change = self.wants.subscriptions.borrow_mut().leave(owner, &filter);
        let sent = match change {
            Change::None => return,
            Change::Ask(ask) => self.wants.ask(&self.driver, ask).map(|_| ()),
            Change::End => end(&self.driver, vec![filter.clone()]).map(|_| ()),
        };
        if sent.is_err() {
            self.wants.subscriptions.borrow_mut().handle_unsaid(filter);
        }
        self.driver.flush();
    }

    /// Subscribes to what is to fill the tree of topics; the answers come as [`ConnectionEvent::Answered`], for these filters
    /// each. Where the broker's own terms forbid it, the connection ends with that as its reason: a page without subscriptions
    /// would show a silent house. While there is no connection nothing is lost, since the next one asks anew.
    pub fn subscribe_tree(&self, filters: &[String]) -> Vec<(Token, Vec<String>)> {
        let filters = filters.iter().filter_map(|filter| TopicFilter::try_from(filter.as_str()).ok());
        let mut subscriptions = self.wants.subscriptions.borrow_mut();
        let wanted = filters.map(|filter| {
            let qos = self.wants.qos(&filter);
            let subscription = Subscription { retain_as_published: true, ..Subscription::new(filter, qos) };
            subscriptions.want(Owner::Tree, subscription)
        });
        // A SUBSCRIBE has one identifier for all that it asks for.
        let (shared, own): (Vec<Ask>, Vec<Ask>) = wanted.partition(|ask| ask.id.is_some());
        drop(subscriptions);
        let mut asks: Vec<_> = shared.into_iter().map(|ask| (vec![ask.subscription], ask.id)).collect();
        if !own.is_empty() {
            asks.push((own.into_iter().map(|ask| ask.subscription).collect(), None));
        }
        let asked = asks.into_iter().filter_map(|(subscriptions, id)| {
            let names = subscriptions.iter().map(|it| it.filter.as_str().to_owned()).collect();
            Some((told(&self.driver, self.wants.send(&self.driver, subscriptions, id))?, names))
        });
        let asked = asked.collect();
        self.driver.flush();
        asked
    }

    /// Unsubscribes from what filled the tree of topics; the answer comes as [`ConnectionEvent::Answered`]. `None`: there will be
    /// none, since others want all of it.
    ///
    /// # Errors
    /// The client's: it was not said.
    pub fn unsubscribe_tree(&self, filters: &[String]) -> Result<Option<Token>, RequestError> {
        let mut ended = Vec::new();
        for filter in filters.iter().filter_map(|filter| TopicFilter::try_from(filter.as_str()).ok()) {
            let change = self.wants.subscriptions.borrow_mut().leave(Owner::Tree, &filter);
            match change {
                Change::None => {}
                // Not said, it is once more when the connection stands again.
                Change::Ask(ask) => drop(self.wants.ask(&self.driver, ask)),
                Change::End => ended.push(filter),
            }
        }
        let asked = (!ended.is_empty()).then(|| end(&self.driver, ended)).transpose();
        self.driver.flush();
        asked
    }

    /// Ends the connection, since what the page cannot do without was refused for this reason; it is tried again later.
    pub fn refuse(&self, reason: ReasonCode) {
        self.driver.refuse(reason);
    }
}

impl Wants {
    fn handle_link(&self, link: Link, on_event: &impl Fn(ConnectionEvent)) {
        match link {
            // Told when it is known what the broker has of the session: whoever hears of it subscribes.
            Link::Online { .. } if !self.is_accepted.get() => return,
            Link::Online { .. } | Link::Checking => {}
            Link::Connecting | Link::Waiting { .. } | Link::Refused { .. } | Link::Closed => {
                self.is_accepted.set(false);
            }
        }
        on_event(ConnectionEvent::Link(link));
    }

    fn handle_client_event(&self, driver: &Driver, event: ClientEvent, on_event: &impl Fn(ConnectionEvent)) {
        match event {
            ClientEvent::Message(message) => on_event(ConnectionEvent::Message(message)),
            ClientEvent::Published { token, reason, reason_string } => {
                on_event(ConnectionEvent::Published(token, Answer { reason, reason_string }));
            }
            ClientEvent::Connected { session_present, .. } => {
                driver.with_client(|client, now| {
                    // From now on the session is worth keeping. Before version 5 one that is kept is kept for ever, so that it
                    // is only where somebody wants that.
                    if client.options().version.is_v5() {
                        client.options_mut().clean_start = false;
                    }
                    client.ping(now);
                });
                let unwanted = self.subscriptions.borrow_mut().handle_connected(session_present);
                if !unwanted.is_empty() {
                    // It fails only where the connection is gone again.
                    let _asked = end(driver, unwanted);
                }
                self.is_accepted.set(true);
                // First: what the session has for the page comes as soon as something is sent, and counts as live from now on.
                on_event(ConnectionEvent::Link(Link::Online { round_trip: None }));
                on_event(ConnectionEvent::Accepted { is_resumed: session_present });
            }
            ClientEvent::Subscribed { token, reasons } | ClientEvent::Unsubscribed { token, reasons } => {
                on_event(ConnectionEvent::Answered(token, reasons));
            }
            // The driver tells these by the state of the connection, or has nothing to ask them for.
            ClientEvent::Refused { .. }
            | ClientEvent::Disconnected(_)
            | ClientEvent::Pong { .. }
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. } => {}
        }
    }

    /// What the terms say of it, else as little as shows it.
    fn qos(&self, filter: &TopicFilter) -> QoS {
        let of_terms = self.terms.filters.iter().find(|(other, _)| other == filter);
        of_terms.map_or(QoS::AtMostOnce, |(_, qos)| *qos)
    }

    /// Gives the tree's subscriptions their identifier, where the broker has such: else a message with another one alone would
    /// not tell whether it came for the tree too.
    fn number(&self, driver: &Driver) {
        let is_v5 = driver.with_client(|client, _| client.options().version.is_v5());
        if !is_v5 || self.is_numbered.replace(true) {
            return;
        }
        let of_tree = self.subscriptions.borrow().of_tree();
        if of_tree.is_empty() {
            return;
        }
        let properties =
            SubscribeProperties { subscription_id: Some(TREE_ID), ..SubscribeProperties::default() };
        let sent = driver.with_client(|client, now| client.subscribe(now, of_tree, properties));
        if sent == Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) {
            self.is_numbered.set(false);
        }
    }

    fn ask(&self, driver: &Driver, ask: Ask) -> Result<Token, RequestError> {
        self.send(driver, vec![ask.subscription], ask.id)
    }

    /// Asks for these under the tree's identifier or another one; without, where the broker has none.
    fn send(
        &self,
        driver: &Driver,
        subscriptions: Vec<Subscription>,
        id: Option<u32>,
    ) -> Result<Token, RequestError> {
        let send = |subscriptions, subscription_id| {
            let properties = SubscribeProperties { subscription_id, ..SubscribeProperties::default() };
            driver.with_client(|client, now| client.subscribe(now, subscriptions, properties))
        };
        let subscription_id = self.is_numbered.get().then_some(id.unwrap_or(TREE_ID));
        let sent = send(subscriptions.clone(), subscription_id);
        if sent == Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) {
            self.is_numbered.set(false);
            return send(subscriptions, None);
        }
        sent
    }
}

fn end(driver: &Driver, filters: Vec<TopicFilter>) -> Result<Token, RequestError> {
    driver.with_client(|client, now| client.unsubscribe(now, filters, UnsubscribeProperties::default()))
}

/// The token of a request that was sent. What cannot be said at all ends the connection with its reason.
fn told(driver: &Driver, sent: Result<Token, RequestError>) -> Option<Token> {
    match sent {
        Ok(token) => return Some(token),
        // The next connection asks anew.
        Err(RequestError::NotConnected) => {}
        Err(RequestError::Unsupported(reason)) => driver.refuse(reason),
        Err(RequestError::NoPacketId | RequestError::Unsendable) => {
            driver.refuse(ReasonCode::ImplementationSpecificError);
        }
    }
    None
}
