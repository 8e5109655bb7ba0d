//! The subscriptions of a person, and their messages as they come.

mod commands;
mod detail;
mod filters;
mod follow;
mod form;
mod stream;

use yew::prelude::*;

use self::commands::SubscribeCommands;
use self::filters::FilterList;
use self::follow::use_follow;
use self::form::FilterForm;
pub(super) use self::stream::StreamView;
use super::talk_sections::TalkSections;
use crate::hooks::use_watch;
use crate::route::Route;
use crate::services::subscriber::Subscriber;

/// The page.
#[component]
pub fn SubscribePage() -> Html {
    let follow = use_follow();
    let words = follow.words;
    use_watch((), |hub, ()| Subscriber::of(hub).filters().changes());
    html! {
        <>
            <header class="page__head talk__head">
                <div>
                    <h1 class="page__title">{words.title}</h1>
                    <p class="page__intro">{words.intro}</p>
                </div>
                <TalkSections here={Route::Subscribe} />
            </header>
            <div class="talk">
                <div class="talk__pane">
                    <section class="card talk__filters" aria-label={words.filters}>
                        <FilterForm />
                        <FilterList />
                        <SubscribeCommands />
                    </section>
                </div>
                <div class="talk__pane talk__log">
                    <StreamView />
                </div>
            </div>
        </>
    }
}
