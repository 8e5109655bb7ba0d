//! Publications that a person saved under a name.

use serde::{Deserialize, Serialize};

use super::draft::Draft;

/// More are not kept: browsers give an origin about 5 MB.
pub const SAVED_MAX: usize = 100;

/// Bytes of one with its name, for the same reason.
pub const SAVED_BYTES_MAX: usize = 32 * 1024;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// What it is called.
    pub name: String,
    /// The form as it was; a file is not kept.
    pub draft: Draft,
}

/// Why one was not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// It has no name.
    NoName,
    /// It is larger than [`SAVED_BYTES_MAX`].
    TooLarge,
    /// There are [`SAVED_MAX`] already.
    TooMany,
}

/// All of them, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedList {
    list: Vec<Saved>,
}

impl SavedList {
    /// The list that was stored; what cannot be read is not there.
    pub fn parse(stored: &str) -> Self {
        Self { list: serde_json::from_str(stored).unwrap_or_default() }
    }

    /// What is stored.
    pub fn stored(&self) -> String {
        serde_json::to_string(&self.list).unwrap_or_default()
    }

    /// Saves a form, in place of the one with the same name.
    ///
    /// # Errors
    /// The list stays as it was.
    pub fn save(&mut self, name: &str, draft: &Draft) -> Result<(), SaveError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(SaveError::NoName);
        }
        let saved = Saved { name: name.to_owned(), draft: Draft { file: None, ..draft.clone() } };
        if serde_json::to_string(&saved).map_or(usize::MAX, |json| json.len()) > SAVED_BYTES_MAX {
            return Err(SaveError::TooLarge);
        }
        match self.list.binary_search_by(|other| other.name.as_str().cmp(name)) {
            Ok(place) => self.list[place] = saved,
            Err(_) if self.list.len() == SAVED_MAX => return Err(SaveError::TooMany),
            Err(place) => self.list.insert(place, saved),
        }
        Ok(())
    }

    /// Forgets one.
    pub fn remove(&mut self, name: &str) {
        self.list.retain(|saved| saved.name != name);
    }

    /// The form of this name.
    pub fn find(&self, name: &str) -> Option<&Draft> {
        self.list.iter().find(|saved| saved.name == name).map(|saved| &saved.draft)
    }

    /// All, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Saved> {
        self.list.iter()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hearth_protocol::QoS;

    use super::*;
    use crate::state::draft::{DraftProperties, File, Kind};

    #[test]
    fn a_form_comes_back_as_it_was_without_its_file() {
        let properties = DraftProperties {
            user_properties: vec![("b".into(), "1".into()), ("a".into(), "2".into())],
            ..DraftProperties::default()
        };
        let file = File { name: "x".into(), bytes: Bytes::from_static(b"of the file") };
        let draft = Draft {
            topic: "t/{{counter}}".into(),
            kind: Kind::Json,
            payload: "{}".into(),
            file: Some(file),
            qos: QoS::ExactlyOnce,
            retain: true,
            properties,
        };
        let mut list = SavedList::default();
        list.save(" lamp ", &draft).unwrap();
        let again = SavedList::parse(&list.stored());
        assert_eq!(again.find("lamp"), Some(&Draft { file: None, ..draft }));
        assert!(!list.stored().contains("of the file"));
    }

    #[test]
    fn names_are_unique_and_sorted() {
        let mut list = SavedList::default();
        for (name, topic) in [("b", "1"), ("a", "2"), ("b", "3")] {
            list.save(name, &Draft { topic: topic.into(), ..Draft::default() }).unwrap();
        }
        let names: Vec<_> =
            list.iter().map(|saved| (saved.name.as_str(), saved.draft.topic.as_str())).collect();
        assert_eq!(names, [("a", "2"), ("b", "3")]);
        list.remove("a");
        assert_eq!(list.find("a"), None);
    }

    #[test]
    fn a_list_has_bounds_and_bears_what_is_no_list() {
        let mut list = SavedList::parse("{ no json");
        assert!(list.is_empty());
        assert_eq!(list.save(" ", &Draft::default()), Err(SaveError::NoName));
        let large = Draft { payload: "x".repeat(SAVED_BYTES_MAX), ..Draft::default() };
        assert_eq!(list.save("a", &large), Err(SaveError::TooLarge));
        for number in 0..SAVED_MAX {
            list.save(&number.to_string(), &Draft::default()).unwrap();
        }
        assert_eq!(list.save("one more", &Draft::default()), Err(SaveError::TooMany));
        assert_eq!(list.save("7", &Draft::default()), Ok(()));
        // Fields of later versions and fields that are missing.
        let list = SavedList::parse(r#"[{"name":"n","draft":{"topic":"t","new":1}}]"#);
        assert_eq!(list.find("n").unwrap().topic, "t");
    }
}
