//! Sparkplug B payloads: metrics with name, type and value (Eclipse Sparkplug 3.0.0, section 6.4).

use hashbrown::HashMap;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

use super::tree::{DEPTH_MAX, Node, TREE_BYTES_MAX};

/// The first level of the topics that carry such payloads.
const NAMESPACE: &str = "spBv1.0/";

/// Before the topic of a birth certificate where a broker keeps it for those who come later
/// (tck-id-conformance-mqtt-aware-nbirth-mqtt-topic).
pub const CERTIFICATES: &str = "$sparkplug/certificates/";

/// A topic without the place where a certificate is kept.
fn own_name(topic: &str) -> &str {
    topic.strip_prefix(CERTIFICATES).unwrap_or(topic)
}

/// Whether a topic's payloads are Sparkplug B. The host's STATE messages are JSON.
pub fn is_topic(topic: &str) -> bool {
    own_name(topic).strip_prefix(NAMESPACE).is_some_and(|rest| !rest.starts_with("STATE/"))
}

/// Who speaks on a topic: an edge node, or a device behind one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender<'a> {
    /// The group of the edge node.
    pub group: &'a str,
    /// The edge node.
    pub node: &'a str,
    /// The device, where one speaks.
    pub device: Option<&'a str>,
}

impl<'a> Sender<'a> {
    /// The sender that a topic names (`spBv1.0/group/type/node/device`).
    pub fn of(topic: &'a str) -> Option<Self> {
        let mut levels = own_name(topic).strip_prefix(NAMESPACE)?.splitn(4, '/');
        let (group, _kind, node) = (levels.next()?, levels.next()?, levels.next()?);
        Some(Self { group, node, device: levels.next() })
    }

    /// The topic of the edge node's birth certificate.
    pub fn node_birth(&self) -> String {
        format!("{NAMESPACE}{}/NBIRTH/{}", self.group, self.node)
    }

    /// The topic of commands to the edge node.
    pub fn node_command(&self) -> String {
        format!("{NAMESPACE}{}/NCMD/{}", self.group, self.node)
    }

    /// What the topics of the birth certificates of its devices begin with.
    pub fn device_births(&self) -> String {
        format!("{NAMESPACE}{}/DBIRTH/{}/", self.group, self.node)
    }
}

/// What a birth certificate said of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Born {
    name: String,
    datatype: Option<u64>,
}

/// What the birth certificates of one edge node say, for messages that name metrics by alias and leave types out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Births {
    /// Aliases are the edge node's, devices included (tck-id-payloads-alias-uniqueness).
    by_alias: HashMap<u64, Born>,
    /// The types of the sender's own metrics.
    types: HashMap<String, u64>,
}

impl Births {
    /// Takes a birth certificate in; `is_own` where it is that of the sender whose messages are read.
    pub fn add(&mut self, payload: &[u8], is_own: bool) {
        if payload.len() > TREE_BYTES_MAX {
            return;
        }
        for field in Fields(payload) {
            // Damage ends the certificate; what was read before it holds.
            let Some((tag, field)) = field else { return };
            let (2, Field::Bytes(bytes)) = (tag, field) else { continue };
            let Some(Metric { name: Some(name), alias, datatype, .. }) = Metric::read(bytes) else {
                continue;
            };
            if let Some(datatype) = datatype.filter(|_| is_own) {
                self.types.insert(name.clone(), datatype);
            }
            if let Some(alias) = alias {
                self.by_alias.insert(alias, Born { name, datatype });
            }
        }
    }

    /// Whether no certificate has named anything.
    pub fn is_empty(&self) -> bool {
        self.by_alias.is_empty() && self.types.is_empty()
    }
}

/// Whether what comes on a topic leaves names and types to birth certificates.
pub fn is_data(topic: &str) -> bool {
    let kind = topic.strip_prefix(NAMESPACE).and_then(|rest| rest.split('/').nth(1));
    matches!(kind, Some("NDATA" | "DDATA"))
}

/// When a message was made, in milliseconds since 1970 by the clock of its sender.
pub fn timestamp(payload: &[u8]) -> Option<u64> {
    Fields(payload).flatten().find_map(|(tag, field)| match (tag, field) {
        (1, Field::Varint(at)) => Some(at),
        (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => None,
    })
}

/// The command that makes an edge node publish its births anew (tck-id-operational-behavior-data-commands-rebirth-name), at a time
/// in milliseconds since 1970.
pub fn rebirth(now_ms: u64) -> Vec<u8> {
    const NAME: &str = "Node Control/Rebirth";
    const BOOLEAN: u64 = 11;
    let varint = |tag: u32, value: u64, to: &mut Vec<u8>| {
        encode_key(tag, WireType::Varint, to);
        encode_varint(value, to);
    };
    let bytes = |tag: u32, value: &[u8], to: &mut Vec<u8>| {
        encode_key(tag, WireType::LengthDelimited, to);
        encode_varint(value.len() as u64, to);
        to.extend_from_slice(value);
    };
    let mut metric = Vec::new();
    bytes(1, NAME.as_bytes(), &mut metric);
    varint(3, now_ms, &mut metric);
    varint(4, BOOLEAN, &mut metric);
    varint(14, 1, &mut metric);
    let mut payload = Vec::new();
    varint(1, now_ms, &mut payload);
    bytes(2, &metric, &mut payload);
    payload
}

/// The payload as a tree: its metrics by name, or by alias where no birth certificate gave the name.
pub fn read(payload: &[u8], births: &Births) -> Option<Node> {
    if payload.is_empty() || payload.len() > TREE_BYTES_MAX {
        return None;
    }
    let mut entries = Vec::new();
    let mut metrics = Vec::new();
    let mut body = Vec::new();
    for field in Fields(payload) {
        match field? {
            (1, Field::Varint(at)) => entries.push(("timestamp".to_owned(), Node::Number(at.to_string()))),
            (2, Field::Bytes(bytes)) => metrics.push(Metric::read(bytes)?.named(births, DEPTH_MAX)?),
            (3, Field::Varint(seq)) => entries.push(("seq".to_owned(), Node::Number(seq.to_string()))),
            (4, Field::Bytes(uuid)) => entries.push(("uuid".to_owned(), text(uuid)?)),
            (5, Field::Bytes(bytes)) => body.extend_from_slice(bytes),
            (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => {}
        }
    }
    if !metrics.is_empty() {
        entries.push(("metrics".to_owned(), Node::Map(metrics)));
    }
    if !body.is_empty() {
        entries.push(("body".to_owned(), Node::Bytes(body)));
    }
    Some(Node::Map(entries))
}

/// Whether a payload names a metric by an alias that no birth certificate explained.
pub fn has_unknown_alias(payload: &[u8], births: &Births) -> bool {
    Fields(payload).flatten().any(|(tag, field)| match (tag, field) {
        (2, Field::Bytes(bytes)) => Metric::read(bytes).is_some_and(|metric| {
            let unknown = |alias| !births.by_alias.contains_key(&alias);
            metric.name.is_none() && metric.alias.is_some_and(unknown)
        }),
        (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => false,
    })
}

/// The value of a field as it travels.
#[derive(Clone, Copy)]
enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in the order in which they stand; `None` once for damage, and then the end.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u32, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.take();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self) -> Option<(u32, Field<'a>)> {
        loop {
            let (tag, wire_type) = decode_key(&mut self.0).ok()?;
            let field = match wire_type {
                WireType::Varint => Field::Varint(decode_varint(&mut self.0).ok()?),
                WireType::ThirtyTwoBit => Field::Fixed32(u32::from_le_bytes(*self.array()?)),
                WireType::SixtyFourBit => Field::Fixed64(u64::from_le_bytes(*self.array()?)),
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut self.0).ok()?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    Field::Bytes(bytes)
                }
                WireType::StartGroup | WireType::EndGroup => {
                    skip_field(wire_type, tag, &mut self.0, DecodeContext::default()).ok()?;
                    if self.0.is_empty() {
                        return Some((0, Field::Bytes(&[])));
                    }
                    continue;
                }
            };
            return Some((tag, field));
        }
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }
}

fn text(bytes: &[u8]) -> Option<Node> {
    std::str::from_utf8(bytes).ok().map(|text| Node::Text(text.to_owned()))
}

/// A metric as it travels.
struct Metric<'a> {
    name: Option<String>,
    alias: Option<u64>,
    datatype: Option<u64>,
    /// The place in the schema's choice of values, and the value; `None`: null.
    value: Option<(u32, Field<'a>)>,
}

impl<'a> Metric<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (mut metric, mut is_null) =
            (Self { name: None, alias: None, datatype: None, value: None }, false);
        for field in Fields(bytes) {
            let (tag, field) = field?;
            match (tag, field) {
                (1, Field::Bytes(bytes)) => metric.name = Some(std::str::from_utf8(bytes).ok()?.to_owned()),
                (2, Field::Varint(number)) => metric.alias = Some(number),
                (4, Field::Varint(number)) => metric.datatype = Some(number),
                (7, Field::Varint(flag)) => is_null = flag != 0,
                (10..=18, field) => metric.value = Some((tag - 10, field)),
                (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => {}
            }
        }
        if is_null {
            metric.value = None;
        }
        Some(metric)
    }

    /// Its name and its value.
    fn named(self, births: &Births, depth: usize) -> Option<(String, Node)> {
        let depth = depth.checked_sub(1)?;
        let born = self.alias.and_then(|alias| births.by_alias.get(&alias));
        let name = match (self.name, born, self.alias) {
            (Some(name), _, _) => name,
            (None, Some(born), _) => born.name.clone(),
            (None, None, Some(alias)) => format!("alias {alias}"),
            (None, None, None) => "metric".to_owned(),
        };
        // Messages after the birth should leave the type out (tck-id-payloads-metric-datatype-not-req).
        let datatype = self
            .datatype
            .or_else(|| born.and_then(|born| born.datatype))
            .or_else(|| births.types.get(&name).copied());
        let node = match self.value {
            Some((7, Field::Bytes(bytes))) => data_set(bytes)?,
            Some((8, Field::Bytes(bytes))) => template(bytes, births, depth)?,
            Some((kind, field)) => scalar(kind, field, datatype)?,
            None => Node::Null,
        };
        Some((name, node))
    }
}

/// The members of a template by their names.
fn template(bytes: &[u8], births: &Births, depth: usize) -> Option<Node> {
    let mut members = Vec::new();
    for field in Fields(bytes) {
        match field? {
            (2, Field::Bytes(member)) => members.push(Metric::read(member)?.named(births, depth)?),
            (4, Field::Bytes(definition)) => members.push(("template".to_owned(), text(definition)?)),
            (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => {}
        }
    }
    Some(Node::Map(members))
}

/// A value by the place of its field in the schema's choice: 0 and 1 integers, 2 and 3 floating point, 4 a flag,
/// 5 text, 6 bytes.
fn scalar(kind: u32, field: Field<'_>, datatype: Option<u64>) -> Option<Node> {
    Some(match (kind, field) {
        (0 | 1, Field::Varint(value)) => integer(datatype, value),
        (2, Field::Fixed32(bits)) => Node::single(f32::from_bits(bits)),
        (3, Field::Fixed64(bits)) => Node::float(f64::from_bits(bits)),
        (4, Field::Varint(flag)) => Node::Bool(flag != 0),
        (5, Field::Bytes(bytes)) => text(bytes)?,
        (_, Field::Bytes(bytes)) => Node::Bytes(bytes.to_owned()),
        (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_)) => return None,
    })
}

/// A row each, its values by their columns.
fn data_set(bytes: &[u8]) -> Option<Node> {
    let (mut columns, mut types, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for field in Fields(bytes) {
        match field? {
            (2, Field::Bytes(name)) => columns.push(std::str::from_utf8(name).ok()?.to_owned()),
            (3, Field::Varint(datatype)) => types.push(datatype),
            (3, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    types.push(decode_varint(&mut packed).ok()?);
                }
            }
            (4, Field::Bytes(row)) => rows.push(row),
            (_, Field::Varint(_) | Field::Fixed32(_) | Field::Fixed64(_) | Field::Bytes(_)) => {}
        }
    }
    let mut list = Vec::new();
    for row in rows {
        let mut cells = Vec::new();
        for field in Fields(row) {
            let (1, Field::Bytes(element)) = field? else { continue };
            let at = cells.len();
            let name = columns.get(at).cloned().unwrap_or_else(|| at.to_string());
            let mut node = Node::Null;
            for field in Fields(element) {
                let (tag, field) = field?;
                if (1..=6).contains(&tag) {
                    node = scalar(tag - 1, field, types.get(at).copied())?;
                }
            }
            cells.push((name, node));
        }
        list.push(Node::Map(cells));
    }
    Some(Node::List(list))
}

/// Signed types travel as two's complement in an unsigned field; 1 to 4 are Int8 to Int64.
fn integer(datatype: Option<u64>, value: u64) -> Node {
    Node::Number(match datatype {
        Some(1) => (value as i8).to_string(),
        Some(2) => (value as i16).to_string(),
        Some(3) => (value as i32).to_string(),
        Some(4) => (value as i64).to_string(),
        Some(_) | None => value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds bytes.
    fn bytes(tag: u8, inner: &[u8]) -> Vec<u8> {
        [&[tag << 3 | 2, u8::try_from(inner.len()).unwrap()], inner].concat()
    }

    fn leaves(payload: &[u8]) -> String {
        leaves_after(&Births::default(), payload)
    }

    fn leaves_after(births: &Births, payload: &[u8]) -> String {
        let leaves = read(payload, births).expect("a payload").leaves();
        leaves.iter().map(|(path, leaf)| format!("{path}={leaf}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_rebirth_is_asked_for_in_the_words_of_the_standard() {
        let sender = Sender::of("spBv1.0/plant/DDATA/edge/press").unwrap();
        assert_eq!(sender.node_command(), "spBv1.0/plant/NCMD/edge");
        let command = rebirth(1_700_000_000_000);
        assert_eq!(leaves(&command), "/timestamp=1700000000000 /metrics/Node Control~1Rebirth=true");
        assert_eq!(timestamp(&command), Some(1_700_000_000_000));
        assert_eq!(timestamp(b""), None);
        let is_data = |kind: &str| super::is_data(&format!("spBv1.0/plant/{kind}/edge"));
        assert!(is_data("NDATA") && is_data("DDATA") && !is_data("NBIRTH") && !is_data("NCMD"));
    }

    #[test]
    fn metrics_have_their_names_types_and_signs() {
        // Field numbers and wire types of sparkplug_b.proto: datatype is 4, the values are 10 to 18.
        let float = [bytes(1, b"Temperature"), b"\x20\x09\x65\0\0\xac\x41".to_vec()].concat();
        let signed = [bytes(1, b"Offset"), b"\x20\x03\x50\xff\xff\xff\xff\x0f".to_vec()].concat();
        let double = [bytes(1, b"Exact"), b"\x20\x0a\x69\0\0\0\0\0\x80\x35\x40".to_vec()].concat();
        let aliased = b"\x10\x07\x20\x0b\x70\x01".to_vec();
        let gone = [bytes(1, b"Gone"), b"\x20\x03\x38\x01".to_vec()].concat();
        let worded = [bytes(1, b"Mode"), b"\x20\x0c".to_vec(), bytes(15, b"auto")].concat();
        let metrics = [float, signed, double, aliased, gone, worded].map(|metric| bytes(2, &metric)).concat();
        let payload = [b"\x08\x01".to_vec(), metrics, b"\x18\x03".to_vec()].concat();
        let wanted = "/timestamp=1 /seq=3 /metrics/Temperature=21.5 /metrics/Offset=-1 /metrics/Exact=21.5 \
            /metrics/alias 7=true /metrics/Gone=null /metrics/Mode=auto";
        assert_eq!(leaves(&payload), wanted);
    }

    #[test]
    fn a_data_set_is_a_table_with_named_columns() {
        let row = [bytes(1, b"\x08\xff\x01"), bytes(1, &bytes(6, b"x"))].concat();
        let columns = [bytes(2, b"low"), bytes(2, b"name")].concat();
        for types in [b"\x18\x01\x18\x0c".to_vec(), bytes(3, b"\x01\x0c")] {
            let set = [b"\x08\x02".to_vec(), columns.clone(), types, bytes(4, &row)].concat();
            // The tag 17 takes two bytes.
            let value = [&[0x8a, 0x01, u8::try_from(set.len()).unwrap()], &set[..]].concat();
            let metric = [bytes(1, b"table"), b"\x20\x10".to_vec(), value].concat();
            assert_eq!(leaves(&bytes(2, &metric)), "/metrics/table/0/low=-1 /metrics/table/0/name=x");
        }
    }

    #[test]
    fn a_birth_gives_names_and_types_to_what_comes_after_it() {
        // The edge node: alias 1 is a Boolean; the device: alias 7 is an Int16 with the name Offset, and Level an Int8.
        let node = [bytes(1, b"Up"), b"\x10\x01\x20\x0b\x70\x01".to_vec()].concat();
        let offset = [bytes(1, b"Offset"), b"\x10\x07\x20\x02\x50\x00".to_vec()].concat();
        let level = [bytes(1, b"Level"), b"\x20\x01\x50\x05".to_vec()].concat();
        let mut births = Births::default();
        births.add(&bytes(2, &node), false);
        births.add(&[bytes(2, &offset), bytes(2, &level)].concat(), true);
        // Aliases alone, and a name without a type; -1 and -2 as two's complement of 16 and 8 bits.
        let level = [bytes(1, b"Level"), b"\x50\xfe\x01".to_vec()].concat();
        let metrics = [b"\x10\x07\x50\xff\xff\x03".to_vec(), b"\x10\x01\x70\x00".to_vec(), level];
        let payload = metrics.map(|metric| bytes(2, &metric)).concat();
        assert_eq!(leaves_after(&births, &payload), "/metrics/Offset=-1 /metrics/Up=false /metrics/Level=-2");
        assert!(!has_unknown_alias(&payload, &births));
        assert!(has_unknown_alias(&payload, &Births::default()));
        assert!(leaves(&payload).starts_with("/metrics/alias 7=65535 "), "{}", leaves(&payload));
    }

    #[test]
    fn a_template_shows_its_members_and_none_is_too_deep() {
        let member = [bytes(1, b"rpm"), b"\x20\x03\x50\x09".to_vec()].concat();
        let inner = [bytes(2, &member), bytes(4, b"Motor")].concat();
        // The tag 18 takes two bytes.
        let of = |inner: &[u8]| [&[0x92, 0x01, u8::try_from(inner.len()).unwrap()], inner].concat();
        let metric = [bytes(1, b"pump"), b"\x20\x13".to_vec(), of(&inner)].concat();
        let wanted = "/metrics/pump/rpm=9 /metrics/pump/template=Motor";
        assert_eq!(leaves(&bytes(2, &metric)), wanted);
        let length = |length: usize| {
            let low = u8::try_from(length & 0x7f).unwrap() | 0x80;
            [low, u8::try_from(length >> 7).unwrap()]
        };
        let mut deep = Vec::new();
        for _ in 0..2 * DEPTH_MAX {
            let metric = [&[0x92, 0x01], &length(deep.len())[..], &deep].concat();
            deep = [&[0x12], &length(metric.len())[..], &metric].concat();
        }
        assert_eq!(read(&deep, &Births::default()), None);
    }

    #[test]
    fn a_topic_names_its_sender() {
        let device = Sender { group: "plant", node: "edge", device: Some("press/1") };
        assert_eq!(Sender::of("spBv1.0/plant/DDATA/edge/press/1"), Some(device));
        assert_eq!(device.node_birth(), "spBv1.0/plant/NBIRTH/edge");
        assert_eq!(device.device_births(), "spBv1.0/plant/DBIRTH/edge/");
        assert_eq!(Sender::of("spBv1.0/STATE/scada"), None);
    }

    #[test]
    fn only_topics_of_the_name_space_carry_it_and_damage_is_nothing() {
        assert!(is_topic("spBv1.0/plant/DDATA/edge/press"));
        assert!(!is_topic("spBv1.0/STATE/scada") && !is_topic("home/spBv1.0/x"));
        let none = Births::default();
        assert_eq!(read(b"", &none), None);
        assert_eq!(read(b"\x12\x7fabc", &none), None);
        assert_eq!(read(b"\x12\x03\x0a\x01\xff", &none), None, "a name that is no text");
        for byte in 0..=255 {
            let _ = read(&[byte; 40], &none);
        }
    }
}
