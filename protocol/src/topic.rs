//! Topic names, topic filters and how they match (MQTT 5.0, 4.7).

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;

use crate::text::{Text, TextError};

/// The name a message is published to: one character or more, no wildcard [MQTT-4.7.0-1], [MQTT-4.7.3-1].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Text);

/// What a subscription asks for: `+` stands for a level, `#` for the rest [MQTT-4.7.1-1], [MQTT-4.7.1-2].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Text);

/// Why a string is not a topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not a string of MQTT at all.
    #[error(transparent)]
    Text(#[from] TextError),
    /// [MQTT-4.7.3-1].
    #[error("is empty")]
    Empty,
    /// [MQTT-4.7.0-1].
    #[error("contains the wildcard '{0}', which only a topic filter may have")]
    WildcardInName(char),
    /// [MQTT-4.7.1-1].
    #[error("has '#' that is not alone in the last level")]
    MisplacedHash,
    /// [MQTT-4.7.1-2].
    #[error("has '+' that is not alone in its level")]
    MisplacedPlus,
    /// [MQTT-4.8.2-1], [MQTT-4.8.2-2].
    #[error("is not $share/NAME/FILTER with a name of one character or more without '/', '+' and '#'")]
    Share,
}

impl TopicError {
    /// The clause of MQTT 5.0 that it breaks.
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Text(error) => error.clause(),
            Self::Empty => "MQTT-4.7.3-1",
            Self::WildcardInName(_) => "MQTT-4.7.0-1",
            Self::MisplacedHash => "MQTT-4.7.1-1",
            Self::MisplacedPlus => "MQTT-4.7.1-2",
            Self::Share => "MQTT-4.8.2-1, MQTT-4.8.2-2",
        }
    }
}

impl TopicName {
    /// Checks a string and takes it.
    ///
    /// # Errors
    /// The rule of MQTT that it breaks.
    pub fn new(text: Text) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        let is_wildcard = |byte: &u8| matches!(byte, b'+' | b'#');
        let bytes = text.as_bytes();
        // Without a branch first: every message passes here, and hardly one has a wildcard.
        let has_wildcard = bytes.iter().fold(false, |found, byte| found | is_wildcard(byte));
        match has_wildcard.then(|| bytes.iter().copied().find(is_wildcard)).flatten() {
            Some(byte) => Err(TopicError::WildcardInName(char::from(byte))),
            None => Ok(Self(text)),
        }
    }

    /// The empty name that a PUBLISH of version 5 may carry beside a topic alias (3.3.2.1); no other name is
    /// empty [MQTT-4.7.3-1].
    pub const ALIASED: Self = Self(Text::EMPTY);

    /// The string.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The string as shared text.
    pub const fn as_text(&self) -> &Text {
        &self.0
    }

    /// The levels, of which there is always one and each of which may be empty.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.as_str().split('/')
    }

    /// The same name in memory of its own.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(self.0.detached())
    }
}

impl TopicFilter {
    /// Checks a string and takes it; a `$share/` filter is checked as one.
    ///
    /// # Errors
    /// The rule of MQTT that it breaks.
    pub fn new(text: Text) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        let filter = match text.as_str().strip_prefix("$share/") {
            Some(rest) => match rest.split_once('/') {
                Some((name, filter))
                    if !name.is_empty() && !name.contains(['+', '#']) && !filter.is_empty() =>
                {
                    filter
                }
                Some(_) | None => return Err(TopicError::Share),
            },
            None => text.as_str(),
        };
        check_wildcards(filter)?;
        Ok(Self(text))
    }

    /// The string as the client sent it, `$share/…` included.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The string as shared text.
    pub const fn as_text(&self) -> &Text {
        &self.0
    }

    /// The share name and the filter behind it, when this is a shared subscription.
    pub fn shared(&self) -> Option<(&str, &str)> {
        self.as_str().strip_prefix("$share/")?.split_once('/')
    }

    /// The filter that topics are matched with: what stands behind `$share/NAME/`, or all of it.
    pub fn pattern(&self) -> &str {
        self.shared().map_or_else(|| self.as_str(), |(_, pattern)| pattern)
    }

    /// The levels of the pattern.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.pattern().split('/')
    }

    /// Whether the pattern has a wildcard.
    pub fn has_wildcard(&self) -> bool {
        self.pattern().contains(['+', '#'])
    }

    /// Whether a message of this topic is one that the filter asks for.
    pub fn matches(&self, topic: &TopicName) -> bool {
        matches(self.pattern(), topic.as_str())
    }

    /// The same filter in memory of its own.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(self.0.detached())
    }
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MisplacedHash);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::MisplacedPlus);
        }
    }
    Ok(())
}

/// Whether a checked pattern matches a checked name; `#` matches the parent level too, and no wildcard in
/// the first level matches a name that begins with `$` [MQTT-4.7.2-1].
pub fn matches(pattern: &str, topic: &str) -> bool {
    if topic.starts_with('$') && pattern.starts_with(['+', '#']) {
        return false;
    }
    let mut names = topic.split('/');
    let mut levels = pattern.split('/');
    loop {
        match (levels.next(), names.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

impl Borrow<[u8]> for TopicName {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Borrow<[u8]> for TopicFilter {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<&str> for TopicName {
    type Error = TopicError;

    fn try_from(text: &str) -> Result<Self, TopicError> {
        Self::new(Text::try_from(text)?)
    }
}

impl TryFrom<&str> for TopicFilter {
    type Error = TopicError;

    fn try_from(text: &str) -> Result<Self, TopicError> {
        Self::new(Text::try_from(text)?)
    }
}

impl TryFrom<Bytes> for TopicName {
    type Error = TopicError;

    fn try_from(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(Text::from_bytes(bytes)?)
    }
}

impl TryFrom<Bytes> for TopicFilter {
    type Error = TopicError;

    fn try_from(bytes: Bytes) -> Result<Self, TopicError> {
        Self::new(Text::from_bytes(bytes)?)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{TopicError, TopicFilter, TopicName};

    #[test]
    fn filters_match_the_topics_that_the_standard_says() {
        let table: [(&str, &[&str], &[&str]); 15] = [
            (
                "sport/tennis/player1/#",
                &["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/a/b"],
                &["sport/tennis/player10", "sport/tennis", "sport"],
            ),
            ("sport/#", &["sport", "sport/", "sport/a"], &["sports", "Sport/a", "/sport/a"]),
            ("#", &["a", "a/b", "/", "//", "a//b"], &["$SYS", "$SYS/a", "$"]),
            ("sport/tennis/+", &["sport/tennis/a", "sport/tennis/"], &["sport/tennis/a/b", "sport/tennis"]),
            ("sport/+", &["sport/", "sport/a"], &["sport", "sport/a/b"]),
            ("+", &["a", "finance"], &["/finance", "a/b", "$SYS"]),
            ("+/+", &["/finance", "a/b", "/"], &["finance", "a/b/c", "$SYS/a"]),
            ("/+", &["/finance", "/"], &["finance", "/a/b", "//"]),
            ("+/monitor/#", &["a/monitor", "a/monitor/b"], &["$SYS/monitor/b", "monitor"]),
            ("$SYS/#", &["$SYS", "$SYS/a", "$SYS/a/b"], &["SYS/a", "$SYSTEM", "a"]),
            ("$SYS/monitor/+", &["$SYS/monitor/a"], &["$SYS/monitor", "$SYS/monitor/a/b"]),
            // A dollar sign behind the first level is nothing special.
            ("a/+/#", &["a/$b", "a/$b/c"], &["a"]),
            ("a//b", &["a//b"], &["a/b", "a///b"]),
            ("ACCOUNTS", &["ACCOUNTS"], &["Accounts", "ACCOUNTS/"]),
            ("$share/group/a/+", &["a/b", "a/"], &["$share/group/a/b", "a"]),
        ];
        for (filter, matching, others) in table {
            let checked = TopicFilter::try_from(filter).unwrap();
            for topic in matching {
                assert!(checked.matches(&TopicName::try_from(*topic).unwrap()), "{filter} matches {topic}");
            }
            for topic in others {
                assert!(
                    !checked.matches(&TopicName::try_from(*topic).unwrap()),
                    "{filter} matches not {topic}"
                );
            }
        }
    }

    #[test]
    fn names_and_filters_that_break_a_rule_are_refused_with_its_clause() {
        use TopicError::{Empty, MisplacedHash, MisplacedPlus, Share, WildcardInName};
        for (name, error) in [
            ("", Empty),
            ("a/+", WildcardInName('+')),
            ("#", WildcardInName('#')),
            ("a#b", WildcardInName('#')),
        ] {
            assert_eq!(TopicName::try_from(name), Err(error), "{name}");
        }
        let filters = [
            ("", Empty, "MQTT-4.7.3-1"),
            ("a#", MisplacedHash, "MQTT-4.7.1-1"),
            ("a/#/b", MisplacedHash, "MQTT-4.7.1-1"),
            ("#/", MisplacedHash, "MQTT-4.7.1-1"),
            ("##", MisplacedHash, "MQTT-4.7.1-1"),
            ("+#", MisplacedHash, "MQTT-4.7.1-1"),
            ("a+", MisplacedPlus, "MQTT-4.7.1-2"),
            ("+a/b", MisplacedPlus, "MQTT-4.7.1-2"),
            ("a/++", MisplacedPlus, "MQTT-4.7.1-2"),
            ("$share/", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share//a", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share/group", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share/group/", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share/+/a", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share/a#/a", Share, "MQTT-4.8.2-1, MQTT-4.8.2-2"),
            ("$share/group/a#", MisplacedHash, "MQTT-4.7.1-1"),
        ];
        for (filter, error, clause) in filters {
            assert_eq!(TopicFilter::try_from(filter), Err(error), "{filter}");
            assert_eq!(error.clause(), clause);
        }
        assert_eq!(TopicName::try_from("a\0").map_err(|error| error.clause()), Err("MQTT-1.5.4-2"));
    }

    #[test]
    fn a_shared_filter_is_a_group_and_a_pattern() {
        let table = [
            ("$share/group/a/b", Some(("group", "a/b")), "a/b", false),
            ("$share/group/#", Some(("group", "#")), "#", true),
            ("$share/group//", Some(("group", "/")), "/", false),
            ("$share/g/$SYS/+", Some(("g", "$SYS/+")), "$SYS/+", true),
            // Not shared: the prefix is only like it.
            ("$share", None, "$share", false),
            ("$shared/group/a", None, "$shared/group/a", false),
            ("$SHARE/group/a", None, "$SHARE/group/a", false),
            ("a/$share/b/c", None, "a/$share/b/c", false),
        ];
        for (text, shared, pattern, has_wildcard) in table {
            let filter = TopicFilter::try_from(text).unwrap();
            assert_eq!(filter.shared(), shared, "{text}");
            assert_eq!(filter.pattern(), pattern, "{text}");
            assert_eq!(filter.has_wildcard(), has_wildcard, "{text}");
            assert_eq!(filter.as_str(), text);
        }
    }

    #[test]
    fn levels_may_be_empty_and_there_is_always_one() {
        let levels =
            |name: &str| TopicName::try_from(name).unwrap().levels().map(str::len).collect::<Vec<_>>();
        assert_eq!(levels("a"), [1]);
        assert_eq!(levels("/"), [0, 0]);
        assert_eq!(levels("a//bc"), [1, 0, 2]);
    }
}
