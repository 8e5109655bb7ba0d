//! The filters of the subscribe page: what was asked for, what the broker granted, and which of them brought a message.

use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::{Publish, Subscription};
use hearth_protocol::{QoS, ReasonCode, TopicFilter};

/// As many as there are colours and letters that a person tells apart.
pub const FILTERS_MAX: usize = 8;

/// Identifiers of subscriptions below this are the connection's own.
const ID_FIRST: u32 = 2;

/// Which filters a message came by: one bit a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// One mark alone.
    pub const fn of(mark: u8) -> Self {
        Self(1 << mark)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The marks, from 0.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..FILTERS_MAX as u8).filter(move |mark| self.0 & (1 << mark) != 0)
    }

    /// With one more.
    pub const fn with(self, mark: u8) -> Self {
        Self(self.0 | 1 << mark)
    }

    /// Without one.
    pub const fn without(self, mark: u8) -> Self {
        Self(self.0 & !(1 << mark))
    }

    /// All of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the others are among these.
    pub const fn contain(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

/// The letter of a mark.
pub const fn letter(mark: u8) -> char {
    (b'A' + mark) as char
}

/// How far a subscription has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not asked for, since there is no connection.
    Offline,
    /// The broker has not answered yet.
    Asked(Token),
    /// It stands, with this QoS at most.
    Granted(QoS),
    /// The broker refused it, or its terms forbid it.
    Refused(ReasonCode),
}

impl State {
    /// The word for style sheets and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Asked(_) => "asked",
            Self::Granted(_) => "granted",
            Self::Refused(_) => "refused",
        }
    }
}

/// One of the filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its identifier on the wire.
    pub id: u32,
    /// Its colour and letter.
    pub mark: u8,
    /// What was asked for.
    pub subscription: Subscription,
    /// How far it has come.
    pub state: State,
    /// Messages that it brought.
    pub count: u64,
}

/// Why a filter was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// There are [`FILTERS_MAX`].
    TooMany,
    /// It is there already: another SUBSCRIBE would replace it.
    Known,
}

/// All of them, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Filters {
    list: Vec<Filter>,
    id_next: u32,
    changes: u64,
}

impl Filters {
    /// Adds one, and tells its identifier.
    ///
    /// # Errors
    /// Nothing was added.
    pub fn add(&mut self, subscription: Subscription) -> Result<u32, AddError> {
        if self.list.iter().any(|filter| on_wire(&filter.subscription) == on_wire(&subscription)) {
            return Err(AddError::Known);
        }
        let mut marks = 0..FILTERS_MAX as u8;
        let mark = marks.find(|mark| self.list.iter().all(|filter| filter.mark != *mark));
        let mark = mark.ok_or(AddError::TooMany)?;
        let id = self.id_next.max(ID_FIRST);
        self.id_next = id + 1;
        self.changes += 1;
        self.list.push(Filter { id, mark, subscription, state: State::Offline, count: 0 });
        Ok(id)
    }

    /// Takes one away.
    pub fn remove(&mut self, id: u32) -> Option<Filter> {
        let place = self.list.iter().position(|filter| filter.id == id)?;
        self.changes += 1;
        Some(self.list.remove(place))
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Filter> {
        self.list.iter()
    }

    /// Sets how far one has come.
    pub fn set_state(&mut self, id: u32, state: State) {
        if let Some(filter) = self.list.iter_mut().find(|filter| filter.id == id) {
            filter.state = state;
            self.changes += 1;
        }
    }

    /// The connection broke: nothing stands until it is asked for again.
    pub fn on_lost(&mut self) {
        for filter in &mut self.list {
            filter.state = State::Offline;
        }
        self.changes += 1;
    }

    /// The broker answered a request, of this page or of others.
    pub fn on_answered(&mut self, token: Token, reasons: &[ReasonCode]) {
        let asked = self.list.iter_mut().find(|filter| filter.state == State::Asked(token));
        if let Some((filter, &reason)) = asked.zip(reasons.first()) {
            filter.state = match QoS::from_bits(reason.byte()) {
                Some(qos) => State::Granted(qos),
                None => State::Refused(reason),
            };
            self.changes += 1;
        }
    }

    /// Which filters brought a message. Where the broker knows no identifiers, that is told by the topic; then a message may come
    /// more than once for filters that overlap.
    pub fn marks(&self, message: &Publish, is_numbered: bool) -> Marks {
        let ids = message.properties.as_ref().map_or(&[][..], |properties| &properties.subscription_ids);
        let brought = self.list.iter().filter(|filter| match is_numbered {
            true => ids.contains(&filter.id),
            false => filter.subscription.filter.matches(&message.topic),
        });
        brought.fold(Marks::default(), |marks, filter| marks.with(filter.mark))
    }

    /// The filters with these marks.
    pub fn marked(&self, marks: Marks) -> impl Iterator<Item = &Filter> {
        self.list.iter().filter(move |filter| marks.contain(Marks::default().with(filter.mark)))
    }

    /// Counts a message for each of the filters that brought it.
    pub fn count(&mut self, marks: Marks) {
        for filter in &mut self.list {
            filter.count += u64::from(marks.contain(Marks::default().with(filter.mark)));
        }
    }

    /// Grows with every change but that of counts.
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

/// The filter as it is sent. The connection is subscribed to `#` by itself, and the same filter once more would replace that;
/// `+/#` matches the same topics.
pub fn on_wire(subscription: &Subscription) -> TopicFilter {
    match subscription.filter.as_str() {
        "#" => TopicFilter::try_from("+/#").unwrap_or_else(|_| subscription.filter.clone()),
        _ => subscription.filter.clone(),
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::connection::client::{Client, ClientOptions};
    use hearth_protocol::packet::PublishProperties;
    use hearth_protocol::{Text, Time, TopicName};

    use super::*;
    use crate::state::outcome;

    fn subscription(filter: &str) -> Subscription {
        Subscription::new(TopicFilter::try_from(filter).unwrap(), QoS::AtLeastOnce)
    }

    fn message(topic: &str, ids: &[u32]) -> Publish {
        let properties = PublishProperties { subscription_ids: ids.to_vec(), ..PublishProperties::EMPTY };
        let topic = TopicName::try_from(topic).unwrap();
        Publish {
            properties: Some(Box::new(properties)),
            ..outcome::message(topic, b"", QoS::AtMostOnce, false)
        }
    }

    fn marks(marks: Marks) -> Vec<char> {
        marks.iter().map(letter).collect()
    }

    #[test]
    fn a_message_is_marked_by_the_identifiers_that_it_carries() {
        let mut filters = Filters::default();
        let (a, b) = (filters.add(subscription("x/#")).unwrap(), filters.add(subscription("x/y")).unwrap());
        assert!(a > 1 && b > a);
        let mut brought = |topic: &str, ids: &[u32], is_numbered| {
            let brought = filters.marks(&message(topic, ids), is_numbered);
            filters.count(brought);
            assert!(filters.marked(brought).map(|filter| filter.mark).eq(brought.iter()));
            marks(brought)
        };
        assert_eq!(brought("x/y", &[1, a, b], true), ['A', 'B']);
        assert_eq!(brought("x/y", &[b], true), ['B']);
        assert_eq!(brought("x/y", &[1], true), [' '; 0], "it came for the tree");
        assert_eq!(brought("x/y", &[], true), [' '; 0]);
        assert_eq!(brought("x/z", &[], false), ['A']);
        let counts: Vec<u64> = filters.iter().map(|filter| filter.count).collect();
        assert_eq!(counts, [2, 2]);
    }

    #[test]
    fn letters_are_used_again_and_identifiers_are_not() {
        let mut filters = Filters::default();
        let first = filters.add(subscription("0")).unwrap();
        for number in 1..FILTERS_MAX {
            filters.add(subscription(&number.to_string())).unwrap();
        }
        assert_eq!(filters.add(subscription("more")), Err(AddError::TooMany));
        filters.remove(first).unwrap();
        assert_eq!(filters.add(subscription("1")), Err(AddError::Known));
        let again = filters.add(subscription("more")).unwrap();
        assert!(again as usize > FILTERS_MAX);
        assert_eq!(filters.iter().last().map(|filter| letter(filter.mark)), Some('A'));
    }

    #[test]
    fn the_answer_of_the_broker_decides() {
        let mut client = Client::new(ClientOptions::new(Text::default()));
        let publish = message("t", &[]);
        let publish = Publish { qos: QoS::AtLeastOnce, properties: None, ..publish };
        let mut token = || client.publish(Time::ZERO, publish.clone()).unwrap();
        let (first, second) = (token(), token());
        let mut filters = Filters::default();
        let (a, b) = (filters.add(subscription("a")).unwrap(), filters.add(subscription("b")).unwrap());
        filters.set_state(a, State::Asked(first));
        filters.set_state(b, State::Asked(second));
        filters.on_answered(second, &[ReasonCode::NotAuthorized]);
        filters.on_answered(first, &[ReasonCode::GrantedQoS1]);
        let states: Vec<State> = filters.iter().map(|filter| filter.state).collect();
        assert_eq!(states, [State::Granted(QoS::AtLeastOnce), State::Refused(ReasonCode::NotAuthorized)]);
        filters.on_lost();
        assert!(filters.iter().all(|filter| filter.state == State::Offline));
    }

    #[test]
    fn everything_is_asked_for_under_another_name_than_the_tree_asks() {
        assert_eq!(on_wire(&subscription("#")).as_str(), "+/#");
        assert_eq!(on_wire(&subscription("a/#")).as_str(), "a/#");
        for topic in ["a", "/", "a/b/c", "/a"] {
            assert!(on_wire(&subscription("#")).matches(&TopicName::try_from(topic).unwrap()), "{topic}");
        }
        let mut filters = Filters::default();
        filters.add(subscription("#")).unwrap();
        assert_eq!(filters.add(subscription("+/#")), Err(AddError::Known));
    }
}
