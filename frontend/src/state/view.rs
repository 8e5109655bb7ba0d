//! The ways in which a payload can be read, and which of them fits best.

use super::json;
use super::payload::Form;
use super::tree::Node;

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
        }
    }

    /// The values in a payload that is read in this way; `None` where this way shows no values or does not fit.
    pub fn tree(self, payload: &[u8]) -> Option<Node> {
        match self {
            Self::Json => Node::of_json(payload),
            Self::Text | Self::Hex | Self::Base64 | Self::Image => None,
        }
    }
}

/// The views that fit a payload, the best first; never empty.
pub fn offered(payload: &[u8]) -> Vec<View> {
    let mut views = Vec::new();
    if payload.is_empty() {
        return vec![View::Text];
    }
    if image_type(payload).is_some() {
        views.push(View::Image);
    }
    match Form::of(payload) {
        Form::Json if json::is_valid(payload) => views.extend([View::Text, View::Json]),
        Form::Json | Form::Text => views.push(View::Text),
        Form::Empty | Form::Hex => {}
    }
    views.extend([View::Hex, View::Base64]);
    views
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

/// What differs between two payloads: value by value where both can be taken apart in the same way, else the text
/// of both; `None` where at least one is no text either and they are not the same.
pub fn changes(view: View, before: &[u8], after: &[u8]) -> Option<Vec<Change>> {
    if before == after {
        return Some(Vec::new());
    }
    let view = if view == View::Text { View::Json } else { view };
    if let Some((before, after)) = view.tree(before).zip(view.tree(after)) {
        return Some(compare(&before.leaves(), &after.leaves()));
    }
    let text = |payload: &[u8]| match Form::of(payload) {
        Form::Empty | Form::Json | Form::Text => std::str::from_utf8(payload).ok().map(str::to_owned),
        Form::Hex => None,
    };
    let (before, after) = text(before).zip(text(after))?;
    Some(vec![Change { path: String::new(), before: Some(before), after: Some(after) }])
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

    #[test]
    fn the_best_view_comes_first_and_the_bytes_are_always_offered() {
        let cases: [(&[u8], &[View]); 5] = [
            (b"21.5", &[View::Text, View::Hex, View::Base64]),
            (b"{\"t\":1}", &[View::Text, View::Json, View::Hex, View::Base64]),
            (b"{broken", &[View::Text, View::Hex, View::Base64]),
            (b"\x00\x01", &[View::Hex, View::Base64]),
            (b"\xff\xd8\xff\xe0", &[View::Image, View::Hex, View::Base64]),
        ];
        for (payload, wanted) in cases {
            assert_eq!(offered(payload), wanted, "{payload:x?}");
        }
        assert_eq!(offered(b""), [View::Text]);
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
        let (before, after) = (br#"{"t":20,"h":60,"old":1}"#, br#"{"t":21,"h":60,"new":[2]}"#);
        let wanted = [
            change("/new/0", None, Some("2")),
            change("/t", Some("20"), Some("21")),
            change("/old", Some("1"), None),
        ];
        assert_eq!(changes(View::Text, before, after), Some(wanted.to_vec()));
        assert_eq!(changes(View::Text, b"on", b"off"), Some(vec![change("", Some("on"), Some("off"))]));
        assert_eq!(changes(View::Hex, b"\x00\x01", b"\x00\x01"), Some(Vec::new()));
        assert_eq!(changes(View::Hex, b"\x00\x01", b"\x00\x02"), None);
    }
}
