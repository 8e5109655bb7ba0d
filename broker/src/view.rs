//! What a client looks at of the live tree: the filters below `$hearth`, read.

use hearth_protocol::{TopicFilter, TopicName};

/// The first level of all topics that have to do with the live tree.
const ROOT: &str = "$hearth";

/// Rows of one window at most: more than a screen has.
const WINDOW_ROWS_MAX: u32 = 500;

/// The last row that a search shows. Nobody reads further; whoever wants more asks more precisely.
const FOUND_MAX: u32 = 10_000;

/// What is told about a filter below `$hearth` that is none of them.
const KINDS: &str = "below $hearth there are $hearth/tree/FILTER, $hearth/window/ORDER/FROM/COUNT/BRANCH, \
                     $hearth/find/ORDER/FROM/COUNT/WORDS and $hearth/retained/ORDER/FROM/COUNT/WORDS";

/// What a subscription below `$hearth` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// A message for each branch or topic that the pattern of a filter matches: `$hearth/tree/PATTERN`. `None`: one for the
    /// whole tree.
    Nodes(Option<Box<str>>),
    /// One message with a part of what is directly below a branch: `$hearth/window/ORDER/FROM/COUNT/BRANCH`. `None`: of the
    /// whole tree.
    Window(Slice, Option<Box<str>>),
    /// One message with a part of the topics that answer a search: `$hearth/find/ORDER/FROM/COUNT/WORDS`, or of those where a
    /// message is retained: `$hearth/retained/ORDER/FROM/COUNT/WORDS`, where no words are all of them.
    Find(Among, Slice, Box<str>),
}

/// Among which topics is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// Those where a message is retained.
    Retained,
}

/// Which rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// By what they are ordered.
    pub order: Order,
    /// The first one.
    pub from: From,
    /// How many at most.
    pub count: u32,
}

/// Where rows begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// At the one in this place, counted from 0.
    Place(u32),
    /// At the one with this name, or where it would be if it were there without any messages.
    Name(Box<str>),
}

/// By what rows are ordered; those that are alike in it, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name.
    Name,
    /// The newest message first.
    Activity,
    /// The most messages first, those of the whole branch.
    Traffic,
    /// The most messages a second first.
    Rate,
}

/// Whether a topic or filter has to do with the live tree.
pub(crate) fn is_below_root(name: &str) -> bool {
    name.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl View {
    /// Reads a filter below `$hearth`.
    ///
    /// # Errors
    /// What is wrong with it, for the client.
    pub fn parse(filter: &TopicFilter) -> Result<Self, &'static str> {
        if filter.shared().is_some() {
            return Err("the live tree is not for shared subscriptions: what a client sees is its own");
        }
        let (kind, rest) = match filter.as_str().strip_prefix("$hearth/") {
            None => return Err(KINDS),
            Some(below) => match below.split_once('/') {
                None => (below, None),
                Some((kind, rest)) => (kind, Some(rest)),
            },
        };
        match (kind, rest) {
            ("tree", pattern) => Ok(Self::Nodes(pattern.map(Box::from))),
            ("window", Some(rest)) => {
                let (slice, branch) = Slice::parse(rest)?;
                if branch.is_some_and(|branch| branch.contains(['+', '#'])) {
                    return Err("$hearth/window: one branch, without + and #");
                }
                Ok(Self::Window(slice, branch.map(Box::from)))
            }
            ("find", Some(rest)) => Self::parse_search(Among::All, rest),
            ("retained", Some(rest)) => Self::parse_search(Among::Retained, rest),
            _ => Err(KINDS),
        }
    }

    fn parse_search(among: Among, rest: &str) -> Result<Self, &'static str> {
        let (slice, words) = Slice::parse(rest)?;
        let is_near = match slice.from {
            From::Place(from) => from.saturating_add(slice.count) <= FOUND_MAX,
            From::Name(_) => false,
        };
        if !is_near {
            return Err("a search: rows begin at a number, and there are 10,000; search for more words");
        }
        let is_known = |words: &String| among == Among::Retained || !words.trim().is_empty();
        let words = match words {
            Some(words) => unescape(words),
            None => Some(String::new()),
        };
        let words = words.filter(is_known);
        let words = words.ok_or("a search: words to search for, with %2B for +, %23 for # and %25 for %")?;
        Ok(Self::Find(among, slice, words.into()))
    }
}

impl Slice {
    /// Reads `ORDER/FROM/COUNT`, and what is behind it.
    fn parse(text: &str) -> Result<(Self, Option<&str>), &'static str> {
        let mut parts = text.splitn(4, '/');
        let order = match parts.next() {
            Some("name") => Order::Name,
            Some("activity") => Order::Activity,
            Some("traffic") => Order::Traffic,
            Some("rate") => Order::Rate,
            Some(_) | None => return Err("the order of rows is name, activity, traffic or rate"),
        };
        let number = |part: &str| part.parse::<u32>().ok();
        let from = parts.next().unwrap_or_default();
        let from = match from.strip_prefix('@') {
            Some(name) => unescape(name).map(|name| From::Name(name.into())),
            None => number(from).map(From::Place),
        };
        let from =
            from.ok_or("behind the order stands the number of the first row, from 0, or @ and its name")?;
        let count = parts.next().and_then(number).filter(|count| (1..=WINDOW_ROWS_MAX).contains(count));
        let count = count.ok_or("behind the number of the first row stands how many rows, 1 to 500")?;
        Ok((Self { order, from, count }, parts.next()))
    }
}

/// The text with its `%XX`; `None` where that is no text.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

/// Whether a topic is shown in the tree: those whose name begins with `$` are not, but for the broker's own figures.
pub(crate) fn is_shown(topic: &TopicName) -> bool {
    let name = topic.as_str();
    !name.starts_with('$') || name.starts_with("$SYS/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(filter: &str) -> Result<View, &'static str> {
        View::parse(&TopicFilter::try_from(filter).unwrap())
    }

    fn slice(order: Order, from: u32, count: u32) -> Slice {
        Slice { order, from: From::Place(from), count }
    }

    #[test]
    fn each_filter_says_what_is_looked_at() {
        for (filter, expected) in [
            ("$hearth/tree", View::Nodes(None)),
            ("$hearth/tree/", View::Nodes(Some("".into()))),
            ("$hearth/tree/#", View::Nodes(Some("#".into()))),
            ("$hearth/tree/home/+/lamp", View::Nodes(Some("home/+/lamp".into()))),
            ("$hearth/window/name/0/50", View::Window(slice(Order::Name, 0, 50), None)),
            ("$hearth/window/rate/7/500/", View::Window(slice(Order::Rate, 7, 500), Some("".into()))),
            (
                "$hearth/window/traffic/10/1/home//x",
                View::Window(slice(Order::Traffic, 10, 1), Some("home//x".into())),
            ),
            (
                "$hearth/window/name/@50%25/9/home",
                View::Window(
                    Slice { order: Order::Name, from: From::Name("50%".into()), count: 9 },
                    Some("home".into()),
                ),
            ),
            (
                "$hearth/find/activity/9900/100/home/%2B on%25",
                View::Find(Among::All, slice(Order::Activity, 9900, 100), "home/+ on%".into()),
            ),
            (
                "$hearth/retained/name/0/100/home/%23",
                View::Find(Among::Retained, slice(Order::Name, 0, 100), "home/#".into()),
            ),
            (
                "$hearth/retained/name/0/100",
                View::Find(Among::Retained, slice(Order::Name, 0, 100), "".into()),
            ),
        ] {
            assert_eq!(parse(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn what_is_no_view_is_refused_with_what_to_write() {
        for (filter, words) in [
            ("$hearth", "$hearth/tree/FILTER"),
            ("$hearth/#", "$hearth/tree/FILTER"),
            ("$hearth/+/home", "$hearth/tree/FILTER"),
            ("$hearth/trees", "$hearth/tree/FILTER"),
            ("$hearth/window", "$hearth/tree/FILTER"),
            ("$hearth/window/size/0/50", "name, activity, traffic or rate"),
            ("$hearth/window/name/-1/50", "first row"),
            ("$hearth/window/name/0", "1 to 500"),
            ("$hearth/window/name/0/0", "1 to 500"),
            ("$hearth/window/name/0/501/home", "1 to 500"),
            ("$hearth/window/name/0/50/home/+", "without + and #"),
            ("$hearth/window/name/@%zz/5", "first row"),
            ("$hearth/find/name/@a/50/x", "begin at a number"),
            ("$hearth/find/name/0/50", "words"),
            ("$hearth/find/name/0/50/ ", "words"),
            ("$hearth/find/name/0/50/%2", "%2B"),
            ("$hearth/find/name/0/50/%+2", "%2B"),
            ("$hearth/find/name/0/50/%ff", "%2B"),
            ("$hearth/find/name/9901/100/x", "10,000"),
            ("$share/group/$hearth/tree/#", "shared"),
        ] {
            let Ok(filter_checked) = TopicFilter::try_from(filter) else {
                assert!(filter.contains("%+"), "{filter} is a filter");
                continue;
            };
            let told = View::parse(&filter_checked).unwrap_err();
            assert!(told.contains(words), "{filter}: {told}");
        }
    }

    #[test]
    fn topics_with_a_dollar_are_not_shown_but_the_brokers_own() {
        for (topic, expected) in [
            ("home", true),
            ("/", true),
            ("$SYS/uptime", true),
            ("$SYSTEM", false),
            ("$hearth/x", false),
            ("$x", false),
        ] {
            assert_eq!(is_shown(&TopicName::try_from(topic).unwrap()), expected, "{topic}");
        }
    }
}
