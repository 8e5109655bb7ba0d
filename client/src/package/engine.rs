//! What JavaScript calls: one client with its connection, its subscriptions and the messages that it brings.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;
use hearth_protocol::connection::client::{ClientEvent, PublishError, RequestError, Token};
use hearth_protocol::packet::{
    ConnAckProperties, Disconnect, Publish, SubscribeProperties, UnsubscribeProperties,
};
use hearth_protocol::{ReasonCode, Text, Version};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::batch::Batch;
use super::fields::Complaint;
use super::options::{self, Wanted};
use super::properties;
use super::routes::Routes;
use super::sink::Sink;
use super::subscriptions::{Farewell, Subscriptions};
use crate::connection::{Connection, Event};
use crate::link::{Cause, Link};

/// The kinds of errors, as JavaScript knows them.
const INVALID: &str = "invalid";
const OFFLINE: &str = "offline";
const QUEUE_FULL: &str = "queue-full";
const REFUSED: &str = "refused";
const DISCONNECTED: &str = "disconnected";
const UNREACHABLE: &str = "unreachable";
const SILENT: &str = "silent";
const PROTOCOL: &str = "protocol";

/// The words of a reason code; `undefined` for a byte that is none.
#[wasm_bindgen(js_name = reasonWords)]
pub fn reason_words(reason_code: u8) -> Option<String> {
    ReasonCode::from_byte(reason_code).map(|reason| reason.as_str().to_owned())
}

/// A client.
#[wasm_bindgen]
pub struct Engine {
    connection: Connection,
    station: Rc<Station>,
    version: Version,
}

/// What the connection's events come to.
struct Station {
    sink: Sink,
    subscriptions: RefCell<Subscriptions>,
    /// What an answer to a request is for.
    requests: RefCell<HashMap<Token, Request>>,
    /// Publications that JavaScript waits for, under its own numbers.
    publications: RefCell<HashMap<Token, f64>>,
    routes: RefCell<Routes>,
    batch: RefCell<Batch>,
    is_lasting: bool,
    was_connected: Cell<bool>,
}

#[derive(Clone, Copy)]
enum Request {
    Subscribe(u32),
    Unsubscribe(u32),
}

#[wasm_bindgen]
impl Engine {
    /// A client that is not connected yet.
    ///
    /// # Errors
    /// An error object, for options that say nothing.
    #[wasm_bindgen(constructor)]
    pub fn new(url: String, options: &JsValue, sink: Sink) -> Result<Self, JsValue> {
        let Wanted { options, settings } =
            options::connect(options).map_err(|complaint| invalid(&sink, &complaint))?;
        let version = options.version;
        let station = Rc::new(Station {
            sink,
            subscriptions: RefCell::default(),
            requests: RefCell::default(),
            publications: RefCell::default(),
            routes: RefCell::default(),
            batch: RefCell::default(),
            // With 3.1.1 a session that outlives one connection outlives all of them.
            is_lasting: version.is_v5() || !options.clean_start,
            was_connected: Cell::new(false),
        });
        let listener = Rc::clone(&station);
        let connection = Connection::new(Some(url), options, settings, move |connection, event| {
            listener.handle_event(connection, event);
        });
        Ok(Self { connection, station, version })
    }

    /// Opens the connection, now and after every loss.
    pub fn open(&self) {
        self.connection.open();
    }

    /// Tries at once instead of waiting, or asks whether the connection still stands.
    pub fn retry(&self) {
        self.connection.retry_now();
    }

    /// The client id; the server's choice where that was left to it.
    #[wasm_bindgen(getter, js_name = clientId)]
    pub fn client_id(&self) -> String {
        self.connection.with_client(|client, _| client.options().client_id.to_string())
    }

    /// Bytes that wait in the browser.
    #[wasm_bindgen(getter, js_name = bufferedBytes)]
    pub fn buffered_bytes(&self) -> u32 {
        self.connection.buffered_bytes()
    }

    /// QoS 1 and 2 messages that are not through.
    #[wasm_bindgen(getter)]
    pub fn pending(&self) -> usize {
        self.connection.with_client(|client, _| client.pending_len())
    }

    /// Takes a message to publish; its outcome comes under `number`. It goes out with the next `flush`.
    ///
    /// # Errors
    /// An error object, when it was not taken.
    pub fn publish(
        &self,
        number: f64,
        topic: String,
        payload: &JsValue,
        options: &JsValue,
    ) -> Result<(), JsValue> {
        let sink = &self.station.sink;
        let message = options::publish(topic, payload, options, self.version)
            .map_err(|complaint| invalid(sink, &complaint))?;
        let token = self.connection.with_client(|client, now| client.publish(now, message));
        let token = token.map_err(|error| publish_error(sink, error))?;
        self.station.publications.borrow_mut().insert(token, number);
        Ok(())
    }

    /// Subscribes, now or as soon as there is a connection; the answer comes under `number`, which counts from 1.
    ///
    /// # Errors
    /// An error object, when it was not taken.
    pub fn subscribe(&self, number: u32, filters: &Array, options: &JsValue) -> Result<(), JsValue> {
        let wish = options::subscribe(filters, options, self.version)
            .map_err(|complaint| invalid(&self.station.sink, &complaint))?;
        self.station.forget_routes();
        self.station.subscriptions.borrow_mut().add(number, wish);
        if self.connection.link().is_online() {
            self.station.send_subscribe(&self.connection, number).map_err(|error| {
                self.station.subscriptions.borrow_mut().remove(number);
                self.station.subscriptions.borrow_mut().finish_farewell(number);
                request_error(&self.station.sink, error)
            })?;
        }
        Ok(())
    }

    /// Ends a subscription; that the server has heard it comes under `number`.
    pub fn unsubscribe(&self, number: u32) {
        self.station.forget_routes();
        let farewell = self.station.subscriptions.borrow_mut().remove(number);
        if let Some(farewell) = farewell
            && self.connection.link().is_online()
        {
            self.station.send_unsubscribe(&self.connection, farewell);
        }
    }

    /// Gives out the messages that came with the first connection: the page has had time to listen.
    pub fn resume(&self) {
        self.connection.resume();
    }

    /// Sends what was taken.
    pub fn flush(&self) {
        self.connection.flush();
    }

    /// Says goodbye and closes the connection for good.
    ///
    /// # Errors
    /// An error object, for a reason code that the standard does not know.
    pub fn close(&self, reason_code: u8, session_expiry: Option<u32>) -> Result<(), JsValue> {
        let reason = ReasonCode::from_byte(reason_code).ok_or_else(|| {
            let complaint = Complaint::new("options.reasonCode", "is no reason code of MQTT");
            invalid(&self.station.sink, &complaint)
        })?;
        let mut goodbye = Disconnect::new(reason);
        goodbye.properties.session_expiry = session_expiry;
        self.connection.close(goodbye);
        Ok(())
    }
}

impl Station {
    fn handle_event(&self, connection: &Connection, event: Event<'_>) {
        match event {
            Event::Link(link) => self.on_link(connection, &link),
            Event::Frame { buffer, address } => self.batch.borrow_mut().begin(buffer, address),
            Event::Client(event) => self.on_client_event(connection, event),
            Event::Handled => self.tell_messages(),
        }
    }

    fn on_client_event(&self, connection: &Connection, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) => self.on_message(&message),
            ClientEvent::Published { token, reason, .. } => {
                let number = self.publications.borrow_mut().remove(&token);
                if let Some(number) = number {
                    self.sink.published(number, reason.byte());
                }
            }
            ClientEvent::Connected { session_present, properties } => {
                self.on_connected(connection, session_present, &properties);
            }
            ClientEvent::Subscribed { token, reasons } => self.on_subscribed(token, &reasons),
            ClientEvent::Unsubscribed { token, .. } => {
                let request = self.requests.borrow_mut().remove(&token);
                if let Some(Request::Unsubscribe(number)) = request {
                    self.finish_farewell(number);
                }
            }
            // The driver tells these by the state of the connection, or has nothing to ask them for.
            ClientEvent::Refused { .. }
            | ClientEvent::Disconnected(_)
            | ClientEvent::Pong { .. }
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. } => {}
        }
    }

    fn on_message(&self, message: &Publish) {
        let ids = message.properties.as_deref().map_or(&[][..], |properties| &properties.subscription_ids);
        let known = self.routes.borrow().find(&message.topic, ids);
        let route = known.unwrap_or_else(|| self.new_route(message, ids));
        self.batch.borrow_mut().push(route, message);
    }

    fn new_route(&self, message: &Publish, ids: &[u32]) -> u32 {
        let topic = &message.topic;
        if !self.routes.borrow().has_room(topic) {
            self.forget_routes();
        }
        let subscriptions = self.subscriptions.borrow();
        let is_ambiguous = subscriptions.matching(topic, &[]).len() > 1;
        let meant = subscriptions.matching(topic, ids);
        let number = self.routes.borrow_mut().insert(topic, ids, is_ambiguous);
        self.sink.route(number, topic.as_str(), &meant);
        number
    }

    /// Hands over what waits, so that no message is left that names a route, and begins anew.
    fn forget_routes(&self) {
        self.tell_messages();
        self.routes.borrow_mut().clear();
        self.sink.forget();
    }

    fn tell_messages(&self) {
        loop {
            // Not held while it is told: a listener may subscribe or publish, which may bring more.
            let taken = self.batch.borrow_mut().take();
            let Some(taken) = taken else { return };
            taken.tell(&self.sink);
            self.batch.borrow_mut().reuse(taken);
        }
    }

    fn on_connected(&self, connection: &Connection, session_present: bool, properties: &ConnAckProperties) {
        let client_id: Text = connection.with_client(|client, _| {
            // From now on the session is worth keeping.
            client.options_mut().clean_start &= !self.is_lasting;
            client.options().client_id.clone()
        });
        let terms = properties::of_server(properties);
        if !self.was_connected.replace(true) {
            connection.pause();
        }
        self.sink.accepted(session_present, client_id.as_str(), terms.into());
        let farewells = self.subscriptions.borrow().farewells();
        for farewell in farewells {
            match session_present {
                true => self.send_unsubscribe(connection, farewell),
                // The server has forgotten it by itself.
                false => self.finish_farewell(farewell.number),
            }
        }
        let due = self.subscriptions.borrow().due(session_present);
        for number in due {
            if let Err(error) = self.send_subscribe(connection, number) {
                let reason = match error {
                    RequestError::Unsupported(reason) => reason,
                    RequestError::NotConnected | RequestError::NoPacketId | RequestError::Unsendable => {
                        ReasonCode::ImplementationSpecificError
                    }
                };
                self.sink.subscribed(number, &[reason.byte()]);
            }
        }
    }

    fn on_subscribed(&self, token: Token, reasons: &[ReasonCode]) {
        let request = self.requests.borrow_mut().remove(&token);
        if let Some(Request::Subscribe(number)) = request {
            self.subscriptions.borrow_mut().grant(number);
            let codes: Vec<u8> = reasons.iter().map(|reason| reason.byte()).collect();
            self.sink.subscribed(number, &codes);
        }
    }

    fn send_subscribe(&self, connection: &Connection, number: u32) -> Result<(), RequestError> {
        let Some(wish) = self.subscriptions.borrow().wish(number).cloned() else { return Ok(()) };
        let sent = connection.with_client(|client, now| {
            let properties = |subscription_id| SubscribeProperties {
                subscription_id,
                user_properties: wish.user_properties.clone(),
            };
            let subscriptions = wish.subscriptions.clone();
            match client.subscribe(now, subscriptions, properties(Some(number))) {
                // Then the filters alone must tell whom a message is for.
                Err(RequestError::Unsupported(ReasonCode::SubscriptionIdentifiersNotSupported)) => {
                    client.subscribe(now, wish.subscriptions, properties(None))
                }
                sent @ (Ok(_) | Err(_)) => sent,
            }
        });
        self.requests.borrow_mut().insert(sent?, Request::Subscribe(number));
        Ok(())
    }

    fn send_unsubscribe(&self, connection: &Connection, farewell: Farewell) {
        let Farewell { number, filters } = farewell;
        if filters.is_empty() {
            return self.finish_farewell(number);
        }
        let sent = connection
            .with_client(|client, now| client.unsubscribe(now, filters, UnsubscribeProperties::default()));
        // What cannot be sent now is sent on the next connection.
        if let Ok(token) = sent {
            self.requests.borrow_mut().insert(token, Request::Unsubscribe(number));
        }
    }

    fn finish_farewell(&self, number: u32) {
        self.subscriptions.borrow_mut().finish_farewell(number);
        self.sink.unsubscribed(number);
    }

    fn on_link(&self, connection: &Connection, link: &Link) {
        let now = connection.now();
        let wait = |at: hearth_protocol::Time| Some(at.saturating_since(now).as_secs_f64() * 1000.0);
        let name = link.as_str();
        match link {
            Link::Connecting | Link::Closed => self.sink.link(name, None, None, JsValue::UNDEFINED),
            Link::Checking => self.sink.link("checking", None, None, JsValue::UNDEFINED),
            Link::Online { round_trip } => {
                let round_trip = round_trip.map(|round_trip| round_trip.as_secs_f64() * 1000.0);
                self.sink.link(name, round_trip, None, JsValue::UNDEFINED);
            }
            Link::Waiting { cause, retry_at } => {
                self.requests.borrow_mut().clear();
                self.sink.link(name, None, wait(*retry_at), self.loss(cause));
            }
            Link::Refused { reason, retry_at } => {
                self.requests.borrow_mut().clear();
                let words = format!("the broker refused the connection: {reason}");
                let error = self.sink.error(REFUSED, &words, Some(reason.byte()));
                self.sink.link(name, None, wait(*retry_at), error);
            }
        }
    }

    fn loss(&self, cause: &Cause) -> JsValue {
        match cause {
            Cause::Lost => {
                let words = "the broker cannot be reached, or the connection broke off";
                self.sink.error(UNREACHABLE, words, None)
            }
            Cause::Silent => {
                self.sink.error(SILENT, "the broker said nothing for longer than the keep-alive allows", None)
            }
            Cause::Closed(reason) => {
                let words = format!("the broker closed the connection: {reason}");
                self.sink.error(DISCONNECTED, &words, Some(reason.byte()))
            }
            Cause::Protocol(detail) => {
                let words = format!("one side broke the rules of MQTT: {detail}");
                self.sink.error(PROTOCOL, &words, None)
            }
        }
    }
}

fn invalid(sink: &Sink, complaint: &Complaint) -> JsValue {
    sink.error(INVALID, &complaint.0, None)
}

fn publish_error(sink: &Sink, error: PublishError) -> JsValue {
    let kind = match error {
        PublishError::NotConnected => OFFLINE,
        PublishError::QueueFull(_) => QUEUE_FULL,
        PublishError::Topic | PublishError::SubscriptionId => INVALID,
    };
    sink.error(kind, &error.to_string(), None)
}

fn request_error(sink: &Sink, error: RequestError) -> JsValue {
    match error {
        RequestError::NotConnected => sink.error(OFFLINE, &error.to_string(), None),
        RequestError::Unsupported(reason) => sink.error(REFUSED, &error.to_string(), Some(reason.byte())),
        RequestError::NoPacketId | RequestError::Unsendable => sink.error(INVALID, &error.to_string(), None),
    }
}
