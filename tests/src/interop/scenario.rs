//! The scenarios, each written once for all clients.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use hearth_protocol::Version;

use super::client::{Client, Listener};
use super::message::{Filter, Message, Payload, Properties, Session};
use crate::process::PATIENCE;

/// Megabytes as disks count them; with topic and header below the broker's packets of 16 MiB.
const LARGE_PAYLOAD_BYTES: usize = 10_000_000;
/// What the members of a group share: enough for a fair broker to leave none of them out.
const SHARED_MESSAGES: usize = 30;
/// Topics of one SUBSCRIBE.
const MANY_FILTERS: usize = 100;

/// A scenario, which is a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    QosPairs,
    Retained,
    Will,
    PersistentSession,
    SharedSubscription,
    LargePayload,
    EmptyPayload,
    Utf8Topics,
    ManyFilters,
    RequestResponse,
}

/// Where a scenario is played: a client at a broker, and names that nobody else uses.
pub struct Stage {
    client: Box<dyn Client>,
    version: Version,
    number: u32,
    fences: u32,
}

impl Scenario {
    pub const ALL: [Self; 10] = [
        Self::QosPairs,
        Self::Retained,
        Self::Will,
        Self::PersistentSession,
        Self::SharedSubscription,
        Self::LargePayload,
        Self::EmptyPayload,
        Self::Utf8Topics,
        Self::ManyFilters,
        Self::RequestResponse,
    ];

    /// The heading of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::QosPairs => "all QoS pairs",
            Self::Retained => "retained",
            Self::Will => "will",
            Self::PersistentSession => "persistent session",
            Self::SharedSubscription => "shared subscription",
            Self::LargePayload => "10 MB payload",
            Self::EmptyPayload => "empty payload",
            Self::Utf8Topics => "UTF-8 topics",
            Self::ManyFilters => "100 topics in one SUBSCRIBE",
            Self::RequestResponse => "request and response",
        }
    }

    pub fn play(self, mut stage: Stage) {
        match self {
            Self::QosPairs => stage.play_qos_pairs(),
            Self::Retained => stage.play_retained(),
            Self::Will => stage.play_will(),
            Self::PersistentSession => stage.play_persistent_session(),
            Self::SharedSubscription => stage.play_shared_subscription(),
            Self::LargePayload => stage.play_large_payload(),
            Self::EmptyPayload => stage.play_empty_payload(),
            Self::Utf8Topics => stage.play_utf8_topics(),
            Self::ManyFilters => stage.play_many_filters(),
            Self::RequestResponse => stage.play_request_response(),
        }
        stage.client.finish();
    }
}

impl Stage {
    /// `make` gets the client id under which the client publishes.
    pub fn new(version: Version, make: impl FnOnce(String) -> Box<dyn Client>) -> Self {
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        Self { client: make(format!("i{number}-publisher")), version, number, fences: 0 }
    }

    fn play_qos_pairs(&mut self) {
        for asked in 0..=2 {
            let topic = self.topic(&format!("qos/{asked}"));
            let mut listener = self.listen(&format!("hears-{asked}"), &[Filter::new(&topic, asked)]);
            assert_eq!(listener.granted()[0], asked, "the QoS that SUBACK grants");
            for sent in 0..=2 {
                let message = Message::new(&topic, format!("{sent} to {asked}"), sent);
                self.client.publish(std::slice::from_ref(&message));
                assert_eq!(listener.next_message(), message.heard(asked));
            }
            self.assert_no_more(&mut *listener);
            listener.leave();
        }
    }

    fn play_retained(&mut self) {
        let topic = self.topic("kept");
        let filter = [Filter::new(&topic, 1)];
        let mut live = self.listen("live", &filter);
        let message = Message::new(&topic, "21.5", 1).retained();
        self.client.publish(std::slice::from_ref(&message));
        assert_eq!(live.next_message(), message.heard(1));
        let mut late = self.listen("late", &filter);
        let mut kept = message.heard(1);
        kept.retain = true;
        assert_eq!(late.next_message(), kept, "what a later subscriber hears");
        let clear = Message::new(&topic, "", 1).retained();
        self.client.publish(std::slice::from_ref(&clear));
        for listener in [&mut live, &mut late] {
            assert_eq!(listener.next_message(), clear.heard(1));
            self.assert_no_more(&mut **listener);
        }
        let mut last = self.listen("last", &filter);
        self.assert_no_more(&mut *last);
        [live, late, last].into_iter().for_each(Listener::leave);
    }

    fn play_will(&mut self) {
        let topic = self.topic("will");
        let mut witness = self.listen("witness", &[Filter::new(&topic, 2)]);
        for qos in 0..=2 {
            let with_will = |stage: &Self, text: &str| {
                let will = Some(Message::new(&topic, text, qos));
                Session { will, ..Session::transient(stage.id(&format!("mortal-{qos}"))) }
            };
            let said_goodbye = with_will(self, "said goodbye");
            self.client.visit(&said_goodbye);
            let is_cut = with_will(self, "was cut");
            let inbox = self.topic("inbox");
            self.client.listen(&is_cut, &[Filter::new(inbox, 0)]).cut();
            assert_eq!(witness.next_message(), Message::new(&topic, "was cut", qos).heard(2));
        }
        self.assert_no_more(&mut *witness);
        witness.leave();
    }

    fn play_persistent_session(&mut self) {
        let leave: fn(Box<dyn Listener>) = |listener| listener.leave();
        let cut: fn(Box<dyn Listener>) = |listener| listener.cut();
        for (role, qos, go) in [("leaves", 1, leave), ("is-cut", 2, cut)] {
            let topic = self.topic(role);
            let filters = self.with_fence(&[Filter::new(&topic, qos)]);
            let session = Session::lasting(self.id(role));
            let first = self.client.listen(&session, &filters);
            assert_ne!(first.session_present(), Some(true), "there was no such session");
            go(first);
            let missed: Vec<Message> =
                (0..5).map(|number| Message::new(&topic, format!("missed {number}"), qos)).collect();
            self.client.publish(&missed);
            let mut back = self.client.listen(&session, &filters);
            assert_ne!(back.session_present(), Some(false), "the session is still there");
            for message in &missed {
                assert_eq!(back.next_message(), message.heard(qos));
            }
            self.assert_no_more(&mut *back);
            back.leave();
            // A clean start ends it, and what it would have brought.
            self.client.publish(&missed);
            let mut clean = self.client.listen(&Session::transient(session.id), &filters);
            assert_ne!(clean.session_present(), Some(true), "a clean start ends the session");
            self.assert_no_more(&mut *clean);
            clean.leave();
        }
    }

    fn play_shared_subscription(&mut self) {
        let topic = self.topic("jobs");
        let filters = [Filter::new(format!("$share/workers/{topic}"), 1)];
        let mut members: Vec<_> =
            (0..3).map(|member| self.listen(&format!("member-{member}"), &filters)).collect();
        for member in &members {
            assert_eq!(member.granted()[0], 1, "the QoS that SUBACK grants");
        }
        let jobs: Vec<Message> =
            (0..SHARED_MESSAGES).map(|job| Message::new(&topic, format!("job {job}"), 1)).collect();
        self.client.publish(&jobs);
        let mut done = HashSet::new();
        let mut shares = vec![0; members.len()];
        let deadline = Instant::now() + PATIENCE;
        // A fence comes over another connection and may overtake jobs; behind the last job comes one more.
        let mut is_last_round = false;
        while !is_last_round {
            is_last_round = done.len() == jobs.len();
            assert!(Instant::now() < deadline, "only {} of {} jobs came", done.len(), jobs.len());
            let fence = self.publish_fence();
            for (member, share) in members.iter_mut().zip(&mut shares) {
                loop {
                    let heard = member.next_message();
                    if heard == fence.heard(1) {
                        break;
                    }
                    assert_eq!((heard.topic.as_str(), heard.qos), (topic.as_str(), 1));
                    *share += 1;
                    assert!(done.insert(format!("{:?}", heard.content)), "{heard:?} came twice");
                }
            }
        }
        assert!(shares.iter().all(|share| *share > 0), "each member has its share: {shares:?}");
        members.into_iter().for_each(Listener::leave);
    }

    fn play_large_payload(&mut self) {
        let topic = self.topic("large");
        let mut listener = self.listen("hears", &[Filter::new(&topic, 1)]);
        let payload = Payload::Large(LARGE_PAYLOAD_BYTES);
        let large = Message { payload, ..Message::new(&topic, "", 1) };
        self.client.publish(std::slice::from_ref(&large));
        assert_eq!(listener.next_message(), large.heard(1));
        self.assert_no_more(&mut *listener);
        listener.leave();
    }

    fn play_empty_payload(&mut self) {
        let topic = self.topic("empty");
        let mut listener = self.listen("hears", &[Filter::new(&topic, 2)]);
        for qos in 0..=2 {
            let empty = Message::new(&topic, "", qos);
            self.client.publish(std::slice::from_ref(&empty));
            assert_eq!(listener.next_message(), empty.heard(2));
        }
        self.assert_no_more(&mut *listener);
        listener.leave();
    }

    fn play_utf8_topics(&mut self) {
        // Two, three and four bytes a character, a composed and a decomposed letter, a right-to-left script, blanks.
        let levels = ["küche", "温度", "🌡️", "é", "e\u{301}", "غرفة", "a b"];
        let exact = self.topic(&levels.join("/"));
        let mut by_name = self.listen("by-name", &[Filter::new(&exact, 1)]);
        let wild = self.topic("küche/+/🌡️/#");
        let mut by_wildcard = self.listen("by-wildcard", &[Filter::new(wild, 1)]);
        let message = Message::new(&exact, "20 °C", 1);
        let other_letter = Message::new(self.topic("küche/温度/🌡️/e\u{301}"), "of another name", 1);
        self.client.publish(std::slice::from_ref(&message));
        self.client.publish(std::slice::from_ref(&other_letter));
        assert_eq!(by_name.next_message(), message.heard(1));
        assert_eq!(by_wildcard.next_message(), message.heard(1));
        assert_eq!(by_wildcard.next_message(), other_letter.heard(1));
        for mut listener in [by_name, by_wildcard] {
            self.assert_no_more(&mut *listener);
            listener.leave();
        }
    }

    fn play_many_filters(&mut self) {
        let qos_of = |number: usize| u8::try_from(number % 3).unwrap();
        let topics: Vec<String> =
            (0..MANY_FILTERS).map(|number| self.topic(&format!("many/{number}"))).collect();
        let filters: Vec<Filter> =
            topics.iter().enumerate().map(|(number, topic)| Filter::new(topic, qos_of(number))).collect();
        let same_qos: Vec<Filter> = topics.iter().map(|topic| Filter::new(topic, 1)).collect();
        // mosquitto_sub has one QoS for all.
        let is_mixed = self.client.has_a_qos_for_each_filter();
        let filters = if is_mixed { filters } else { same_qos };
        let session = Session::transient(self.id("hears"));
        let mut listener = self.client.listen(&session, &filters);
        let asked: Vec<u8> = filters.iter().map(|filter| filter.qos).collect();
        assert_eq!(listener.granted(), asked, "the codes of SUBACK in the order of the filters");
        for number in [0, 1, MANY_FILTERS / 2, MANY_FILTERS - 2, MANY_FILTERS - 1] {
            let message = Message::new(&topics[number], number.to_string(), 2);
            self.client.publish(std::slice::from_ref(&message));
            assert_eq!(listener.next_message(), message.heard(asked[number]));
        }
        listener.leave();
    }

    fn play_request_response(&mut self) {
        let (questions, answers) = (self.topic("questions"), self.topic("answers"));
        let mut responder = self.listen("responder", &[Filter::new(&questions, 1)]);
        let mut question = Message::new(&questions, "how warm?", 1);
        if self.version.is_v5() {
            question.properties = Properties {
                response_topic: Some(answers.clone()),
                correlation: Some("42".to_owned()),
                content_type: Some("text/plain".to_owned()),
                user: [("room", "Küche"), ("room", "Bad")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            };
        }
        let session = Session::transient(self.id("asks"));
        let mut asker = self.client.ask(&session, &question, &Filter::new(&answers, 1));
        let asked = responder.next_message();
        assert_eq!(asked, question.heard(1));
        // Version 5 says where the answer goes; before, both sides have to know.
        let answer_topic = asked.properties.response_topic.unwrap_or(answers);
        let mut answer = Message::new(answer_topic, "21.5", 1);
        answer.properties.correlation = asked.properties.correlation;
        self.client.publish(std::slice::from_ref(&answer));
        assert_eq!(asker.next_message(), answer.heard(1));
        asker.leave();
        self.assert_no_more(&mut *responder);
        responder.leave();
    }

    fn topic(&self, end: &str) -> String {
        format!("interop/{}/{end}", self.number)
    }

    /// Short, as version 3.1 has 23 bytes for it.
    fn id(&self, role: &str) -> String {
        format!("i{}-{role}", self.number)
    }

    /// A subscription to fences beside others; with their QoS, because mosquitto_sub has one QoS for all.
    fn with_fence(&self, filters: &[Filter]) -> Vec<Filter> {
        let fence = Filter::new(self.topic("fence"), filters[0].qos);
        filters.iter().cloned().chain([fence]).collect()
    }

    /// Listens with a session of its own, to fences too.
    fn listen(&mut self, role: &str, filters: &[Filter]) -> Box<dyn Listener> {
        let session = Session::transient(self.id(role));
        let filters = self.with_fence(filters);
        self.client.listen(&session, &filters)
    }

    fn publish_fence(&mut self) -> Message {
        self.fences += 1;
        let fence = Message::new(self.topic("fence"), self.fences.to_string(), 1);
        self.client.publish(std::slice::from_ref(&fence));
        fence
    }

    /// Nothing but older fences came behind what was heard last.
    fn assert_no_more(&mut self, listener: &mut dyn Listener) {
        let fence = self.publish_fence();
        let qos = *listener.granted().last().unwrap();
        loop {
            let heard = listener.next_message();
            if heard == fence.heard(qos) {
                return;
            }
            assert_eq!(heard.topic, fence.topic, "{heard:?} came and should not");
        }
    }
}
