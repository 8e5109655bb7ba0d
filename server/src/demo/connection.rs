//! Joins a simulated device to its MQTT connection.

use std::net::SocketAddr;

use bytes::Bytes;
use hearth_protocol::connection::{Backoff, Client, ClientEvent, ClientOptions};
use hearth_protocol::packet::{Disconnect, Publish, SubscribeProperties, Subscription, Will, WillProperties};
use hearth_protocol::topic::TopicError;
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName};
use tokio_util::sync::CancellationToken;

use super::device::{Device, Report};
use crate::auth::Credentials;
use crate::client_link::{ClientLink, LinkError};
use crate::clock::Clock;

/// Keeps a device connected until `stop`.
pub(super) async fn run(
    mut device: Box<dyn Device>,
    address: SocketAddr,
    greeting: &'static [u8],
    credentials: Credentials,
    clock: Clock,
    stop: CancellationToken,
) {
    let name = device.prefix().to_owned();
    let client = match options(&name, credentials) {
        Ok(options) => Client::new(options),
        Err(error) => return tracing::error!(device = name, %error, "a simulated device has a bad topic"),
    };
    let link = ClientLink::new(client, address, clock).with_greeting(greeting);
    let mut link = Connection { link, clock, backoff: Backoff::new() };
    loop {
        let Some(lost) = stop.run_until_cancelled(link.live(&mut *device)).await else { break };
        tracing::debug!(device = name, error = %lost, "a simulated device lost its connection");
        let wait = link.backoff.next(rand::random());
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    // The will says that it is gone.
    link.link.close(Disconnect::new(ReasonCode::DisconnectWithWill)).await;
}

struct Connection {
    link: ClientLink,
    clock: Clock,
    backoff: Backoff,
}

/// Why a device is not connected.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the broker refused it with reason 0x{:02x}", *.0 as u8)]
    Refused(ReasonCode),
}

impl Connection {
    /// One connection, from its start to its end.
    async fn live(&mut self, device: &mut dyn Device) -> Lost {
        if let Err(error) = self.link.connect().await {
            return Lost::Link(error.into());
        }
        loop {
            let is_connected = self.link.client().is_connected();
            let deadline = device.poll_timeout().filter(|_| is_connected);
            let deadline = deadline.map(|time| self.clock.instant(time).into());
            let timer = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.link.next_event() => match event {
                    Ok(event) => if let Err(lost) = self.on_event(device, event) {
                        return lost;
                    },
                    Err(error) => return Lost::Link(error),
                },
                () = timer => device.handle_timeout(self.clock.now()),
            }
            self.send_reports(device);
        }
    }

    fn on_event(&mut self, device: &mut dyn Device, event: ClientEvent) -> Result<(), Lost> {
        let now = self.clock.now();
        match event {
            ClientEvent::Connected { .. } => {
                self.backoff.reset();
                self.subscribe(device);
                self.send(Report::state(online_topic(device.prefix()), "true"));
                device.handle_online(now);
            }
            ClientEvent::Message(publish) => {
                device.handle_message(now, publish.topic.as_str(), &publish.payload);
            }
            ClientEvent::Refused { reason, .. } => return Err(Lost::Refused(reason)),
            // The end of the connection comes after it; and these devices name no authentication method.
            ClientEvent::Disconnected(_)
            | ClientEvent::Challenge { .. }
            | ClientEvent::Reauthenticated { .. }
            | ClientEvent::Published { .. }
            | ClientEvent::Subscribed { .. }
            | ClientEvent::Unsubscribed { .. }
            | ClientEvent::Pong { .. } => {}
        }
        Ok(())
    }

    fn subscribe(&mut self, device: &dyn Device) {
        let filters = device.filters();
        if filters.is_empty() {
            return;
        }
        let filters: Result<Vec<_>, TopicError> = filters.into_iter().map(subscription).collect();
        let now = self.clock.now();
        let sent = filters.map_err(|error| error.to_string()).and_then(|filters| {
            let properties = SubscribeProperties::default();
            self.link.client().subscribe(now, filters, properties).map_err(|error| error.to_string())
        });
        if let Err(error) = sent {
            tracing::warn!(device = device.prefix(), error, "a simulated device cannot hear its commands");
        }
    }

    fn send_reports(&mut self, device: &mut dyn Device) {
        while let Some(report) = device.poll_report() {
            self.send(report);
        }
    }

    fn send(&mut self, report: Report) {
        let Report { topic, payload, qos, retain } = report;
        let now = self.clock.now();
        let sent = topic_name(topic.clone()).map_err(|error| error.to_string()).and_then(|topic| {
            let payload = Bytes::from(payload);
            let publish =
                Publish { dup: false, qos, retain, topic, packet_id: None, payload, properties: None };
            self.link.client().publish(now, publish).map_err(|error| error.to_string())
        });
        if let Err(error) = sent {
            tracing::debug!(topic, error, "a report of a simulated device was not sent");
        }
    }
}

fn options(prefix: &str, credentials: Credentials) -> Result<ClientOptions, TopicError> {
    let name = format!("demo-{}", prefix.replace('/', "-"));
    // Letters and dashes are always a text.
    let mut options = ClientOptions::new(Text::try_from(name).unwrap_or_default());
    options.user_name = Some(credentials.user_name);
    options.password = Some(credentials.password);
    options.will = Some(Will {
        topic: topic_name(online_topic(prefix))?,
        payload: Bytes::from_static(b"false"),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: WillProperties::default(),
    });
    // Commands and the states of some lamps are all that ever comes.
    options.packet_size_max = 64 * 1024;
    options.queue_max = 100;
    Ok(options)
}

fn online_topic(prefix: &str) -> String {
    format!("{prefix}/online")
}

fn topic_name(topic: String) -> Result<TopicName, TopicError> {
    TopicName::new(Text::try_from(topic)?)
}

fn subscription(filter: String) -> Result<Subscription, TopicError> {
    Ok(Subscription::new(TopicFilter::new(Text::try_from(filter)?)?, QoS::AtLeastOnce))
}
