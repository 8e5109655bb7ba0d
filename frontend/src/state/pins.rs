//! Topics and filters that a person keeps in sight.

use hearth_protocol::TopicFilter;

/// How many there may be: each is subscribed to, and the list stands above the topics.
pub const PINS_MAX: usize = 50;

/// The pins, in the order in which they were pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    filters: Vec<String>,
}

impl Pins {
    /// Reads what was stored; what is no list of filters, is none.
    pub fn parse(stored: &str) -> Self {
        let mut filters: Vec<String> = serde_json::from_str(stored).unwrap_or_default();
        filters.retain(|filter| TopicFilter::try_from(filter.as_str()).is_ok());
        filters.truncate(PINS_MAX);
        Self { filters }
    }

    /// The text to store.
    pub fn stored(&self) -> String {
        // Strings are always JSON.
        serde_json::to_string(&self.filters).unwrap_or_default()
    }

    /// The filters; a topic is one without wildcards.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// Whether it is pinned.
    pub fn has(&self, filter: &str) -> bool {
        self.filters.iter().any(|other| other == filter)
    }

    /// Pins it, or unpins what is pinned. `None`: it is no filter, or there are [`PINS_MAX`]. Else whether it is pinned now.
    pub fn toggle(&mut self, filter: &str) -> Option<bool> {
        if self.has(filter) {
            self.filters.retain(|other| other != filter);
            return Some(false);
        }
        if self.filters.len() == PINS_MAX || TopicFilter::try_from(filter).is_err() {
            return None;
        }
        self.filters.push(filter.to_owned());
        Some(true)
    }
}

/// Whether a filter is one with wildcards, which names no topic.
pub fn is_pattern(filter: &str) -> bool {
    TopicFilter::try_from(filter).is_ok_and(|filter| filter.has_wildcard())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_come_back_as_they_were_stored() {
        let mut pins = Pins::default();
        assert_eq!(pins.toggle("home/lamp"), Some(true));
        assert_eq!(pins.toggle("car/#"), Some(true));
        assert_eq!(Pins::parse(&pins.stored()), pins);
        assert_eq!(pins.toggle("home/lamp"), Some(false));
        assert_eq!(pins.filters(), ["car/#"]);
        assert!(is_pattern("car/#") && !is_pattern("car") && !is_pattern("car#"));
    }

    #[test]
    fn what_is_no_filter_is_no_pin_and_their_number_is_bounded() {
        assert_eq!(Pins::parse("{"), Pins::default());
        assert_eq!(Pins::parse(r##"["a","b#",""]"##).filters(), ["a"]);
        let mut pins = Pins::default();
        assert_eq!(pins.toggle("a#"), None);
        for number in 0..PINS_MAX {
            assert_eq!(pins.toggle(&number.to_string()), Some(true));
        }
        assert_eq!(pins.toggle("one more"), None);
        assert_eq!(pins.toggle("0"), Some(false));
    }
}
