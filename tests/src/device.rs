//! A device on the client machine of the product, with a blocking socket: what the browser app and bridges run too.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;
use hearth_protocol::connection::client::{Client, ClientEvent, ClientOptions, Token};
use hearth_protocol::packet::{Disconnect, Publish, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, ReasonCode, Time, Version};

use crate::carrier::{Arrival, Carrier};
use crate::process::PATIENCE;
use crate::wire::{message, text, topic_filter};

/// A device; between two connections it keeps its session.
pub struct Device {
    client: Client,
    carrier: Option<Carrier>,
    input: BytesMut,
    origin: Instant,
    events: VecDeque<ClientEvent>,
}

impl Device {
    /// A device that is not connected yet and whose session lasts.
    pub fn new(version: Version, client_id: &str) -> Self {
        let mut options = ClientOptions::new(text(client_id));
        options.version = version;
        options.clean_start = false;
        if version.is_v5() {
            options.properties.session_expiry = Some(3600);
        }
        Self::with_options(options)
    }

    /// A device that is not connected yet.
    pub fn with_options(options: ClientOptions) -> Self {
        Self {
            client: Client::new(options),
            carrier: None,
            input: BytesMut::new(),
            origin: Instant::now(),
            events: VecDeque::new(),
        }
    }

    /// Connects over TCP and gives whether the broker still had the session.
    #[track_caller]
    pub fn connect(&mut self, broker: SocketAddr) -> bool {
        self.connect_over(Carrier::tcp(broker))
    }

    /// As [`Device::connect`], over what is open already.
    #[track_caller]
    pub fn connect_over(&mut self, carrier: Carrier) -> bool {
        self.carrier = Some(carrier);
        self.client.handle_open(self.now());
        self.wait_for("CONNACK", |event| match event {
            ClientEvent::Connected { session_present, .. } => Some(*session_present),
            _ => None,
        })
    }

    /// Subscribes and waits for SUBACK.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: QoS) {
        let reasons = self.subscribe_all(vec![Subscription::new(topic_filter(filter), qos)]);
        assert!(reasons.iter().all(|reason| !reason.is_failure()), "{reasons:?}");
    }

    /// Sends one SUBSCRIBE and gives the codes of its SUBACK.
    #[track_caller]
    pub fn subscribe_all(&mut self, subscriptions: Vec<Subscription>) -> Vec<ReasonCode> {
        let now = self.now();
        let subscribed = self.client.subscribe(now, subscriptions, SubscribeProperties::default()).unwrap();
        self.wait_for("SUBACK", |event| match event {
            ClientEvent::Subscribed { token, reasons } if *token == subscribed => Some(reasons.clone()),
            _ => None,
        })
    }

    /// Hands a message to the client machine, connected or not.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, payload: &str, qos: QoS) -> Token {
        self.publish_whole(message(topic, payload.as_bytes(), qos))
    }

    /// As [`Device::publish`], with everything that a message may carry.
    #[track_caller]
    pub fn publish_whole(&mut self, publish: Publish) -> Token {
        let now = self.now();
        self.client.publish(now, publish).unwrap()
    }

    /// Waits until the broker has taken a message over.
    #[track_caller]
    pub fn wait_for_published(&mut self, sent: Token) -> ReasonCode {
        self.wait_for("the last acknowledgement", |event| match event {
            ClientEvent::Published { token, reason, .. } if *token == sent => Some(*reason),
            _ => None,
        })
    }

    /// The next message.
    #[track_caller]
    pub fn next_message(&mut self) -> Publish {
        self.wait_for("a message", |event| match event {
            ClientEvent::Message(publish) => Some(publish.clone()),
            _ => None,
        })
    }

    /// Waits until the connection has ended.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.carrier.is_some() {
            assert!(Instant::now() < deadline, "waited for the end of the connection");
            self.turn();
        }
    }

    /// Ends the connection with DISCONNECT and waits until the broker has closed it.
    #[track_caller]
    pub fn leave(&mut self) {
        let now = self.now();
        self.client.disconnect(now, Disconnect::new(ReasonCode::Success));
        self.wait_for_end();
    }

    /// Cuts the connection.
    pub fn cut(&mut self) {
        if self.carrier.take().is_some() {
            self.input.clear();
            let now = self.now();
            self.client.handle_close(now);
        }
    }

    /// The first event that `wanted` takes; the others stay for later.
    #[track_caller]
    fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&ClientEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            while seen < self.events.len() {
                if let Some(found) = wanted(&self.events[seen]) {
                    self.events.remove(seen);
                    return found;
                }
                seen += 1;
            }
            assert!(
                self.carrier.is_some(),
                "waited for {what}; the connection ended after {:?}",
                self.events
            );
            assert!(Instant::now() < deadline, "waited for {what}; there came {:?}", self.events);
            self.turn();
        }
    }

    /// Writes what there is to write, reads for a moment, and collects events.
    #[track_caller]
    fn turn(&mut self) {
        let now = self.now();
        let Some(carrier) = &mut self.carrier else { return };
        if let Some(output) = self.client.take_output() {
            // A broker that has just gone away is noticed by reading.
            let _written = carrier.send(&output);
        }
        match carrier.read(&mut self.input) {
            Arrival::Bytes => {
                self.client.handle_input(now, &mut self.input).expect("the broker keeps the rules");
            }
            Arrival::Nothing => self.client.handle_timeout(now).expect("the broker answers in time"),
            Arrival::End => self.cut(),
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push_back(event);
        }
        if let (Some(output), Some(carrier)) = (self.client.take_output(), &mut self.carrier) {
            let _written = carrier.send(&output);
        }
    }

    fn now(&self) -> Time {
        Time::from_millis(self.origin.elapsed().as_millis() as u64)
    }
}
