//! The birth certificates of a Sparkplug edge node among the topics that have been heard.

use hearth_protocol::TopicFilter;

use super::sparkplug::{Births, Sender, is_topic};
use super::topics::{Topic, Topics};

/// The certificates that explain what is sent on a topic: of the edge node, then of its devices. Those from before the
/// node was born anew are void.
fn certificates<'a>(topics: &'a Topics, sender: Sender<'_>) -> impl Iterator<Item = &'a Topic> {
    let node = topics.find(&sender.node_birth()).map(|id| topics.topic(id));
    let born_ms = node.map_or(f64::MIN, Topic::at_ms);
    let prefix = sender.device_births();
    let first = topics.sorted().partition_point(|&id| topics.topic(id).name() < prefix.as_str());
    let devices = topics.sorted()[first..]
        .iter()
        .map(|&id| topics.topic(id))
        .take_while(move |topic| topic.name().starts_with(&prefix))
        .filter(move |topic| topic.at_ms() >= born_ms);
    node.into_iter().chain(devices)
}

/// What to subscribe to for the certificates that explain what comes by a filter; none for what is not Sparkplug's.
pub fn filters(filter: &str) -> Vec<String> {
    let Some(sender) = Sender::of(filter).filter(|_| is_topic(filter)) else { return Vec::new() };
    let mut filters = vec![sender.node_birth(), format!("{}+", sender.device_births())];
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
        let both = ["spBv1.0/plant/NBIRTH/edge", "spBv1.0/plant/DBIRTH/edge/+"];
        assert_eq!(filters("spBv1.0/plant/DDATA/edge/press"), both);
        assert_eq!(filters("spBv1.0/plant/NDATA/edge"), both);
        assert_eq!(
            filters("spBv1.0/plant/DDATA/+/press"),
            ["spBv1.0/plant/NBIRTH/+", "spBv1.0/plant/DBIRTH/+/+"]
        );
        assert_eq!(filters("spBv1.0/plant/NDATA/#"), ["spBv1.0/plant/NBIRTH/#"]);
        for other in ["home/lamp", "spBv1.0/#", "#"] {
            assert_eq!(filters(other), [""; 0], "{other}");
        }
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
