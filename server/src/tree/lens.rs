//! The tree as one client may see it.

use super::index::Index;
use super::node::{NodeId, Traffic};
use super::walk::Walk;

/// Answers whether a client may see every topic that a filter matches.
pub(super) type MaySee<'a> = &'a dyn Fn(&str) -> bool;

/// What a client sees of the tree: nothing of what it may not read, neither names nor counts.
pub(super) struct Lens<'a> {
    index: &'a Index,
    may_see: MaySee<'a>,
    /// Everything that does not begin with `$`.
    sees_all: bool,
}

/// What a client sees of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sight {
    pub(super) traffic: Traffic,
    pub(super) topics: u32,
    pub(super) children: u32,
    /// Whether it may see the node as a topic.
    pub(super) has_value: bool,
}

impl<'a> Lens<'a> {
    pub(super) fn new(index: &'a Index, may_see: MaySee<'a>) -> Self {
        Self { index, may_see, sees_all: may_see("#") }
    }

    /// Whether it may see everything below a branch with this name; `None` stands for the whole tree.
    pub(super) fn is_whole(&self, name: Option<&str>) -> bool {
        let Some(name) = name else { return self.sees_all };
        if self.sees_all && !name.starts_with('$') {
            return true;
        }
        let ends = name.match_indices('/').map(|(end, _)| end).chain([name.len()]);
        ends.map(|end| format!("{}/#", &name[..end])).any(|filter| (self.may_see)(&filter))
    }

    /// What it sees of a node, whose branch it may see whole or not.
    pub(super) fn look(&self, node: NodeId, name: &str, is_whole: bool) -> Sight {
        if !is_whole {
            return self.look_closely(node, name);
        }
        let at = &self.index[node];
        let mut children = at.children;
        if node == NodeId::ROOT
            && self.system().is_some_and(|system| self.look_at_child(system, "$SYS", true).topics == 0)
        {
            children -= 1;
        }
        Sight { traffic: at.traffic, topics: at.topics, children, has_value: at.value.is_some() }
    }

    /// What it sees of a child of a branch that it may see whole or not.
    pub(super) fn look_at_child(&self, child: NodeId, name: &str, is_whole: bool) -> Sight {
        // The whole tree is what does not begin with `$`.
        let is_whole = (is_whole && !name.starts_with('$')) || self.is_whole(Some(name));
        self.look(child, name, is_whole)
    }

    fn system(&self) -> Option<NodeId> {
        self.index.child(NodeId::ROOT, "$SYS")
    }

    fn look_closely(&self, node: NodeId, name: &str) -> Sight {
        let mut sight = Sight::default();
        // The child in which it is, once something was seen there.
        let mut is_child_seen = false;
        let mut walk = Walk::new(self.index, node, name);
        while let Some((at, name)) = walk.here() {
            let here = &self.index[at];
            if here.parent == node && at != node {
                is_child_seen = false;
            }
            if node == NodeId::ROOT && here.parent == node && here.level.starts_with('$') {
                sight.children += u32::from(self.look_at_child(at, name, false).topics > 0);
                walk.pass();
                continue;
            }
            let is_whole = at != NodeId::ROOT && (self.may_see)(&format!("{name}/#"));
            let is_topic = here.value.is_some() && (is_whole || (self.may_see)(name));
            if at == node {
                sight.has_value = is_topic;
            }
            if is_whole {
                sight.traffic += here.traffic;
                sight.topics += here.topics;
            } else if let Some(value) = here.value.as_ref().filter(|_| is_topic) {
                sight.traffic += value.traffic;
                sight.topics += 1;
            }
            if at == node && is_whole {
                sight.children = here.children;
                return sight;
            }
            if at != node && (is_whole || is_topic) && !is_child_seen {
                is_child_seen = true;
                sight.children += 1;
            }
            if is_whole { walk.pass() } else { walk.enter() }
        }
        sight
    }

    /// Whether it may see a topic.
    pub(super) fn sees_topic(&self, name: &str) -> bool {
        (self.sees_all && !name.starts_with('$')) || (self.may_see)(name)
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::{TopicFilter, TopicName, topic};

    use super::super::index::{Bounds, News};
    use super::super::node::Moment;
    use super::*;

    fn tree() -> Index {
        let mut index = Index::new(Bounds { topics_max: 100, bytes_max: 1 << 20 });
        for name in ["home/hall/lamp", "home/hall", "home/bath/lamp", "safe/code", "$SYS/uptime", "x"] {
            let at = Moment::NEVER;
            index.take(News {
                topic: name,
                messages: 2,
                at,
                payload_len: 0,
                preview: b"",
                is_retained: None,
            });
        }
        index
    }

    /// May see what these filters match.
    fn only(filters: &'static [&'static str]) -> impl Fn(&str) -> bool {
        move |asked| {
            assert!(TopicFilter::try_from(asked).is_ok(), "{asked}");
            filters.iter().any(|filter| {
                *filter == asked
                    || (TopicName::try_from(asked).is_ok() && topic::matches(filter, asked))
                    || filter
                        .strip_suffix("/#")
                        .is_some_and(|top| asked.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')))
            })
        }
    }

    /// Topics, messages, children and whether it is a topic.
    fn look(filters: &'static [&'static str], name: Option<&str>) -> (u32, u64, u32, bool) {
        let index = tree();
        let may_see = only(filters);
        let lens = Lens::new(&index, &may_see);
        let node = name.map_or(NodeId::ROOT, |name| index.find(name).unwrap());
        let sight = lens.look(node, name.unwrap_or_default(), lens.is_whole(name));
        (sight.topics, sight.traffic.messages, sight.children, sight.has_value)
    }

    #[test]
    fn whoever_may_see_everything_sees_the_index_as_it_is() {
        assert_eq!(look(&["#", "$SYS/#"], None), (5, 10, 4, false));
        assert_eq!(look(&["#"], None), (5, 10, 3, false));
        assert_eq!(look(&["#"], Some("$SYS")), (0, 0, 0, false));
        assert_eq!(look(&["#", "$SYS/#"], Some("$SYS")), (1, 2, 1, false));
        assert_eq!(look(&["#"], Some("home/hall")), (2, 4, 1, true));
    }

    #[test]
    fn others_see_the_sum_of_what_they_may_read_and_no_more() {
        assert_eq!(look(&["home/#"], None), (3, 6, 1, false));
        assert_eq!(look(&["home/#"], Some("home/hall")), (2, 4, 1, true));
        assert_eq!(look(&["home/#"], Some("safe")), (0, 0, 0, false));
        assert_eq!(look(&["home/+/lamp"], None), (2, 4, 1, false));
        assert_eq!(look(&["home/+/lamp"], Some("home")), (2, 4, 2, false));
        assert_eq!(look(&["home/+/lamp"], Some("home/hall")), (1, 2, 1, false));
        assert_eq!(look(&["home/hall"], Some("home")), (1, 2, 1, false));
        assert_eq!(look(&["home/hall"], Some("home/hall")), (1, 2, 0, true));
        assert_eq!(look(&["$SYS/uptime", "x"], None), (1, 2, 2, false));
        assert_eq!(look(&[], None), (0, 0, 0, false));
    }
}
