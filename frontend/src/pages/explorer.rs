//! The topics, and one of them: side by side where the screen is wide, else one of the two.

use web_sys::{Element, HtmlElement, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use super::topic::TopicPage;
use super::topics::TopicsPage;
use crate::catalogue::explore::words;
use crate::hooks::{use_locale, use_media};
use crate::services::preferences;

/// Where there is room for two things side by side; the style sheets say the same.
pub(super) const WIDE: &str = "(min-width: 1200px)";

/// The width of the list in percent: what it is before somebody moves the divider, and its bounds.
const SHARE: f64 = 44.0;
const SHARES: (f64, f64) = (25.0, 70.0);

/// How far an arrow key moves the divider, in percent.
const STEP: f64 = 2.0;

/// Props of [`ExplorerPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct ExplorerPageProps {
    /// The topic that is looked at.
    pub topic: Option<AttrValue>,
}

/// The page.
#[component]
pub fn ExplorerPage(props: &ExplorerPageProps) -> Html {
    let is_wide = use_media(WIDE);
    let share = use_state_eq(|| preferences::list_share().unwrap_or(SHARE).clamp(SHARES.0, SHARES.1));
    let panes = use_node_ref();
    use_effect_with((panes.clone(), *share, is_wide), |(panes, share, _)| {
        if let Some(panes) = panes.cast::<HtmlElement>() {
            // A valid property and value; a browser does not refuse it.
            let _ = panes.style().set_property("--list-share", &format!("{share}%"));
        }
    });
    let topic = &props.topic;
    let class = match (topic, is_wide) {
        (None, _) => "explorer",
        (Some(_), true) => "explorer explorer--split",
        (Some(_), false) => "explorer--topic",
    };
    // Each part keeps its place, and so what it remembers, when the window gets wider or narrower.
    html! {
        <div {class} ref={panes.clone()}>
            if is_wide || topic.is_none() {
                <div class="explorer__list">
                    <TopicsPage chosen={topic.clone()} />
                </div>
            }
            if is_wide && topic.is_some() {
                <Divider {panes} share={*share} on_share={Callback::from(move |moved| share.set(moved))} />
            }
            if let Some(topic) = topic {
                // Another topic is shown from its top.
                <section class="explorer__topic" key={topic.to_string()} aria-label={topic.clone()}>
                    <TopicPage topic={topic.clone()} is_beside={is_wide} />
                </section>
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct DividerProps {
    panes: NodeRef,
    share: f64,
    on_share: Callback<f64>,
}

/// Moves the border between the two, by pointer and by keys.
#[component]
fn Divider(props: &DividerProps) -> Html {
    let locale = use_locale();
    let share = props.share;
    let move_to = |percent: f64| percent.clamp(SHARES.0, SHARES.1).round();
    let onpointerdown = Callback::from(|event: PointerEvent| {
        if let Some(divider) = event.target_dyn_into::<Element>() {
            // Refused only for a pointer that is gone already.
            let _ = divider.set_pointer_capture(event.pointer_id());
        }
    });
    // Else the browser begins to mark or to drag what is marked, and takes the pointer away.
    let onmousedown = Callback::from(|event: MouseEvent| {
        event.prevent_default();
        if let Some(divider) = event.target_dyn_into::<HtmlElement>() {
            // It fails only for elements that cannot take the focus at all.
            let _ = divider.focus();
        }
    });
    let onpointermove = {
        let (panes, on_share) = (props.panes.clone(), props.on_share.clone());
        Callback::from(move |event: PointerEvent| {
            let divider = event.target_dyn_into::<Element>();
            let is_held = divider.is_some_and(|divider| divider.has_pointer_capture(event.pointer_id()));
            if let Some(panes) = panes.cast::<Element>().filter(|_| is_held) {
                let panes = panes.get_bounding_client_rect();
                on_share.emit(move_to((f64::from(event.client_x()) - panes.left()) / panes.width() * 100.0));
            }
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| preferences::set_list_share(share));
    let onkeydown = {
        let on_share = props.on_share.clone();
        Callback::from(move |event: KeyboardEvent| {
            let moved = move_to(match event.key().as_str() {
                "ArrowLeft" => share - STEP,
                "ArrowRight" => share + STEP,
                "Home" => SHARES.0,
                "End" => SHARES.1,
                _ => return,
            });
            event.prevent_default();
            preferences::set_list_share(moved);
            on_share.emit(moved);
        })
    };
    let ondblclick = props.on_share.reform(|_: MouseEvent| {
        preferences::set_list_share(SHARE);
        SHARE
    });
    html! {
        <div class="explorer__divider" role="separator" aria-orientation="vertical" tabindex="0"
            aria-label={words(locale.catalogue().tag).divider} aria-valuenow={share.to_string()}
            aria-valuemin={SHARES.0.to_string()} aria-valuemax={SHARES.1.to_string()}
            {onpointerdown} {onmousedown} {onpointermove} {onpointerup} {onkeydown} {ondblclick} data-testid="divider"></div>
    }
}
