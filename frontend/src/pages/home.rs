//! The panel: the rooms of the home with what is in them, found by itself.

use yew::prelude::*;

use super::parts_notice::{PartsNotice, use_is_in_parts};
use super::room::LiveRoom;
use super::unheard::Unheard;
use crate::catalogue::{Catalogue, fill};
use crate::components::Symbol;
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::services::{clock, locale::Locale};
use crate::state::panel::{Room, Summary};

/// The page.
#[component]
pub fn HomePage() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let is_in_parts = use_is_in_parts();
    let version = use_watch((), |hub, ()| hub.panel().version());
    let rooms: std::rc::Rc<Vec<Room>> = {
        let hub = hub.clone();
        use_memo(version, move |_| hub.panel().rooms())
    };
    let summary = use_watch(std::rc::Rc::clone(&rooms), |hub, rooms| Summary::of(rooms, &hub.topics()));
    if rooms.is_empty() && is_in_parts {
        return html! { <PartsNotice is_alone=true /> };
    }
    if rooms.is_empty() {
        return html! {
            <Unheard symbol={Symbol::Home} title={text.home_empty_title} text={text.home_empty_text}>
                <p class="empty__text">{text.home_empty_demo}</p>
            </Unheard>
        };
    }
    let left_out = hub.panel().left_out();
    html! {
        <>
            <Greeting {summary} />
            <PartsNotice />
            <div class="rooms">
                {for rooms.iter().map(|room| html! {
                    <LiveRoom key={room.prefix.to_string()} room={room.clone()} />
                })}
            </div>
            if left_out > 0 {
                <p class="page__more">{fill(text.widgets_left_out, &[("count", &left_out.to_string())])}</p>
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct GreetingProps {
    summary: Summary,
}

#[component]
fn Greeting(props: &GreetingProps) -> Html {
    let locale = use_locale();
    let hour = use_watch((), |_, ()| js_sys::Date::new_0().get_hours());
    let online = use_watch((), |hub, ()| hub.link().is_online());
    let text = locale.catalogue();
    html! {
        <header class="greeting">
            <p class="greeting__date">{locale.date(clock::wall_ms())}</p>
            <h1 class="greeting__title">{greeting(text, hour)}</h1>
            <ul class="greeting__facts" role="list">
                {for facts(&locale, &props.summary).into_iter().map(|(tone, fact)| html! {
                    <li class={classes!("fact", tone.filter(|_| online))}>{fact}</li>
                })}
                if !online {
                    <li class="fact fact--warn">{text.last_known}</li>
                }
            </ul>
        </header>
    }
}

const fn greeting(text: &'static Catalogue, hour: u32) -> &'static str {
    match hour {
        5..11 => text.good_morning,
        11..18 => text.good_day,
        18..23 => text.good_evening,
        _ => text.good_night,
    }
}

/// What one look should tell, and the class that it deserves.
fn facts(locale: &Locale, summary: &Summary) -> Vec<(Option<&'static str>, String)> {
    let text = locale.catalogue();
    let counted = |one: &str, many: &str, count: usize| match count {
        1 => one.to_owned(),
        count => fill(many, &[("count", &locale.count(count as u64))]),
    };
    let mut facts = Vec::new();
    if summary.lamps > 0 {
        facts.push(match summary.lamps_on {
            0 => (None, text.lamps_on_none.to_owned()),
            on => (Some("fact--lit"), counted(text.lamps_on_one, text.lamps_on_many, on)),
        });
    }
    if let Some(tenths) = summary.temperature_tenths {
        let value = locale.number(f64::from(tenths) / 10.0, 1);
        facts.push((None, fill(text.average_temperature, &[("value", &value)])));
    }
    if summary.contacts > 0 {
        facts.push(match summary.open {
            0 => (None, text.all_closed.to_owned()),
            open => (Some("fact--warn"), counted(text.open_one, text.open_many, open)),
        });
    }
    facts
}
