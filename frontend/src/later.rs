//! The pages that the first load leaves out: their code comes when one of them is opened, or before that, as soon as the
//! browser has nothing better to do.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::components::{Empty, Symbol};
use crate::hooks::use_locale;
use crate::pages::{
    AboutPage, ChartPage, ConnectionsPage, ExplorerPage, Palette, PublishPage, RetainedPage, SubscribePage,
};
use crate::route::Route;
use crate::services::connections::Connections;
use crate::services::{days, profiles};
use crate::state::course::Past;

/// What the part offers.
#[derive(Clone, Copy)]
struct Part {
    // Nothing for a route of another part.
    page: fn(&Route) -> Option<Html>,
    palette: fn(Callback<()>) -> Html,
    /// Opens the connections that are to be open whenever the page is.
    connect_at_start: fn(&UseReducerHandle<Connections>),
    /// Asks for the last day of a topic.
    day_of: fn(Rc<str>, Callback<Rc<Past>>),
}

const PART: Part = Part { page, palette, connect_at_start: profiles::connect_at_start, day_of: days::ask };

/// The code did not come: the server is away, or is a newer one that no longer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NotLoaded;

#[cfg(feature = "split")]
impl From<wasm_split_helpers::SplitLoaderError> for NotLoaded {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self
    }
}

thread_local! {
    static PRESENT: Cell<Option<Part>> = const { Cell::new(None) };
}

/// What the part is entered by. With the feature `split` all that only this function leads to is a wasm of its own.
#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(later, fallible)]
fn enter() -> Result<Part, NotLoaded> {
    Ok(PART)
}

#[cfg(not(feature = "split"))]
async fn enter() -> Result<Part, NotLoaded> {
    Ok(PART)
}

fn palette(on_close: Callback<()>) -> Html {
    html! { <Palette {on_close} /> }
}

fn page(route: &Route) -> Option<Html> {
    Some(match route {
        // One page of two addresses, so that the list stays as it is while one topic after the other is looked at.
        Route::Topics => html! { <ExplorerPage topic={None::<AttrValue>} /> },
        Route::Topic(topic) => html! { <ExplorerPage topic={Some(AttrValue::from(topic.clone()))} /> },
        Route::Retained => html! { <RetainedPage /> },
        Route::Publish(topic) => html! { <PublishPage topic={topic.clone().map(AttrValue::from)} /> },
        Route::Subscribe => html! { <SubscribePage /> },
        Route::Chart(topic, field) => {
            let series = topic.iter().map(|topic| (topic.clone(), field.clone())).collect::<Vec<_>>();
            html! { <ChartPage {series} /> }
        }
        Route::Charts(series) => html! { <ChartPage series={series.clone()} /> },
        Route::Connections => html! { <ConnectionsPage /> },
        Route::About => html! { <AboutPage /> },
        Route::Home | Route::Missing => return None,
    })
}

async fn load() -> Result<Part, NotLoaded> {
    if let Some(part) = PRESENT.get() {
        return Ok(part);
    }
    let part = enter().await?;
    PRESENT.set(Some(part));
    Ok(part)
}

/// Fetches the part ahead of its first use. A failure is none yet: whoever opens a page of it asks again.
pub fn prefetch() {
    spawn_local(async {
        let _later = load().await;
    });
}

/// Fetches the part, and opens the connections that are to be open whenever the page is. Where it does not come, the page of
/// the connections says so to whoever looks for them.
pub fn connect_at_start(connections: UseReducerHandle<Connections>) {
    spawn_local(async move {
        if let Ok(part) = load().await {
            (part.connect_at_start)(&connections);
        }
    });
}

/// Fetches the part, and asks for the last day of a topic. Where either does not come there is none, and nothing is told.
pub fn day_of(topic: Rc<str>, on_past: Callback<Rc<Past>>) {
    spawn_local(async move {
        if let Ok(part) = load().await {
            (part.day_of)(topic, on_past);
        }
    });
}

/// Props of [`LaterPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct LaterPageProps {
    /// Which page.
    pub route: Route,
}

/// The part, once it is there; else whether it failed to come, and how to ask once more.
#[hook]
fn use_part() -> Result<Part, (bool, Callback<MouseEvent>)> {
    let failed = use_state_eq(|| false);
    let attempt = use_state_eq(|| 0_u32);
    let update = use_force_update();
    use_effect_with(*attempt, {
        let failed = failed.clone();
        move |_| {
            if PRESENT.get().is_none() {
                spawn_local(async move {
                    failed.set(load().await.is_err());
                    update.force_update();
                });
            }
        }
    });
    PRESENT.get().ok_or_else(|| {
        let (next, failing) = (*attempt + 1, failed.clone());
        let on_retry = Callback::from(move |_: MouseEvent| {
            failing.set(false);
            attempt.set(next);
        });
        (*failed, on_retry)
    })
}

/// A page of the part; while its code is under way, that it is.
#[component]
pub fn LaterPage(props: &LaterPageProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let part = use_part();
    let (failed, on_retry) = match part {
        Ok(part) => return (part.page)(&props.route).unwrap_or_default(),
        Err(missing) => missing,
    };
    if !failed {
        return html! { <p class="waiting" role="status">{text.page_loading}</p> };
    }
    html! {
        <Empty heads_page=true symbol={Symbol::Search} title={text.page_not_loaded} text={text.page_not_loaded_text}>
            <button class="button button--primary" type="button" onclick={on_retry}>{text.retry_now}</button>
        </Empty>
    }
}

/// Props of [`LaterPalette`].
#[derive(Clone, PartialEq, Properties)]
pub struct LaterPaletteProps {
    /// It is to go away.
    pub on_close: Callback<()>,
}

/// The command palette. While its code is under way it is not there yet; where that fails, it says so.
#[component]
pub fn LaterPalette(props: &LaterPaletteProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    match use_part() {
        Ok(part) => (part.palette)(props.on_close.clone()),
        Err((false, _)) => Html::default(),
        Err((true, on_retry)) => html! {
            <div class="card" role="alert">
                <p class="card__note">{text.page_not_loaded_text}</p>
                <div class="actions">
                    <button class="button" type="button" onclick={props.on_close.reform(|_| ())}>{text.cancel}</button>
                    <button class="button button--primary" type="button" onclick={on_retry}>{text.retry_now}</button>
                </div>
            </div>
        },
    }
}
