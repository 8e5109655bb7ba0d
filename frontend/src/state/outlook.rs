//! What of the topics a person looks at, as it stands in the address: the filter, list or tree, and what orders the tree.

use super::settings::Shape;
use super::topic_tree::Order;
use crate::route::{Route, decode, encode};

/// What is shown of all topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The filter.
    pub query: String,
    /// List or tree; `None`: as the person had it last.
    pub layout: Option<(Shape, Order)>,
}

impl Outlook {
    /// Reads an address with the leading `#`; `None` where it says nothing of this.
    pub fn of(address: &str) -> Option<Self> {
        let query = address.strip_prefix("#/topics?")?;
        let value = |name: &str| {
            query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(decode))
        };
        let order = Order::of(&value("by").unwrap_or_default());
        let layout = value("as").map(|word| (Shape::of(&word), order));
        Some(Self { query: value("find").unwrap_or_default(), layout })
    }

    /// The address, with the leading `#`. A list is what an address without a layout shows to most, and stays unsaid.
    pub fn address(&self) -> String {
        let mut parts = Vec::new();
        if !self.query.is_empty() {
            parts.push(format!("find={}", encode(&self.query)));
        }
        match self.layout {
            Some((Shape::Tree, order)) => {
                parts.extend([format!("as={}", Shape::Tree.as_str()), format!("by={}", order.as_str())]);
            }
            Some((Shape::List, _)) if !parts.is_empty() => parts.push(format!("as={}", Shape::List.as_str())),
            Some((Shape::List, _)) | None => {}
        }
        let page = Route::Topics.href();
        if parts.is_empty() { page } else { format!("{page}?{}", parts.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_comes_back_from_its_address() {
        for (query, layout, address) in [
            ("", None, "#/topics"),
            ("", Some((Shape::List, Order::Name)), "#/topics"),
            ("lamp", Some((Shape::List, Order::Name)), "#/topics?find=lamp&as=list"),
            ("", Some((Shape::Tree, Order::Traffic)), "#/topics?as=tree&by=traffic"),
            (
                "a b/# 5&1=ü",
                Some((Shape::Tree, Order::Name)),
                "#/topics?find=a%20b/%23%205%261%3D%C3%BC&as=tree&by=name",
            ),
        ] {
            let outlook = Outlook { query: query.to_owned(), layout };
            assert_eq!(outlook.address(), address);
            assert_eq!(Route::parse(address), Route::Topics);
            if address.contains('?') {
                assert_eq!(Outlook::of(address), Some(outlook));
            }
        }
        for other in ["#/topics", "#/topics/a?find=b", "#/retained?find=b", ""] {
            assert_eq!(Outlook::of(other), None, "{other}");
        }
        assert_eq!(Outlook::of("#/topics?find=%"), Some(Outlook { query: "%".to_owned(), layout: None }));
    }
}
