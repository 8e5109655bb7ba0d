//! The parameters of the resources about the past, read strictly: what is misspelt is named and not passed over.

use hearth_api::Problem;
use hearth_protocol::{TopicFilter, TopicName};

use crate::history::timestamp;

/// Points of an answer, when nobody says how many: about as many columns as a chart has.
const POINTS: usize = 1000;

/// Points of an answer at least, and at most: a chart of four screens.
const POINTS_BOUNDS: std::ops::RangeInclusive<usize> = 4..=20_000;

/// The time that is shown when nobody says which.
const DAY_MILLIS: i64 = 86_400_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HistoryQuery {
    pub(super) topic: String,
    /// As it is listed.
    pub(super) field: String,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) points: usize,
    /// Whether it is wanted as CSV; `None`: as the header `Accept` says.
    pub(super) is_csv: Option<bool>,
}

/// What is wrong with a parameter.
pub(super) fn wrong(parameter: &str, error: String) -> Problem {
    Problem { error, parameter: Some(parameter.to_owned()) }
}

impl HistoryQuery {
    /// Reads the parameters; `now` in milliseconds since 1970.
    pub(super) fn read(parameters: &[(String, String)], now: i64) -> Result<Self, Problem> {
        check_names(parameters, &["topic", "field", "from", "to", "points", "format"])?;
        let value =
            |name: &str| parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let topic = value("topic")
            .ok_or_else(|| wrong("topic", "say which topic: ?topic=home/hall/temperature".to_owned()))?;
        TopicName::try_from(topic)
            .map_err(|error| wrong("topic", format!("`{topic}` is no topic name ({error})")))?;
        let time = |name: &str, default: i64| match value(name) {
            None => Ok(default),
            Some(text) => timestamp::parse(text).ok_or_else(|| {
                let how = "write RFC 3339, such as 2026-01-31T12:00:00Z, or milliseconds since 1970";
                wrong(name, format!("`{text}` is no time; {how}"))
            }),
        };
        let to = time("to", now)?;
        let from = time("from", to.saturating_sub(DAY_MILLIS).max(0))?;
        if from > to {
            return Err(wrong("from", "`from` is later than `to`".to_owned()));
        }
        let points = match value("points") {
            None => POINTS,
            Some(text) => {
                text.parse().ok().filter(|points| POINTS_BOUNDS.contains(points)).ok_or_else(|| {
                    let (least, most) = POINTS_BOUNDS.into_inner();
                    wrong("points", format!("`{text}` does not fit; write a number from {least} to {most}"))
                })?
            }
        };
        let is_csv = match value("format") {
            None => None,
            Some("csv") => Some(true),
            Some("json") => Some(false),
            Some(text) => return Err(wrong("format", format!("`{text}` is no format; write json or csv"))),
        };
        let field = match value("field") {
            None | Some("") => String::new(),
            Some(pointer) if pointer.starts_with('/') => pointer.to_owned(),
            // The name of a field at the top is enough.
            Some(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        Ok(Self { topic: topic.to_owned(), field, from, to, points, is_csv })
    }
}

/// The filter of a list.
pub(super) fn read_filter(parameters: &[(String, String)]) -> Result<Option<TopicFilter>, Problem> {
    check_names(parameters, &["filter"])?;
    let Some((_, text)) = parameters.first() else { return Ok(None) };
    match TopicFilter::try_from(text.as_str()) {
        Ok(filter) => Ok(Some(filter)),
        Err(error) => Err(wrong("filter", format!("`{text}` is no topic filter ({error})"))),
    }
}

fn check_names(parameters: &[(String, String)], known: &[&str]) -> Result<(), Problem> {
    for (index, (name, _)) in parameters.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(wrong(name, format!("there is no such parameter; there are {}", known.join(", "))));
        }
        if parameters[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(wrong(name, "this stands twice; say it once".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_769_860_800_000;

    fn read(text: &str) -> Result<HistoryQuery, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let parameters: Vec<(String, String)> = pairs
            .map(|pair| {
                pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
            })
            .collect();
        HistoryQuery::read(&parameters, NOW)
    }

    #[test]
    fn a_topic_alone_is_the_last_day_of_its_payloads() {
        let query = read("topic=a/b").unwrap();
        let expected = HistoryQuery {
            topic: "a/b".to_owned(),
            field: String::new(),
            from: NOW - DAY_MILLIS,
            to: NOW,
            points: 1000,
            is_csv: None,
        };
        assert_eq!(query, expected);
        let query = read("topic=a&to=2026-01-02T00:00:00Z&format=csv&points=4").unwrap();
        assert_eq!(timestamp::format(query.from), "2026-01-01T00:00:00.000Z");
        assert_eq!((query.is_csv, query.points), (Some(true), 4));
    }

    #[test]
    fn a_field_is_named_by_its_pointer_or_at_the_top_by_its_name() {
        for (text, field) in
            [("", ""), ("/gps/lat", "/gps/lat"), ("temperature", "/temperature"), ("a/b~", "/a~1b~0")]
        {
            assert_eq!(read(&format!("topic=a&field={text}")).unwrap().field, field, "{text}");
        }
    }

    #[test]
    fn each_mistake_names_its_parameter_and_says_what_to_do() {
        for (text, parameter, says) in [
            ("", "topic", "say which topic"),
            ("topic=a/%23&topic2=b", "topic2", "there are topic, field, from, to, points, format"),
            ("topic=a/+", "topic", "`a/+` is no topic name ("),
            ("topic=a&topic=b", "topic", "twice"),
            ("topic=a&from=yesterday", "from", "`yesterday` is no time; write RFC 3339"),
            ("topic=a&to=-5", "to", "is no time"),
            ("topic=a&from=2&to=1", "from", "later than"),
            ("topic=a&points=3", "points", "from 4 to 20000"),
            ("topic=a&points=many", "points", "from 4 to 20000"),
            ("topic=a&format=xml", "format", "write json or csv"),
        ] {
            let problem = read(text).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{text}");
            assert!(problem.error.contains(says), "{text}: {}", problem.error);
        }
        let filter = |text: &str| read_filter(&[("filter".to_owned(), text.to_owned())]);
        assert!(filter("a/#").unwrap().is_some());
        assert_eq!(filter("a/#/b").unwrap_err().parameter.as_deref(), Some("filter"));
        assert_eq!(read_filter(&[]).unwrap(), None);
    }
}
