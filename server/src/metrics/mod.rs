//! The figures of the broker as metrics: which there are, and their text in OpenMetrics.
//!
//! Nothing is counted for this alone and nothing is kept between two scrapes: whoever asks gets the counters that the shards
//! keep for themselves.

mod family;
#[cfg(test)]
mod reference;
mod table;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use self::family::{Family, Kind, Sample, Value};
use self::table::FAMILIES;
use crate::figures::Figures;

/// What one scrape gets.
pub(crate) fn text(figures: &Figures) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Arc::new(figures.clone()))));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _written = encode(&mut text, &registry);
    text
}

/// The figures of one moment, as the library takes them.
#[derive(Debug)]
struct Scrape(Arc<Figures>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in FAMILIES {
            let samples = (family.read)(&self.0);
            if !samples.is_empty() {
                write_family(&mut encoder, family, &samples)?;
            }
        }
        Ok(())
    }
}

fn write_family(encoder: &mut DescriptorEncoder<'_>, family: &Family, samples: &[Sample]) -> fmt::Result {
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
    for Sample { labels, value } in samples {
        let labels: Vec<_> =
            family.labels.iter().zip(labels).map(|(name, value)| (*name, value.as_str())).collect();
        if labels.is_empty() {
            write_value(&mut metric, family.kind, value)?;
        } else {
            write_value(&mut metric.encode_family(&labels)?, family.kind, value)?;
        }
    }
    Ok(())
}

fn write_value(metric: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    match (value, kind) {
        (Value::Count(count), Kind::Counter) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        (Value::Fraction(number), Kind::Counter) => metric.encode_counter::<NoLabelSet, _, u64>(number, None),
        (Value::Count(count), Kind::Gauge | Kind::Histogram) => metric.encode_gauge(count),
        (Value::Fraction(number), Kind::Gauge | Kind::Histogram) => metric.encode_gauge(number),
        (Value::Durations(histogram), Kind::Counter | Kind::Gauge | Kind::Histogram) => {
            let buckets: Vec<_> = histogram.buckets().collect();
            let (sum, count) = (histogram.sum_seconds(), histogram.count());
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::reference::sample_figures;
    use super::*;

    #[test]
    fn each_name_is_there_once_with_its_type_its_help_and_the_labels_that_the_table_says() {
        let text = text(&sample_figures());
        for family in FAMILIES {
            let Family { name, help, kind, .. } = family;
            assert_eq!(text.matches(&format!("# TYPE {name} {}\n", kind.name())).count(), 1, "{name}");
            assert!(text.contains(&format!("# HELP {name} {help}\n")), "{name}");
            let of_it = |line: &&str| {
                line.strip_prefix(&family.exposed()).is_some_and(|rest| rest.starts_with(['{', ' ', '_']))
            };
            let line = text.lines().find(of_it).unwrap_or_else(|| panic!("no sample of {name} in\n{text}"));
            let labels: Vec<&str> = line
                .split_once('{')
                .map(|(_, rest)| rest.split_once('}').unwrap().0.split(',').collect())
                .unwrap_or_default();
            let names: Vec<&str> = labels.iter().map(|label| label.split_once('=').unwrap().0).collect();
            assert!(!line.contains("{}"), "{line}");
            assert_eq!(names, family.labels, "{name}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn no_series_is_there_twice_and_a_histogram_adds_its_buckets_up() {
        let text = text(&sample_figures());
        let series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0)
            .collect();
        assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len());
        assert!(text.contains("hearth_turn_seconds_bucket{le=\"0.001024\",shard=\"0\"} 1\n"), "{text}");
        assert!(text.contains("hearth_turn_seconds_bucket{le=\"+Inf\",shard=\"0\"} 2\n"), "{text}");
        assert!(text.contains("hearth_messages_dropped_total{shard=\"1\",reason=\"expired\"} 4\n"), "{text}");
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        for Family { name, kind, labels, .. } in FAMILIES {
            assert!(name.starts_with("hearth_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(!name.ends_with("_total"), "{name}: the type says so");
            assert!(!labels.contains(&"le") && !labels.contains(&"client_id"), "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}: base units");
        }
    }
}
