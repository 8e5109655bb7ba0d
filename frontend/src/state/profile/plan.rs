//! What a profile means on the wire, or what is wrong with it.

use bytes::Bytes;
use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::{ConnectProperties, Will, WillProperties};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use hearth_protocol::text::TextError;
use hearth_protocol::topic::TopicError;
use hearth_protocol::{QoS, Text, TopicFilter, TopicName, Version};

use super::{Profile, Speaks, WillPlan};
use crate::state::hex;

/// The largest packet that a tab takes; it must hold it several times over while it is shown.
const PACKET_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// What of a profile can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields of a profile, as the form shows them")]
pub enum Field {
    Name,
    Host,
    Port,
    Path,
    UserName,
    Password,
    Filters,
    FiltersQos,
    ClientId,
    KeepAlive,
    SessionExpiry,
    ReceiveMaximum,
    PacketBytesMax,
    TopicAliasMaximum,
    UserProperties,
    WillTopic,
    WillPayload,
    WillQos,
    WillDelay,
    WillMessageExpiry,
    WillContentType,
    WillResponseTopic,
    WillCorrelationData,
    WillUserProperties,
}

impl Field {
    /// The word for identifiers in the page and for tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::UserName => "user",
            Self::Password => "password",
            Self::Filters => "filters",
            Self::FiltersQos => "filters-qos",
            Self::ClientId => "client-id",
            Self::KeepAlive => "keep-alive",
            Self::SessionExpiry => "session-expiry",
            Self::ReceiveMaximum => "receive-maximum",
            Self::PacketBytesMax => "packet-max",
            Self::TopicAliasMaximum => "alias-max",
            Self::UserProperties => "user-properties",
            Self::WillTopic => "will-topic",
            Self::WillPayload => "will-payload",
            Self::WillQos => "will-qos",
            Self::WillDelay => "will-delay",
            Self::WillMessageExpiry => "will-expiry",
            Self::WillContentType => "will-content-type",
            Self::WillResponseTopic => "will-response-topic",
            Self::WillCorrelationData => "will-correlation",
            Self::WillUserProperties => "will-user-properties",
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something must stand here.
    Missing,
    /// It has what no host has.
    NotHost,
    /// The scheme of another protocol, which no browser speaks.
    NotWebSocket(String),
    /// It does not begin with a slash, or has what no path has.
    NotPath,
    /// No whole number from the first to the second.
    NotNumber(u32, u32),
    /// MQTT has no such string.
    Text(TextError),
    /// MQTT has no such topic, or filter.
    Topic(TopicError),
    /// This line is no filter.
    Filter(String, TopicError),
    /// This line is no `name=value`.
    NotPair(String),
    /// It has more bytes than MQTT lets it have.
    TooLong(usize),
    /// What follows `hex:` is no hex.
    NotHex,
    /// It is declared to be text, and is none.
    NotUtf8,
    /// Version 3.1.1 has a password only with a user name [3.1.1: MQTT-3.1.2-22].
    WantsUser,
    /// A session is found again by its client id only.
    WantsClientId,
}

/// What is done with a profile.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The WebSocket's address.
    pub address: String,
    /// CONNECT.
    pub options: ClientOptions,
    /// SUBSCRIBE.
    pub filters: Vec<(TopicFilter, QoS)>,
}

/// Collects what is wrong, so that a person is told everything at once.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<(Field, Fault)>);

impl Faults {
    pub(super) fn note(&mut self, field: Field, fault: Fault) {
        self.0.push((field, fault));
    }

    /// The value, or a stand-in for one that is wrong.
    pub(super) fn take<T: Default>(&mut self, field: Field, value: Result<T, Fault>) -> T {
        value.unwrap_or_else(|fault| {
            self.note(field, fault);
            T::default()
        })
    }

    fn text(&mut self, field: Field, text: &str) -> Text {
        self.take(field, Text::try_from(text).map_err(Fault::Text))
    }

    fn some_text(&mut self, field: Field, text: &str) -> Option<Text> {
        (!text.is_empty()).then(|| self.text(field, text))
    }

    fn bytes(&mut self, field: Field, bytes: &str) -> Bytes {
        if bytes.len() > Text::BYTES_MAX {
            self.note(field, Fault::TooLong(bytes.len()));
        }
        Bytes::copy_from_slice(bytes.as_bytes())
    }

    /// Text, or bytes as hex behind `hex:`.
    fn text_or_hex(&mut self, field: Field, typed: &str) -> Bytes {
        let Some(digits) = typed.strip_prefix(hex::PREFIX) else { return self.bytes(field, typed) };
        let bytes = self.take(field, hex::parse(digits).map_err(|_| Fault::NotHex));
        if bytes.len() > Text::BYTES_MAX {
            self.note(field, Fault::TooLong(bytes.len()));
        }
        bytes.into()
    }

    fn topic(&mut self, field: Field, topic: &str) -> Option<TopicName> {
        match TopicName::try_from(topic) {
            Ok(topic) => Some(topic),
            Err(TopicError::Empty) => {
                self.note(field, Fault::Missing);
                None
            }
            Err(error) => {
                self.note(field, Fault::Topic(error));
                None
            }
        }
    }

    fn qos(&mut self, field: Field, bits: u8) -> QoS {
        self.take(field, QoS::from_bits(bits).ok_or(Fault::NotNumber(0, 2)))
    }

    fn pairs(&mut self, field: Field, pairs: &[(String, String)]) -> UserProperties {
        let taken = pairs.iter().map(|(name, value)| {
            if name.contains(['=', '\n']) || value.contains('\n') {
                // The form could not show it as it is.
                self.note(field, Fault::NotPair(format!("{name}={value}")));
            }
            (self.text(field, name), self.text(field, value))
        });
        taken.collect()
    }
}

impl Profile {
    /// The WebSocket's address.
    pub fn address(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{host}{port}{}", self.path)
    }

    /// What it means; `drawn_id` is the client id where it names none.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn plan(&self, drawn_id: &str) -> Result<Plan, Vec<(Field, Fault)>> {
        let mut faults = Faults::default();
        self.check_place(&mut faults);
        let options = self.options(drawn_id, &mut faults);
        let filters = self.subscriptions(&mut faults);
        match faults.0.is_empty() {
            true => Ok(Plan { address: self.address(), options, filters }),
            false => Err(faults.0),
        }
    }

    fn check_place(&self, faults: &mut Faults) {
        if self.name.trim().is_empty() {
            faults.note(Field::Name, Fault::Missing);
        }
        // Colons are those of IPv6 here; names of other scripts reach the browser as they were typed.
        let is_host = |letter: char| letter.is_alphanumeric() || ".-_:%".contains(letter);
        if self.host.is_empty() {
            faults.note(Field::Host, Fault::Missing);
        } else if !self.host.chars().all(is_host) || self.host.matches(':').count() == 1 {
            faults.note(Field::Host, Fault::NotHost);
        }
        if self.port == Some(0) {
            faults.note(Field::Port, Fault::NotNumber(1, 65_535));
        }
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || "#\\".contains(letter);
        if !self.path.starts_with('/') || self.path.contains(is_odd) {
            faults.note(Field::Path, Fault::NotPath);
        }
    }

    fn options(&self, drawn_id: &str, faults: &mut Faults) -> ClientOptions {
        let is_drawn = self.client_id.is_empty();
        let client_id = faults.text(Field::ClientId, if is_drawn { drawn_id } else { &self.client_id });
        if is_drawn && !self.clean_start {
            faults.note(Field::ClientId, Fault::WantsClientId);
        }
        let mut options = ClientOptions::new(client_id);
        options.version = match self.version {
            Speaks::V311 => Version::V311,
            Speaks::V5 => Version::V5,
        };
        options.clean_start = self.clean_start;
        // Whatever an earlier load of the page left there is this one's.
        options.adopt_session = !self.clean_start;
        options.keep_alive = self.keep_alive;
        options.user_name = faults.some_text(Field::UserName, &self.user_name);
        options.password = (!self.password.is_empty()).then(|| faults.bytes(Field::Password, &self.password));
        if self.version == Speaks::V311 && self.uses_password && self.user_name.is_empty() {
            faults.note(Field::UserName, Fault::WantsUser);
        }
        options.will = self.will.as_ref().and_then(|will| will.plan(self.version, faults));
        let packet_bytes_max = self.packet_bytes_max.unwrap_or(PACKET_BYTES_MAX);
        options.packet_size_max = PACKET_BYTES_MAX as usize;
        if self.version == Speaks::V5 {
            options.packet_size_max = packet_bytes_max as usize;
            options.properties = self.properties(packet_bytes_max, faults);
        }
        options
    }

    fn properties(&self, packet_bytes_max: u32, faults: &mut Faults) -> ConnectProperties {
        if self.receive_maximum == Some(0) {
            faults.note(Field::ReceiveMaximum, Fault::NotNumber(1, 65_535));
        }
        if !(1..=PACKET_BYTES_MAX).contains(&packet_bytes_max) {
            faults.note(Field::PacketBytesMax, Fault::NotNumber(1, PACKET_BYTES_MAX));
        }
        ConnectProperties {
            session_expiry: Some(self.session_expiry),
            receive_maximum: self.receive_maximum,
            packet_size_max: Some(packet_bytes_max),
            topic_alias_maximum: self.topic_alias_maximum,
            // Absent means what is left out here.
            request_response_information: self.request_response_information.then_some(true),
            request_problem_information: (!self.request_problem_information).then_some(false),
            user_properties: faults.pairs(Field::UserProperties, &self.user_properties),
            ..ConnectProperties::default()
        }
    }

    fn subscriptions(&self, faults: &mut Faults) -> Vec<(TopicFilter, QoS)> {
        let qos = faults.qos(Field::FiltersQos, self.filters_qos);
        let mut subscriptions = Vec::with_capacity(self.filters.len());
        for line in &self.filters {
            match TopicFilter::try_from(line.as_str()) {
                Ok(filter) => subscriptions.push((filter, qos)),
                Err(error) => faults.note(Field::Filters, Fault::Filter(line.clone(), error)),
            }
        }
        subscriptions
    }
}

impl WillPlan {
    fn plan(&self, version: Speaks, faults: &mut Faults) -> Option<Will> {
        let topic = faults.topic(Field::WillTopic, &self.topic);
        let payload = faults.text_or_hex(Field::WillPayload, &self.payload);
        if version == Speaks::V5 && self.is_text && std::str::from_utf8(&payload).is_err() {
            faults.note(Field::WillPayload, Fault::NotUtf8);
        }
        let qos = faults.qos(Field::WillQos, self.qos);
        let properties = match version {
            Speaks::V311 => WillProperties::default(),
            Speaks::V5 => self.properties(faults),
        };
        Some(Will { topic: topic?, payload, qos, retain: self.retain, properties })
    }

    fn properties(&self, faults: &mut Faults) -> WillProperties {
        let response_topic = (!self.response_topic.is_empty())
            .then(|| faults.topic(Field::WillResponseTopic, &self.response_topic))
            .flatten();
        WillProperties {
            delay: (self.delay > 0).then_some(self.delay),
            payload_format: self.is_text.then_some(PayloadFormat::Utf8),
            message_expiry: self.message_expiry,
            content_type: faults.some_text(Field::WillContentType, &self.content_type),
            response_topic,
            correlation_data: (!self.correlation_data.is_empty())
                .then(|| faults.text_or_hex(Field::WillCorrelationData, &self.correlation_data)),
            user_properties: faults.pairs(Field::WillUserProperties, &self.user_properties),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn faults(change: impl FnOnce(&mut Profile)) -> Vec<(Field, Fault)> {
        let mut profile = sample();
        change(&mut profile);
        profile.plan("drawn").err().unwrap_or_default()
    }

    #[test]
    fn a_will_of_bytes_is_typed_as_hex() {
        let mut profile = sample();
        let will = profile.will.as_mut().unwrap();
        (will.payload, will.correlation_data, will.is_text) = ("hex:00 FF".into(), "hex:0a".into(), false);
        let planned = profile.plan("drawn").unwrap().options.will.unwrap();
        assert_eq!(*planned.payload, [0, 0xFF]);
        assert_eq!(planned.properties.correlation_data.as_deref(), Some(&[0x0A][..]));
        for (typed, is_text, fault) in [("hex:0", false, Fault::NotHex), ("hex:FF", true, Fault::NotUtf8)] {
            let found = faults(|it| {
                let will = it.will.as_mut().unwrap();
                (will.payload, will.is_text) = (typed.into(), is_text);
            });
            assert_eq!(found, [(Field::WillPayload, fault)]);
        }
    }

    #[test]
    fn everything_that_was_filled_in_reaches_connect() {
        let plan = sample().plan("drawn").unwrap();
        assert_eq!(plan.address, "wss://broker.example:8884/mqtt");
        let options = &plan.options;
        assert_eq!((options.client_id.as_str(), options.version), ("panel", Version::V5));
        assert_eq!((options.clean_start, options.adopt_session, options.keep_alive), (false, true, 30));
        assert_eq!(options.user_name.as_deref(), Some("ann"));
        assert_eq!(options.password.as_deref(), Some(&b"pencil"[..]));
        let properties = &options.properties;
        assert_eq!(properties.session_expiry, Some(3600));
        assert_eq!(properties.receive_maximum, Some(20));
        assert_eq!((properties.packet_size_max, options.packet_size_max), (Some(100_000), 100_000));
        assert_eq!(properties.topic_alias_maximum, Some(8));
        assert_eq!(properties.request_response_information, Some(true));
        assert_eq!(properties.request_problem_information, Some(false));
        assert_eq!(properties.user_properties.len(), 1);
        let will = options.will.as_ref().unwrap();
        assert_eq!((will.topic.as_str(), &will.payload[..]), ("panel/state", &b"gone"[..]));
        assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
        assert_eq!((will.properties.delay, will.properties.message_expiry), (Some(5), Some(60)));
        assert_eq!(will.properties.payload_format, Some(PayloadFormat::Utf8));
        assert_eq!(will.properties.response_topic.as_ref().map(TopicName::as_str), Some("panel/answer"));
        let filters: Vec<_> = plan.filters.iter().map(|(filter, qos)| (filter.as_str(), *qos)).collect();
        assert_eq!(filters, [("home/#", QoS::ExactlyOnce), ("car/+", QoS::ExactlyOnce)]);
    }

    #[test]
    fn an_older_version_is_asked_for_nothing_that_it_does_not_have() {
        let profile = Profile { version: Speaks::V311, ..sample() };
        let options = profile.plan("drawn").unwrap().options;
        assert_eq!(options.version, Version::V311);
        assert_eq!(options.properties, ConnectProperties::default());
        assert_eq!(options.will.unwrap().properties, WillProperties::default());
    }

    #[test]
    fn a_client_id_is_drawn_where_none_is_named() {
        let profile = Profile { client_id: String::new(), clean_start: true, ..sample() };
        assert_eq!(profile.plan("drawn").unwrap().options.client_id.as_str(), "drawn");
        assert_eq!(
            faults(|profile| profile.client_id.clear()),
            [(Field::ClientId, Fault::WantsClientId)],
            "a session is not found again under an id that changes"
        );
    }

    #[test]
    fn an_address_of_ipv6_gets_its_brackets() {
        let profile = Profile { host: "fe80::1".into(), port: None, secure: false, ..sample() };
        assert_eq!(
            profile.plan("drawn").unwrap().address,
            "ws://fe80::1/mqtt".replace("fe80::1", "[fe80::1]")
        );
    }

    #[test]
    fn each_mistake_is_told_at_its_field() {
        type Change = fn(&mut Profile);
        let table: [(Change, Field, Fault); 11] = [
            (|it| it.name = "  ".into(), Field::Name, Fault::Missing),
            (|it| it.host.clear(), Field::Host, Fault::Missing),
            (|it| it.host = "a/b".into(), Field::Host, Fault::NotHost),
            (|it| it.host = "a:1883".into(), Field::Host, Fault::NotHost),
            (|it| it.path = "mqtt".into(), Field::Path, Fault::NotPath),
            (|it| it.path = "/a#b".into(), Field::Path, Fault::NotPath),
            (|it| it.receive_maximum = Some(0), Field::ReceiveMaximum, Fault::NotNumber(1, 65_535)),
            (|it| it.filters_qos = 3, Field::FiltersQos, Fault::NotNumber(0, 2)),
            (
                |it| it.filters = vec!["a".into(), "b#".into()],
                Field::Filters,
                Fault::Filter("b#".into(), TopicError::MisplacedHash),
            ),
            (
                |it| it.user_properties = vec![("a=b".into(), "c".into())],
                Field::UserProperties,
                Fault::NotPair("a=b=c".into()),
            ),
            (|it| it.client_id = "\0".into(), Field::ClientId, Fault::Text(TextError::Nul)),
        ];
        for (change, field, fault) in table {
            assert_eq!(faults(change), [(field, fault)]);
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let found = faults(|profile| {
            profile.host.clear();
            profile.will = Some(WillPlan { topic: "a/+".into(), ..WillPlan::default() });
        });
        let fields: Vec<Field> = found.into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [Field::Host, Field::WillTopic]);
    }

    #[test]
    fn an_older_version_has_a_password_only_with_a_user() {
        let found = faults(|profile| {
            profile.version = Speaks::V311;
            profile.user_name.clear();
        });
        assert_eq!(found, [(Field::UserName, Fault::WantsUser)]);
        assert_eq!(faults(|profile| profile.user_name.clear()), [], "version 5 has it alone");
    }
}
