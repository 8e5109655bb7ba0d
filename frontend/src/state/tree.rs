//! What a structured payload holds, value by value.

use serde_json::Value;

/// Bytes of a payload that is taken apart; more would hold up the page. Larger ones are shown as text or hex.
pub const TREE_BYTES_MAX: usize = 1024 * 1024;

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
    /// Values in order.
    List(Vec<Self>),
    /// Values by name; in the order of their names.
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

    /// Whether other values stand inside it.
    pub const fn is_branch(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// The values inside with their names; those of a list are named by their index.
    pub fn children(&self) -> Box<dyn Iterator<Item = (String, &Self)> + '_> {
        match self {
            Self::List(items) => Box::new(items.iter().enumerate().map(|(at, node)| (at.to_string(), node))),
            Self::Map(entries) => Box::new(entries.iter().map(|(name, node)| (name.clone(), node))),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => Box::new(std::iter::empty()),
        }
    }

    /// How many values stand directly inside.
    pub const fn count(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 0,
        }
    }

    /// The value on one line; what is no leaf is only counted.
    pub fn leaf(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::Text(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.len()),
            Self::Map(entries) => format!("{{{}}}", entries.len()),
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

    #[test]
    fn values_are_read_with_their_kinds_and_names() {
        let named = |name: &str, node| (name.to_owned(), node);
        let number = |digits: &str| Node::Number(digits.to_owned());
        let wanted = Node::Map(vec![
            named("list", Node::List(vec![number("1"), Node::Null])),
            named("ok", Node::Bool(true)),
            named("t", number("21.5")),
        ]);
        assert_eq!(Node::of_json(br#"{"t": 21.50, "ok": true, "list": [1, null]}"#), Some(wanted));
    }

    #[test]
    fn what_is_no_json_too_large_or_too_deep_is_not_read() {
        assert_eq!(Node::of_json(b"{broken"), None);
        assert_eq!(Node::of_json(&[vec![b' '; TREE_BYTES_MAX], b"1".to_vec()].concat()), None);
        let json = ["[".repeat(1000), "]".repeat(1000)].concat();
        assert_eq!(Node::of_json(json.as_bytes()), None);
    }

    #[test]
    fn leaves_have_the_pointers_by_which_they_are_found() {
        let node = Node::of_json(br#"{"a/b": [1, {}], "c~d": {"e": "x"}}"#).unwrap();
        let leaves = node.leaves();
        let wanted = [("/a~1b/0", "1"), ("/a~1b/1", "{0}"), ("/c~0d/e", "x")];
        assert!(leaves.iter().map(|(path, leaf)| (&**path, &**leaf)).eq(wanted), "{leaves:?}");
    }
}
