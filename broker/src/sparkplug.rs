//! Sparkplug's birth certificates, which nobody retains and without which nothing that follows them can be read: where they are kept
//! for those who come later (Eclipse Sparkplug 3.0.0, tck-id-conformance-mqtt-aware-store).

use hearth_protocol::TopicName;

/// The first level of what Sparkplug publishes.
const NAMESPACE: &str = "spBv1.0/";

/// Before the topic of a certificate where that is kept.
const CERTIFICATES: &str = "$sparkplug/certificates/";

/// The topic under which a message is kept, where it is the birth certificate of an edge node or of a device
/// (tck-id-conformance-mqtt-aware-nbirth-mqtt-topic, tck-id-conformance-mqtt-aware-dbirth-mqtt-topic).
pub(crate) fn certificate(topic: &TopicName) -> Option<TopicName> {
    // Nothing more for all others: every message passes here.
    let name = topic.as_str();
    let mut levels = name.strip_prefix(NAMESPACE)?.split('/');
    let kind = levels.nth(1)?;
    let is_birth = match levels.count() {
        1 => kind == "NBIRTH",
        2 => kind == "DBIRTH",
        _ => false,
    };
    is_birth.then(|| TopicName::try_from(format!("{CERTIFICATES}{name}").as_str()).ok()).flatten()
}

/// Whether a topic is where a certificate is kept, or beside it.
pub(crate) fn is_kept(topic: &TopicName) -> bool {
    // Every message passes here too.
    let name = topic.as_str();
    name.starts_with('$') && name.starts_with(CERTIFICATES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_births_are_kept_each_under_its_own_name() {
        for (topic, is_birth) in [
            ("spBv1.0/plant/NBIRTH/edge", true),
            ("spBv1.0/plant/DBIRTH/edge/press", true),
            ("spBv1.0/plant/NBIRTH/edge/press", false),
            ("spBv1.0/plant/DBIRTH/edge", false),
            ("spBv1.0/plant/DBIRTH/edge/press/x", false),
            ("spBv1.0/NBIRTH/plant/edge", false),
            ("spBv1.0/plant/NDATA/edge", false),
            ("spBv1.0/plant", false),
            ("spBv2.0/plant/NBIRTH/edge", false),
            ("$sparkplug/certificates/spBv1.0/plant/NBIRTH/edge", false),
        ] {
            let kept = certificate(&TopicName::try_from(topic).unwrap());
            let expected = is_birth.then(|| format!("$sparkplug/certificates/{topic}"));
            assert_eq!(kept.as_ref().map(TopicName::as_str), expected.as_deref(), "{topic}");
            assert!(kept.is_none_or(|kept| is_kept(&kept)));
        }
    }
}
