//! Who looks at the live tree, and what is shown to them.

use super::*;
use crate::{Told, ViewId, Viewing};

fn with_tree(limits: Limits) -> Broker {
    Broker::with_options(1, limits, Options { tree: true, ..Options::default() })
}

/// Who began to look since the last call: filters and names.
fn begun(broker: &mut Broker) -> Vec<Viewing> {
    let taken = std::mem::take(&mut broker.views);
    let begins = |change| match change {
        ViewChange::Begins(viewing) => Some(*viewing),
        ViewChange::Ends(_) | ViewChange::Missed(_) => None,
    };
    taken.into_iter().filter_map(begins).collect()
}

fn show(broker: &mut Broker, id: ViewId, payload: &'static str) {
    let topic = TopicName::try_from("$hearth/tree/a").unwrap();
    let now = broker.now;
    broker.shards[0]
        .handle_told(now, vec![Told { id, topic, payload: Bytes::from_static(payload.as_bytes()) }]);
    broker.run();
}

#[test]
fn a_look_begins_with_its_subscription_and_ends_with_it_or_with_the_connection() {
    let mut broker = with_tree(Limits::default());
    let page = broker.client(persistent("page"));
    assert!(!broker.subscribe(page, filter("$hearth/tree/+", QoS::ExactlyOnce)).is_failure());
    assert!(!broker.subscribe(page, filter("home/#", QoS::AtMostOnce)).is_failure());
    let first = begun(&mut broker);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0].filter.as_str(), &*first[0].client_id), ("$hearth/tree/+", "page"));
    broker.subscribe(page, filter("$hearth/tree/+", QoS::AtMostOnce));
    assert_eq!(broker.views[0], ViewChange::Ends(first[0].id), "another takes its place");
    let second = begun(&mut broker);
    assert_ne!(second[0].id, first[0].id);
    broker.cut(page);
    assert_eq!(std::mem::take(&mut broker.views), [ViewChange::Ends(second[0].id)]);
    broker.connect(page);
    assert_eq!(begun(&mut broker), second, "the client is back with its session");
    let now = broker.now;
    let filters = vec![TopicFilter::try_from("$hearth/tree/+").unwrap()];
    broker.clients[page].unsubscribe(now, filters, Default::default()).unwrap();
    broker.run();
    assert_eq!(broker.views, [ViewChange::Ends(second[0].id)]);
}

#[test]
fn a_look_that_was_kept_begins_again_with_the_next_broker() {
    let options = || Options { tree: true, ..Options::default() };
    let mut broker = Broker::with_options(1, Limits::default(), options());
    let page = broker.client(persistent("page"));
    broker.subscribe(page, filter("$hearth/tree/+", QoS::AtMostOnce));
    let disk = broker.disk.take();
    let mut broker = Broker::with_disk(1, Limits::default(), options(), AllowAll, disk);
    assert_eq!(begun(&mut broker), [], "nobody is there yet");
    broker.client(persistent("page"));
    let begun = begun(&mut broker);
    assert_eq!(begun.iter().map(|viewing| viewing.filter.as_str()).collect::<Vec<_>>(), ["$hearth/tree/+"]);
}

#[test]
fn what_is_shown_goes_to_who_looks_and_to_nobody_else() {
    let mut broker = with_tree(Limits::default());
    let (page, other) = (broker.client(options("page")), broker.client(options("other")));
    broker.subscribe_with_id(page, filter("$hearth/tree/#", QoS::ExactlyOnce), Some(7));
    broker.subscribe(other, filter("$hearth/tree/#", QoS::AtMostOnce));
    let looks = begun(&mut broker);
    show(&mut broker, looks[0].id, "{}");
    let shown = broker.messages(page);
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].qos, shown[0].retain, &shown[0].payload[..]), (QoS::AtMostOnce, false, &b"{}"[..]));
    assert_eq!(shown[0].properties.as_ref().unwrap().subscription_ids, [7]);
    assert_eq!(broker.messages(other).len(), 0);
    broker.cut(page);
    broker.views.clear();
    show(&mut broker, looks[0].id, "{}");
    assert_eq!(broker.views, [], "it is over");
}

#[test]
fn a_client_that_does_not_keep_up_misses_what_is_shown_and_the_look_hears_of_it() {
    let mut broker = with_tree(Limits { output_bytes_max: 1000, ..Limits::default() });
    let page = broker.client(persistent("page"));
    broker.subscribe(page, filter("$hearth/tree/#", QoS::AtMostOnce));
    let look = begun(&mut broker).remove(0);
    let link = broker.links[&page];
    broker.stalled.insert(link);
    const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    for _ in 0..10 {
        show(&mut broker, look.id, LONG);
    }
    let missed = std::mem::take(&mut broker.views);
    assert!(
        missed.len() >= 7 && missed.iter().all(|change| *change == ViewChange::Missed(look.id)),
        "{missed:?}"
    );
    assert_eq!(broker.dropped(DropReason::OutputFull), 0, "that is no loss");
    broker.unstall(link);
    show(&mut broker, look.id, "now");
    assert_eq!(broker.payloads(page).last().map(|payload| &payload[..]), Some(&b"now"[..]));
    assert_eq!(broker.views, []);
}

#[test]
fn a_session_has_so_many_looks_and_each_is_read_before_it_is_taken() {
    let mut broker = with_tree(Limits { views_per_session_max: 1, ..Limits::default() });
    let page = broker.client(options("page"));
    assert_eq!(broker.subscribe(page, filter("$hearth/tree/a", QoS::AtMostOnce)), ReasonCode::Success);
    assert_eq!(
        broker.subscribe(page, filter("$hearth/tree/a", QoS::AtMostOnce)),
        ReasonCode::Success,
        "the same"
    );
    assert_eq!(broker.subscribe(page, filter("$hearth/tree/b", QoS::AtMostOnce)), ReasonCode::QuotaExceeded);
    assert_eq!(broker.limited(Limit::ViewsOfSession), 1);
    assert_eq!(broker.subscribe(page, filter("$hearth/x", QoS::AtMostOnce)), ReasonCode::TopicFilterInvalid);
    let shared = filter("$share/a/$hearth/tree/a", QoS::AtMostOnce);
    assert_eq!(broker.subscribe(page, shared), ReasonCode::TopicFilterInvalid);
    let mut without = Broker::new(1);
    let page = without.client(options("page"));
    let code = without.subscribe(page, filter("$hearth/tree/a", QoS::AtMostOnce));
    assert_eq!(code, ReasonCode::ImplementationSpecificError);
    assert_eq!(without.views, []);
}
