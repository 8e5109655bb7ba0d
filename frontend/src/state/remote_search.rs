//! Searches among all topics that a Hearth does for the page: what to subscribe to.

use std::fmt::Write as _;

use super::topic_tree::Order;

/// A search ends at this row.
pub const FOUND_MAX: u32 = 10_000;

/// Rows that come together: one message carries them all, whenever one of them changes.
const WINDOW_ROWS: u32 = 500;

/// Among which topics is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// Those where a message is retained.
    Retained,
}

/// Which rows of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The place of the first one, from 0.
    pub from: u32,
    /// How many.
    pub count: u32,
}

/// What to subscribe to for rows of a search, by words as the filter field takes them; only what is retained is found without.
pub fn filter(among: Among, order: Order, rows: Rows, words: &str) -> String {
    let kind = match among {
        Among::All => "find",
        Among::Retained => "retained",
    };
    let mut filter = format!("$hearth/{kind}/{}/{}/{}", order.as_str(), rows.from, rows.count);
    if !words.is_empty() {
        filter.push('/');
    }
    for letter in words.chars() {
        if matches!(letter, '+' | '#' | '%') {
            // Writing to a String cannot fail.
            let _ = write!(filter, "%{:02X}", u32::from(letter));
        } else {
            filter.push(letter);
        }
    }
    filter
}

/// What to subscribe to for the first `count` rows, in the order of names.
pub fn first(among: Among, count: u32, words: &str) -> Vec<String> {
    let begins = (0..count.min(FOUND_MAX)).step_by(WINDOW_ROWS as usize);
    let rows = begins.map(|from| Rows { from, count: WINDOW_ROWS.min(count.min(FOUND_MAX) - from) });
    rows.map(|rows| filter(among, Order::Name, rows, words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_written_so_that_a_subscription_has_room_for_them() {
        let rows = Rows { from: 50, count: 20 };
        let found = filter(Among::All, Order::Traffic, rows, "lamp home/+/# 5%");
        assert_eq!(found, "$hearth/find/traffic/50/20/lamp home/%2B/%23 5%25");
        assert_eq!(filter(Among::Retained, Order::Name, rows, ""), "$hearth/retained/name/50/20");
    }

    #[test]
    fn many_rows_come_in_several_parts_and_end_where_a_search_does() {
        assert_eq!(first(Among::Retained, 100, "a"), ["$hearth/retained/name/0/100/a"]);
        let filters = first(Among::Retained, 1_200, "");
        let expected = ["0/500", "500/500", "1000/200"].map(|rows| format!("$hearth/retained/name/{rows}"));
        assert_eq!(filters, expected);
        assert_eq!(first(Among::All, 50_000, "a").last().unwrap(), "$hearth/find/name/9500/500/a");
    }
}
