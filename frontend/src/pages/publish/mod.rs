//! The form that publishes, what became of its messages, and beside them, where there is room, what comes for the person's filters.

mod command;
mod fields;
mod form;
mod outcome;
mod payload;
mod placeholders;
mod properties;
mod repeat;
mod saved;
mod sent;

use yew::prelude::*;

use self::command::PublishCommand;
use self::fields::Fields;
use self::form::use_form;
use self::outcome::Result;
use self::placeholders::Placeholders;
use self::properties::Properties as PropertyFields;
use self::repeat::Repeat;
use self::saved::Saved;
use self::sent::Sent;
use super::explorer::WIDE;
use super::subscribe::StreamView;
use super::talk_sections::TalkSections;
use crate::components::{Icon, Symbol};
use crate::hooks::{use_media, use_watch};
use crate::route::Route;
use crate::services::subscriber::Subscriber;

/// Props of [`PublishPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct PublishPageProps {
    /// The topic to begin with.
    pub topic: Option<AttrValue>,
}

/// The page.
#[component]
pub fn PublishPage(props: &PublishPageProps) -> Html {
    let form = use_form();
    let words = form.words;
    let is_wide = use_media(WIDE);
    let listens = use_watch((), |hub, ()| Subscriber::of(hub).filters().iter().len() > 0);
    use_effect_with(props.topic.clone(), {
        let form = form.clone();
        move |topic: &Option<AttrValue>| {
            if let Some(topic) = topic {
                form.edit(|draft| draft.topic = topic.to_string());
            }
        }
    });
    let onsubmit = {
        let form = form.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            form.publisher.send(&form.hub);
        })
    };
    html! {
        <>
            <header class="page__head talk__head">
                <div>
                    <h1 class="page__title">{form.locale.catalogue().publish}</h1>
                    <p class="page__intro">{words.intro}</p>
                </div>
                <TalkSections here={Route::Publish(None)} />
            </header>
            <div class="talk">
                <div class="talk__pane">
                    <form class="card form form--long" {onsubmit} novalidate=true autocomplete="off">
                        <Fields />
                        <div class="form__more">
                            <PropertyFields />
                            <Placeholders />
                            <Repeat />
                            <Saved />
                            <PublishCommand />
                        </div>
                        <div class="form__end">
                            <button type="submit" class="button button--primary" data-testid="publish-send">
                                <Icon symbol={Symbol::Publish} />{words.send}
                            </button>
                            <Result />
                        </div>
                    </form>
                </div>
                <div class="talk__pane talk__log">
                    <Sent />
                    if is_wide && listens {
                        <StreamView />
                    }
                </div>
            </div>
        </>
    }
}
