//! The options of `connect`, `publish` and `subscribe`, read from JavaScript's objects.

use std::time::Duration;

use bytes::Bytes;
use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::{
    ConnectProperties, Disconnect, Publish, PublishProperties, RetainHandling, Subscription, Will,
};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version};
use js_sys::Array;
use wasm_bindgen::JsValue;

use super::fields::{Complaint, Fields, bytes_of};
use super::properties;
use super::subscriptions::Wish;
use crate::connection::Settings;

/// Seconds. Browsers let the timers of a hidden page fire once a minute; the broker waits one and a half times
/// this before it gives the page up.
const KEEP_ALIVE_S: u16 = 60;

/// Seconds that the broker keeps the session of a page that sleeps or lost its network, unless the page wants it otherwise.
const SESSION_EXPIRY_S: u32 = 300;

/// The largest packet that a page takes unless it says otherwise.
const PACKET_BYTES_MAX: u32 = 64 << 20;

/// Milliseconds for opening a socket, and the longest wait before the next attempt.
const OPEN_TIMEOUT_MS: u32 = 10_000;
const RETRY_MAX_MS: u32 = 30_000;

/// QoS 1 and 2 messages that may wait while there is no connection.
const QUEUE_MAX: u32 = 10_000;

/// What `connect` was called with.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) options: ClientOptions,
    pub(super) settings: Settings,
}

/// Reads the options of `connect`.
pub(super) fn connect(value: &JsValue) -> Result<Wanted, Complaint> {
    let mut fields = Fields::of("options", value)?;
    let version = version(&mut fields)?;
    let client_id = fields.text("clientId")?;
    let mut options = ClientOptions::new(client_id.unwrap_or_else(drawn_client_id));
    options.version = version;
    options.clean_start = fields.flag("cleanStart")?.unwrap_or(true);
    options.keep_alive = fields.number_u16("keepAlive", 0..=u16::MAX)?.unwrap_or(KEEP_ALIVE_S);
    options.user_name = fields.text("username")?;
    options.password = fields.bytes("password")?;
    options.will = fields.object("will")?.map(|will| read_will(will, version)).transpose()?;
    options.queue_max = fields.number("queueMax", 0..=1_000_000)?.unwrap_or(QUEUE_MAX) as usize;
    let packet_bytes_max = fields.number("maximumPacketSize", 1..=u32::MAX)?;
    options.packet_size_max = packet_bytes_max.unwrap_or(PACKET_BYTES_MAX) as usize;
    // A page that knows its client id may know a session from before it was loaded.
    options.adopt_session = !options.clean_start;
    let session_expiry = fields.number("sessionExpiry", 0..=u32::MAX)?;
    options.properties = ConnectProperties {
        session_expiry: Some(session_expiry.unwrap_or(SESSION_EXPIRY_S)),
        receive_maximum: fields.number_u16("receiveMaximum", 1..=u16::MAX)?,
        packet_size_max: None,
        topic_alias_maximum: fields.number_u16("topicAliasMaximum", 0..=u16::MAX)?,
        request_response_information: fields.flag("requestResponseInformation")?,
        request_problem_information: fields.flag("requestProblemInformation")?,
        user_properties: fields.pairs("userProperties")?,
        authentication_method: None,
        authentication_data: None,
    };
    let is_plain = ConnectProperties { session_expiry: None, ..options.properties.clone() }
        == ConnectProperties::default();
    let is_plain = is_plain && session_expiry.is_none();
    if !(version.is_v5() || is_plain) {
        let needing = "sessionExpiry, receiveMaximum, topicAliasMaximum, requestResponseInformation, \
                       requestProblemInformation or userProperties, which MQTT 3.1.1 does not have";
        return Err(Complaint::new("options has", needing));
    }
    let settings = settings(&mut fields, &options, session_expiry)?;
    fields.finish()?;
    Ok(Wanted { options, settings })
}

fn settings(
    fields: &mut Fields,
    options: &ClientOptions,
    session_expiry: Option<u32>,
) -> Result<Settings, Complaint> {
    let millis = |number: Option<u32>, default| Duration::from_millis(u64::from(number.unwrap_or(default)));
    let open_timeout = millis(fields.number("connectTimeout", 1..=3_600_000)?, OPEN_TIMEOUT_MS);
    let retry_max = millis(fields.number("retryMax", 1..=3_600_000)?, RETRY_MAX_MS);
    let farewell = match (options.version, &options.will) {
        (Version::V5, Some(_)) => Some(ReasonCode::DisconnectWithWill),
        // The will is published when the socket breaks off.
        (Version::V31 | Version::V311, Some(_)) => None,
        (Version::V31 | Version::V311 | Version::V5, None) => Some(ReasonCode::Success),
    };
    let farewell = farewell.map(|reason| {
        let mut farewell = Disconnect::new(reason);
        // Unless the page asked for its session to last, nobody comes back to it.
        farewell.properties.session_expiry = session_expiry.is_none().then_some(0);
        farewell
    });
    Ok(Settings { open_timeout, retry_max, ping_every: None, farewell })
}

fn version(fields: &mut Fields) -> Result<Version, Complaint> {
    match fields.text("version")?.as_deref() {
        None | Some("5.0") => Ok(Version::V5),
        Some("3.1.1") => Ok(Version::V311),
        Some(_) => Err(fields.complaint("version", "is neither \"5.0\" nor \"3.1.1\"")),
    }
}

/// Two pages with one id would throw each other out, so each draws its own.
fn drawn_client_id() -> Text {
    let digit = || char::from_digit((js_sys::Math::random() * 36.0) as u32, 36).unwrap_or('0');
    let id: String = std::iter::repeat_with(digit).take(12).collect();
    Text::try_from(format!("hearth-client-{id}")).unwrap_or_default()
}

fn read_will(mut fields: Fields, version: Version) -> Result<Will, Complaint> {
    let topic = fields.topic_name("topic")?.ok_or_else(|| fields.complaint("topic", "is missing"))?;
    let delay = fields.number("delay", 0..=u32::MAX)?;
    let properties = fields.object("properties")?;
    if !version.is_v5() && (delay.is_some() || properties.is_some()) {
        return Err(Complaint::new("will", "has a delay or properties, which MQTT 3.1.1 does not have"));
    }
    let will = Will {
        topic,
        payload: fields.bytes("payload")?.unwrap_or_default(),
        qos: fields.qos("qos")?.unwrap_or_default(),
        retain: fields.flag("retain")?.unwrap_or_default(),
        properties: properties::read_will(delay, properties)?,
    };
    fields.finish()?;
    Ok(will)
}

/// Reads a message that is to be published.
pub(super) fn publish(
    topic: String,
    payload: &JsValue,
    value: &JsValue,
    version: Version,
) -> Result<Publish, Complaint> {
    let topic = Text::try_from(topic).map_err(|error| Complaint::new("the topic", error))?;
    let topic = TopicName::new(topic).map_err(|error| Complaint::new("the topic", error))?;
    let payload: Bytes = match payload.is_undefined() || payload.is_null() {
        true => Bytes::new(),
        false => bytes_of(payload)
            .ok_or_else(|| Complaint::new("the payload", "is no string, ArrayBuffer or Uint8Array"))?,
    };
    let (mut qos, mut retain, mut properties) = (QoS::AtMostOnce, false, PublishProperties::default());
    if !value.is_undefined() {
        let mut fields = Fields::of("options", value)?;
        qos = fields.qos("qos")?.unwrap_or_default();
        retain = fields.flag("retain")?.unwrap_or_default();
        properties = properties::read(fields.object("properties")?)?;
        fields.finish()?;
    }
    let has_properties = properties != PublishProperties::default();
    if has_properties && !version.is_v5() {
        return Err(Complaint::new("options.properties", "are not to be had with MQTT 3.1.1"));
    }
    let properties = has_properties.then(|| Box::new(properties));
    Ok(Publish { dup: false, qos, retain, topic, packet_id: None, payload, properties })
}

/// Reads what is to be subscribed to.
pub(super) fn subscribe(filters: &Array, value: &JsValue, version: Version) -> Result<Wish, Complaint> {
    let mut fields = Fields::of("options", value)?;
    let qos = fields.qos("qos")?.unwrap_or_default();
    let (no_local, as_published) = (fields.flag("noLocal")?, fields.flag("retainAsPublished")?);
    let handling = fields.text("retained")?;
    let retain_handling = match handling.as_deref() {
        None | Some("always") => RetainHandling::Send,
        Some("if-new") => RetainHandling::SendIfNew,
        Some("never") => RetainHandling::DoNotSend,
        Some(_) => {
            return Err(fields.complaint("retained", "is none of \"always\", \"if-new\" and \"never\""));
        }
    };
    let user_properties = fields.pairs("userProperties")?;
    let is_refreshed = fields.flag("refresh")?.unwrap_or(qos == QoS::AtMostOnce);
    fields.finish()?;
    let is_new = no_local.is_some() || as_published.is_some() || handling.is_some();
    if !version.is_v5() && (is_new || !user_properties.is_empty()) {
        let needing =
            "noLocal, retainAsPublished, retained or userProperties, which MQTT 3.1.1 does not have";
        return Err(Complaint::new("options has", needing));
    }
    let no_local = no_local.unwrap_or_default();
    let retain_as_published = as_published.unwrap_or_default();
    let filter = |filter: JsValue| {
        let text = filter.as_string().ok_or_else(|| Complaint::new("a topic filter", "is no string"))?;
        let name = format!("the topic filter `{text}`");
        let text = Text::try_from(text).map_err(|error| Complaint::new(&name, error))?;
        let filter = TopicFilter::new(text).map_err(|error| Complaint::new(&name, error))?;
        if no_local && filter.shared().is_some() {
            return Err(Complaint::new(name, "is shared, which goes without noLocal [MQTT-3.8.3-4]"));
        }
        Ok(Subscription { filter, qos, no_local, retain_as_published, retain_handling })
    };
    let subscriptions: Vec<Subscription> = filters.iter().map(filter).collect::<Result<_, _>>()?;
    if subscriptions.is_empty() {
        return Err(Complaint::new("the list of topic filters", "is empty"));
    }
    Ok(Wish { subscriptions, user_properties, is_refreshed })
}
