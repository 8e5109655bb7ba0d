//! Says that a page does not show all of a large broker, and what to do to see more.

use yew::prelude::*;

use crate::catalogue::explore::words;
use crate::catalogue::fill;
use crate::components::{Empty, Symbol};
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::state::extent::Scope;

/// Whether only parts of the broker are taken in.
#[hook]
pub(super) fn use_is_in_parts() -> bool {
    use_watch((), |hub, ()| hub.extent().0 == Scope::Parts)
}

/// Props of [`PartsNotice`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct PartsNoticeProps {
    /// Whether it is all that the page shows.
    #[prop_or_default]
    pub(super) is_alone: bool,
    /// Whether it stands on the page of the topics, where the tree is one choice away.
    #[prop_or_default]
    pub(super) is_of_topics: bool,
}

/// The notice; nothing where everything is taken in.
#[component]
pub(super) fn PartsNotice(props: &PartsNoticeProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let (scope, topics, rate) = use_watch((), |hub, ()| {
        let (scope, whole) = hub.extent();
        let whole = whole.unwrap_or_default();
        (scope, u64::from(whole.topics), whole.rate.round() as u64)
    });
    if scope != Scope::Parts {
        return Html::default();
    }
    let words = words(locale.catalogue().tag);
    let text = fill(words.parts, &[("topics", &locale.count(topics)), ("rate", &locale.count(rate))]);
    let on_load = Callback::from(move |_: MouseEvent| hub.load_everything());
    let actions = html! {
        <>
            if !props.is_of_topics {
                <a class="button button--quiet" href={Route::Topics.href()}>{words.parts_tree}</a>
            }
            <button type="button" class="button button--quiet" onclick={on_load} data-testid="load-everything">
                {words.load_everything}</button>
        </>
    };
    if props.is_alone {
        return html! {
            <Empty heads_page=true symbol={Symbol::Topics} title={words.parts_title} {text}>
                <div class="actions">{actions}</div>
            </Empty>
        };
    }
    html! {
        <div class="notice" data-testid="parts-notice">
            <p class="notice__text">{text}</p>
            {actions}
        </div>
    }
}
