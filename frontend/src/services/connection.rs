//! A connection to one broker, subscribed to what its terms say, for as long as the page lives.

use std::cell::Cell;
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

/// The identifier of the subscription to everything, once it has one.
pub const TREE_ID: u32 = 1;

/// What the rest of the app hears of.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The state of the connection changed.
    Link(Link),
    /// The broker took the connection, and has a session of an earlier one or not.
    Accepted {
        /// Whether there was one.
        is_resumed: bool,
    },
    /// The broker answered the subscriptions of the terms, in their order.
    Subscribed(Vec<ReasonCode>),
    /// A message came.
    Message(Publish),
    /// The broker answered a publication of QoS 1 or 2.
    Published(Token, Answer),
    /// The broker answered a request of [`Connection::subscribe`] or [`Connection::unsubscribe`].
    Answered(Token, Vec<ReasonCode>),
}

/// The subscriptions of the terms, which bring what the pages show.
struct Tree {
    terms: Terms,
    /// The request that asked for it last.
    asked: Cell<Option<Token>>,
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
        let tree = Rc::new(Tree { terms, asked: Cell::default(), is_numbered: Cell::default() });
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

    /// Sees to it that messages on this topic come, also where the filters of the terms leave it out; `#` does that with what
    /// begins with a dollar sign [MQTT-4.7.2-1].
    pub fn hear(&self, topic: &TopicName) {
        let mut filters = self.tree.terms.filters.iter();
        if !filters.any(|(filter, _)| filter.matches(topic))
            && let Ok(filter) = TopicFilter::try_from(topic.as_str())
        {
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

    /// Subscribes beside the subscription to everything; the answer comes as [`ConnectionEvent::Answered`]. With an
    /// identifier, which must not be [`TREE_ID`], each message tells which subscriptions brought it.
    ///
    /// # Errors
    /// The client's: nothing was sent.
    pub fn subscribe(&self, subscription: Subscription, id: Option<u32>) -> Result<Token, RequestError> {
        if id.is_some() && !self.tree.is_numbered.get() {
            // Else a message with the identifier alone would not tell whether it came for the tree too.
            self.tree.is_numbered.set(true);
            self.tree.subscribe(&self.driver, RetainHandling::DoNotSend);
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
}

impl Tree {
    fn handle_client_event(&self, driver: &Driver, event: ClientEvent, on_event: &impl Fn(ConnectionEvent)) {
        match event {
            ClientEvent::Message(message) => on_event(ConnectionEvent::Message(message)),
            ClientEvent::Published { token, reason, reason_string } => {
                on_event(ConnectionEvent::Published(token, Answer { reason, reason_string }));
            }
            ClientEvent::Connected { session_present, .. } => {
                on_event(ConnectionEvent::Accepted { is_resumed: session_present });
                self.subscribe(driver, RetainHandling::Send);
            }
            ClientEvent::Subscribed { token, reasons } if self.asked.get() == Some(token) => {
                // Without any subscription the page would show a silent house.
                if let Some(&reason) = reasons.first().filter(|_| reasons.iter().all(|it| it.is_failure())) {
                    driver.refuse(reason);
                }
                on_event(ConnectionEvent::Subscribed(reasons));
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

    /// Asks for what the terms name. A resumed session has the subscriptions already, but only SUBSCRIBE brings the
    /// retained values again, which tell what is still true after a gap.
    fn subscribe(&self, driver: &Driver, retain_handling: RetainHandling) {
        let filters = self.terms.filters.iter();
        let subscriptions: Vec<Subscription> = filters
            .map(|(filter, qos)| Subscription {
                retain_as_published: true,
                retain_handling,
                ..Subscription::new(filter.clone(), *qos)
            })
            .collect();
        let subscription_id = self.is_numbered.get().then_some(TREE_ID);
        let sent = driver.with_client(|client, now| {
            // From now on the session is worth keeping. Before version 5 one that is kept is kept for ever, so that it
            // is only where somebody wants that.
            if client.options().version.is_v5() {
                client.options_mut().clean_start = false;
            }
            client.ping(now);
            if subscriptions.is_empty() {
                return Ok(None);
            }
            let properties = SubscribeProperties { subscription_id, ..SubscribeProperties::default() };
            client.subscribe(now, subscriptions, properties).map(Some)
        });
        match sent {
            Ok(token) => self.asked.set(token),
            // The broker has no identifiers, and what stands goes on without; else a new connection asks again.
            Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) => {
                if retain_handling == RetainHandling::Send {
                    self.is_numbered.set(false);
                    self.subscribe(driver, retain_handling);
                }
            }
            Err(RequestError::Unsupported(reason)) => driver.refuse(reason),
            Err(RequestError::NotConnected | RequestError::NoPacketId | RequestError::Unsendable) => {
                driver.refuse(ReasonCode::ImplementationSpecificError);
            }
        }
    }
}
