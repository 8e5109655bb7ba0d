//! What an address shows that no page has.

use yew::prelude::*;

use crate::components::{Empty, Symbol};
use crate::hooks::use_locale;
use crate::route::Route;

/// The page.
#[component]
pub fn MissingPage() -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    html! {
        <Empty heads_page=true symbol={Symbol::Search} title={text.missing_title} text={text.missing_text}>
            <a class="button button--primary" href={Route::Home.href()}>{text.go_home}</a>
        </Empty>
    }
}
