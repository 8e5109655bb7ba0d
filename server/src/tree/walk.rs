//! A way through a part of the tree, with the name of where it is.

use super::index::Index;
use super::node::NodeId;

/// Goes from node to node, what is below first. It takes no memory but for the name.
pub(super) struct Walk<'a> {
    index: &'a Index,
    top: NodeId,
    at: NodeId,
    /// Of the node where it is.
    name: String,
    is_over: bool,
}

impl<'a> Walk<'a> {
    /// Begins at a node with this name; the name of the whole tree is empty.
    pub(super) fn new(index: &'a Index, top: NodeId, name: &str) -> Self {
        Self { index, top, at: top, name: name.to_owned(), is_over: false }
    }

    /// Where it is; `None` when it has been everywhere.
    pub(super) fn here(&self) -> Option<(NodeId, &str)> {
        (!self.is_over).then_some((self.at, self.name.as_str()))
    }

    /// Goes to the first child, or on where there is none.
    pub(super) fn enter(&mut self) {
        match self.index[self.at].first_child.some() {
            Some(child) => {
                if self.at != NodeId::ROOT {
                    self.name.push('/');
                }
                self.come_to(child);
            }
            None => self.pass(),
        }
    }

    /// Goes on without a look at what is below.
    pub(super) fn pass(&mut self) {
        while self.at != self.top {
            let node = &self.index[self.at];
            self.name.truncate(self.name.len() - node.level.len());
            if let Some(next) = node.next.some() {
                self.come_to(next);
                return;
            }
            // The stroke before it; the levels of the top have none.
            self.name.pop();
            self.at = node.parent;
        }
        self.is_over = true;
    }

    fn come_to(&mut self, node: NodeId) {
        self.name.push_str(&self.index[node].level);
        self.at = node;
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::{Bounds, News};
    use super::super::node::Moment;
    use super::*;

    #[test]
    fn it_comes_to_every_node_once_and_knows_its_name() {
        let mut index = Index::new(Bounds { topics_max: 100, bytes_max: 1 << 20 });
        let topics = ["a/b/c", "a/b", "a//d", "/", "x", "ä/ö"];
        for topic in topics {
            let at = Moment::NEVER;
            index.take(News { topic, messages: 1, at, payload_len: 0, preview: b"", is_retained: None });
        }
        let names = |top: NodeId, name: &str| {
            let mut walk = Walk::new(&index, top, name);
            let mut names = Vec::new();
            while let Some((node, name)) = walk.here() {
                assert!(node == NodeId::ROOT || index.find(name) == Some(node), "{name}");
                names.push(name.to_owned());
                walk.enter();
            }
            names.sort();
            names
        };
        let all = ["", "", "/", "a", "a/", "a//d", "a/b", "a/b/c", "x", "ä", "ä/ö"];
        assert_eq!(names(NodeId::ROOT, ""), all);
        assert_eq!(names(index.find("a").unwrap(), "a"), ["a", "a/", "a//d", "a/b", "a/b/c"]);
        let mut walk = Walk::new(&index, index.find("a").unwrap(), "a");
        walk.pass();
        assert_eq!(walk.here(), None);
    }
}
