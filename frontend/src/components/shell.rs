//! The frame around every page: name, navigation, connection, and what to know when there is none.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::{ConnectionBadge, Icon, Logo, Symbol, explain};
use crate::catalogue::Catalogue;
use crate::route::Route;
use crate::services::connections::{Connections, OWN_ID};
use crate::services::locale::Locale;
use crate::state::link::Link;

/// The id of the page's content, which the skip link leads to.
pub const MAIN_ID: &str = "main";

/// Props of [`Shell`].
#[derive(Clone, PartialEq, Properties)]
pub struct ShellProps {
    /// The page that is shown.
    pub route: Route,
    /// The connection.
    pub link: Link,
    /// What there is to explain of it, which stays while it is tried again.
    pub trouble: Link,
    /// Seconds until the next attempt to connect.
    pub retry_in_s: Option<u64>,
    /// Whether there is something to see that was heard before.
    pub has_content: bool,
    /// The person's language.
    pub locale: Locale,
    /// Connects at once.
    pub on_retry: Callback<()>,
    /// Moves the focus to the content.
    pub on_skip: Callback<()>,
    /// All connections that are open.
    pub connections: Connections,
    /// Shows the connection with this id.
    pub on_show: Callback<u32>,
    /// The page.
    pub children: Html,
}

/// The frame.
#[component]
pub fn Shell(props: &ShellProps) -> Html {
    let text = props.locale.catalogue();
    let skip = props.on_skip.reform(|event: MouseEvent| event.prevent_default());
    html! {
        <div class="app">
            <a class="skip-link" href="#main" onclick={skip}>{text.skip_to_content}</a>
            <header class="brand">
                <Logo />
                <span class="brand__name">{"Hearth"}</span>
            </header>
            <nav class="nav" aria-label={text.navigation}>{for nav_items(text, &props.route)}</nav>
            <aside class="status" aria-label={text.this_connection}>
                if props.connections.are_several() {
                    {switcher(props)}
                }
                <a class="status__link" href={Route::Connections.href()} data-testid="nav-connections" title={text.connections}
                    aria-current={(props.route == Route::Connections).then_some("page")}>
                    <span class="visually-hidden">{text.connections}</span>
                    <ConnectionBadge link={props.link.clone()} retry_in_s={props.retry_in_s} locale={props.locale.clone()} />
                </a>
            </aside>
            <main id={MAIN_ID} class={classes!("page", format!("page--{}", props.route.as_str()))} tabindex="-1"
                data-testid="page" data-page={props.route.as_str()}>
                // The page of the connections tells it of each, at its place.
                if let Some(cause) = explain(&props.trouble, props.connections.shown().hub.is_own(), &props.locale)
                    .filter(|_| props.route != Route::Connections) {
                    <div class="notice" role="alert">
                        <Icon symbol={Symbol::Alert} />
                        <p class="notice__text">
                            {cause}
                            if props.has_content {
                                {" "}{text.stale_notice}
                            }
                        </p>
                        <button type="button" class="button button--quiet" onclick={props.on_retry.reform(|_| ())}>
                            {if props.link == Link::Closed { text.connect } else { text.retry_now }}
                        </button>
                    </div>
                }
                {props.children.clone()}
            </main>
        </div>
    }
}

/// Which connection the pages show.
fn switcher(props: &ShellProps) -> Html {
    let text = props.locale.catalogue();
    let onchange = props.on_show.reform(|event: Event| {
        let select = event.target_dyn_into::<HtmlSelectElement>();
        select.and_then(|select| select.value().parse().ok()).unwrap_or(OWN_ID)
    });
    let shown = props.connections.shown().id;
    html! {
        <>
            <label class="visually-hidden" for="shown-connection">{text.shown_connection}</label>
            <select id="shown-connection" class="input switcher" {onchange} data-testid="shown-connection">
                {for props.connections.iter().map(|open| html! {
                    <option key={open.id} value={open.id.to_string()} selected={open.id == shown}>
                        {if open.id == OWN_ID { AttrValue::from(text.own_broker) } else { open.name.clone() }}
                    </option>
                })}
            </select>
        </>
    }
}

fn nav_items(text: &'static Catalogue, current: &Route) -> impl Iterator<Item = Html> {
    let items = [
        (Route::Home, Symbol::Home, text.home, "nav-home"),
        (Route::Topics, Symbol::Topics, text.topics, "nav-topics"),
        (Route::Publish(None), Symbol::Publish, text.publish, "nav-publish"),
        (Route::Chart(None, String::new()), Symbol::Chart, text.chart, "nav-chart"),
        // On a phone there is room for five: the state of the connection leads there.
        (Route::Connections, Symbol::Brokers, text.connections, "nav-brokers"),
        (Route::About, Symbol::About, text.about, "nav-about"),
    ];
    // A page belongs to the one that it was reached from.
    let (list, publish) = (Route::Topics, Route::Publish(None));
    let chart = Route::Chart(None, String::new());
    let current = std::mem::discriminant(match current {
        Route::Topic(_) | Route::Retained => &list,
        Route::Subscribe => &publish,
        Route::Charts(_) => &chart,
        Route::Home
        | Route::Topics
        | Route::Publish(_)
        | Route::Chart(_, _)
        | Route::Connections
        | Route::About
        | Route::Missing => current,
    });
    items.into_iter().map(move |(route, symbol, label, testid)| {
        let here = std::mem::discriminant(&route) == current;
        let only_wide = (route == Route::Connections).then_some("nav__item--wide");
        html! {
            <a class={classes!("nav__item", only_wide)} href={route.href()} data-testid={testid} key={testid}
                aria-current={here.then_some("page")}>
                <span class="nav__symbol"><Icon {symbol} /></span>
                <span class="nav__label">{label}</span>
            </a>
        }
    })
}
