//! Which values are kept for later, and how many.

use hearth_protocol::TopicFilter;

/// Each is a setting of the same name under `history`; the table of settings has the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Whether any are kept.
    pub enabled: bool,
    /// The topics whose values are kept.
    pub filters: HistoryFilters,
    /// Days after which a value goes.
    pub days_max: u32,
    /// Bytes of the file, above which the oldest values go.
    pub bytes_max: u64,
    /// Topics, or fields of topics, that have values.
    pub series_max: u32,
    /// Values taken from one message.
    pub fields_max: u16,
    /// The largest payload that is looked into.
    pub payload_bytes_max: u32,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            filters: HistoryFilters::default(),
            days_max: 365,
            bytes_max: 1 << 30,
            series_max: 10_000,
            fields_max: 64,
            payload_bytes_max: 16 * 1024,
        }
    }
}

impl HistoryConfig {
    /// Whether there is anything to be kept.
    pub(crate) const fn is_on(&self) -> bool {
        self.enabled && !self.filters.0.is_empty()
    }
}

/// The topics whose values are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryFilters(Vec<TopicFilter>);

impl Default for HistoryFilters {
    fn default() -> Self {
        // A filter that is known to be one.
        Self(TopicFilter::try_from("#").into_iter().collect())
    }
}

impl HistoryFilters {
    /// Reads topic filters; an empty list is none.
    pub(super) fn parse(items: &[String]) -> Result<Self, String> {
        let mut filters = Vec::new();
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            let filter = TopicFilter::try_from(item).map_err(|error| {
                format!(
                    "`{item}` is no topic filter ({error}); write some such as `#` or `home/+/temperature`"
                )
            })?;
            if filter.shared().is_some() {
                return Err(format!(
                    "`{item}` is a shared subscription, which the history is not; write the filter alone"
                ));
            }
            if !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        Ok(Self(filters))
    }

    /// The text that [`HistoryFilters::parse`] reads back.
    pub(super) fn show(&self) -> String {
        let items: Vec<String> =
            self.0.iter().map(|filter| toml::Value::from(filter.as_str()).to_string()).collect();
        format!("[{}]", items.join(", "))
    }

    /// Whether values of this topic, which is known to be one, are kept.
    pub(crate) fn match_topic(&self, topic: &str) -> bool {
        self.0.iter().any(|filter| hearth_protocol::topic::matches(filter.as_str(), topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(items: &[&str]) -> Result<HistoryFilters, String> {
        HistoryFilters::parse(&items.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn filters_are_read_as_subscribers_write_them() {
        let filters = parse(&["home/+/temperature", " plant/# ", "", "plant/#"]).unwrap();
        assert_eq!(filters.show(), r#"["home/+/temperature", "plant/#"]"#);
        assert!(filters.match_topic("plant/line/1") && filters.match_topic("home/hall/temperature"));
        assert!(!filters.match_topic("home/hall/humidity"));
        assert!(!HistoryFilters::default().match_topic("$SYS/broker/uptime"));
        assert!(parse(&["a/#/b"]).unwrap_err().starts_with("`a/#/b` is no topic filter ("));
        assert!(parse(&["$share/g/a"]).unwrap_err().contains("shared subscription"));
    }

    #[test]
    fn without_filters_nothing_is_kept() {
        let on = HistoryConfig::default();
        assert!(on.is_on());
        assert!(!HistoryConfig { enabled: false, ..on.clone() }.is_on());
        assert!(!HistoryConfig { filters: parse(&[""]).unwrap(), ..on }.is_on());
    }
}
