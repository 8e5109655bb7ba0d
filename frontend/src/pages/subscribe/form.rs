//! A filter and its options.

use yew::prelude::*;

use super::follow::{Follow, use_follow};
use crate::catalogue::fill;
use crate::components::{Choice, Field, Segmented, Toggle};
use crate::state::filters::AddError;
use hearth_protocol::packet::{RetainHandling, Subscription};
use hearth_protocol::topic::TopicError;
use hearth_protocol::{QoS, TopicFilter};

/// What is typed and chosen.
#[derive(Clone, Debug, Default, PartialEq)]
struct Typed {
    filter: String,
    qos: QoS,
    no_local: bool,
    as_published: bool,
    handling: RetainHandling,
}

/// The form.
#[component]
pub(super) fn FilterForm() -> Html {
    let follow = use_follow();
    let words = follow.words;
    let typed = use_state_eq(Typed::default);
    let complaint = use_state_eq(String::new);
    let onsubmit = {
        let (follow, typed, complaint) = (follow.clone(), typed.clone(), complaint.setter());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match add(&follow, &typed) {
                Ok(()) => {
                    typed.set(Typed { filter: String::new(), ..(*typed).clone() });
                    complaint.set(String::new());
                }
                Err(told) => complaint.set(told),
            }
        })
    };
    let on_filter = {
        let (typed, complaint) = (typed.clone(), complaint.setter());
        Callback::from(move |filter| {
            complaint.set(String::new());
            typed.set(Typed { filter, ..(*typed).clone() });
        })
    };
    let on_qos = {
        let typed = typed.clone();
        Callback::from(move |word: &'static str| {
            let qos = word.parse().ok().and_then(QoS::from_bits).unwrap_or_default();
            typed.set(Typed { qos, ..(*typed).clone() });
        })
    };
    let qos = ["0", "1", "2"].map(|value| Choice { value, label: value.into(), hint: None });
    let chosen = ["0", "1", "2"][usize::from(typed.qos.bits()).min(2)];
    html! {
        <form class="form" {onsubmit} novalidate=true autocomplete="off">
            <Field id="subscribe-filter" label={words.filter} value={typed.filter.clone()} on_input={on_filter}
                placeholder={words.filter_placeholder} />
            <Segmented name="subscribe-qos" legend={words.qos} choices={qos.to_vec()} {chosen} on_choose={on_qos} />
            {options(&follow, &typed)}
            <div class="form__end">
                <button type="submit" class="button button--primary" data-testid="subscribe-add">
                    {words.subscribe}</button>
                <p class="field__hint" role="alert" data-testid="subscribe-complaint">{(*complaint).clone()}</p>
            </div>
        </form>
    }
}

fn options(follow: &Follow, typed: &UseStateHandle<Typed>) -> Html {
    let words = follow.words;
    let on_toggle = |change: fn(&mut Typed, bool)| {
        let typed = typed.clone();
        Callback::from(move |is_on| {
            let mut changed = (*typed).clone();
            change(&mut changed, is_on);
            typed.set(changed);
        })
    };
    let handlings = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
    let on_handling = {
        let typed = typed.clone();
        Callback::from(move |word: &'static str| {
            let handling = handlings.into_iter().find(|handling| handling_word(*handling) == word);
            typed.set(Typed { handling: handling.unwrap_or_default(), ..(*typed).clone() });
        })
    };
    let choices = handlings.into_iter().zip(words.handlings);
    let choices = choices.map(|(handling, label)| Choice {
        value: handling_word(handling),
        label: label.into(),
        hint: None,
    });
    html! {
        <details class="fold" data-testid="subscribe-options">
            <summary class="fold__title">{words.options}</summary>
            <div class="fold__body">
                <Toggle label={words.no_local} hint={words.no_local_hint} on={typed.no_local} testid="subscribe-no-local"
                    on_change={on_toggle(|typed, is_on| typed.no_local = is_on)} />
                <Toggle label={words.as_published} hint={words.as_published_hint} on={typed.as_published}
                    testid="subscribe-as-published" on_change={on_toggle(|typed, is_on| typed.as_published = is_on)} />
                <Segmented name="subscribe-handling" legend={words.handling} choices={choices.collect::<Vec<_>>()}
                    chosen={handling_word(typed.handling)} on_choose={on_handling} />
            </div>
        </details>
    }
}

const fn handling_word(handling: RetainHandling) -> &'static str {
    match handling {
        RetainHandling::Send => "send",
        RetainHandling::SendIfNew => "new",
        RetainHandling::DoNotSend => "none",
    }
}

fn add(follow: &Follow, typed: &Typed) -> Result<(), String> {
    let words = follow.words;
    let filter = TopicFilter::try_from(typed.filter.trim()).map_err(|error| match error {
        TopicError::Empty => words.filter_empty.to_owned(),
        TopicError::Text(_)
        | TopicError::WildcardInName(_)
        | TopicError::MisplacedHash
        | TopicError::MisplacedPlus
        | TopicError::Share => fill(words.filter_wrong, &[("detail", &error.to_string())]),
    })?;
    if typed.no_local && filter.shared().is_some() {
        // [MQTT-3.8.3-4]
        return Err(words.no_local_shared.to_owned());
    }
    let subscription = Subscription {
        no_local: typed.no_local,
        retain_as_published: typed.as_published,
        retain_handling: typed.handling,
        ..Subscription::new(filter, typed.qos)
    };
    follow.subscriber.add(&follow.hub, subscription).map_err(|error| match error {
        AddError::Known => words.filter_known.to_owned(),
        AddError::TooMany => words.filter_too_many.to_owned(),
    })
}
