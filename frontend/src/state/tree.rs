//! What a structured payload holds, whatever it was written in: JSON, CBOR (RFC 8949), MessagePack or Sparkplug B.

use serde_json::Value;

use super::{cbor, message_pack};

/// Bytes of a payload that is taken apart; more would hold up the page. Larger ones are shown as text or hex.
pub const TREE_BYTES_MAX: usize = 1024 * 1024;

/// How deep values may stand inside each other: far more than devices send, and no danger for the stack.
pub const DEPTH_MAX: usize = 64;

/// A value and what stands inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A number in decimal digits: no format's range is cut.
    Number(String),
    /// Characters.
    Text(String),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name; those of JSON in the order of their names, others as they came. A name that is no text is
    /// spelled out.
    Map(Vec<(String, Self)>),
}

impl Node {
    /// Reads JSON; `None` for anything else, or where it is too large or too deep.
    pub fn of_json(payload: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bounded(payload)?).ok()?;
        Some(Self::of_value(value))
    }

    // serde_json bounds the depth, so that walking the value is bounded too.
    fn of_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::of_value).collect()),
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(name, value)| (name, Self::of_value(value))).collect())
            }
        }
    }

    /// Reads one CBOR data item that fills the payload.
    pub fn of_cbor(payload: &[u8]) -> Option<Self> {
        bounded(payload).and_then(cbor::read)
    }

    /// Reads one MessagePack object that fills the payload.
    pub fn of_message_pack(payload: &[u8]) -> Option<Self> {
        bounded(payload).and_then(message_pack::read)
    }

    /// A number with as many digits as tell it from its neighbours.
    pub fn float(value: f64) -> Self {
        Self::Number(value.to_string())
    }

    /// The same for a number of half the precision: widening would show digits that it does not have.
    pub fn single(value: f32) -> Self {
        Self::Number(value.to_string())
    }

    /// Whether other values stand inside it.
    pub const fn is_branch(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// The values inside with their names; those of a list are named by their index.
    pub fn children(&self) -> Box<dyn Iterator<Item = (String, &Self)> + '_> {
        match self {
            Self::List(items) => Box::new(items.iter().enumerate().map(|(at, node)| (at.to_string(), node))),
            Self::Map(entries) => Box::new(entries.iter().map(|(name, node)| (name.clone(), node))),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Bytes(_) => {
                Box::new(std::iter::empty())
            }
        }
    }

    /// How many values stand directly inside.
    pub const fn count(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Bytes(_) => 0,
        }
    }

    /// The value on one line; what is no leaf is only counted.
    pub fn leaf(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => {
                let mut line = String::new();
                super::payload::hex_pairs(bytes, &mut line);
                line
            }
            Self::List(items) => format!("[{}]", items.len()),
            Self::Map(entries) => format!("{{{}}}", entries.len()),
        }
    }

    /// The value at a JSON pointer (RFC 6901).
    pub fn at(&self, pointer: &str) -> Option<&Self> {
        let Some(names) = pointer.strip_prefix('/') else { return pointer.is_empty().then_some(self) };
        names.split('/').try_fold(self, |node, name| {
            let name = name.replace("~1", "/").replace("~0", "~");
            match node {
                Self::List(items) => items.get(name.parse::<usize>().ok()?),
                Self::Map(entries) => entries.iter().find(|(own, _)| *own == name).map(|(_, node)| node),
                Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Bytes(_) => None,
            }
        })
    }

    /// The value as a number for a chart; on and true are 1, off and false 0.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Number(digits) => digits.parse().ok().filter(|value: &f64| value.is_finite()),
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Text(text) => {
                ["on", "true"].iter().any(|word| text.eq_ignore_ascii_case(word)).then_some(1.0).or_else(
                    || ["off", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)).then_some(0.0),
                )
            }
            Self::Null | Self::Bytes(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The JSON pointers of the numbers, at most `count_max`, in order.
    pub fn numbers(&self, count_max: usize) -> Vec<String> {
        let mut found = Vec::new();
        self.find_numbers(&mut String::new(), count_max, &mut found);
        found
    }

    fn find_numbers(&self, path: &mut String, count_max: usize, found: &mut Vec<String>) {
        if found.len() < count_max && matches!(self, Self::Number(_)) {
            found.push(path.clone());
        }
        for (name, node) in self.children() {
            let end = path.len();
            push_pointer(path, &name);
            node.find_numbers(path, count_max, found);
            path.truncate(end);
        }
    }

    /// All leaves and empty branches with their JSON pointers (RFC 6901), in order.
    pub fn leaves(&self) -> Vec<(String, String)> {
        let mut leaves = Vec::new();
        self.collect(&mut String::new(), &mut leaves);
        leaves
    }

    fn collect(&self, path: &mut String, leaves: &mut Vec<(String, String)>) {
        if self.count() == 0 {
            leaves.push((path.clone(), self.leaf()));
            return;
        }
        for (name, node) in self.children() {
            let end = path.len();
            push_pointer(path, &name);
            node.collect(path, leaves);
            path.truncate(end);
        }
    }
}

/// Appends a name to a JSON pointer.
pub fn push_pointer(path: &mut String, name: &str) {
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

fn bounded(payload: &[u8]) -> Option<&[u8]> {
    (payload.len() <= TREE_BYTES_MAX).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(digits: &str) -> Node {
        Node::Number(digits.to_owned())
    }

    fn named(name: &str, node: Node) -> (String, Node) {
        (name.to_owned(), node)
    }

    #[test]
    fn the_same_value_is_read_from_json_cbor_and_message_pack() {
        let wanted = Node::Map(vec![
            named("list", Node::List(vec![number("1"), Node::Null])),
            named("ok", Node::Bool(true)),
            named("t", number("21.5")),
        ]);
        assert_eq!(Node::of_json(br#"{"t": 21.5, "ok": true, "list": [1, null]}"#), Some(wanted.clone()));
        let cbor = b"\xa3\x64list\x82\x01\xf6\x62ok\xf5\x61t\xfb\x40\x35\x80\x00\x00\x00\x00\x00";
        assert_eq!(Node::of_cbor(cbor), Some(wanted.clone()));
        let message_pack = b"\x83\xa4list\x92\x01\xc0\xa2ok\xc3\xa1t\xcb\x40\x35\x80\x00\x00\x00\x00\x00";
        assert_eq!(Node::of_message_pack(message_pack), Some(wanted));
    }

    #[test]
    fn what_is_cut_short_or_goes_on_is_not_read() {
        for payload in [&b"\xa1\x61t"[..], b"\x01\x02", b"", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(Node::of_cbor(payload), None, "{payload:x?}");
        }
        for payload in [&b"\x81\xa1t"[..], b"\x01\x02", b"", b"\xdd\xff\xff\xff\xff", b"\xc1"] {
            assert_eq!(Node::of_message_pack(payload), None, "{payload:x?}");
        }
    }

    #[test]
    fn what_is_too_deep_is_not_read() {
        let deep = 4 * DEPTH_MAX;
        assert_eq!(Node::of_cbor(&[vec![0x81; deep], vec![1]].concat()), None);
        assert_eq!(Node::of_message_pack(&[vec![0x91; deep], vec![1]].concat()), None);
        let json = ["[".repeat(deep), "]".repeat(deep)].concat();
        assert_eq!(Node::of_json(json.as_bytes()), None);
    }

    #[test]
    fn tags_bytes_and_names_that_are_no_text_are_spelled_out() {
        // {1: tag 32 "http://a"}, RFC 8949 section 3.4.5.3
        let cbor = b"\xa1\x01\xd8\x20\x68http://a";
        let tagged = Node::Map(vec![named("tag 32", Node::Text("http://a".to_owned()))]);
        assert_eq!(Node::of_cbor(cbor), Some(Node::Map(vec![named("1", tagged)])));
        assert_eq!(Node::of_cbor(b"\x42\x00\xff"), Some(Node::Bytes(vec![0, 255])));
        assert_eq!(Node::Bytes(vec![0, 255]).leaf(), "00 ff");
        // An extension of type 5 with one byte.
        let extension = Node::Map(vec![named("type 5", Node::Bytes(vec![0xaa]))]);
        assert_eq!(Node::of_message_pack(b"\xd4\x05\xaa"), Some(extension));
    }

    #[test]
    fn a_value_is_found_by_its_pointer() {
        let node = Node::of_json(br#"{"a/b": [1, {}], "c~d": {"e": "On"}}"#).unwrap();
        assert_eq!(node.at("/a~1b/0").and_then(Node::value), Some(1.0));
        assert_eq!(node.at("/c~0d/e").and_then(Node::value), Some(1.0));
        assert_eq!(node.at(""), Some(&node));
        assert_eq!(node.at("/a~1b/2"), None);
        assert_eq!(node.at("a"), None);
        assert_eq!(node.numbers(9), ["/a~1b/0"]);
    }

    #[test]
    fn leaves_have_the_pointers_by_which_they_are_found() {
        let node = Node::of_json(br#"{"a/b": [1, {}], "c~d": {"e": "x"}}"#).unwrap();
        let leaves = node.leaves();
        let wanted = [("/a~1b/0", "1"), ("/a~1b/1", "{0}"), ("/c~0d/e", "x")];
        assert!(leaves.iter().map(|(path, leaf)| (&**path, &**leaf)).eq(wanted), "{leaves:?}");
    }
}
