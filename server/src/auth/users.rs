//! Users and what is known of their passwords.

use std::collections::BTreeMap;
use std::sync::Arc;

use hearth_scram::{Verifier, prepared};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// How often a new password is hashed. Ten thousand times: more than twice what RFC 7677 asks for, 4 ms of a core with
/// instructions for SHA-256 and some 40 ms of a small one without, which its devices can bear too.
pub(crate) const ITERATIONS: u32 = 10_000;

/// Bytes of salt of a new password: no two users have the same one by chance.
pub(crate) const SALT_BYTES: usize = 16;

/// Longest user name in bytes: more than anybody types, and every session holds one.
const NAME_BYTES_MAX: usize = 256;

/// What stands before the users in the file.
const HEAD: &str = "\
# The users of Hearth, written by `hearth user`, which keeps no comments.
# No password can be read from this: it holds what SCRAM-SHA-256 needs to check one (RFC 5802, RFC 7677).

";

/// All users of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Users {
    /// What the salts of users that are not there are made of, so that names cannot be probed. Kept with the users: if
    /// it changed with each start, two starts would tell which names are real.
    decoy_key: [u8; 32],
    by_name: BTreeMap<Arc<str>, Verifier>,
}

/// The file as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    decoys: Option<String>,
    #[serde(default)]
    users: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    verifier: Spanned<String>,
}

impl Users {
    /// Nobody; `decoy_key` is random.
    pub(crate) const fn new(decoy_key: [u8; 32]) -> Self {
        Self { decoy_key, by_name: BTreeMap::new() }
    }

    /// Reads a file's text; what is wrong with it otherwise. `decoy_key` counts if the file has none.
    pub(crate) fn parse(text: &str, decoy_key: [u8; 32]) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| sentence(text, &error))?;
        let decoy_key = match &document.decoys {
            Some(key) => from_hex(key).ok_or("`decoys` does not have 64 hexadecimal digits; leave it out")?,
            None => decoy_key,
        };
        let mut users = Self::new(decoy_key);
        for (name, Entry { verifier }) in document.users {
            let at = |problem: &str| {
                let line = line_of(text, verifier.span().start);
                format!("line {line}: user `{name}`: {problem}")
            };
            let checked = check_name(&name).map_err(|problem| at(&problem))?;
            let parsed = verifier.get_ref().parse();
            let parsed = parsed
                .map_err(|_| at("its verifier is none of SCRAM-SHA-256; write it with `hearth user add`"))?;
            if users.by_name.insert(checked, parsed).is_some() {
                return Err(at("it is there twice, in two ways to write the name"));
            }
        }
        Ok(users)
    }

    /// The text of the file.
    pub(crate) fn to_text(&self) -> String {
        let users = self.by_name.iter();
        let document = Document {
            decoys: Some(self.decoy_key.iter().map(|byte| format!("{byte:02x}")).collect()),
            users: users
                .map(|(name, verifier)| {
                    (name.to_string(), Entry { verifier: Spanned::new(0..0, verifier.to_string()) })
                })
                .collect(),
        };
        // Strings in tables always have a text.
        format!("{HEAD}{}", toml::to_string(&document).unwrap_or_default())
    }

    /// Enters a user, or gives it another password. Whether it was there.
    pub(crate) fn insert(&mut self, name: Arc<str>, verifier: Verifier) -> bool {
        self.by_name.insert(name, verifier).is_some()
    }

    /// Removes a user. Whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(&*prepared(name)).is_some()
    }

    /// The names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// A user's name, shared, and what its password is checked against; the name is prepared.
    pub(crate) fn find(&self, name: &str) -> Option<(&Arc<str>, &Verifier)> {
        self.by_name.get_key_value(name)
    }

    /// Whether there is one of this name, which is prepared.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// What a password is checked against that is given for a name that is not there.
    pub(crate) fn decoy(&self, name: &str) -> Verifier {
        // As most of the others have it, or it would be told by this.
        let mut counts = BTreeMap::new();
        for verifier in self.by_name.values() {
            *counts.entry(verifier.iterations()).or_insert(0_usize) += 1;
        }
        let usual = counts.into_iter().max_by_key(|(_, count)| *count);
        Verifier::decoy(&self.decoy_key, name, usual.map_or(ITERATIONS, |(iterations, _)| iterations))
    }
}

/// A name that a user may have, by SASLprep; what is wrong with it otherwise.
pub(crate) fn check_name(name: &str) -> Result<Arc<str>, String> {
    let name = prepared(name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes"));
    }
    // Names are to stand as levels of topics in access lists; `$` is for what Hearth itself runs.
    if name.starts_with('$') || name.contains(['/', '+', '#']) || name.contains(char::is_control) {
        return Err(
            "a name does not begin with `$` and has none of `/`, `+`, `#` and control characters".to_owned()
        );
    }
    Ok(name.into())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// What the parser says, in one line with the place.
fn sentence(text: &str, error: &toml::de::Error) -> String {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    format!("line {line}: {}", error.message().replace('\n', ", "))
}

fn line_of(text: &str, before: usize) -> usize {
    1 + text.bytes().take(before).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(password: &str, iterations: u32) -> Verifier {
        Verifier::derive(password.as_bytes(), b"salt", iterations)
    }

    fn users() -> Users {
        let mut users = Users::new([7; 32]);
        for name in ["ann", "bob b", "öl"] {
            assert!(!users.insert(check_name(name).unwrap(), verifier(name, 3)));
        }
        users
    }

    #[test]
    fn users_are_read_back_from_their_file() {
        let text = users().to_text();
        assert!(text.starts_with("# The users of Hearth") && text.contains("[users.\"bob b\"]"), "{text}");
        assert_eq!(Users::parse(&text, [0; 32]), Ok(users()));
        assert_eq!(Users::parse("", [9; 32]), Ok(Users::new([9; 32])));
    }

    #[test]
    fn a_file_that_is_not_right_is_refused_with_the_place() {
        let good = verifier("x", 3).to_string();
        for (text, expected) in [
            ("users = 3".to_owned(), "line 1: "),
            ("\n[users.ann".to_owned(), "line 2: "),
            ("[users.ann]\nverifier = \"pencil\"".to_owned(), "line 2: user `ann`: its verifier is none"),
            ("[users.ann]\npassword = \"pencil\"".to_owned(), "line 2: unknown field `password`"),
            ("[users.ann]".to_owned(), "missing field `verifier`"),
            ("decoys = \"12\"".to_owned(), "`decoys` does not have"),
            (format!("[users.\"a/b\"]\nverifier = \"{good}\""), "line 2: user `a/b`: a name"),
            (
                format!("[users.\"ö\"]\nverifier = \"{good}\"\n[users.\"o\u{308}\"]\nverifier = \"{good}\""),
                "`: it is there twice",
            ),
        ] {
            let error = Users::parse(&text, [0; 32]).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn names_are_found_in_the_form_in_which_they_are_kept() {
        let mut users = users();
        assert!(users.find("öl").is_some() && users.find("zoe").is_none());
        assert!(users.remove("o\u{308}l") && !users.remove("öl"));
        assert_eq!(users.names().map(|name| &**name).collect::<Vec<_>>(), ["ann", "bob b"]);
        assert_eq!(users.len(), 2);
    }

    #[test]
    fn a_name_that_cannot_be_is_refused() {
        for name in ["", "$demo", "a/b", "a+", "#", "a\u{7}", &"n".repeat(257)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_decoy_looks_like_most_of_the_users() {
        let mut users = users();
        users.insert("one".into(), verifier("one", 5));
        let decoy = users.decoy("nobody");
        assert_eq!((decoy.iterations(), decoy.salt().len()), (3, 16));
        assert_eq!(decoy, users.decoy("nobody"));
        assert_eq!(Users::new([7; 32]).decoy("nobody").iterations(), ITERATIONS);
    }
}
