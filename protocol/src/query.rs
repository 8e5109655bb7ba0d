//! What a person searches topics for, and whether a topic answers it: in the filter field of a page and in the tree of a broker,
//! which have to answer alike.

use crate::topic::{self, TopicFilter};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// Somewhere in the topic or in the value, in any case of ASCII letters.
    Anywhere(Vec<u8>),
    /// An MQTT filter: it has `+` or `#` where MQTT allows them.
    Pattern(Box<str>),
}

/// A parsed filter: all words must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    words: Vec<Word>,
}

impl Query {
    /// Reads what was typed.
    pub fn parse(text: &str) -> Self {
        let words = text
            .split_whitespace()
            .map(|word| match TopicFilter::try_from(word) {
                Ok(filter) if filter.has_wildcard() => Word::Pattern(word.into()),
                Ok(_) | Err(_) => Word::Anywhere(word.to_ascii_lowercase().into_bytes()),
            })
            .collect();
        Self { words }
    }

    /// Whether a word begins with `$`: else topics are not meant that do.
    pub fn names_own(&self) -> bool {
        self.words.iter().any(|word| match word {
            Word::Anywhere(text) => text.starts_with(b"$"),
            Word::Pattern(pattern) => pattern.starts_with('$'),
        })
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a new value can change the answer.
    pub fn reads_values(&self) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Anywhere(_)))
    }

    /// Whether a topic with this value is one that was asked for.
    pub fn matches(&self, name: &str, payload: &[u8]) -> bool {
        self.words.iter().all(|word| match word {
            Word::Anywhere(text) => {
                contains(name.as_bytes(), text)
                    || contains(&payload[..payload.len().min(SEARCHED_BYTES_MAX)], text)
            }
            Word::Pattern(pattern) => topic::matches(pattern, name),
        })
    }
}

/// A value longer than this is searched only so far: the list must answer within a frame.
const SEARCHED_BYTES_MAX: usize = 4096;

/// Whether `needle`, in lower case, stands in `haystack`.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else { return true };
    // Two comparisons a byte instead of making it small first.
    let upper = first.to_ascii_uppercase();
    haystack.windows(needle.len()).any(|window| match window.split_first() {
        Some((&byte, others)) => (byte == first || byte == upper) && others.eq_ignore_ascii_case(rest),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_topic_or_value_in_any_case() {
        for (query, expected) in [
            ("", true),
            ("KITCHEN", true),
            ("kit temp", true),
            ("kitchen 21.5", true),
            ("21.5", true),
            ("bath", false),
            ("kitchen bath", false),
            ("home/+/temperature", true),
            ("home/#", true),
            ("home/+", false),
            ("car/#", false),
            ("home/# 21", true),
            ("temp#", false),
        ] {
            let matches = Query::parse(query).matches("home/Kitchen/temperature", b"21.5");
            assert_eq!(matches, expected, "{query}");
        }
    }

    #[test]
    fn a_pattern_alone_need_not_follow_the_values() {
        assert!(!Query::parse("home/#").reads_values());
        assert!(Query::parse("home/# on").reads_values());
    }

    #[test]
    fn words_that_begin_with_a_dollar_name_the_brokers_own_topics() {
        assert!(Query::parse("load $SYS/#").names_own() && Query::parse("$sys").names_own());
        assert!(!Query::parse("a$b home/#").names_own());
    }

    #[test]
    fn a_needle_longer_than_the_haystack_is_not_in_it() {
        assert!(!Query::parse("temperature").matches("a", b""));
    }
}
