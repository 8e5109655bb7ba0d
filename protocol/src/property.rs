//! Values that properties have in common.

use crate::Text;

/// What the payload is (MQTT 5.0, 3.3.2.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum PayloadFormat {
    /// Bytes of no stated kind.
    #[default]
    Bytes = 0,
    /// UTF-8 text.
    Utf8 = 1,
}

impl PayloadFormat {
    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Name and value pairs of the application, in their order; names may repeat (MQTT 5.0, 3.3.2.3.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserProperties(Vec<(Text, Text)>);

impl UserProperties {
    /// No pair.
    pub const EMPTY: Self = Self(Vec::new());

    /// Adds a pair behind the others.
    pub fn push(&mut self, name: Text, value: Text) {
        self.0.push((name, value));
    }

    /// The pairs in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Text, Text)> {
        self.0.iter()
    }

    /// How many pairs there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes on the wire, where a pair has an identifier and two lengths beside its name and value.
    pub fn bytes(&self) -> usize {
        const PAIR_BYTES: usize = 1 + 2 + 2;
        self.0.iter().map(|(name, value)| PAIR_BYTES + name.len() + value.len()).sum()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Text, Text)> for UserProperties {
    fn from_iter<I: IntoIterator<Item = (Text, Text)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a UserProperties {
    type Item = &'a (Text, Text);
    type IntoIter = std::slice::Iter<'a, (Text, Text)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The identifier of a property on the wire (MQTT 5.0, 2.2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are the property names of the standard")]
pub enum PropertyId {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQoS = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

impl PropertyId {
    /// The property of an identifier; `None` for one that the standard does not know.
    pub const fn from_identifier(identifier: u32) -> Option<Self> {
        Some(match identifier {
            0x01 => Self::PayloadFormatIndicator,
            0x02 => Self::MessageExpiryInterval,
            0x03 => Self::ContentType,
            0x08 => Self::ResponseTopic,
            0x09 => Self::CorrelationData,
            0x0B => Self::SubscriptionIdentifier,
            0x11 => Self::SessionExpiryInterval,
            0x12 => Self::AssignedClientIdentifier,
            0x13 => Self::ServerKeepAlive,
            0x15 => Self::AuthenticationMethod,
            0x16 => Self::AuthenticationData,
            0x17 => Self::RequestProblemInformation,
            0x18 => Self::WillDelayInterval,
            0x19 => Self::RequestResponseInformation,
            0x1A => Self::ResponseInformation,
            0x1C => Self::ServerReference,
            0x1F => Self::ReasonString,
            0x21 => Self::ReceiveMaximum,
            0x22 => Self::TopicAliasMaximum,
            0x23 => Self::TopicAlias,
            0x24 => Self::MaximumQoS,
            0x25 => Self::RetainAvailable,
            0x26 => Self::UserProperty,
            0x27 => Self::MaximumPacketSize,
            0x28 => Self::WildcardSubscriptionAvailable,
            0x29 => Self::SubscriptionIdentifierAvailable,
            0x2A => Self::SharedSubscriptionAvailable,
            _ => return None,
        })
    }
}
