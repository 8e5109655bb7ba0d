//! The properties of messages, between MQTT and JavaScript's names for them.

use hearth_protocol::Text;
use hearth_protocol::packet::{ConnAckProperties, PublishProperties, WillProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;

use super::fields::{Complaint, Fields};

/// The names of the two payload formats.
const BYTES: &str = "bytes";
const TEXT: &str = "text";

/// What a message came with, as an object; `None` if there is nothing that an application would want to know.
/// Subscription identifiers are the package's own, and it has used them up.
pub(super) fn of_message(properties: &PublishProperties) -> Option<Object> {
    let PublishProperties {
        payload_format,
        message_expiry,
        topic_alias: _,
        response_topic,
        correlation_data,
        user_properties,
        subscription_ids: _,
        content_type,
    } = properties;
    let mut fields = Writer::default();
    fields.set("payloadFormat", payload_format.map(|format| name_of(format).into()));
    fields.set("messageExpiry", message_expiry.map(JsValue::from));
    fields.set("responseTopic", response_topic.as_ref().map(|topic| topic.as_str().into()));
    fields.set("correlationData", correlation_data.as_deref().map(|bytes| Uint8Array::from(bytes).into()));
    fields.set("userProperties", pairs(user_properties));
    fields.text("contentType", content_type.as_ref());
    fields.object
}

/// What the server said in CONNACK, as an object.
pub(super) fn of_server(properties: &ConnAckProperties) -> Object {
    let mut fields = Writer::default();
    fields.set("sessionExpiry", properties.session_expiry.map(JsValue::from));
    fields.set("receiveMaximum", properties.receive_maximum.map(JsValue::from));
    fields.set("maximumQoS", properties.maximum_qos.map(|qos| qos.bits().into()));
    fields.set("retainAvailable", properties.retain_available.map(JsValue::from));
    fields.set("maximumPacketSize", properties.packet_size_max.map(JsValue::from));
    fields.set("topicAliasMaximum", properties.topic_alias_maximum.map(JsValue::from));
    fields.text("reasonString", properties.reason_string.as_ref());
    fields.set("userProperties", pairs(&properties.user_properties));
    fields.set("wildcardSubscriptions", properties.wildcard_subscription_available.map(JsValue::from));
    fields.set("subscriptionIdentifiers", properties.subscription_identifiers_available.map(JsValue::from));
    fields.set("sharedSubscriptions", properties.shared_subscription_available.map(JsValue::from));
    fields.set("serverKeepAlive", properties.server_keep_alive.map(JsValue::from));
    fields.text("responseInformation", properties.response_information.as_ref());
    fields.text("serverReference", properties.server_reference.as_ref());
    fields.object.unwrap_or_default()
}

/// What a message is published with.
pub(super) fn read(fields: Option<Fields>) -> Result<PublishProperties, Complaint> {
    let mut properties = PublishProperties::default();
    let Some(mut fields) = fields else { return Ok(properties) };
    properties.payload_format = payload_format(&mut fields)?;
    properties.message_expiry = fields.number("messageExpiry", 0..=u32::MAX)?;
    properties.response_topic = fields.topic_name("responseTopic")?;
    properties.correlation_data = fields.bytes("correlationData")?;
    properties.user_properties = fields.pairs("userProperties")?;
    properties.content_type = fields.text("contentType")?;
    fields.finish()?;
    Ok(properties)
}

/// What a will is published with; its delay is a field of the will itself.
pub(super) fn read_will(delay: Option<u32>, fields: Option<Fields>) -> Result<WillProperties, Complaint> {
    let PublishProperties {
        payload_format,
        message_expiry,
        topic_alias: _,
        response_topic,
        correlation_data,
        user_properties,
        subscription_ids: _,
        content_type,
    } = read(fields)?;
    Ok(WillProperties {
        delay,
        payload_format,
        message_expiry,
        content_type,
        response_topic,
        correlation_data,
        user_properties,
    })
}

fn payload_format(fields: &mut Fields) -> Result<Option<PayloadFormat>, Complaint> {
    match fields.text("payloadFormat")?.as_deref() {
        None => Ok(None),
        Some(BYTES) => Ok(Some(PayloadFormat::Bytes)),
        Some(TEXT) => Ok(Some(PayloadFormat::Utf8)),
        Some(_) => Err(fields.complaint("payloadFormat", "is neither \"bytes\" nor \"text\"")),
    }
}

const fn name_of(format: PayloadFormat) -> &'static str {
    match format {
        PayloadFormat::Bytes => BYTES,
        PayloadFormat::Utf8 => TEXT,
    }
}

fn pairs(properties: &UserProperties) -> Option<JsValue> {
    let text = |text: &Text| JsValue::from_str(text.as_str());
    let list: Array = properties.iter().map(|(name, value)| Array::of2(&text(name), &text(value))).collect();
    (!properties.is_empty()).then(|| list.into())
}

/// An object that is made when its first field is.
#[derive(Default)]
struct Writer {
    object: Option<Object>,
}

impl Writer {
    fn set(&mut self, name: &str, value: Option<JsValue>) {
        if let Some(value) = value {
            let object = self.object.get_or_insert_default();
            // A plain object takes any field.
            let _ = Reflect::set(object, &JsValue::from_str(name), &value);
        }
    }

    fn text(&mut self, name: &str, value: Option<&Text>) {
        self.set(name, value.map(|text| JsValue::from_str(text.as_str())));
    }
}
