//! The last day of a topic, as the broker that served the page keeps it.

use std::rc::Rc;

use gloo::timers::callback::{Interval, Timeout};
use yew::prelude::*;

use super::{use_hub, use_watch};
use crate::later;
use crate::state::course::Past;

/// What is seen first comes first: the past is asked for once the page has been there this long.
const FIRST_AFTER_MS: u32 = 2_000;

/// What is heard goes on behind what was asked for; it is asked for anew after this time, so that the page need not keep more.
const ANEW_AFTER_MS: u32 = 600_000;

/// The last day of a topic whose payload is a number, where one is named; `None` until the broker has told it, and where it has
/// nothing to tell.
#[hook]
pub fn use_day(topic: Option<Rc<str>>) -> Option<Rc<Past>> {
    let hub = use_hub();
    let past = use_state_eq(|| None::<Rc<Past>>);
    let may_ask = use_watch((), |hub, ()| hub.link().is_online()) && hub.is_own();
    use_effect_with((topic, may_ask), {
        let past = past.setter();
        move |(topic, may_ask)| {
            let timers = topic.clone().filter(|_| *may_ask).map(|topic| {
                let ask = move || {
                    let past = past.clone();
                    later::day_of(Rc::clone(&topic), Callback::from(move |told| past.set(Some(told))));
                };
                (Timeout::new(FIRST_AFTER_MS, ask.clone()), Interval::new(ANEW_AFTER_MS, ask))
            });
            move || drop(timers)
        }
    });
    (*past).clone()
}
