//! Profiles as JSON: in this browser's storage, and in files that go from one browser to another.

use serde_json::{Value, json};

use super::{PROFILES_MAX, Profile, Speaks, WillPlan};

/// The name that says what the document is; its value is [`VERSION`].
const MARK: &str = "hearth_connections";

/// Counts up when a reader of before would misread a document.
const VERSION: u64 = 1;

/// What a document gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// The profiles.
    pub profiles: Vec<Profile>,
    /// Paths of what is in the document and means nothing here, such as `profiles[0].colour`.
    pub unknown: Vec<String>,
}

/// Why a document gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// It is no JSON; the reader's words.
    NotJson(String),
    /// It is JSON of something else.
    NotConnections,
    /// A later Hearth wrote it.
    Newer(u64),
    /// There are more profiles than are kept.
    TooMany(usize),
    /// This profile, counted from 1, has a value of the wrong kind; the reader's words.
    Malformed(usize, String),
    /// This profile, counted from 1, cannot be connected with.
    Faulty(usize, super::Field, super::Fault),
}

/// The document of these profiles, as they are.
pub fn export(profiles: &[Profile]) -> String {
    let document = json!({ MARK: VERSION, "profiles": profiles });
    // Pretty: people read it, and compare it.
    format!("{document:#}\n")
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it; nothing of it is taken then.
pub fn import(text: &str) -> Result<Import, ImportError> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| ImportError::NotJson(error.to_string()))?;
    let version = document.get(MARK).and_then(Value::as_u64).ok_or(ImportError::NotConnections)?;
    if version > VERSION {
        return Err(ImportError::Newer(version));
    }
    let items = document.get("profiles").and_then(Value::as_array).ok_or(ImportError::NotConnections)?;
    if items.len() > PROFILES_MAX {
        return Err(ImportError::TooMany(items.len()));
    }
    let mut import = Import::default();
    let known = json!({ MARK: VERSION, "profiles": [sample()] });
    find_unknown(&document, &known, "", &mut import.unknown);
    for (index, item) in items.iter().enumerate() {
        let profile: Profile = serde_json::from_value(item.clone())
            .map_err(|error| ImportError::Malformed(index + 1, error.to_string()))?;
        // Any id will do: only the profile's own is looked at.
        if let Err(faults) = profile.plan("drawn")
            && let Some((field, fault)) = faults.into_iter().next()
        {
            return Err(ImportError::Faulty(index + 1, field, fault));
        }
        import.profiles.push(profile);
    }
    Ok(import)
}

/// Notes the paths of members that `known`, which has every member there is, does not have.
fn find_unknown(value: &Value, known: &Value, path: &str, found: &mut Vec<String>) {
    match (value, known) {
        (Value::Object(members), Value::Object(known)) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.get(name) {
                    Some(known) => find_unknown(member, known, &path, found),
                    None => found.push(path),
                }
            }
        }
        (Value::Array(items), Value::Array(known)) => {
            if let Some(known) = known.first() {
                for (index, item) in items.iter().enumerate() {
                    find_unknown(item, known, &format!("{path}[{index}]"), found);
                }
            }
        }
        (
            Value::Object(_)
            | Value::Array(_)
            | Value::String(_)
            | Value::Number(_)
            | Value::Bool(_)
            | Value::Null,
            _,
        ) => {}
    }
}

/// A profile in which everything is filled in.
pub(super) fn sample() -> Profile {
    Profile {
        id: 1,
        name: "Workshop".to_owned(),
        secure: true,
        host: "broker.example".to_owned(),
        port: Some(8884),
        path: "/mqtt".to_owned(),
        version: Speaks::V5,
        client_id: "panel".to_owned(),
        user_name: "ann".to_owned(),
        password: "pencil".to_owned(),
        uses_password: true,
        keep_password: false,
        connect_at_start: true,
        filters: vec!["home/#".to_owned(), "car/+".to_owned()],
        filters_qos: 2,
        clean_start: false,
        keep_alive: 30,
        session_expiry: 3600,
        receive_maximum: Some(20),
        packet_bytes_max: Some(100_000),
        topic_alias_maximum: Some(8),
        request_response_information: true,
        request_problem_information: false,
        user_properties: vec![("where".to_owned(), "hall".to_owned())],
        will: Some(WillPlan {
            topic: "panel/state".to_owned(),
            payload: "gone".to_owned(),
            qos: 1,
            retain: true,
            delay: 5,
            message_expiry: Some(60),
            is_text: true,
            content_type: "text/plain".to_owned(),
            response_topic: "panel/answer".to_owned(),
            correlation_data: "7".to_owned(),
            user_properties: vec![("a".to_owned(), "b".to_owned())],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, Field, storable};
    use super::*;

    #[test]
    fn what_is_exported_comes_back_whole() {
        let profiles = vec![
            sample(),
            Profile { id: 2, name: "Other".into(), host: "other".into(), ..Profile::default() },
        ];
        let import = import(&export(&profiles)).unwrap();
        assert_eq!(import, Import { profiles, unknown: Vec::new() });
    }

    #[test]
    fn a_password_is_stored_only_when_it_may_be_kept() {
        let profile = sample();
        assert!(!export(&[storable(&profile)]).contains("pencil"));
        assert!(storable(&profile).uses_password, "it is asked for instead");
        let kept = Profile { keep_password: true, ..profile };
        assert!(export(&[storable(&kept)]).contains("pencil"));
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let text = r#"{"hearth_connections": 1, "profiles": [{"name": "A", "host": "a"}]}"#;
        let import = import(text).unwrap();
        let expected = Profile { name: "A".into(), host: "a".into(), ..Profile::default() };
        assert_eq!(import, Import { profiles: vec![expected], unknown: Vec::new() });
    }

    #[test]
    fn what_means_nothing_here_is_named() {
        let text = r#"{"hearth_connections": 1, "made_by": "x",
            "profiles": [{"name": "A", "host": "a", "colour": "red", "will": {"topic": "t", "speed": 1}}]}"#;
        let unknown = import(text).unwrap().unknown;
        assert_eq!(unknown, ["made_by", "profiles[0].colour", "profiles[0].will.speed"]);
    }

    #[test]
    fn a_document_that_cannot_be_used_is_refused_with_its_reason() {
        assert!(matches!(import("{"), Err(ImportError::NotJson(_))));
        assert_eq!(import("[]"), Err(ImportError::NotConnections));
        assert_eq!(import(r#"{"hearth_connections": 1}"#), Err(ImportError::NotConnections));
        let newer = r#"{"hearth_connections": 2, "profiles": []}"#;
        assert_eq!(import(newer), Err(ImportError::Newer(2)));
        let wrong = r#"{"hearth_connections": 1, "profiles": [{"name": "A", "host": "a"}, {"port": "x"}]}"#;
        let Err(ImportError::Malformed(2, words)) = import(wrong) else { panic!("a port that is a word") };
        assert!(words.contains("u16"), "{words}");
        let faulty = r#"{"hearth_connections": 1, "profiles": [{"name": "A"}]}"#;
        assert_eq!(import(faulty), Err(ImportError::Faulty(1, Field::Host, Fault::Missing)));
        let many = vec![sample(); PROFILES_MAX + 1];
        assert_eq!(import(&export(&many)), Err(ImportError::TooMany(PROFILES_MAX + 1)));
    }
}
