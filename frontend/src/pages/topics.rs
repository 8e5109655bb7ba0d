//! The list of all topics, live and filterable.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::unheard::Unheard;
use crate::catalogue::{age, fill, rate};
use crate::components::{Empty, Icon, Symbol};
use crate::hooks::{FILTER_ID, use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::services::clock;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::state::listing::Listing;
use crate::state::payload;
use crate::state::query::Query;
use crate::state::signal::{Signal, Subscription};
use crate::widgets::{Row, RowSource, RowWords, Rows, TopicList};

/// Characters of a value in the list: what fits on a wide screen.
const VALUE_CHARS: usize = 200;

/// The topics as rows, filtered.
struct TopicRows {
    hub: Hub,
    locale: Locale,
    listing: RefCell<Listing>,
    repaint: Signal,
}

impl TopicRows {
    fn set_query(&self, query: &str) {
        let mut listing = self.listing.borrow_mut();
        listing.set_query(Query::parse(query));
        listing.update(&self.hub.topics(), clock::wall_ms());
    }

    /// Follows the topics, then paints: in this order, so that a painted row exists.
    fn follow(self: &Rc<Self>) -> Subscription {
        let rows = Rc::clone(self);
        self.hub.frames().subscribe(move || {
            rows.listing.borrow_mut().update(&rows.hub.topics(), clock::wall_ms());
            rows.repaint.ring();
        })
    }
}

impl RowSource for TopicRows {
    fn len(&self) -> usize {
        self.listing.borrow().rows(&self.hub.topics()).len()
    }

    fn read(&self, index: usize, row: &mut Row) {
        let topics = self.hub.topics();
        let listing = self.listing.borrow();
        let Some(&id) = listing.rows(&topics).get(index) else { return };
        let topic = topics.topic(id);
        let text = self.locale.catalogue();
        let now_ms = clock::wall_ms();
        if row.topic != topic.name() {
            topic.name().clone_into(&mut row.topic);
            row.href = Route::Topic(topic.name().to_owned()).href();
        }
        payload::preview(topic.payload(), VALUE_CHARS, &mut row.value);
        if topic.payload().is_empty() {
            row.value.push_str(text.empty_payload);
        }
        row.age = age(text, now_ms - topic.at_ms());
        row.retained = topic.retain();
        row.stale = !topics.is_live(id);
        // What does not come any more has no rate; the column says so in words.
        row.rate = if row.stale {
            text.stale.to_owned()
        } else {
            rate(text, topic.per_second(now_ms)).unwrap_or_default()
        };
        row.count = topic.count();
    }
}

/// The page.
#[component]
pub fn TopicsPage() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let query = use_state_eq(String::new);
    let rows = {
        let deps = (hub.clone(), locale.clone());
        use_memo(deps, |(hub, locale)| {
            let rows = Rc::new(TopicRows {
                hub: hub.clone(),
                locale: locale.clone(),
                listing: RefCell::default(),
                repaint: Signal::default(),
            });
            rows.set_query("");
            rows
        })
    };
    let rows = Rc::clone(&*rows);
    use_effect_with(RowsRef(Rc::clone(&rows)), |rows| {
        let subscription = rows.0.follow();
        move || drop(subscription)
    });
    use_effect_with((RowsRef(Rc::clone(&rows)), (*query).clone()), |(rows, query)| {
        rows.0.set_query(query);
        rows.0.hub.frames().ring();
    });
    let none_match =
        use_watch(RowsRef(Rc::clone(&rows)), |hub, rows| rows.0.len() == 0 && !hub.topics().is_empty());
    let is_empty = use_watch((), |hub, ()| hub.topics().is_empty());
    if is_empty {
        return html! {
            <Unheard symbol={Symbol::Topics} title={text.topics_empty_title} text={text.topics_empty_text} />
        };
    }
    let on_query = {
        let query = query.setter();
        Callback::from(move |text: String| query.set(text))
    };
    let words = RowWords { retained: text.retained, retained_name: text.retained_name };
    let list: Rc<dyn RowSource> = Rc::<TopicRows>::clone(&rows);
    html! {
        <>
            <h1 class="visually-hidden">{text.topics}</h1>
            <FilterField query={(*query).clone()} {on_query} />
            <Counts rows={RowsRef(Rc::clone(&rows))} query={(*query).clone()} />
            if none_match {
                <Empty symbol={Symbol::Search} title={text.filter_empty_title}
                    text={fill(text.filter_empty_text, &[("query", &query)])} />
            } else {
                <Heads />
                <TopicList rows={Rows(list)} repaint={rows.repaint.clone()} {words} name={text.topics}
                    query={(*query).clone()} />
            }
        </>
    }
}

#[component]
fn Heads() -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    html! {
            <div class="topic-heads" aria-hidden="true">
                <span>{text.column_topic}</span>
                <span>{text.column_value}</span>
                <span class="topic-heads__number">{text.column_rate}</span>
                <span class="topic-heads__number">{text.column_age}</span>
                <span></span>
            </div>
    }
}

/// Rows as a prop and a dependency, compared by place.
#[derive(Clone)]
struct RowsRef(Rc<TopicRows>);

impl PartialEq for RowsRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FilterFieldProps {
    query: String,
    on_query: Callback<String>,
}

#[component]
fn FilterField(props: &FilterFieldProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let oninput = props.on_query.reform(|event: InputEvent| {
        event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default()
    });
    let onkeydown = {
        let on_query = props.on_query.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                on_query.emit(String::new());
            }
        })
    };
    html! {
        <div class="search" role="search">
            <label class="visually-hidden" for={FILTER_ID}>{text.filter_label}</label>
            <span class="search__symbol"><Icon symbol={Symbol::Search} /></span>
            <input id={FILTER_ID} class="search__input" type="search" value={props.query.clone()} {oninput} {onkeydown}
                placeholder={text.filter_placeholder} title={text.filter_hint} autocomplete="off" spellcheck="false"
                autocapitalize="off" data-testid="topic-filter" />
            if props.query.is_empty() {
                <kbd class="search__key" aria-hidden="true">{"/"}</kbd>
            } else {
                <button type="button" class="search__clear" aria-label={text.clear_filter}
                    onclick={props.on_query.reform(|_| String::new())}><Icon symbol={Symbol::Close} /></button>
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CountsProps {
    rows: RowsRef,
    query: String,
}

#[component]
fn Counts(props: &CountsProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let (shown, total, dropped) = use_watch((props.rows.clone(), props.query.clone()), |hub, (rows, _)| {
        let topics = hub.topics();
        (rows.0.len() as u64, topics.len() as u64, topics.dropped())
    });
    let tenths = use_watch((), |hub, ()| (hub.topics().per_second(clock::wall_ms()) * 10.0).round() as u64);
    let count = |n: u64| locale.count(n);
    let words = match (shown == total, total) {
        (true, 1) => text.count_one.to_owned(),
        (true, _) => fill(text.count_all, &[("total", &count(total))]),
        (false, _) => fill(text.count_some, &[("shown", &count(shown)), ("total", &count(total))]),
    };
    let rate = locale.number(tenths as f64 / 10.0, usize::from(tenths < 100));
    html! {
        <>
            <p class="counts">
                <span data-testid="topic-count" data-shown={shown.to_string()} data-total={total.to_string()}
                    role="status">{words}</span>
                <span class="counts__rate">{fill(text.messages_per_second, &[("rate", &rate)])}</span>
            </p>
            if dropped > 0 {
                <p class="notice">{fill(text.topics_dropped, &[("count", &count(dropped))])}</p>
            }
        </>
    }
}
