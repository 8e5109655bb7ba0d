//! Clearing retained messages: the question before, how far it has come, and the way back.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

use crate::catalogue::{fill, reason};
use crate::hooks::{use_hub, use_locale, use_watch};

/// Topics that are named before they are cleared; the others are counted.
const NAMED_MAX: usize = 8;

/// What is under way, what came of it, and the way back.
#[component]
pub(super) fn Progressing() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let (progress, restorable) = use_watch((), |hub, ()| hub.janitor());
    if progress.total == 0 {
        return Html::default();
    }
    let count = |count: usize| locale.count(count as u64);
    let numbers = [("done", count(progress.done)), ("total", count(progress.total))];
    let numbers = numbers.each_ref().map(|(name, number)| (*name, number.as_str()));
    let words =
        fill(if progress.restores { text.retained_restored } else { text.retained_cleared }, &numbers);
    let undo = Callback::from(move |_: MouseEvent| hub.restore_retained());
    html! {
        <div class="notice" role="status" data-testid="retained-progress" data-busy={progress.is_busy().to_string()}>
            <p class="notice__text">
                {words}
                if progress.failed > 0 {
                    {" "}{fill(text.retained_failed, &[("count", &count(progress.failed))])}
                    if let Some(code) = progress.reason {
                        {" "}{reason(code)}
                    }
                }
            </p>
            if restorable > 0 && !progress.is_busy() {
                <button type="button" class="button button--quiet" onclick={undo} data-testid="retained-undo">
                    {text.undo}</button>
            }
        </div>
    }
}

/// Props of [`Confirm`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct ConfirmProps {
    /// What is to be cleared.
    pub(super) topics: Vec<String>,
    /// Hears whether it is.
    pub(super) on_end: Callback<bool>,
}

/// Asks before anything is cleared.
#[component]
pub(super) fn Confirm(props: &ConfirmProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // It fails only for a dialog that is open already.
                let _ = dialog.show_modal();
            }
        });
    }
    let count = props.topics.len();
    let title = match count {
        1 => text.retained_ask_one.to_owned(),
        count => fill(text.retained_ask, &[("count", &locale.count(count as u64))]),
    };
    let end = |is_confirmed: bool| props.on_end.reform(move |_: MouseEvent| is_confirmed);
    html! {
        <dialog class="dialog" ref={dialog} aria-labelledby="confirm-title" data-testid="confirm"
            oncancel={props.on_end.reform(|_| false)}>
            <h2 class="card__title" id="confirm-title">{title}</h2>
            <ul class="dialog__list">
                {for props.topics.iter().take(NAMED_MAX).map(|topic| html! { <li key={topic.clone()}>{topic}</li> })}
                if count > NAMED_MAX {
                    <li>{fill(text.and_more, &[("count", &locale.count((count - NAMED_MAX) as u64))])}</li>
                }
            </ul>
            <p class="card__note">{text.retained_ask_text}</p>
            <div class="actions">
                <button type="button" class="button" onclick={end(false)} data-testid="confirm-cancel">{text.cancel}</button>
                <button type="button" class="button button--primary" onclick={end(true)} data-testid="confirm-clear">
                    {text.retained_confirm}</button>
            </div>
        </dialog>
    }
}
