//! Random scenarios beside a model that is too simple to be wrong.

use std::collections::BTreeMap;

use super::*;

/// A xorshift generator: the same seed, the same sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn qos(&mut self) -> QoS {
        ALL_QOS[self.below(3)]
    }

    fn levels(&mut self, choices: &[&str]) -> String {
        let levels: Vec<&str> = (0..=self.below(3)).map(|_| choices[self.below(choices.len())]).collect();
        levels.join("/")
    }

    fn topic(&mut self) -> TopicName {
        TopicName::try_from(&*self.levels(&["a", "b", "c"])).unwrap()
    }

    fn filter(&mut self) -> TopicFilter {
        let levels = self.levels(&["a", "b", "+", "c"]);
        TopicFilter::try_from(&*if self.below(3) == 0 { levels + "/#" } else { levels }).unwrap()
    }
}

/// Topic, payload, QoS and retain flag of a message as a client gets it.
type Got = (String, Bytes, QoS, bool);

#[derive(Default)]
struct ModelClient {
    subscriptions: BTreeMap<String, (TopicFilter, QoS)>,
    is_away: bool,
    missed: Vec<Got>,
}

struct Scenario {
    random: Random,
    broker: Broker,
    clients: Vec<ModelClient>,
    retained: BTreeMap<TopicName, (Bytes, QoS)>,
}

impl Scenario {
    fn new(seed: u64) -> Self {
        let mut broker = Broker::new(3);
        let clients = (0..8)
            .map(|number| {
                let mut options = persistent(&format!("client {number}"));
                if number % 2 == 0 {
                    options.version = Version::V311;
                    options.properties = ConnectProperties::default();
                }
                assert_eq!(broker.client(options), number);
                ModelClient::default()
            })
            .collect();
        Self { random: Random(seed), broker, clients, retained: BTreeMap::new() }
    }

    fn got(&mut self, client: usize) -> Vec<Got> {
        let got = self.broker.messages(client).into_iter();
        got.map(|publish| (publish.topic.as_str().to_owned(), publish.payload, publish.qos, publish.retain))
            .collect()
    }

    fn step(&mut self) {
        let client = self.random.below(self.clients.len());
        if self.clients[client].is_away {
            self.come_back(client);
            return;
        }
        match self.random.below(8) {
            0 | 1 => self.subscribe(client),
            2 => self.unsubscribe(client),
            3 => {
                self.broker.cut(client);
                self.clients[client].is_away = true;
            }
            _ => self.publish(client),
        }
    }

    fn subscribe(&mut self, client: usize) {
        let (filter, qos) = (self.random.filter(), self.random.qos());
        self.broker.subscribe(client, Subscription::new(filter.clone(), qos));
        let mut got = self.got(client);
        got.sort();
        let retained = self.retained.iter().filter(|(topic, _)| filter.matches(topic));
        let expected: Vec<Got> = retained
            .map(|(topic, (payload, of_message))| {
                (topic.as_str().to_owned(), payload.clone(), qos.min(*of_message), true)
            })
            .collect();
        assert_eq!(got, expected, "retained messages for {filter}");
        self.clients[client].subscriptions.insert(filter.as_str().to_owned(), (filter, qos));
    }

    fn unsubscribe(&mut self, client: usize) {
        let Some((_, (filter, _))) = self.clients[client].subscriptions.pop_first() else { return };
        let now = self.broker.now;
        self.broker.clients[client].unsubscribe(now, vec![filter], Default::default()).unwrap();
        self.broker.run();
    }

    fn publish(&mut self, publisher: usize) {
        let (topic, qos, retain) = (self.random.topic(), self.random.qos(), self.random.below(4) == 0);
        let payload = match self.random.below(5) {
            0 => Bytes::new(),
            number => Bytes::from(number.to_string()),
        };
        let publish = Publish { retain, payload: payload.clone(), ..message(topic.as_str(), "", qos) };
        self.broker.publish(publisher, publish);
        if retain && payload.is_empty() {
            self.retained.remove(&topic);
        } else if retain {
            self.retained.insert(topic.clone(), (payload.clone(), qos));
        }
        for client in 0..self.clients.len() {
            let model = &mut self.clients[client];
            let matching = model.subscriptions.values().filter(|(filter, _)| filter.matches(&topic));
            let expected = matching
                .map(|(_, subscribed)| qos.min(*subscribed))
                .max()
                .map(|qos| (topic.as_str().to_owned(), payload.clone(), qos, false));
            if model.is_away {
                model.missed.extend(expected.filter(|(_, _, qos, _)| *qos > QoS::AtMostOnce));
            } else {
                assert_eq!(self.got(client), Vec::from_iter(expected), "{topic} for client {client}");
            }
        }
    }

    fn come_back(&mut self, client: usize) {
        self.broker.connect(client);
        self.clients[client].is_away = false;
        let missed = std::mem::take(&mut self.clients[client].missed);
        assert_eq!(self.got(client), missed, "what client {client} missed");
    }
}

#[test]
fn three_shards_do_what_a_list_of_subscriptions_would_do() {
    for seed in 1..=40 {
        let mut scenario = Scenario::new(seed);
        for _ in 0..150 {
            scenario.step();
        }
        let subscriptions: usize = scenario.clients.iter().map(|client| client.subscriptions.len()).sum();
        assert_eq!(
            scenario.broker.count(|stats| stats.subscriptions as u64),
            subscriptions as u64,
            "seed {seed}"
        );
        assert_eq!(
            scenario.broker.shared.retained_size(scenario.broker.now).0,
            scenario.retained.len(),
            "seed {seed}"
        );
    }
}
