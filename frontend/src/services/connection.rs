//! A connection to one broker, subscribed to what its terms say, for as long as the page lives.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use hearth_client::connection::{Connection as Driver, Event, Settings};
use hearth_protocol::connection::client::{ClientEvent, PublishError, RequestError, Token};
use hearth_protocol::packet::{
    Disconnect, Publish, RetainHandling, SubscribeProperties, Subscription, UnsubscribeProperties,
};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter, TopicName};

use super::terms::Terms;
use crate::state::link::Link;
use crate::state::outcome::Answer;

/// How long opening a socket may take: a host that swallows packets would hold the page for minutes.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A person before the panel does not wait longer than this for the next attempt, and one page is no stampede.
const RETRY_MAX: Duration = Duration::from_secs(15);

/// How often the round trip is measured while the page is seen.
const PING_EVERY: Duration = Duration::from_secs(10);

/// The identifier of the subscriptions that fill the list and the tree of topics, once they have one.
pub const TREE_ID: u32 = 1;

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

/// The subscriptions that fill the list and the tree of topics.
struct Tree {
    terms: Terms,
    filters: RefCell<BTreeSet<String>>,
    is_numbered: Cell<bool>,
}

/// The connection; clones are the same one.
#[derive(Clone)]
pub struct Connection {
    driver: Driver,
    tree: Rc<Tree>,
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
        let tree = Rc::new(Tree { terms, filters: RefCell::default(), is_numbered: Cell::default() });
        let heard = Rc::clone(&tree);
        let driver = Driver::new(address, options, settings, move |driver, event| match event {
            Event::Link(link) => on_event(ConnectionEvent::Link(link)),
            Event::Client(event) => heard.handle_client_event(driver, event, &on_event),
            Event::Frame { .. } | Event::Handled => {}
        });
        Self { driver, tree }
    }

    /// Opens it, now and after every loss.
    pub fn open(&self) {
        self.driver
            .with_client(|client, _| client.options_mut().clean_start = self.tree.terms.options.clean_start);
        self.driver.open();
    }

    /// Ends it, with this reason, until it is opened again. Nothing is told of that.
    pub fn close(&self, reason: ReasonCode) {
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
        let fills = |filter: &String| {
            TopicFilter::try_from(filter.as_str()).is_ok_and(|filter| filter.matches(topic))
        };
        let is_heard = self.tree.filters.borrow().iter().any(fills);
        if !is_heard && let Ok(filter) = TopicFilter::try_from(topic.as_str()) {
            let subscription = Subscription {
                retain_handling: RetainHandling::DoNotSend,
                ..Subscription::new(filter, QoS::AtLeastOnce)
            };
            // Refused, or not sent, it brings nothing, which is what the person sees.
            let _asked = self.subscribe(subscription, None);
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
        self.tree.is_numbered.get() && self.driver.with_client(|client, _| client.options().version.is_v5())
    }

    /// Subscribes beside what fills the tree of topics; the answer comes as [`ConnectionEvent::Answered`]. With an
    /// identifier, which must not be [`TREE_ID`], each message tells which subscriptions brought it.
    ///
    /// # Errors
    /// The client's: nothing was sent.
    pub fn subscribe(&self, subscription: Subscription, id: Option<u32>) -> Result<Token, RequestError> {
        if id.is_some() && !self.tree.is_numbered.get() {
            // Else a message with the identifier alone would not tell whether it came for the tree too.
            self.tree.is_numbered.set(true);
            let filters: Vec<String> = self.tree.filters.borrow().iter().cloned().collect();
            let _asked = self.tree.subscribe(&self.driver, &filters, RetainHandling::DoNotSend);
        }
        let properties = SubscribeProperties { subscription_id: id, ..SubscribeProperties::default() };
        let sent =
            self.driver.with_client(|client, now| client.subscribe(now, vec![subscription], properties));
        if let Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) = sent {
            self.tree.is_numbered.set(false);
        }
        self.driver.flush();
        sent
    }

    /// Ends a subscription; the answer comes as [`ConnectionEvent::Answered`].
    ///
    /// # Errors
    /// The client's: nothing was sent.
    pub fn unsubscribe(&self, filter: TopicFilter) -> Result<Token, RequestError> {
        let sent = self.driver.with_client(|client, now| {
            client.unsubscribe(now, vec![filter], UnsubscribeProperties::default())
        });
        self.driver.flush();
        sent
    }

    /// Subscribes to what is to fill the tree of topics; the answer comes as [`ConnectionEvent::Answered`]. `None`: it was not sent.
    /// Where the broker's own terms forbid it, the connection ends with that as its reason: a page without subscriptions would
    /// show a silent house. While there is no connection nothing is lost, since the next one asks anew.
    pub fn subscribe_tree(&self, filters: &[String]) -> Option<Token> {
        let asked = self.tree.subscribe(&self.driver, filters, RetainHandling::Send);
        self.driver.flush();
        asked
    }

    /// Unsubscribes from what filled the tree of topics; the answer comes as [`ConnectionEvent::Answered`].
    pub fn unsubscribe_tree(&self, filters: &[String]) -> Option<Token> {
        self.tree.filters.borrow_mut().retain(|filter| !filters.contains(filter));
        let filters: Vec<TopicFilter> =
            filters.iter().filter_map(|filter| TopicFilter::try_from(filter.as_str()).ok()).collect();
        let sent = self
            .driver
            .with_client(|client, now| client.unsubscribe(now, filters, UnsubscribeProperties::default()));
        self.driver.flush();
        told(&self.driver, sent)
    }

    /// Ends the connection, since what the page cannot do without was refused for this reason; it is tried again later.
    pub fn refuse(&self, reason: ReasonCode) {
        self.driver.refuse(reason);
    }
}

impl Tree {
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
                self.filters.borrow_mut().clear();
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

    /// Asks for these filters, and with them for retained messages where `retain_handling` says so.
    fn subscribe(
        &self,
        driver: &Driver,
        filters: &[String],
        retain_handling: RetainHandling,
    ) -> Option<Token> {
        let subscriptions = || {
            let filters = filters.iter().filter_map(|filter| TopicFilter::try_from(filter.as_str()).ok());
            filters.map(|filter| Subscription {
                retain_as_published: true,
                retain_handling,
                ..Subscription::new(filter.clone(), self.qos(&filter))
            })
        };
        let subscription_id = self.is_numbered.get().then_some(TREE_ID);
        let send = |subscription_id| {
            let properties = SubscribeProperties { subscription_id, ..SubscribeProperties::default() };
            driver.with_client(|client, now| client.subscribe(now, subscriptions().collect(), properties))
        };
        subscriptions().next()?;
        self.filters.borrow_mut().extend(filters.iter().cloned());
        let mut sent = send(subscription_id);
        if sent == Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) {
            self.is_numbered.set(false);
            if retain_handling == RetainHandling::DoNotSend {
                // The broker has no identifiers, and what stands goes on without.
                return None;
            }
            sent = send(None);
        }
        told(driver, sent)
    }
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
