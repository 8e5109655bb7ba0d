//! The birth certificates of a Sparkplug edge node among the topics that have been heard.

use hearth_protocol::TopicFilter;

use super::sparkplug::{self, Births, CERTIFICATES, Sender, is_topic};
use super::topics::{Topic, Topics};

/// The certificates that explain what is sent on a topic: of the edge node, then of its devices as they came. Those from before the
/// node was born anew are void.
fn certificates<'a>(topics: &'a Topics, sender: Sender<'_>) -> impl Iterator<Item = &'a Topic> {
    let node = newest(topics, &sender.node_birth());
    let prefix = sender.device_births();
    let devices = below(topics, format!("{CERTIFICATES}{prefix}")).chain(below(topics, prefix));
    let devices = devices.filter(|device| node.is_none_or(|node| is_since(device, node)));
    let mut devices: Vec<&Topic> = devices.collect();
    devices.sort_by(|a, b| a.at_ms().total_cmp(&b.at_ms()));
    node.into_iter().chain(devices)
}

/// A certificate as it came last, when it was published or from where the broker keeps it.
fn newest<'a>(topics: &'a Topics, name: &str) -> Option<&'a Topic> {
    let heard = topics.find(name).map(|id| topics.topic(id));
    let kept = topics.find(&format!("{CERTIFICATES}{name}")).map(|id| topics.topic(id));
    match (heard, kept) {
        (Some(heard), Some(kept)) if kept.at_ms() > heard.at_ms() => Some(kept),
        (heard, kept) => heard.or(kept),
    }
}

fn below(topics: &Topics, prefix: String) -> impl Iterator<Item = &Topic> {
    let first = topics.sorted().partition_point(|&id| topics.topic(id).name() < prefix.as_str());
    let topics = topics.sorted()[first..].iter().map(|&id| topics.topic(id));
    topics.take_while(move |topic| topic.name().starts_with(&prefix))
}

/// Whether a device was born since its node was: by the node's own clock where it says, since kept ones come in any order.
fn is_since(device: &Topic, node: &Topic) -> bool {
    match (sparkplug::timestamp(device.payload()), sparkplug::timestamp(node.payload())) {
        (Some(device), Some(node)) => device >= node,
        _ => device.at_ms() >= node.at_ms(),
    }
}

/// What to subscribe to for the certificates that explain what comes by a filter; none for what is not Sparkplug's.
pub fn filters(filter: &str) -> Vec<String> {
    let Some(sender) = Sender::of(filter).filter(|_| is_topic(filter)) else { return Vec::new() };
    let births = [sender.node_birth(), format!("{}+", sender.device_births())];
    let kept = births.each_ref().map(|filter| format!("{CERTIFICATES}{filter}"));
    let mut filters = [births, kept].concat();
    // `#` for all nodes has no room for a device behind it, and none is needed for all that follows.
    filters.retain(|filter| TopicFilter::try_from(filter.as_str()).is_ok());
    filters
}

/// Changes when a certificate comes that explains the topic.
pub fn mark(topics: &Topics, topic: &str) -> u64 {
    let sender = Sender::of(topic).filter(|_| is_topic(topic));
    sender.map_or(0, |sender| certificates(topics, sender).map(Topic::count).sum())
}

/// What the certificates say that explain a topic.
pub fn of(topics: &Topics, topic: &str) -> Births {
    let mut births = Births::default();
    let Some(sender) = Sender::of(topic).filter(|_| is_topic(topic)) else { return births };
    for certificate in certificates(topics, sender) {
        let is_own = Sender::of(certificate.name()).is_some_and(|own| own.device == sender.device);
        births.add(certificate.payload(), is_own);
    }
    births
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::sparkplug;
    use crate::state::topics::tests::message;

    /// A certificate, or data, with one Int8 metric: by name and alias, or by alias alone.
    fn metric(name: Option<&str>, alias: u8, value: u8) -> Vec<u8> {
        let name = name.map(|name| [&[0x0a, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat());
        let typed: &[u8] = if name.is_some() { &[0x20, 1] } else { &[] };
        let inner = [&name.unwrap_or_default(), &[0x10, alias][..], typed, &[0x50, value]].concat();
        [&[0x12, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
    }

    fn leaves(topics: &Topics, topic: &str) -> String {
        let births = of(topics, topic);
        let payload = topics.topic(topics.find(topic).unwrap()).payload();
        let leaves = sparkplug::read(payload, &births).unwrap().leaves();
        leaves.iter().map(|(path, leaf)| format!("{path}={leaf}")).collect()
    }

    #[test]
    fn the_certificates_of_a_node_and_of_its_devices_are_subscribed_to() {
        let both = [
            "spBv1.0/plant/NBIRTH/edge",
            "spBv1.0/plant/DBIRTH/edge/+",
            "$sparkplug/certificates/spBv1.0/plant/NBIRTH/edge",
            "$sparkplug/certificates/spBv1.0/plant/DBIRTH/edge/+",
        ];
        assert_eq!(filters("spBv1.0/plant/DDATA/edge/press"), both);
        assert_eq!(filters("spBv1.0/plant/NDATA/edge"), both);
        assert_eq!(
            filters("spBv1.0/plant/DDATA/+/press")[..2],
            ["spBv1.0/plant/NBIRTH/+", "spBv1.0/plant/DBIRTH/+/+"]
        );
        assert_eq!(
            filters("spBv1.0/plant/NDATA/#"),
            ["spBv1.0/plant/NBIRTH/#", "$sparkplug/certificates/spBv1.0/plant/NBIRTH/#"]
        );
        for other in ["home/lamp", "spBv1.0/#", "#"] {
            assert_eq!(filters(other), [""; 0], "{other}");
        }
    }

    /// A payload made at a time, in seconds.
    fn made(at: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x08, at], payload].concat()
    }

    #[test]
    fn what_the_broker_keeps_explains_what_came_since_in_whatever_order_it_is_told() {
        let mut topics = Topics::default();
        let data = "spBv1.0/plant/DDATA/edge/press";
        let node = "spBv1.0/plant/NBIRTH/edge";
        let device = "spBv1.0/plant/DBIRTH/edge/press";
        let kept = |name: &str| format!("{CERTIFICATES}{name}");
        let birth = |at, name| made(at, &metric(Some(name), 7, 0));
        topics.record(&message(data, &metric(None, 7, 5), false), 1.0);
        // Of an earlier life of the node.
        topics.record(&message(&kept("spBv1.0/plant/DBIRTH/edge/old"), &birth(1, "old"), true), 2.0);
        topics.record(&message(&kept(device), &birth(3, "speed"), true), 2.0);
        topics.record(&message(&kept(node), &made(2, &metric(Some("up"), 1, 1)), true), 3.0);
        topics.merge();
        assert_eq!(leaves(&topics, data), "/metrics/speed=5");
        // Both come, by either subscription first.
        topics.record(&message(node, &made(9, &metric(Some("up"), 1, 1)), false), 4.0);
        topics.merge();
        assert_eq!(leaves(&topics, data), "/metrics/alias 7=5", "the node was born anew");
        topics.record(&message(device, &birth(9, "pace"), false), 4.0);
        topics.merge();
        assert_eq!(leaves(&topics, data), "/metrics/pace=5");
        topics.record(&message(&kept(device), &birth(9, "pace"), false), 4.0);
        topics.record(&message(&kept(node), &made(9, &metric(Some("up"), 1, 1)), false), 4.0);
        topics.merge();
        assert_eq!(leaves(&topics, data), "/metrics/pace=5");
        assert_eq!(leaves(&topics, &kept(device)), "/timestamp=9/metrics/pace=0");
        // Born anew while the page was away.
        topics.record(&message(&kept(device), &birth(10, "step"), true), 5.0);
        assert_eq!(leaves(&topics, data), "/metrics/step=5");
    }

    #[test]
    fn aliases_belong_to_the_edge_node_until_it_is_born_anew() {
        let mut topics = Topics::default();
        let data = "spBv1.0/plant/DDATA/edge/press";
        topics.record(&message(data, &metric(None, 7, 5), false), 1.0);
        topics.merge();
        let unborn = mark(&topics, data);
        assert_eq!(leaves(&topics, data), "/metrics/alias 7=5");

        topics.record(&message("spBv1.0/plant/NBIRTH/edge", &metric(Some("up"), 1, 1), false), 2.0);
        topics.record(&message("spBv1.0/plant/DBIRTH/edge/press", &metric(Some("speed"), 7, 0), false), 3.0);
        // Other nodes have aliases of their own.
        topics.record(&message("spBv1.0/plant/DBIRTH/edge2/press", &metric(Some("x"), 7, 0), false), 3.0);
        topics.record(&message("spBv1.0/other/DBIRTH/edge/press", &metric(Some("y"), 7, 0), false), 3.0);
        topics.merge();
        assert_ne!(mark(&topics, data), unborn);
        assert_eq!(leaves(&topics, data), "/metrics/speed=5");

        topics.record(&message("spBv1.0/plant/NBIRTH/edge", &metric(Some("up"), 1, 1), false), 4.0);
        assert_eq!(leaves(&topics, data), "/metrics/alias 7=5");
        assert_eq!(mark(&topics, "home/lamp"), 0);
    }
}
