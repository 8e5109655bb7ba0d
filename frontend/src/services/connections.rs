//! The connections that are open, and which of them the pages show.

use std::rc::Rc;

use yew::prelude::*;

use super::hub::Hub;
use super::terms::Terms;

/// The id of the connection to the broker that served the page; profiles count from 1.
pub const OWN_ID: u32 = 0;

/// One of them.
#[derive(Clone, PartialEq)]
pub struct Open {
    /// [`OWN_ID`], or the profile's.
    pub id: u32,
    /// What it is called; empty for the own one, whose name depends on the language.
    pub name: AttrValue,
    /// Where its state lives.
    pub hub: Hub,
}

/// All of them. The own one is always among them, connected or not.
#[derive(Clone, PartialEq)]
pub struct Connections {
    own: Open,
    others: Vec<Open>,
    shown: u32,
}

/// What can be done with them.
pub enum Step {
    /// Takes one in, in the place of the one with its id.
    Put(Open),
    /// Takes it out; the last clone of its hub ends its connection.
    Remove(u32),
    /// The pages show this one.
    Show(u32),
}

impl Connections {
    /// The connection to the broker that served the page, begun.
    pub fn start() -> Self {
        let own = Open { id: OWN_ID, name: AttrValue::default(), hub: Hub::start(Terms::own()) };
        Self { own, others: Vec::new(), shown: OWN_ID }
    }

    /// The one that the pages show.
    pub fn shown(&self) -> &Open {
        self.get(self.shown).unwrap_or(&self.own)
    }

    /// The one with this id, if it is open.
    pub fn get(&self, id: u32) -> Option<&Open> {
        self.iter().find(|open| open.id == id)
    }

    /// All, the own one first.
    pub fn iter(&self) -> impl Iterator<Item = &Open> {
        std::iter::once(&self.own).chain(&self.others)
    }

    /// Whether there is more than one.
    pub const fn are_several(&self) -> bool {
        !self.others.is_empty()
    }
}

impl Reducible for Connections {
    type Action = Step;

    fn reduce(self: Rc<Self>, step: Step) -> Rc<Self> {
        let mut next = (*self).clone();
        match step {
            Step::Put(open) => match next.others.iter_mut().find(|other| other.id == open.id) {
                Some(place) => *place = open,
                None => next.others.push(open),
            },
            Step::Remove(id) => {
                next.others.retain(|open| open.id != id);
                if next.shown == id {
                    next.shown = OWN_ID;
                }
            }
            Step::Show(id) => next.shown = id,
        }
        Rc::new(next)
    }
}
