//! A search that the broker does among all of its topics, kept up to date while it is shown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use hearth_api::{TreeFound, TreeRow};
use yew::prelude::*;

use super::use_hub;
use crate::catalogue::reason;
use crate::services::hub::Hub;

/// Milliseconds without another letter before the broker is asked.
const TYPED_MS: u32 = 150;

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    filters: Vec<String>,
    found: BTreeMap<String, Rc<TreeFound>>,
    /// Why there is nothing, where the broker refused or sent what cannot be read.
    pub trouble: Option<String>,
}

impl Search {
    /// The rows of all filters.
    pub fn rows(&self) -> impl Iterator<Item = &TreeRow> {
        self.filters.iter().filter_map(|filter| self.found.get(filter)).flat_map(|found| &found.rows)
    }

    /// How many topics answer the first filter.
    pub fn total(&self) -> u32 {
        self.filters.first().and_then(|first| self.found.get(first)).map_or(0, |found| found.total)
    }

    fn is_answered(&self) -> bool {
        self.trouble.is_some() || self.found.len() == self.filters.len()
    }
}

/// Looks at these filters. What was found for others stays until these are answered; whether they are, is told too.
#[hook]
pub fn use_search(filters: Vec<String>) -> (Search, bool) {
    let hub = use_hub();
    let search = use_state(Search::default);
    {
        let search = search.setter();
        use_effect_with((hub, filters.clone()), move |(hub, filters)| {
            let (hub, filters) = (hub.clone(), filters.clone());
            let running = Rc::new(RefCell::new(None));
            let begun = Rc::clone(&running);
            let timer = Timeout::new(TYPED_MS, move || {
                begun.replace(Some(begin(&hub, filters, search)));
            });
            move || {
                drop(timer);
                drop(running.take());
            }
        });
    }
    let is_current = search.filters == filters;
    ((*search).clone(), is_current)
}

/// Asks, and tells what comes until the answer is dropped.
fn begin(hub: &Hub, filters: Vec<String>, search: UseStateSetter<Search>) -> impl Sized + use<> {
    let watches: Vec<_> = filters.iter().map(|filter| hub.watch(filter)).collect();
    if filters.is_empty() {
        search.set(Search::default());
    }
    let state = RefCell::new(Search { filters, ..Search::default() });
    let watched = hub.clone();
    let subscription = hub.frames().subscribe(move || {
        let mut state = state.borrow_mut();
        if take_in(&mut state, &watched) && state.is_answered() {
            search.set(state.clone());
        }
    });
    (watches, subscription)
}

/// Takes in what has come; whether something has.
fn take_in(search: &mut Search, hub: &Hub) -> bool {
    let Search { filters, found, trouble } = search;
    let mut is_changed = false;
    for filter in &*filters {
        let Some(payload) = hub.take_live(filter) else { continue };
        is_changed = true;
        match serde_json::from_slice(&payload) {
            Ok(rows) => {
                found.insert(filter.clone(), Rc::new(rows));
                *trouble = None;
            }
            Err(error) => *trouble = Some(error.to_string()),
        }
    }
    if let Some(refusal) = filters.iter().find_map(|filter| hub.refusal(filter)).map(reason)
        && trouble.as_deref() != Some(&*refusal)
    {
        *trouble = Some(refusal);
        is_changed = true;
    }
    is_changed
}
