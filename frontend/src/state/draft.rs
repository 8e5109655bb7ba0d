//! What the publish form holds, and the message that it stands for.

use std::borrow::Cow;

use bytes::Bytes;
use hearth_protocol::packet::{Publish, PublishProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use hearth_protocol::topic::TopicError;
use hearth_protocol::{QoS, Text, TopicName};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::hex::{self, HexError};
use super::template::{Values, expand};

/// The form has no room for more, and no broker of ours takes more (its default is 256).
pub const USER_PROPERTIES_MAX: usize = 64;

/// How the payload is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// As text.
    #[default]
    Text,
    /// As text that must be JSON.
    Json,
    /// As pairs of hex digits.
    Hex,
    /// It is a file's content.
    File,
}

impl Kind {
    /// All kinds in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Hex, Self::File];

    /// The word in tests and storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Hex => "hex",
            Self::File => "file",
        }
    }

    /// The kind of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A file that a person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name without a folder.
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
}

/// What the form holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Topic as typed.
    pub topic: String,
    /// How the payload is typed.
    pub kind: Kind,
    /// Payload as typed.
    pub payload: String,
    /// The chosen file; it is not saved with the rest.
    #[serde(skip)]
    pub file: Option<File>,
    /// Delivery guarantee.
    #[serde(with = "qos_bits")]
    pub qos: QoS,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// The properties.
    pub properties: DraftProperties,
}

/// The properties of MQTT 5 as typed; what is empty is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DraftProperties {
    /// Whether the message says that its payload is UTF-8.
    pub is_utf8: bool,
    /// Seconds.
    pub message_expiry: String,
    /// Such as `application/json`.
    pub content_type: String,
    /// Where an answer goes.
    pub response_topic: String,
    /// What an answer carries back: text, or `hex:` and hex digits.
    pub correlation_data: String,
    /// Names and values in their order.
    pub user_properties: Vec<(String, String)>,
}

/// A field of the form that MQTT cannot carry as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftError {
    /// What was typed is no topic name.
    Topic(TopicError),
    /// The response topic is no topic name.
    ResponseTopic(TopicError),
    /// The payload is no hex.
    Hex(HexError),
    /// The payload is no JSON; line and column count from 1.
    Json {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// What the parser says.
        detail: String,
    },
    /// No file is chosen.
    NoFile,
    /// The payload is said to be UTF-8 and is not.
    NotUtf8,
    /// Not a whole number of seconds below 2^32.
    MessageExpiry,
    /// The correlation data is no hex after its prefix.
    CorrelationData(HexError),
    /// Something is longer than 65,535 bytes or has a U+0000.
    Text(String),
}

impl DraftProperties {
    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn build(&self, values: &Values) -> Result<Option<Box<PublishProperties>>, DraftError> {
        let text = |typed: &str| {
            Text::try_from(&*expand(typed, values)).map_err(|error| DraftError::Text(error.to_string()))
        };
        let optional = |typed: &str| Some(typed.trim()).filter(|typed| !typed.is_empty()).map(str::to_owned);
        let response_topic = optional(&self.response_topic)
            .map(|typed| topic(&expand(&typed, values)).map_err(DraftError::ResponseTopic))
            .transpose()?;
        let mut user_properties = UserProperties::default();
        for (name, value) in &self.user_properties {
            if !name.is_empty() || !value.is_empty() {
                user_properties.push(text(name)?, text(value)?);
            }
        }
        let message_expiry = optional(&self.message_expiry)
            .map(|typed| typed.parse::<u32>().map_err(|_| DraftError::MessageExpiry))
            .transpose()?;
        let properties = PublishProperties {
            payload_format: self.is_utf8.then_some(PayloadFormat::Utf8),
            message_expiry,
            response_topic,
            correlation_data: self.correlation(values)?,
            user_properties,
            content_type: optional(&self.content_type).map(|typed| text(&typed)).transpose()?,
            ..PublishProperties::EMPTY
        };
        Ok((properties != PublishProperties::EMPTY).then(|| Box::new(properties)))
    }

    fn correlation(&self, values: &Values) -> Result<Option<Bytes>, DraftError> {
        if self.correlation_data.is_empty() {
            return Ok(None);
        }
        let typed = expand(&self.correlation_data, values);
        let bytes = match typed.strip_prefix(hex::PREFIX) {
            Some(digits) => hex::parse(digits).map_err(DraftError::CorrelationData)?,
            None => typed.as_bytes().to_vec(),
        };
        if bytes.len() > Text::BYTES_MAX {
            return Err(DraftError::Text(format!("has {} bytes; at most 65,535 fit", bytes.len())));
        }
        Ok(Some(bytes.into()))
    }
}

impl Draft {
    /// The message that the form stands for.
    ///
    /// # Errors
    /// The first field that cannot be sent as it is.
    pub fn message(&self, values: &Values) -> Result<Publish, DraftError> {
        let topic = topic(&expand(self.topic.trim(), values)).map_err(DraftError::Topic)?;
        let payload = self.payload(values)?;
        let properties = self.properties.build(values)?;
        if self.properties.is_utf8 && std::str::from_utf8(&payload).is_err() {
            return Err(DraftError::NotUtf8);
        }
        Ok(Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic,
            packet_id: None,
            payload,
            properties,
        })
    }

    /// What is wrong with the payload as it stands; `None` also for one that is not typed yet.
    pub fn complaint(&self, values: &Values) -> Option<DraftError> {
        let is_untouched = self.kind == Kind::File || self.payload.trim().is_empty();
        self.payload(values).err().filter(|_| !is_untouched)
    }

    fn payload(&self, values: &Values) -> Result<Bytes, DraftError> {
        let filled = || expand(&self.payload, values);
        match self.kind {
            Kind::Text => Ok(owned(filled())),
            Kind::Json => {
                let text = filled();
                check_json(&text)?;
                Ok(owned(text))
            }
            Kind::Hex => hex::parse(&filled()).map(Bytes::from).map_err(DraftError::Hex),
            Kind::File => self.file.as_ref().map(|file| file.bytes.clone()).ok_or(DraftError::NoFile),
        }
    }
}

fn owned(text: Cow<'_, str>) -> Bytes {
    Bytes::from(text.into_owned())
}

fn check_json(text: &str) -> Result<(), DraftError> {
    serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|error| {
        let whole = error.to_string();
        // The place is told apart from it.
        let detail = whole.split(" at line ").next().unwrap_or_default().to_owned();
        DraftError::Json { line: error.line(), column: error.column(), detail }
    })
}

fn topic(typed: &str) -> Result<TopicName, TopicError> {
    TopicName::new(Text::try_from(typed)?)
}

/// QoS as 0, 1 or 2 in what is saved.
mod qos_bits {
    use hearth_protocol::QoS;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(qos: &QoS, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(qos.bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QoS, D::Error> {
        let bits = u8::deserialize(deserializer)?;
        QoS::from_bits(bits).ok_or_else(|| serde::de::Error::custom("QoS is 0, 1 or 2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values = Values { counter: 3, now_ms: 0.0, random: 0x00AB_CDEF };

    fn draft(kind: Kind, payload: &str) -> Draft {
        Draft { topic: " home/lamp ".into(), kind, payload: payload.into(), ..Draft::default() }
    }

    #[test]
    fn a_draft_is_checked_before_it_is_sent() {
        let mut form = draft(Kind::Text, "on");
        let publish = form.message(&VALUES).unwrap();
        assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("home/lamp", &b"on"[..]));
        assert_eq!(publish.properties, None);
        form.topic = "home/+".into();
        assert_eq!(form.message(&VALUES), Err(DraftError::Topic(TopicError::WildcardInName('+'))));
        form.topic = "  ".into();
        assert_eq!(form.message(&VALUES), Err(DraftError::Topic(TopicError::Empty)));
    }

    #[test]
    fn each_kind_of_payload_becomes_bytes_or_a_complaint() {
        let payload = |kind, typed| draft(kind, typed).message(&VALUES).map(|message| message.payload);
        assert_eq!(payload(Kind::Json, r#"{"n": {{counter}}}"#).unwrap(), r#"{"n": 3}"#);
        let broken = payload(Kind::Json, "{\n \"a\": tru }").unwrap_err();
        assert!(
            matches!(&broken, DraftError::Json { line: 2, column, detail } if *column > 5 && !detail.contains("line")),
            "{broken:?}"
        );
        assert_eq!(payload(Kind::Hex, "00 FF").unwrap()[..], [0, 0xFF]);
        assert_eq!(payload(Kind::Hex, "0"), Err(DraftError::Hex(HexError::Odd)));
        assert_eq!(payload(Kind::File, "ignored"), Err(DraftError::NoFile));
        let file = File { name: "a.bin".into(), bytes: Bytes::from_static(b"\0\x01") };
        let form = Draft { file: Some(file), ..draft(Kind::File, "") };
        assert_eq!(form.message(&VALUES).unwrap().payload[..], [0, 1]);
        assert_eq!(draft(Kind::Json, " ").complaint(&VALUES), None);
        assert!(draft(Kind::Json, "{").complaint(&VALUES).is_some());
    }

    #[test]
    fn every_property_goes_out_as_typed_and_in_order() {
        let mut form = draft(Kind::Text, "21.5");
        form.properties = DraftProperties {
            is_utf8: true,
            message_expiry: "60".into(),
            content_type: "text/plain".into(),
            response_topic: "answers/{{id}}".into(),
            correlation_data: "hex:00ff".into(),
            user_properties: vec![
                ("unit".into(), "C".into()),
                (String::new(), String::new()),
                ("unit".into(), "K".into()),
            ],
        };
        let properties = form.message(&VALUES).unwrap().properties.unwrap();
        assert_eq!(properties.payload_format, Some(PayloadFormat::Utf8));
        assert_eq!(properties.message_expiry, Some(60));
        assert_eq!(properties.content_type.as_ref().unwrap().as_str(), "text/plain");
        assert_eq!(properties.response_topic.as_ref().unwrap().as_str(), "answers/00abcdef");
        assert_eq!(properties.correlation_data.as_deref(), Some(&[0, 0xFF][..]));
        let user: Vec<_> =
            properties.user_properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(user, [("unit", "C"), ("unit", "K")]);
        assert_eq!(properties.topic_alias, None);
    }

    #[test]
    fn properties_that_mqtt_cannot_carry_are_told() {
        let with = |change: fn(&mut DraftProperties)| {
            let mut form = draft(Kind::Hex, "ff");
            change(&mut form.properties);
            form.message(&VALUES).unwrap_err()
        };
        assert_eq!(with(|it| it.message_expiry = "4294967296".into()), DraftError::MessageExpiry);
        assert_eq!(with(|it| it.message_expiry = "-1".into()), DraftError::MessageExpiry);
        assert_eq!(with(|it| it.is_utf8 = true), DraftError::NotUtf8);
        assert_eq!(
            with(|it| it.correlation_data = "hex:0".into()),
            DraftError::CorrelationData(HexError::Odd)
        );
        let wildcard = DraftError::ResponseTopic(TopicError::WildcardInName('#'));
        assert_eq!(with(|it| it.response_topic = "a/#".into()), wildcard);
        assert!(matches!(with(|it| it.content_type = "a\0b".into()), DraftError::Text(_)));
    }
}
