//! Sentences with something filled in.

use hearth_protocol::ReasonCode;

use super::Catalogue;

/// The template with each `{name}` replaced; a name that is not given stays as it is.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let Some(close) = after.find('}') else {
            rest = after;
            break;
        };
        let name = &after[1..close];
        match values.iter().find(|(given, _)| *given == name) {
            Some((_, value)) => filled.push_str(value),
            None => filled.push_str(&after[..=close]),
        }
        rest = &after[close + 1..];
    }
    filled.push_str(rest);
    filled
}

/// How long ago, in one number and a unit.
pub fn age(catalogue: &Catalogue, elapsed_ms: f64) -> String {
    let seconds = (elapsed_ms / 1000.0).max(0.0) as u64;
    let (template, count) = match seconds {
        0 => return catalogue.just_now.to_owned(),
        1..60 => (catalogue.seconds_ago, seconds),
        60..3600 => (catalogue.minutes_ago, seconds / 60),
        3600..86_400 => (catalogue.hours_ago, seconds / 3600),
        86_400.. => (catalogue.days_ago, seconds / 86_400),
    };
    fill(template, &[("count", &count.to_string())])
}

/// A rate a person can read: a second where there is one or more, else a minute; nothing when it has faded.
pub fn rate(catalogue: &Catalogue, per_second: f64) -> Option<String> {
    let (template, value) = if per_second >= 0.95 {
        (catalogue.per_second, per_second)
    } else if per_second >= 0.02 {
        (catalogue.per_minute, per_second * 60.0)
    } else {
        return None;
    };
    let digits = if value < 9.95 && template == catalogue.per_second { 1 } else { 0 };
    let value = format!("{value:.digits$}");
    let value = if catalogue.tag == "de" { value.replace('.', ",") } else { value };
    Some(fill(template, &[("rate", &value)]))
}

/// The reason in the standard's words, which are the same in every language and can be looked up.
pub fn reason(reason: ReasonCode) -> String {
    reason.to_string()
}

/// Checks that each sentence fills in the same names in both languages.
#[cfg(test)]
pub(super) fn assert_same_names<T: std::fmt::Debug>(english: &T, german: &T) {
    // Debug prints the fields of both in the same order, so that line stands beside line.
    let (english, german) = (format!("{english:#?}"), format!("{german:#?}"));
    let names = |line: &str| {
        let mut names: Vec<String> = line
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(english.lines().count(), german.lines().count());
    for (ours, theirs) in english.lines().zip(german.lines()) {
        assert_eq!(names(ours), names(theirs), "{ours} / {theirs}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{english::ENGLISH, german::GERMAN};
    use crate::state::settings::Language;

    #[test]
    fn names_in_braces_are_filled_in() {
        assert_eq!(fill("{a} of {b}", &[("b", "{a}"), ("a", "1")]), "1 of {a}");
        assert_eq!(fill("{unknown} {", &[]), "{unknown} {");
    }

    #[test]
    fn an_age_has_the_largest_unit_that_fits() {
        for (ms, text) in [
            (400.0, "now"),
            (59_999.0, "59 s"),
            (61_000.0, "1 min"),
            (7_200_000.0, "2 h"),
            (200_000_000.0, "2 d"),
            (-5.0, "now"),
        ] {
            assert_eq!(age(&ENGLISH, ms), text);
        }
    }

    #[test]
    fn a_rate_is_told_so_that_it_can_be_read() {
        assert_eq!(rate(&ENGLISH, 1234.4).as_deref(), Some("1234/s"));
        assert_eq!(rate(&GERMAN, 2.44).as_deref(), Some("2,4/s"));
        assert_eq!(rate(&ENGLISH, 0.2).as_deref(), Some("12/min"));
        assert_eq!(rate(&ENGLISH, 0.001), None);
    }

    #[test]
    fn the_languages_fill_in_the_same_names() {
        assert_same_names(&ENGLISH, &GERMAN);
    }

    #[test]
    fn the_browser_decides_where_nothing_was_chosen() {
        assert_eq!(Catalogue::of(Language::System, "de-AT").tag, "de");
        assert_eq!(Catalogue::of(Language::System, "fr").tag, "en");
        assert_eq!(Catalogue::of(Language::English, "de").tag, "en");
    }
}
