//! The topics, live and filterable: as a list or as a tree.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::parts_notice::{PartsNotice, use_is_in_parts};
use super::pins::{PinFilter, Pins};
use super::topic_rows::TopicRows;
use super::unheard::Unheard;
use crate::catalogue::explore::words;
use crate::catalogue::fill;
use crate::components::{Choice, Empty, Icon, Segmented, Symbol};
use crate::hooks::{FILTER_ID, use_hub, use_locale, use_outlook, use_outlook_links, use_watch};
use crate::route::Route;
use crate::services::hub::Hub;
use crate::services::{clock, document, preferences};
use crate::state::extent::{Scope, Whole};
use crate::state::outlook::Outlook;
use crate::state::settings::Shape;
use crate::state::topic_tree::Order;
use crate::widgets::{RowSource, RowWords, Rows, TopicList};

/// How long a filter stands before the address names it, in milliseconds: it costs a browser more than all else that a key does.
const ADDRESS_MS: u32 = 200;

/// How the topics are shown.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    query: String,
    shape: Shape,
    order: Order,
    is_in_parts: bool,
}

/// Props of [`TopicsPage`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct TopicsPageProps {
    /// The topic that is looked at beside the list.
    pub chosen: Option<AttrValue>,
}

/// The page.
#[component]
pub(super) fn TopicsPage(props: &TopicsPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let first = use_outlook();
    let query = use_state_eq(|| first.query.clone());
    let layout = use_state_eq(|| first.layout.unwrap_or_else(preferences::topics));
    let (shape, order) = *layout;
    let is_in_parts = use_is_in_parts();
    // A list of what was heard of a large broker is not what one comes for.
    let parts_shape = use_state_eq(|| first.layout.map_or(Shape::Tree, |(shape, _)| shape));
    let shape = if is_in_parts { *parts_shape } else { shape };
    use_outlook_links({
        let (query, layout, parts_shape) = (query.setter(), layout.setter(), parts_shape.setter());
        move |outlook| {
            query.set(outlook.query);
            if let Some(chosen) = outlook.layout {
                layout.set(chosen);
                parts_shape.set(chosen.0);
            }
        }
    });
    use_effect_with(
        (props.chosen.clone(), (*query).clone(), shape, order),
        |(chosen, query, shape, order)| {
            // A topic has an address of its own.
            let outlook =
                chosen.is_none().then(|| Outlook { query: query.clone(), layout: Some((*shape, *order)) });
            let timer = outlook
                .map(|outlook| Timeout::new(ADDRESS_MS, move || document::readdress(&outlook.address())));
            move || drop(timer)
        },
    );
    let wanted = Wanted { query: (*query).clone(), shape, order, is_in_parts };
    let rows = {
        let deps = (hub.clone(), locale.clone());
        use_memo(deps, |(hub, locale)| {
            let rows = Rc::new(TopicRows::new(hub.clone(), locale.clone()));
            rows.show(&wanted.query, shape, order);
            rows.update();
            rows
        })
    };
    let rows = Rc::clone(&*rows);
    use_effect_with(RowsRef(Rc::clone(&rows)), |rows| {
        let subscription = rows.0.follow();
        move || drop(subscription)
    });
    use_effect_with((RowsRef(Rc::clone(&rows)), wanted.clone()), |(rows, wanted)| {
        rows.0.show(&wanted.query, wanted.shape, wanted.order);
    });
    use_effect_with((RowsRef(Rc::clone(&rows)), props.chosen.clone()), |(rows, chosen)| {
        rows.0.choose(chosen.as_deref());
    });
    // The same ones from one look to the next: what takes them need not be drawn anew for a key.
    let on_query = use_callback((RowsRef(Rc::clone(&rows)), shape, order), {
        let query = query.setter();
        move |text: String, (rows, shape, order)| {
            // The rows are what is waited for: they are there with the next frame, however long the rest takes.
            rows.0.show(&text, *shape, *order);
            query.set(text);
        }
    });
    let on_layout = use_callback((*layout, is_in_parts), {
        let (layout, parts_shape) = (layout.setter(), parts_shape.setter());
        move |(chosen, order), ((own, _), is_in_parts)| {
            let kept = if *is_in_parts { *own } else { chosen };
            if *is_in_parts {
                parts_shape.set(chosen);
            }
            preferences::set_topics(kept, order);
            layout.set((kept, order));
        }
    });
    let none_match = use_watch(RowsRef(Rc::clone(&rows)), |_, rows| rows.0.is_fruitless());
    let trouble = use_watch(RowsRef(Rc::clone(&rows)), |_, rows| rows.0.trouble());
    let is_empty = use_watch((), |hub, ()| hub.topics().is_empty() && hub.pins().filters().is_empty());
    if is_empty && !is_in_parts {
        return html! {
            <Unheard symbol={Symbol::Topics} title={text.topics_empty_title} text={text.topics_empty_text} />
        };
    }
    let words = words(text.tag);
    let row_words = RowWords {
        retained: text.retained,
        retained_name: text.retained_name,
        toggle: text.tree_toggle,
        pin: words.pin,
    };
    let list: Rc<dyn RowSource> = Rc::<TopicRows>::clone(&rows);
    html! {
        <>
            <h1 class="visually-hidden">{text.topics}</h1>
            if shape == Shape::List {
                <PartsNotice is_of_topics=true />
            }
            <Pins on_query={on_query.clone()} />
            <FilterField query={(*query).clone()} {on_query} />
            <div class="topic-controls">
                <Counts rows={RowsRef(Rc::clone(&rows))} query={(*query).clone()} />
                <PinFilter query={(*query).clone()} />
                <Layout rows={RowsRef(Rc::clone(&rows))} {is_in_parts} {shape} {order} {on_layout} />
            </div>
            if let Some(reason) = trouble {
                <p class="notice" role="status">{fill(words.tree_trouble, &[("reason", &reason)])}</p>
            }
            if none_match {
                <Empty symbol={Symbol::Search} title={text.filter_empty_title}
                    text={fill(text.filter_empty_text, &[("query", &query)])} />
            } else {
                <Heads />
                <TopicList rows={Rows(list)} repaint={rows.repaint().clone()} words={row_words} name={text.topics}
                    chosen={props.chosen.clone()}
                    query={format!("{}{}{}", shape.as_str(), order.as_str(), *query)} />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LayoutProps {
    rows: RowsRef,
    is_in_parts: bool,
    shape: Shape,
    order: Order,
    on_layout: Callback<(Shape, Order)>,
}

/// List or tree, and what orders the tree.
#[component]
fn Layout(props: &LayoutProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let (shape, order) = (props.shape, props.order);
    let on_shape = props.on_layout.reform(move |word| (Shape::of(word), order));
    let on_order = props.on_layout.reform(move |event: Event| {
        let word = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.value());
        (shape, Order::of(&word.unwrap_or_default()))
    });
    let shapes = [(Shape::List, text.shape_list), (Shape::Tree, text.shape_tree)];
    let shapes =
        shapes.map(|(shape, label)| Choice { value: shape.as_str(), label: label.into(), hint: None });
    let orders = [
        (Order::Name, text.order_name),
        (Order::Activity, text.order_activity),
        (Order::Traffic, text.order_traffic),
    ];
    let on_all = |is_open: bool| {
        let rows = Rc::clone(&props.rows.0);
        Callback::from(move |_: MouseEvent| rows.set_all_open(is_open))
    };
    html! {
        <div class="topic-layout">
            <a class="button button--quiet" href={Route::Retained.href()} data-testid="topics-retained">
                {text.retained_page}</a>
            if shape == Shape::Tree {
                if !props.is_in_parts {
                    <button type="button" class="button button--quiet" onclick={on_all(true)}
                        data-testid="tree-open-all">{text.tree_open_all}</button>
                }
                <button type="button" class="button button--quiet" onclick={on_all(false)} data-testid="tree-close-all">
                    {text.tree_close_all}</button>
                <label class="visually-hidden" for="topic-order">{text.order_legend}</label>
                <select id="topic-order" class="input topic-layout__order" onchange={on_order} data-testid="topic-order">
                    {for orders.into_iter().map(|(choice, label)| html! {
                        <option value={choice.as_str()} selected={choice == order}>{label}</option>
                    })}
                </select>
            }
            <Segmented name="topic-shape" legend={text.shape_legend} choices={shapes.to_vec()} chosen={shape.as_str()}
                on_choose={on_shape} />
        </div>
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
    // Who types goes on typing.
    let onmousedown = Callback::from(|event: MouseEvent| event.prevent_default());
    let on_clear = props.on_query.reform(|event: MouseEvent| {
        // By key: the button is gone, and with it the focus.
        if event.detail() == 0 {
            document::focus(FILTER_ID);
        }
        String::new()
    });
    let is_empty = props.query.is_empty();
    html! {
        <div class="search" role="search">
            <label class="visually-hidden" for={FILTER_ID}>{text.filter_label}</label>
            <span class="search__symbol"><Icon symbol={Symbol::Search} /></span>
            <input id={FILTER_ID} class="search__input" type="search" value={props.query.clone()} {oninput} {onkeydown}
                placeholder={text.filter_placeholder} title={text.filter_hint} autocomplete="off" spellcheck="false"
                autocapitalize="off" data-testid="topic-filter" />
            <kbd class="search__key" aria-hidden="true" hidden={!is_empty}>{"/"}</kbd>
            <button type="button" class="search__clear" aria-label={text.clear_filter} hidden={is_empty}
                {onmousedown} onclick={on_clear}><Icon symbol={Symbol::Close} /></button>
        </div>
    }
}

/// What the broker has, where that is more than what is heard of it.
fn whole(hub: &Hub) -> Option<Whole> {
    let (scope, whole) = hub.extent();
    whole.filter(|_| scope == Scope::Parts)
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
        let (topics, whole) = (hub.topics(), whole(hub));
        let total = whole.map_or(topics.len() as u64, |whole| u64::from(whole.topics));
        (rows.0.found() as u64, total, topics.dropped())
    });
    let tenths = use_watch((), |hub, ()| {
        let rate = whole(hub).map_or_else(|| hub.topics().per_second(clock::wall_ms()), |whole| whole.rate);
        tenths(rate)
    });
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

/// A rate in tenths, to three digits that count: the others are others at every look.
fn tenths(rate: f64) -> u64 {
    let tenths = rate * 10.0;
    let step = 10_f64.powf(tenths.max(1.0).log10().floor() - 2.0).max(1.0);
    ((tenths / step).round() * step) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_keeps_the_digits_that_count() {
        for (rate, expected) in
            [(0.0, 0), (0.04, 0), (0.25, 3), (9.94, 99), (19.96, 200), (123.4, 1_230), (20_031.7, 200_000)]
        {
            assert_eq!(tenths(rate), expected, "{rate}");
        }
    }
}
