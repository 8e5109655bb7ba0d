//! The pages and their addresses behind the `#`.

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The panel.
    Home,
    /// The list of topics.
    Topics,
    /// What the broker keeps.
    Retained,
    /// One topic.
    Topic(String),
    /// The form, with a topic filled in where one was chosen.
    Publish(Option<String>),
    /// Messages as they come.
    Subscribe,
    /// The chart of a topic, where one was chosen, and of the field at a JSON pointer (empty: the whole payload).
    Chart(Option<String>, String),
    /// The brokers that the page is connected to, and those that it may be.
    Connections,
    /// The chart of several series, each a topic and the JSON pointer of its field.
    Charts(Vec<(String, String)>),
    /// Version and settings.
    About,
    /// No page has this address.
    Missing,
}

impl Route {
    /// The page of an address, with or without the leading `#`.
    pub fn parse(hash: &str) -> Self {
        let path = hash.strip_prefix('#').unwrap_or(hash);
        let path = path.strip_prefix('/').unwrap_or(path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (page, rest) = match path.split_once('/') {
            Some((page, rest)) => (page, Some(rest)),
            None => (path, None),
        };
        let topic = rest.filter(|rest| !rest.is_empty()).map(decode);
        match (page, topic) {
            ("", None) => Self::Home,
            ("topics", None) => Self::Topics,
            ("retained", None) => Self::Retained,
            ("topics", Some(topic)) => Self::Topic(topic),
            ("publish", topic) => Self::Publish(topic),
            ("subscribe", None) => Self::Subscribe,
            ("chart", Some(topic)) => Self::of_series(series(topic, query)),
            ("chart", None) => Self::Chart(None, String::new()),
            ("connections", None) => Self::Connections,
            ("about", None) => Self::About,
            (_, _) => Self::Missing,
        }
    }

    /// The chart of these series, each a topic and the JSON pointer of its field.
    pub fn of_series(mut series: Vec<(String, String)>) -> Self {
        if series.len() > 1 {
            return Self::Charts(series);
        }
        let (topic, field) = series.pop().unzip();
        Self::Chart(topic, field.unwrap_or_default())
    }

    /// The address, with the leading `#`.
    pub fn href(&self) -> String {
        match self {
            Self::Home | Self::Missing => "#/".to_owned(),
            Self::Topics => "#/topics".to_owned(),
            Self::Retained => "#/retained".to_owned(),
            Self::Topic(topic) => format!("#/topics/{}", encode(topic)),
            Self::Publish(None) => "#/publish".to_owned(),
            Self::Publish(Some(topic)) => format!("#/publish/{}", encode(topic)),
            Self::Subscribe => "#/subscribe".to_owned(),
            Self::Chart(None, _) => "#/chart".to_owned(),
            Self::Chart(Some(topic), field) if field.is_empty() => format!("#/chart/{}", encode(topic)),
            Self::Chart(Some(topic), field) => format!("#/chart/{}?field={}", encode(topic), encode(field)),
            Self::Connections => "#/connections".to_owned(),
            Self::Charts(series) => {
                let mut address = String::new();
                for (index, (topic, field)) in series.iter().enumerate() {
                    let separator = ["#/chart/", "?and=", "&and="][index.min(2)];
                    // The first topic is the page's; what follows it is the query, whatever comes first.
                    let separator = if index == 1 && address.contains('?') { "&and=" } else { separator };
                    address.push_str(separator);
                    address.push_str(&encode(topic));
                    if !field.is_empty() {
                        address.push_str(if address.contains('?') { "&field=" } else { "?field=" });
                        address.push_str(&encode(field));
                    }
                }
                address
            }
            Self::About => "#/about".to_owned(),
        }
    }

    /// The word for style sheets and tests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Topics => "topics",
            Self::Topic(_) => "topic",
            Self::Retained => "retained",
            Self::Publish(_) => "publish",
            Self::Subscribe => "subscribe",
            Self::Chart(_, _) | Self::Charts(_) => "chart",
            Self::Connections => "connections",
            Self::About => "about",
            Self::Missing => "missing",
        }
    }
}

/// The series of a chart's address: `field` belongs to the topic before it, `and` begins another series.
fn series(topic: String, query: &str) -> Vec<(String, String)> {
    let mut series = vec![(topic, String::new())];
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("field", field)) => {
                if let Some(last) = series.last_mut() {
                    last.1 = decode(field);
                }
            }
            Some(("and", topic)) => series.push((decode(topic), String::new())),
            Some(_) | None => {}
        }
    }
    series
}

/// Percent-encodes what an address cannot carry; the slashes of a topic stay readable.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~$:,@!".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Undoes [`encode`]; what is no percent code stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        if let Some(value) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_comes_back_from_its_address() {
        for route in [
            Route::Home,
            Route::Topics,
            Route::Topic("home/kitchen/temperature".into()),
            Route::Topic("/leading//and trailing/".into()),
            Route::Topic("Küche/100%/a?b#c".into()),
            Route::Retained,
            Route::Publish(None),
            Route::Publish(Some("a/set".into())),
            Route::Subscribe,
            Route::Chart(None, String::new()),
            Route::Chart(Some("car/position".into()), "/gps/lat".into()),
            Route::Connections,
            Route::Charts(vec![("a".into(), String::new()), ("b/c".into(), String::new())]),
            Route::Charts(vec![
                ("a&b?".into(), "/x=y".into()),
                ("c".into(), "/gps/lat".into()),
                ("d".into(), String::new()),
            ]),
            Route::About,
        ] {
            assert_eq!(Route::parse(&route.href()), route, "{}", route.href());
        }
    }

    #[test]
    fn an_address_of_no_page_is_missing() {
        assert_eq!(Route::parse("#/nowhere"), Route::Missing);
        assert_eq!(Route::parse(""), Route::Home);
        assert_eq!(Route::parse("#"), Route::Home);
        assert_eq!(Route::parse("#/topics/%"), Route::Topic("%".into()));
    }
}
