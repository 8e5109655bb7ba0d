//! The root: provides the context and shows the page that the address names.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

use crate::components::{MAIN_ID, Shell};
use crate::hooks::{App, use_link, use_route, use_shortcuts, use_trouble, use_watch};
use crate::later::{self, LaterPage, LaterPalette};
use crate::pages::{HomePage, MissingPage};
use crate::route::Route;
use crate::services::connections::{Connections, Step};
use crate::services::locale::Locale;
use crate::services::{document, preferences};
use crate::state::link::Link;

/// How long after the connection stands the rest of the app is fetched, in milliseconds: behind the first values.
const PREFETCH_AFTER_MS: u32 = 2_000;

/// The app.
#[component]
pub fn Root() -> Html {
    let connections = use_reducer_eq(Connections::start);
    let theme = use_state_eq(preferences::theme);
    let language = use_state_eq(preferences::language);
    let locale = use_memo(*language, |language| Locale::new(*language, &document::language()));
    use_effect_with(*theme, |theme| preferences::apply_theme(*theme));
    use_effect_with(locale.catalogue().tag, |tag| preferences::apply_language(tag));
    let app = App {
        hub: connections.shown().hub.clone(),
        connections: connections.clone(),
        locale: (*locale).clone(),
        language: *language,
        theme: *theme,
        set_language: {
            let language = language.setter();
            Callback::from(move |chosen| {
                preferences::set_language(chosen);
                language.set(chosen);
            })
        },
        set_theme: {
            let theme = theme.setter();
            Callback::from(move |chosen| {
                preferences::set_theme(chosen);
                theme.set(chosen);
            })
        },
    };
    html! {
        <ContextProvider<App> context={app.clone()}>
            <Frame {app} />
        </ContextProvider<App>>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FrameProps {
    app: App,
}

#[component]
fn Frame(props: &FrameProps) -> Html {
    let app = &props.app;
    let route = use_route();
    let (link, retry_in_s) = use_link();
    let trouble = use_trouble(app.connections.shown().id, &link);
    let has_content = use_watch((), |hub, ()| !hub.topics().is_empty());
    let palette = use_state_eq(|| false);
    use_shortcuts(palette.setter());
    use_effect_with((route.clone(), app.locale.clone()), |(route, locale)| {
        document::set_title(&title(route, locale));
        document::scroll_to_top(MAIN_ID);
    });
    // What the first load left out comes while nobody waits for it.
    use_effect_with(matches!(link, Link::Online { .. }), |is_online| {
        let fetching = is_online.then(|| Timeout::new(PREFETCH_AFTER_MS, later::prefetch));
        move || drop(fetching)
    });
    let on_retry = {
        let hub = app.hub.clone();
        Callback::from(move |()| hub.connect())
    };
    let on_show = {
        let connections = app.connections.clone();
        Callback::from(move |id| {
            preferences::set_shown_connection(id);
            connections.dispatch(Step::Show(id));
        })
    };
    {
        let connections = app.connections.clone();
        use_effect_with((), move |()| {
            if preferences::connects_at_start() {
                later::connect_at_start(connections);
            }
        });
    }
    let on_skip = Callback::from(|()| document::focus(MAIN_ID));
    html! {
        <>
        <Shell route={route.clone()} {link} {trouble} {retry_in_s} {has_content} locale={app.locale.clone()} {on_retry} {on_skip}
            connections={(*app.connections).clone()} {on_show}>
            {page(&route, app.connections.shown().id)}
        </Shell>
        if *palette {
            <LaterPalette on_close={close(&palette)} />
        }
        </>
    }
}

fn close(palette: &UseStateHandle<bool>) -> Callback<()> {
    let palette = palette.setter();
    Callback::from(move |()| palette.set(false))
}

/// The page, begun anew for another connection: what it remembers is of one.
fn page(route: &Route, shown: u32) -> Html {
    let key = shown.to_string();
    match route {
        Route::Home => html! { <HomePage {key} /> },
        Route::Topics
        | Route::Topic(_)
        | Route::Retained
        | Route::Publish(_)
        | Route::Subscribe
        | Route::Chart(_, _)
        | Route::Charts(_)
        | Route::About => {
            html! { <LaterPage {key} route={route.clone()} /> }
        }
        // This one is of all connections.
        Route::Connections => html! { <LaterPage route={route.clone()} /> },
        Route::Missing => html! { <MissingPage /> },
    }
}

fn title(route: &Route, locale: &Locale) -> String {
    let text = locale.catalogue();
    let page = match route {
        Route::Home => return format!("Hearth · {}", text.app_tagline),
        Route::Topics => text.topics,
        Route::Retained => text.retained_page,
        Route::Topic(topic) | Route::Chart(Some(topic), _) => topic,
        Route::Publish(_) | Route::Subscribe => text.publish,
        Route::Chart(None, _) | Route::Charts(_) => text.chart,
        Route::Connections => text.connections,
        Route::About => text.about,
        Route::Missing => text.missing_title,
    };
    format!("{page} · Hearth")
}
