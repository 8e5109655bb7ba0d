//! The frame around every page: name, navigation, connection, and what to know when there is none.

use yew::prelude::*;

use super::connection_badge::explain;
use super::{ConnectionBadge, Icon, Logo, Symbol};
use crate::catalogue::Catalogue;
use crate::route::Route;
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
                <ConnectionBadge link={props.link.clone()} retry_in_s={props.retry_in_s} locale={props.locale.clone()} />
            </aside>
            <main id={MAIN_ID} class={classes!("page", format!("page--{}", props.route.as_str()))} tabindex="-1"
                data-testid="page" data-page={props.route.as_str()}>
                if let Some(cause) = explain(&props.link, &props.locale) {
                    <div class="notice" role="alert">
                        <Icon symbol={Symbol::Alert} />
                        <p class="notice__text">
                            {cause}
                            if props.has_content {
                                {" "}{text.stale_notice}
                            }
                        </p>
                        <button type="button" class="button button--quiet" onclick={props.on_retry.reform(|_| ())}>
                            {text.retry_now}
                        </button>
                    </div>
                }
                {props.children.clone()}
            </main>
        </div>
    }
}

fn nav_items(text: &'static Catalogue, current: &Route) -> impl Iterator<Item = Html> {
    let items = [
        (Route::Home, Symbol::Home, text.home, "nav-home"),
        (Route::Topics, Symbol::Topics, text.topics, "nav-topics"),
        (Route::Publish(None), Symbol::Publish, text.publish, "nav-publish"),
        (Route::Chart(None, String::new()), Symbol::Chart, text.chart, "nav-chart"),
        (Route::About, Symbol::About, text.about, "nav-about"),
    ];
    // A page belongs to the one that it was reached from.
    let (list, publish) = (Route::Topics, Route::Publish(None));
    let current = std::mem::discriminant(match current {
        Route::Topic(_) | Route::Retained => &list,
        Route::Subscribe => &publish,
        Route::Home
        | Route::Topics
        | Route::Publish(_)
        | Route::Chart(_, _)
        | Route::About
        | Route::Missing => current,
    });
    items.into_iter().map(move |(route, symbol, label, testid)| {
        let here = std::mem::discriminant(&route) == current;
        html! {
            <a class="nav__item" href={route.href()} data-testid={testid} key={testid}
                aria-current={here.then_some("page")}>
                <span class="nav__symbol"><Icon {symbol} /></span>
                <span class="nav__label">{label}</span>
            </a>
        }
    })
}
