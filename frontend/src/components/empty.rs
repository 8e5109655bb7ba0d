//! What a page shows when there is nothing to show: why, and what to do.

use yew::prelude::*;

use super::{Icon, Symbol};

/// Props of [`Empty`].
#[derive(Clone, PartialEq, Properties)]
pub struct EmptyProps {
    /// Decoration.
    pub symbol: Symbol,
    /// What is the case.
    pub title: AttrValue,
    /// Why, and what to do.
    pub text: AttrValue,
    /// A command to type, ready to copy.
    #[prop_or_default]
    pub command: Option<AttrValue>,
    /// Whether it is all that the page shows, so that its title is the page's.
    #[prop_or_default]
    pub heads_page: bool,
    /// More under it.
    #[prop_or_default]
    pub children: Html,
}

/// An empty state.
#[component]
pub fn Empty(props: &EmptyProps) -> Html {
    html! {
        <div class="empty" data-testid="empty">
            <span class="empty__symbol"><Icon symbol={props.symbol} /></span>
            if props.heads_page {
                <h1 class="empty__title">{&props.title}</h1>
            } else {
                <h2 class="empty__title">{&props.title}</h2>
            }
            <p class="empty__text">{&props.text}</p>
            if let Some(command) = &props.command {
                <pre class="command" tabindex="0">{command}</pre>
            }
            {props.children.clone()}
        </div>
    }
}
