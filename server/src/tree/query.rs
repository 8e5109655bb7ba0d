//! What somebody searches for, and whether a topic answers it; as the filter field of the web app reads it.

use hearth_protocol::{TopicFilter, topic};

enum Word {
    /// Somewhere in the topic or in the value, in any case of ASCII letters.
    Anywhere(Vec<u8>),
    /// An MQTT filter: it has `+` or `#` where MQTT allows them.
    Pattern(Box<str>),
}

/// A search: all words must match.
pub(super) struct Query {
    words: Vec<Word>,
    /// Whether one of them begins with `$`: else topics are not meant that do.
    pub(super) names_own: bool,
}

impl Query {
    /// Reads words with blanks between them.
    pub(super) fn parse(words: &str) -> Self {
        let word = |word: &str| match TopicFilter::try_from(word) {
            Ok(filter) if filter.has_wildcard() => Word::Pattern(word.into()),
            Ok(_) | Err(_) => Word::Anywhere(word.to_ascii_lowercase().into_bytes()),
        };
        let names_own = words.split_whitespace().any(|word| word.starts_with('$'));
        Self { words: words.split_whitespace().map(word).collect(), names_own }
    }

    /// Whether a topic whose payload begins so is one that was asked for.
    pub(super) fn matches(&self, name: &str, preview: &[u8]) -> bool {
        self.words.iter().all(|word| match word {
            Word::Anywhere(text) => contains(name.as_bytes(), text) || contains(preview, text),
            Word::Pattern(pattern) => topic::matches(pattern, name),
        })
    }
}

/// Whether `needle`, in lower case, stands in `haystack`.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else { return true };
    let Some(last) = haystack.len().checked_sub(needle.len()) else { return false };
    (0..=last).any(|at| {
        haystack[at].to_ascii_lowercase() == first
            && haystack[at + 1..at + needle.len()].eq_ignore_ascii_case(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_topic_or_value_in_any_case() {
        for (query, expected) in [
            ("KITCHEN", true),
            ("kitchen 21.5", true),
            ("bath", false),
            ("kitchen bath", false),
            ("home/+/temperature", true),
            ("home/# 21", true),
            ("home/+", false),
            ("temp#", false),
            ("temperatures", false),
        ] {
            let matches = Query::parse(query).matches("home/Kitchen/temperature", b"21.5");
            assert_eq!(matches, expected, "{query}");
        }
    }
}
