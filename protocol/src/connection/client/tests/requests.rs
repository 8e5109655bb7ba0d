//! SUBSCRIBE and UNSUBSCRIBE.

use super::*;
use crate::TopicFilter;
use crate::packet::{
    SubAck, Subscribe, SubscribeProperties, Subscription, UnsubAck, Unsubscribe, UnsubscribeProperties,
};

fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).unwrap()
}

fn subscription(pattern: &str) -> Subscription {
    Subscription::new(filter(pattern), QoS::AtLeastOnce)
}

fn suback(number: u16, reasons: &[ReasonCode]) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: id(number),
        reasons: reasons.to_vec(),
        properties: Default::default(),
    })
}

fn unsuback(number: u16, reasons: &[ReasonCode]) -> Packet {
    Packet::UnsubAck(UnsubAck {
        packet_id: id(number),
        reasons: reasons.to_vec(),
        properties: Default::default(),
    })
}

impl Bench {
    fn subscribe(&mut self, filters: &[&str]) -> Result<Token, RequestError> {
        let subscriptions = filters.iter().map(|pattern| subscription(pattern)).collect();
        self.client.subscribe(self.now, subscriptions, SubscribeProperties::default())
    }

    fn unsubscribe(&mut self, pattern: &str) -> Result<Token, RequestError> {
        self.client.unsubscribe(self.now, vec![filter(pattern)], UnsubscribeProperties::default())
    }
}

#[test]
fn answers_come_with_the_token_of_their_request_in_any_order() {
    let mut bench = Bench::open_default();
    let first = bench.subscribe(&["a/#", "b"]).unwrap();
    let second = bench.subscribe(&["c"]).unwrap();
    let third = bench.unsubscribe("a/#").unwrap();
    assert_eq!(
        bench.sent()[0],
        Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscriptions: vec![subscription("a/#"), subscription("b")],
            properties: SubscribeProperties::default(),
        })
    );
    bench.hear(&unsuback(3, &[ReasonCode::NoSubscriptionExisted])).unwrap();
    bench.hear(&suback(2, &[ReasonCode::NotAuthorized])).unwrap();
    bench.hear(&suback(1, &[ReasonCode::GrantedQoS1, ReasonCode::Success])).unwrap();
    assert_eq!(
        bench.events(),
        [
            ClientEvent::Unsubscribed { token: third, reasons: vec![ReasonCode::NoSubscriptionExisted] },
            ClientEvent::Subscribed { token: second, reasons: vec![ReasonCode::NotAuthorized] },
            ClientEvent::Subscribed {
                token: first,
                reasons: vec![ReasonCode::GrantedQoS1, ReasonCode::Success]
            },
        ]
    );
    assert!(bench.client.outbound.is_empty() && bench.client.requests.is_empty());
}

#[test]
fn an_unsuback_of_version_3_has_no_reasons() {
    let options = ClientOptions { version: Version::V311, ..options() };
    let mut bench = Bench::open(options, ConnAckProperties::default());
    let token = bench.unsubscribe("a").unwrap();
    let unsubscribe = Unsubscribe {
        packet_id: id(1),
        filters: vec![filter("a")],
        properties: UnsubscribeProperties::default(),
    };
    assert_eq!(bench.sent(), [Packet::Unsubscribe(unsubscribe)]);
    bench.hear(&unsuback(1, &[])).unwrap();
    assert_eq!(bench.events(), [ClientEvent::Unsubscribed { token, reasons: vec![] }]);
}

#[test]
fn an_answer_that_does_not_fit_its_request_is_a_violation() {
    let two = [ReasonCode::Success; 2];
    for answer in [suback(1, &two), unsuback(1, &two[..1]), suback(2, &two[..1])] {
        let mut bench = Bench::open_default();
        bench.subscribe(&["a"]).unwrap();
        assert_eq!(bench.hear(&answer).unwrap_err().reason, ReasonCode::ProtocolError, "{answer:?}");
    }
}

#[test]
fn requests_are_not_sent_when_they_cannot_be() {
    let mut bench = Bench::new(options());
    assert_eq!(bench.subscribe(&["a"]), Err(RequestError::NotConnected));
    let properties = ConnAckProperties { packet_size_max: Some(30), ..Default::default() };
    bench.connect(false, properties);
    assert_eq!(bench.subscribe(&[]), Err(RequestError::Unsendable));
    assert_eq!(bench.unsubscribe("a/filter/that/is/too/long/for/this"), Err(RequestError::Unsendable));
    assert!(bench.client.outbound.is_empty(), "no identifier is lost");
    assert_eq!(bench.sent(), []);
    bench.subscribe(&["a"]).unwrap();
}

#[test]
fn requests_that_the_server_said_it_does_not_take_are_not_sent() {
    let properties = ConnAckProperties {
        wildcard_subscription_available: Some(false),
        shared_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        ..Default::default()
    };
    let mut bench = Bench::open(options(), properties);
    let unsupported = |reason| Err(RequestError::Unsupported(reason));
    assert_eq!(bench.subscribe(&["a/+"]), unsupported(ReasonCode::WildcardSubscriptionsNotSupported));
    assert_eq!(bench.subscribe(&["$share/s/a"]), unsupported(ReasonCode::SharedSubscriptionsNotSupported));
    let properties = SubscribeProperties { subscription_id: Some(1), ..Default::default() };
    let numbered = bench.client.subscribe(bench.now, vec![subscription("a")], properties);
    assert_eq!(numbered, unsupported(ReasonCode::SubscriptionIdentifiersNotSupported));
    bench.subscribe(&["a"]).unwrap();
}

#[test]
fn requests_end_with_the_connection_and_give_their_identifiers_back() {
    let mut bench = Bench::open_default();
    bench.subscribe(&["a"]).unwrap();
    bench.unsubscribe("b").unwrap();
    assert_eq!(bench.reconnect(true), (vec![], vec![]));
    assert!(bench.client.outbound.is_empty());
    assert_eq!(bench.hear(&suback(1, &[ReasonCode::Success])).unwrap_err().reason, ReasonCode::ProtocolError);
}
