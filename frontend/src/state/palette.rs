//! The command palette's answer to what is typed: which entries, and in which order.

use hearth_protocol::TopicFilter;

use super::remote_search::{self, Among};

/// Entries that are shown at most; who wants others types more.
pub const SHOWN_MAX: usize = 12;

/// Topics that the broker is asked for, of which the best are shown.
const ASKED_MAX: u32 = 100;

/// What to ask a broker for that is not taken in whole: topics with the words, and, where one word may be the name of a topic or the
/// beginning of one, that topic and those below it, since there may be any number of others with the same letters.
pub fn searches(typed: &str) -> Vec<String> {
    let typed = typed.trim();
    if !is_searched(typed) {
        return Vec::new();
    }
    let mut filters = remote_search::first(Among::All, ASKED_MAX, typed);
    let branch = format!("{}/#", typed.trim_end_matches('/'));
    if !typed.contains(char::is_whitespace) && TopicFilter::try_from(branch.as_str()).is_ok() {
        filters.extend(remote_search::first(Among::All, SHOWN_MAX as u32, &branch));
    }
    filters
}

/// Whether topics are searched for what is typed: one letter is in nearly all of them.
pub fn is_searched(typed: &str) -> bool {
    typed.trim().chars().nth(1).is_some()
}

/// How well an entry answers; the smaller the better.
type Rank = (u8, usize, usize);

/// The entries that have all words in their label, in any case: those that begin with what was typed come first, then those
/// where a word begins with it, then the rest; shorter labels before longer ones. Without words the first entries.
pub fn answer<'a>(typed: &str, labels: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let typed = typed.trim().to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut ranked: Vec<(Rank, usize)> = Vec::new();
    for (place, label) in labels.enumerate() {
        if let Some(rank) = rank(&typed, &words, label, place) {
            ranked.push((rank, place));
        }
        // Enough to choose from: of 100,000 topics only the best few are kept.
        if ranked.len() >= SHOWN_MAX * 64 {
            keep_best(&mut ranked);
        }
    }
    keep_best(&mut ranked);
    ranked.into_iter().map(|(_, place)| place).collect()
}

fn keep_best(ranked: &mut Vec<(Rank, usize)>) {
    ranked.sort_unstable();
    ranked.truncate(SHOWN_MAX);
}

fn rank(typed: &str, words: &[&str], label: &str, place: usize) -> Option<Rank> {
    if words.is_empty() {
        return Some((0, 0, place));
    }
    let label = label.to_lowercase();
    if !words.iter().all(|word| label.contains(word)) {
        return None;
    }
    let begins_word =
        |word: &&str| label.split(|it: char| !it.is_alphanumeric()).any(|part| part.starts_with(*word));
    let class = match () {
        () if label.starts_with(typed) => 0,
        () if words.iter().all(begins_word) => 1,
        () => 2,
    };
    Some((class, label.len(), place))
}

/// The entry that an arrow key leads to: `by` places on, around the ends.
pub const fn step(chosen: usize, by: isize, count: usize) -> usize {
    match count {
        0 => 0,
        count => (chosen as isize + by).rem_euclid(count as isize) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_the_words_comes_first() {
        let labels = ["Go to Topics", "Topics", "home/topical/lamp", "About", "Heating: stop", "autopilot"];
        let found =
            |typed| answer(typed, labels.into_iter()).into_iter().map(|at| labels[at]).collect::<Vec<_>>();
        assert_eq!(
            found("top"),
            ["Topics", "Go to Topics", "home/topical/lamp", "autopilot", "Heating: stop"]
        );
        assert_eq!(found("  LAMP home "), ["home/topical/lamp"]);
        assert_eq!(found("nothing"), [""; 0]);
        assert_eq!(found("").len(), labels.len());
    }

    #[test]
    fn of_many_only_the_best_are_kept() {
        let labels: Vec<String> = (0..100_000).map(|number| format!("t/{number}/lamp")).collect();
        let found = answer("lamp", labels.iter().map(String::as_str));
        assert_eq!(found, (0..10).chain([10, 11]).collect::<Vec<_>>());
        assert_eq!(answer("t/99999", labels.iter().map(String::as_str)), [99_999]);
    }

    #[test]
    fn a_broker_is_asked_for_the_words_and_for_what_may_be_a_name() {
        assert_eq!(searches(" l "), [""; 0]);
        assert_eq!(searches("attic lamp"), ["$hearth/find/name/0/100/attic lamp"]);
        let both = ["$hearth/find/name/0/100/a/b/", "$hearth/find/name/0/12/a/b/%23"];
        assert_eq!(searches("a/b/"), both);
        // With a wildcard of its own it is a filter already.
        assert_eq!(searches("a/#"), ["$hearth/find/name/0/100/a/%23"]);
    }

    #[test]
    fn arrows_go_around_the_ends() {
        assert_eq!((step(0, -1, 3), step(2, 1, 3), step(1, 1, 3)), (2, 0, 2));
        assert_eq!(step(0, 1, 0), 0);
    }
}
