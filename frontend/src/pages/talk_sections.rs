//! The way between publishing and subscribing, which share a place in the navigation.

use yew::prelude::*;

use crate::catalogue::subscribe;
use crate::hooks::use_locale;
use crate::route::Route;

/// Props of [`TalkSections`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct TalkSectionsProps {
    /// The page that is shown.
    pub(super) here: Route,
}

/// Two links.
#[component]
pub(super) fn TalkSections(props: &TalkSectionsProps) -> Html {
    let locale = use_locale();
    let words = subscribe::words(locale.catalogue());
    let link = |route: Route, label: &'static str, testid: &'static str| {
        let here = (route == props.here).then_some("page");
        html! { <a class="sections__item" href={route.href()} aria-current={here} data-testid={testid}>{label}</a> }
    };
    html! {
        <nav class="sections" aria-label={words.sections}>
            {link(Route::Publish(None), locale.catalogue().publish, "section-publish")}
            {link(Route::Subscribe, words.title, "section-subscribe")}
        </nav>
    }
}
