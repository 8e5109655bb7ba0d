//! A client and a server over a link that breaks at every place.

mod server;

use std::collections::HashMap;

use super::*;
use crate::TopicFilter;
use crate::generate::Random;
use crate::packet::{SubscribeProperties, Subscription};
use server::Server;

/// What one run is about.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    version: Version,
    /// Messages from each side.
    messages: u32,
    /// Receive maximum of each side at most; each connection has its own.
    window: u16,
    /// After how many bytes on the wire, counted from the last cut, the link breaks.
    cuts: Vec<usize>,
    /// A link that breaks goes silent at times, so that only the timers notice.
    goes_silent: bool,
    /// The server forgets the session at times.
    forgets: bool,
}

struct Pair {
    plan: Plan,
    random: Random,
    now: Time,
    link: Link,
    client: Client,
    server: Server,
    client_input: BytesMut,
    server_input: BytesMut,
    upstream: BytesMut,
    downstream: BytesMut,
    /// Since the last cut.
    carried: usize,
    published: HashMap<Token, u32>,
    outcomes: Vec<Token>,
    sent: Vec<(QoS, u32)>,
    server_sent: Vec<(QoS, u32)>,
    received: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Up,
    /// Takes bytes and delivers none.
    Silent {
        since: Time,
    },
}

fn number_of(publish: &Publish) -> u32 {
    std::str::from_utf8(&publish.payload).unwrap().parse().unwrap()
}

fn numbered(qos: QoS, number: u32) -> Publish {
    Publish { payload: Bytes::from(number.to_string()), ..message(qos, "") }
}

impl Pair {
    /// Lets both talk until all is said, and checks what came of it. Gives back how many bytes the last link carried.
    fn run(plan: Plan) -> usize {
        let options = ClientOptions { version: plan.version, keep_alive: 5, ..options() };
        let mut pair = Self {
            random: Random::new(plan.seed),
            now: Time::ZERO,
            link: Link::Down,
            client: Client::new(options),
            server: Server::new(),
            client_input: BytesMut::new(),
            server_input: BytesMut::new(),
            upstream: BytesMut::new(),
            downstream: BytesMut::new(),
            carried: 0,
            published: HashMap::new(),
            outcomes: Vec::new(),
            sent: Vec::new(),
            server_sent: Vec::new(),
            received: Vec::new(),
            plan,
        };
        let mut steps = 0;
        while !pair.is_over() {
            pair.step();
            steps += 1;
            assert!(steps < 100_000, "they do not come to an end: {:?}", pair.plan);
        }
        pair.check();
        pair.carried
    }

    fn is_over(&self) -> bool {
        self.sent.len() == self.plan.messages as usize
            && self.server_sent.len() == self.plan.messages as usize
            && self.client.pending_len() == 0
            && self.client.requests.is_empty()
            && (self.client.inbound.is_empty() || self.plan.forgets)
            && self.server.is_idle()
            && self.upstream.is_empty()
            && self.downstream.is_empty()
    }

    fn step(&mut self) {
        self.now = self.now.saturating_add(Duration::from_millis(self.random.below(50) as u64));
        self.publish();
        match self.link {
            Link::Down => {
                if self.random.one_in(3) {
                    self.open();
                }
            }
            Link::Up => {
                self.server.send_waiting(&mut self.random);
                self.carry();
            }
            Link::Silent { since } => {
                // Time is all that passes.
                self.now = self.now.saturating_add(Duration::from_millis(500));
                let silence = self.now.saturating_since(since);
                assert!(silence < Duration::from_secs(17), "nobody noticed: {:?}", self.plan);
            }
        }
        self.look_at_timers();
        self.take_events();
    }

    fn publish(&mut self) {
        let count = self.plan.messages as usize;
        if self.sent.len() < count && self.random.one_in(3) {
            let qos = self.random.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
            let number = self.sent.len() as u32;
            self.sent.push((qos, number));
            if let Ok(token) = self.client.publish(self.now, numbered(qos, number)) {
                self.published.insert(token, number);
            }
        }
        if self.server_sent.len() < count && self.random.one_in(3) {
            let qos = self.random.pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce]);
            let number = self.server_sent.len() as u32;
            self.server_sent.push((qos, number));
            self.server.queue.push_back(numbered(qos, number));
        }
        if self.client.is_connected() && self.random.one_in(20) {
            let filter = TopicFilter::try_from("home/#").unwrap();
            let subscriptions = vec![Subscription::new(filter, QoS::ExactlyOnce)];
            self.client.subscribe(self.now, subscriptions, SubscribeProperties::default()).unwrap();
        }
    }

    fn open(&mut self) {
        if self.plan.forgets && self.random.one_in(3) {
            self.server.forget();
        }
        self.link = Link::Up;
        let window = |random: &mut Random| 1 + random.below(usize::from(self.plan.window)) as u16;
        self.server.handle_open(window(&mut self.random));
        self.client.options_mut().properties.receive_maximum = Some(window(&mut self.random));
        self.client.handle_open(self.now);
    }

    fn close(&mut self) {
        self.link = Link::Down;
        self.client.handle_close(self.now);
        self.server.handle_close();
        for buffer in
            [&mut self.upstream, &mut self.downstream, &mut self.client_input, &mut self.server_input]
        {
            buffer.clear();
        }
    }

    /// Some bytes each way.
    fn carry(&mut self) {
        self.upstream.unsplit(self.client.take_output().unwrap_or_default());
        self.downstream.unsplit(self.server.output.split());
        let up = self.random.below(self.upstream.len() + 1);
        let down = self.random.below(self.downstream.len() + 1);
        let left = self.plan.cuts.first().map_or(usize::MAX, |cut| cut - self.carried);
        if up + down < left {
            self.carried += up + down;
            self.deliver(up, down);
            return;
        }
        let up = up.min(left);
        self.deliver(up, left - up);
        self.carried = 0;
        self.plan.cuts.remove(0);
        if self.plan.goes_silent && self.random.one_in(3) {
            self.link = Link::Silent { since: self.now };
        } else {
            self.close();
        }
    }

    fn deliver(&mut self, up: usize, down: usize) {
        self.server_input.extend_from_slice(&self.upstream.split_to(up));
        self.server.handle_input(self.now, &mut self.server_input);
        self.client_input.extend_from_slice(&self.downstream.split_to(down));
        self.client.handle_input(self.now, &mut self.client_input).unwrap();
    }

    fn look_at_timers(&mut self) {
        if self.client.poll_timeout().is_some_and(|due| due <= self.now)
            && self.client.handle_timeout(self.now).is_err()
        {
            assert!(matches!(self.link, Link::Silent { .. }), "a link that works: {:?}", self.plan);
            self.close();
        }
        if self.server.poll_timeout().is_some_and(|due| due <= self.now) {
            // Only the server's end knows; the client has to find out by itself.
            assert!(matches!(self.link, Link::Silent { .. }), "a client that pings: {:?}", self.plan);
            self.server.handle_close();
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Message(publish) => self.received.push(number_of(&publish)),
                ClientEvent::Published { token, reason, .. } => {
                    assert_eq!(reason, ReasonCode::Success);
                    self.outcomes.push(token);
                }
                ClientEvent::Connected { .. } | ClientEvent::Subscribed { .. } | ClientEvent::Pong { .. } => {
                }
                ClientEvent::Challenge { .. }
                | ClientEvent::Reauthenticated { .. }
                | ClientEvent::Refused { .. }
                | ClientEvent::Unsubscribed { .. }
                | ClientEvent::Disconnected(_) => panic!("{event:?}"),
            }
        }
    }

    fn check(&mut self) {
        let plan = &self.plan;
        assert!(self.client.outbound.is_empty() && self.client.released.is_empty(), "leak: {plan:?}");
        assert_eq!(self.client.outbound.inflight_len(), 0, "{plan:?}");
        let mut outcomes = self.outcomes.clone();
        outcomes.sort_unstable();
        let mut tokens: Vec<Token> = self.published.keys().copied().collect();
        tokens.sort_unstable();
        assert_eq!(outcomes, tokens, "each message has one outcome: {plan:?}");
        check_delivery(&self.sent, &self.server.received, plan);
        if !plan.forgets {
            // A CONNACK that is lost may be the one that tells of a new session. Identifiers that the client holds
            // of the old one then meet messages of the new one, and nothing in the standard tells them apart.
            check_delivery(&self.server_sent, &self.received, plan);
        }
    }
}

/// QoS 0 at most once, 1 at least once, 2 exactly once, and the first times of 1 and 2 in order.
fn check_delivery(sent: &[(QoS, u32)], received: &[u32], plan: &Plan) {
    let mut times: HashMap<u32, usize> = HashMap::new();
    let mut first_times = Vec::new();
    for number in received {
        let count = times.entry(*number).or_default();
        *count += 1;
        if *count == 1 && sent[*number as usize].0 > QoS::AtMostOnce {
            first_times.push(*number);
        }
    }
    for (qos, number) in sent {
        let count = times.get(number).copied().unwrap_or_default();
        let is_right = match qos {
            QoS::AtMostOnce => count <= 1,
            QoS::AtLeastOnce => count >= 1,
            // What a server took over and forgot, it gets again.
            QoS::ExactlyOnce => count == 1 || (plan.forgets && count > 1),
        };
        assert!(is_right, "message {number} of {qos:?} came {count} times: {plan:?}");
    }
    assert!(first_times.is_sorted(), "order: {first_times:?} {plan:?}");
}

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        version: Version::V5,
        messages: 6,
        window: 3,
        cuts: Vec::new(),
        goes_silent: false,
        forgets: false,
    }
}

#[test]
fn a_link_that_breaks_at_any_byte_loses_and_repeats_nothing() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let whole = Plan { version, ..plan(1) };
        let len = Pair::run(whole.clone());
        assert!(len > 200, "{len} bytes are no conversation");
        for cut in 0..len {
            Pair::run(Plan { cuts: vec![cut], ..whole.clone() });
        }
    }
}

#[test]
fn a_link_that_breaks_twice_loses_and_repeats_nothing() {
    let len = Pair::run(plan(2));
    for first in (0..len).step_by(5) {
        for second in (0..len).step_by(7) {
            Pair::run(Plan { cuts: vec![first, second], ..plan(2) });
        }
    }
}

#[test]
fn links_that_break_again_and_again_lose_and_repeat_nothing() {
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let cuts = (0..random.below(30)).map(|_| random.below(300)).collect();
        Pair::run(Plan {
            version: random.pick(&[Version::V31, Version::V311, Version::V5]),
            messages: 1 + random.below(40) as u32,
            window: 1 + random.below(12) as u16,
            goes_silent: random.one_in(2),
            cuts,
            ..plan(seed)
        });
    }
}

#[test]
fn a_server_that_forgets_gets_each_message_all_the_same() {
    for seed in 0..1_000 {
        let mut random = Random::new(seed);
        let cuts = (0..random.below(12)).map(|_| random.below(300)).collect();
        Pair::run(Plan { messages: 20, forgets: true, cuts, ..plan(seed) });
    }
}
