//! The pages that the first load leaves out: their code comes when one of them is opened, or before that, as soon as the
//! browser has nothing better to do.

use std::cell::Cell;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::components::{Empty, Symbol};
use crate::hooks::use_locale;
use crate::pages::{AboutPage, ChartPage, PublishPage, RetainedPage, TopicPage};
use crate::route::Route;

/// Draws a page of the part, or nothing for a route of another one.
type Draw = fn(&Route) -> Option<Html>;

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
    static DRAW: Cell<Option<Draw>> = const { Cell::new(None) };
}

/// What the part is entered by. With the feature `split` all that only this function leads to is a wasm of its own.
#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(later, fallible)]
fn enter() -> Result<Draw, NotLoaded> {
    Ok(draw)
}

#[cfg(not(feature = "split"))]
async fn enter() -> Result<Draw, NotLoaded> {
    Ok(draw)
}

fn draw(route: &Route) -> Option<Html> {
    Some(match route {
        Route::Topic(topic) => html! { <TopicPage topic={topic.clone()} /> },
        Route::Retained => html! { <RetainedPage /> },
        Route::Publish(topic) => html! { <PublishPage topic={topic.clone().map(AttrValue::from)} /> },
        Route::Chart(topic, field) => {
            let series = topic.iter().map(|topic| (topic.clone(), field.clone())).collect::<Vec<_>>();
            html! { <ChartPage {series} /> }
        }
        Route::Charts(series) => html! { <ChartPage series={series.clone()} /> },
        Route::About => html! { <AboutPage /> },
        Route::Home | Route::Topics | Route::Missing => return None,
    })
}

async fn load() -> Result<Draw, NotLoaded> {
    if let Some(draw) = DRAW.get() {
        return Ok(draw);
    }
    let draw = enter().await?;
    DRAW.set(Some(draw));
    Ok(draw)
}

/// Fetches the part ahead of its first use. A failure is none yet: whoever opens a page of it asks again.
pub fn prefetch() {
    spawn_local(async {
        let _later = load().await;
    });
}

/// Props of [`LaterPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct LaterPageProps {
    /// Which page.
    pub route: Route,
}

/// A page of the part; while its code is under way, that it is.
#[component]
pub fn LaterPage(props: &LaterPageProps) -> Html {
    let locale = use_locale();
    let failed = use_state_eq(|| false);
    let attempt = use_state_eq(|| 0_u32);
    let update = use_force_update();
    use_effect_with(*attempt, {
        let failed = failed.clone();
        move |_| {
            if DRAW.get().is_none() {
                spawn_local(async move {
                    failed.set(load().await.is_err());
                    update.force_update();
                });
            }
        }
    });
    if let Some(page) = DRAW.get().and_then(|draw| draw(&props.route)) {
        return page;
    }
    let text = locale.catalogue();
    if !*failed {
        return html! { <p class="waiting" role="status">{text.page_loading}</p> };
    }
    let on_retry = {
        let next = *attempt + 1;
        let failed = failed.clone();
        Callback::from(move |_: MouseEvent| {
            failed.set(false);
            attempt.set(next);
        })
    };
    html! {
        <Empty heads_page=true symbol={Symbol::Search} title={text.page_not_loaded} text={text.page_not_loaded_text}>
            <button class="button button--primary" type="button" onclick={on_retry}>{text.retry_now}</button>
        </Empty>
    }
}
