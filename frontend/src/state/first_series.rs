//! Which number a chart begins with where nobody chose one.

use std::cmp::Reverse;

use super::measure::Measure;
use super::topics::{Topic, Topics};

/// A temperature first, since people know what to expect of it, then the other measures in the order of the home page, then
/// what has most values. What was chosen before stays until there is a better known measure, so that the page keeps still.
pub fn first_series(topics: &Topics, kept: Option<&str>) -> Option<String> {
    let kept = kept.map(|name| (rank(name), name));
    if let Some((0, name)) = kept {
        return Some(name.to_owned());
    }
    let numeric = topics.sorted().iter().map(|&id| topics.topic(id)).filter_map(|topic| {
        let values = Reverse(topic.series()?.len());
        Some((rank(topic.name()), values, topic))
    });
    let best = numeric.min_by_key(|(rank, values, _)| (*rank, *values)).map(|(rank, _, topic)| (rank, topic));
    match (kept, best) {
        (Some((own, name)), Some((other, _))) if own <= other => Some(name.to_owned()),
        (_, best) => best.map(|(_, topic)| topic.name().to_owned()),
    }
}

/// Topics that have carried numbers, in the order in which a chart offers them.
pub fn numeric_topics(topics: &Topics, count_max: usize) -> Vec<String> {
    let mut numeric: Vec<&Topic> =
        topics.sorted().iter().map(|&id| topics.topic(id)).filter(|topic| topic.series().is_some()).collect();
    numeric.sort_by_key(|topic| rank(topic.name()));
    numeric.truncate(count_max);
    numeric.into_iter().map(|topic| topic.name().to_owned()).collect()
}

fn rank(name: &str) -> u8 {
    Measure::of_level(name.rsplit('/').next().unwrap_or_default()).map_or(u8::MAX, Measure::rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::topics::tests::message;

    fn topics_of(messages: &[(&str, &str)]) -> Topics {
        let mut topics = Topics::default();
        for (at, (topic, payload)) in messages.iter().enumerate() {
            topics.record(&message(topic, payload.as_bytes(), false), at as f64 * 1000.0);
        }
        topics.merge();
        topics
    }

    #[test]
    fn a_temperature_comes_before_what_the_alphabet_or_the_number_of_values_would_choose() {
        let topics = topics_of(&[
            ("a/count", "1"),
            ("car/speed", "48"),
            ("car/speed", "49"),
            ("home/bath/humidity", "60"),
            ("home/living/temperature", "21.5"),
        ]);
        assert_eq!(first_series(&topics, None).as_deref(), Some("home/living/temperature"));
        let all = ["home/living/temperature", "home/bath/humidity", "car/speed", "a/count"];
        assert_eq!(numeric_topics(&topics, 9), all);
        assert_eq!(numeric_topics(&topics, 2), all[..2]);
    }

    #[test]
    fn without_a_known_measure_what_has_most_values_is_chosen_and_stays() {
        let mut messages = vec![("a/count", "1"), ("b/count", "1"), ("b/count", "2"), ("c/word", "hello")];
        assert_eq!(first_series(&topics_of(&messages), None).as_deref(), Some("b/count"));
        messages.extend([("a/count", "2"), ("a/count", "3")]);
        assert_eq!(first_series(&topics_of(&messages), Some("b/count")).as_deref(), Some("b/count"));
        messages.push(("z/humidity", "60"));
        assert_eq!(first_series(&topics_of(&messages), Some("b/count")).as_deref(), Some("z/humidity"));
        messages.push(("z/temperature", "20"));
        assert_eq!(first_series(&topics_of(&messages), Some("z/humidity")).as_deref(), Some("z/temperature"));
        messages.push(("b/temperature", "20"));
        let kept = first_series(&topics_of(&messages), Some("z/temperature"));
        assert_eq!(kept.as_deref(), Some("z/temperature"));
        assert_eq!(first_series(&Topics::default(), None), None);
    }
}
