//! The ways in which a payload can be read, and which of them fits best.

use super::json;
use super::payload::{self, Form};
use super::sparkplug::{self, Births};
use super::tree::{Node, TREE_BYTES_MAX};

/// A way to read a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As it came, JSON indented.
    Text,
    /// The values of JSON, each with its path.
    Json,
    /// Offset, hex digits and characters.
    Hex,
    /// RFC 4648, section 4.
    Base64,
    /// A picture.
    Image,
    /// The values of a MessagePack object.
    MessagePack,
    /// The values of a CBOR data item.
    Cbor,
    /// The metrics of a Sparkplug B payload.
    Sparkplug,
}

impl View {
    /// The word for addresses and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Image => "image",
            Self::MessagePack => "msgpack",
            Self::Cbor => "cbor",
            Self::Sparkplug => "sparkplug",
        }
    }

    /// The values in a payload that is read in this way; `None` where this way shows no values or does not fit.
    pub fn tree(self, payload: &[u8], births: &Births) -> Option<Node> {
        match self {
            Self::Json => Node::of_json(payload),
            Self::MessagePack => Node::of_message_pack(payload),
            Self::Cbor => Node::of_cbor(payload),
            Self::Sparkplug => sparkplug::read(payload, births),
            Self::Text | Self::Hex | Self::Base64 | Self::Image => None,
        }
    }
}

/// What is known beside a payload of how it is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The topic.
    pub topic: &'a str,
    /// What the publisher says that it is.
    pub content_type: Option<&'a str>,
    /// What Sparkplug's birth certificates say.
    pub births: &'a Births,
}

/// The views that fit a payload, the best first; never empty.
pub fn offered(told: Told<'_>, payload: &[u8]) -> Vec<View> {
    let mut views = Vec::new();
    if payload.is_empty() {
        return vec![View::Text];
    }
    if image_type(payload).is_some() {
        views.push(View::Image);
    }
    if sparkplug::is_topic(told.topic) && sparkplug::read(payload, told.births).is_some() {
        views.push(View::Sparkplug);
    }
    let form = Form::of(payload);
    match form {
        Form::Json if payload.len() <= TREE_BYTES_MAX && json::is_valid(payload) => {
            views.extend([View::Text, View::Json])
        }
        Form::Json | Form::Text => views.push(View::Text),
        Form::Empty | Form::Hex => {}
    }
    // Any byte begins a MessagePack object: unless the publisher says so, only a whole map or list counts.
    let packed = [
        (View::MessagePack, ["application/msgpack", "application/vnd.msgpack", "application/x-msgpack"]),
        (View::Cbor, ["application/cbor", "application/cbor-seq", "application/senml+cbor"]),
    ];
    for (view, types) in packed {
        let is_told = told.content_type.is_some_and(|told| types.contains(&told));
        if is_told || form == Form::Hex {
            match view.tree(payload, told.births) {
                Some(_) if is_told => views.insert(0, view),
                Some(node) if node.count() > 0 => views.push(view),
                Some(_) | None => {}
            }
        }
    }
    views.extend([View::Hex, View::Base64]);
    views
}

/// The values in a payload, read in the best way that shows values.
fn tree(told: Told<'_>, payload: &[u8]) -> Option<Node> {
    if json::may_be(payload) {
        return Node::of_json(payload);
    }
    offered(told, payload).into_iter().find_map(|view| view.tree(payload, told.births))
}

/// The pointers of all numbers in a payload, in the order in which they stand; at most `count_max`.
pub fn numeric_fields(told: Told<'_>, payload: &[u8], count_max: usize) -> Vec<String> {
    // A number alone, the most frequent payload, has nothing inside.
    if payload::number(payload).is_some() {
        return Vec::new();
    }
    tree(told, payload).map(|node| node.numbers(count_max)).unwrap_or_default()
}

/// The value at a JSON pointer as a number, the empty pointer being the whole payload; on and true are 1, off and
/// false 0, as in the server's history.
pub fn value_at(told: Told<'_>, payload: &[u8], pointer: &str) -> Option<f64> {
    if pointer.is_empty() {
        return payload::number(payload)
            .or_else(|| payload::switch(payload).map(|(on, _)| f64::from(u8::from(on))));
    }
    tree(told, payload)?.at(pointer)?.value()
}

/// The media type of a picture that every browser shows, told by its first bytes. SVG is left out: it is a
/// document that can carry more than a picture.
pub fn image_type(payload: &[u8]) -> Option<&'static str> {
    let is = |at: usize, bytes: &[u8]| payload.get(at..at + bytes.len()) == Some(bytes);
    if is(0, b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if is(0, b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if is(0, b"GIF87a") || is(0, b"GIF89a") {
        Some("image/gif")
    } else if is(0, b"RIFF") && is(8, b"WEBP") {
        Some("image/webp")
    } else if is(4, b"ftypavif") {
        Some("image/avif")
    } else {
        None
    }
}

/// What became of one value between two messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its JSON pointer; empty for the whole payload.
    pub path: String,
    /// What it was; `None`: it was not there.
    pub before: Option<String>,
    /// What it is; `None`: it is gone.
    pub after: Option<String>,
}

/// Bytes of a row of a difference, as of a hex dump.
const ROW_BYTES: usize = 16;

/// Bytes of payloads that are compared row by row.
const COMPARED_BYTES_MAX: usize = 64 * 1024;

/// What differs between two payloads: value by value where both can be taken apart in the same way, else the text
/// of both, else the bytes; `None` where nobody reads those, as in pictures, and where there are too many.
pub fn changes(view: View, births: &Births, before: &[u8], after: &[u8]) -> Option<Vec<Change>> {
    if before == after {
        return Some(Vec::new());
    }
    let view = if view == View::Text { View::Json } else { view };
    if let Some((before, after)) = view.tree(before, births).zip(view.tree(after, births)) {
        return Some(compare(&before.leaves(), &after.leaves()));
    }
    let text = |payload: &[u8]| match Form::of(payload) {
        Form::Empty | Form::Json | Form::Text => std::str::from_utf8(payload).ok().map(str::to_owned),
        Form::Hex => None,
    };
    match (text(before), text(after)) {
        (Some(before), Some(after)) => {
            Some(vec![Change { path: String::new(), before: Some(before), after: Some(after) }])
        }
        _ => (view == View::Hex).then(|| compare_bytes(before, after)).flatten(),
    }
}

/// The rows of a hex dump that differ, by their offsets.
fn compare_bytes(before: &[u8], after: &[u8]) -> Option<Vec<Change>> {
    let length = before.len().max(after.len());
    let row = |payload: &[u8], at: usize| {
        let row = payload.get(at..).filter(|rest| !rest.is_empty())?;
        let row = &row[..row.len().min(ROW_BYTES)];
        Some(row.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
    };
    let change = |at: usize| {
        let (before, after) = (row(before, at), row(after, at));
        (before != after).then(|| Change { path: format!("{at:08x}"), before, after })
    };
    (length <= COMPARED_BYTES_MAX).then(|| (0..length).step_by(ROW_BYTES).filter_map(change).collect())
}

/// Leaves by path; those that are gone stand behind the others.
fn compare(before: &[(String, String)], after: &[(String, String)]) -> Vec<Change> {
    let old: hashbrown::HashMap<&str, &str> = before.iter().map(|(path, leaf)| (&**path, &**leaf)).collect();
    let new: hashbrown::HashSet<&str> = after.iter().map(|(path, _)| &**path).collect();
    let changed =
        after.iter().filter(|(path, leaf)| old.get(&**path) != Some(&&**leaf)).map(|(path, leaf)| {
            let before = old.get(&**path).map(|leaf| (*leaf).to_owned());
            Change { path: path.clone(), before, after: Some(leaf.clone()) }
        });
    let gone = before.iter().filter(|(path, _)| !new.contains(&**path)).map(|(path, leaf)| Change {
        path: path.clone(),
        before: Some(leaf.clone()),
        after: None,
    });
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(births: &Births) -> Told<'_> {
        Told { topic: "a", content_type: None, births }
    }

    #[test]
    fn numbers_are_found_in_every_format_and_switches_count_as_one_and_zero() {
        let births = Births::default();
        let json = br#"{"t":21.5,"ok":true,"mode":"OFF","name":"x","list":[3]}"#;
        assert_eq!(numeric_fields(plain(&births), json, 9), ["/list/0", "/t"]);
        assert_eq!(numeric_fields(plain(&births), json, 1), ["/list/0"]);
        let cbor = b"\xa1\x61t\xf9\x4d\x60";
        assert_eq!(numeric_fields(plain(&births), cbor, 9), ["/t"]);
        assert!(numeric_fields(plain(&births), b"21.5", 9).is_empty());
        for (payload, pointer, value) in [
            (&json[..], "/t", Some(21.5)),
            (json, "/ok", Some(1.0)),
            (json, "/mode", Some(0.0)),
            (json, "/name", None),
            (json, "/gone", None),
            (cbor, "/t", Some(21.5)),
            (b"7", "", Some(7.0)),
            (b"on", "", Some(1.0)),
            (b"hello", "", None),
            (b"{broken", "/t", None),
        ] {
            assert_eq!(value_at(plain(&births), payload, pointer), value, "{payload:?} {pointer}");
        }
    }

    /// Topic, content type, payload and the views that are offered.
    type Case<'a> = (&'a str, Option<&'a str>, &'a [u8], &'a [View]);

    #[test]
    fn the_best_view_comes_first_and_the_bytes_are_always_offered() {
        let cases: [Case<'_>; 9] = [
            ("a", None, b"21.5", &[View::Text, View::Hex, View::Base64]),
            ("a", None, b"{\"t\":1}", &[View::Text, View::Json, View::Hex, View::Base64]),
            ("a", None, b"{broken", &[View::Text, View::Hex, View::Base64]),
            ("a", None, b"\x00\x01", &[View::Hex, View::Base64]),
            ("a", None, b"\x81\xa1a\x01", &[View::MessagePack, View::Hex, View::Base64]),
            ("a", None, b"\xa1\x61a\x01", &[View::Cbor, View::Hex, View::Base64]),
            ("a", Some("application/cbor"), b"\x61a", &[View::Cbor, View::Text, View::Hex, View::Base64]),
            ("a", None, b"\xff\xd8\xff\xe0", &[View::Image, View::Hex, View::Base64]),
            ("spBv1.0/g/DDATA/n", None, b"\x18\x00", &[View::Sparkplug, View::Hex, View::Base64]),
        ];
        for (topic, content_type, payload, wanted) in cases {
            let told = Told { topic, content_type, births: &Births::default() };
            assert_eq!(offered(told, payload), wanted, "{topic} {payload:x?}");
        }
        assert_eq!(offered(plain(&Births::default()), b""), [View::Text]);
    }

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        assert_eq!(image_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(image_type(b"RIFF\x00\x00\x00\x00WEBPVP8 "), Some("image/webp"));
        assert_eq!(image_type(b"\x00\x00\x00\x20ftypavif"), Some("image/avif"));
        assert_eq!(image_type(b"<svg onload=alert(1)>"), None);
    }

    #[test]
    fn a_difference_names_each_value_that_changed_came_or_went() {
        let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let none = Births::default();
        let (before, after) = (br#"{"t":20,"h":60,"old":1}"#, br#"{"t":21,"h":60,"new":[2]}"#);
        let wanted = [
            change("/new/0", None, Some("2")),
            change("/t", Some("20"), Some("21")),
            change("/old", Some("1"), None),
        ];
        assert_eq!(changes(View::Text, &none, before, after), Some(wanted.to_vec()));
        assert_eq!(
            changes(View::Text, &none, b"on", b"off"),
            Some(vec![change("", Some("on"), Some("off"))])
        );
        assert_eq!(changes(View::Hex, &none, b"\x00\x01", b"\x00\x01"), Some(Vec::new()));
        assert_eq!(
            changes(View::Hex, &none, b"\x00\x01", b"\x00\x02"),
            Some(vec![change("00000000", Some("00 01"), Some("00 02"))])
        );
        let (mut long, short) = (vec![0xff; 40], vec![0xff; 32]);
        long[17] = 0;
        let row =
            |at: usize| long[at..(at + 16).min(40)].iter().map(|it| format!("{it:02x} ")).collect::<String>();
        assert_eq!(
            changes(View::Hex, &none, &short, &long),
            Some(vec![
                change("00000010", Some("ff ".repeat(16).trim_end()), Some(row(16).trim_end())),
                change("00000020", None, Some(row(32).trim_end())),
            ])
        );
        assert_eq!(changes(View::Image, &none, &short, &long), None);
        assert_eq!(changes(View::Hex, &none, &[0xff; COMPARED_BYTES_MAX + 1], &long), None);
    }
}
