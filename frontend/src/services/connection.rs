//! The connection to the broker that served the page: subscribed to everything, for as long as the page lives.

use std::time::Duration;

use hearth_client::connection::{Connection as Driver, Event, Settings};
use hearth_protocol::connection::client::{ClientEvent, PublishError, RequestError, Token};
use hearth_protocol::packet::{Disconnect, Publish, RetainHandling, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, ReasonCode, Text, Time, TopicFilter};

use super::client_options;
use crate::state::link::Link;

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
    /// A message came.
    Message(Publish),
    /// The broker answered a publication of QoS 1 or 2.
    Published(Token, ReasonCode),
}

/// The connection; clones are the same one.
#[derive(Clone)]
pub struct Connection {
    driver: Driver,
}

impl Connection {
    /// A connection that is not opened yet. `None` as address: the page came from no server.
    pub fn new(address: Option<String>, on_event: impl Fn(ConnectionEvent) + 'static) -> Self {
        // The page's session is of no more use to anyone when the page is gone.
        let mut farewell = Disconnect::new(ReasonCode::Success);
        farewell.properties.session_expiry = Some(0);
        let settings = Settings {
            open_timeout: OPEN_TIMEOUT,
            retry_max: RETRY_MAX,
            ping_every: Some(PING_EVERY),
            farewell: Some(farewell),
        };
        let driver =
            Driver::new(address, client_options::draw(), settings, move |driver, event| match event {
                Event::Link(link) => on_event(ConnectionEvent::Link(link)),
                Event::Client(event) => handle_client_event(driver, event, &on_event),
                Event::Frame { .. } | Event::Handled => {}
            });
        Self { driver }
    }

    /// Opens it, now and after every loss.
    pub fn open(&self) {
        self.driver.open();
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

    /// Publishes; the answer to QoS 1 and 2 comes as [`ConnectionEvent::Published`].
    ///
    /// # Errors
    /// The client's: a full queue, or something that the broker's terms forbid.
    pub fn publish(&self, message: Publish) -> Result<Token, PublishError> {
        let token = self.driver.with_client(|client, now| client.publish(now, message))?;
        self.driver.flush();
        Ok(token)
    }
}

fn handle_client_event(driver: &Driver, event: ClientEvent, on_event: &impl Fn(ConnectionEvent)) {
    match event {
        ClientEvent::Message(message) => on_event(ConnectionEvent::Message(message)),
        ClientEvent::Published { token, reason } => on_event(ConnectionEvent::Published(token, reason)),
        ClientEvent::Connected { .. } => subscribe(driver),
        ClientEvent::Subscribed { reasons, .. } => {
            // Without the subscription the page would show a silent house.
            if let Some(&reason) = reasons.iter().find(|reason| reason.is_failure()) {
                driver.refuse(reason);
            }
        }
        // The driver tells these by the state of the connection, or has nothing to ask them for.
        ClientEvent::Refused { .. }
        | ClientEvent::Disconnected(_)
        | ClientEvent::Pong { .. }
        | ClientEvent::Unsubscribed { .. }
        | ClientEvent::Challenge { .. }
        | ClientEvent::Reauthenticated { .. } => {}
    }
}

/// Asks for everything. A resumed session has the subscription already, but only SUBSCRIBE brings the
/// retained values again, which tell what is still true after a gap.
fn subscribe(driver: &Driver) {
    let Ok(filter) = TopicFilter::try_from("#") else { return };
    let subscription = Subscription {
        retain_as_published: true,
        retain_handling: RetainHandling::Send,
        ..Subscription::new(filter, QoS::AtMostOnce)
    };
    let sent = driver.with_client(|client, now| {
        // From now on the session is worth keeping.
        client.options_mut().clean_start = false;
        let sent = client.subscribe(now, vec![subscription], SubscribeProperties::default());
        client.ping(now);
        sent
    });
    match sent {
        Ok(_) => {}
        Err(RequestError::Unsupported(reason)) => driver.refuse(reason),
        Err(RequestError::NotConnected | RequestError::NoPacketId | RequestError::Unsendable) => {
            driver.refuse(ReasonCode::ImplementationSpecificError);
        }
    }
}
