//! The form that publishes, and what became of the message.

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::catalogue::{Catalogue, fill, reason};
use crate::components::{Choice, Icon, Segmented, Symbol, Toggle};
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::services::locale::Locale;
use crate::state::outcome::{Draft, Failure, Outcome};
use hearth_protocol::QoS;
use hearth_protocol::topic::TopicError;

/// Props of [`PublishPage`].
#[derive(Clone, PartialEq, Properties)]
pub struct PublishPageProps {
    /// The topic to begin with.
    pub topic: Option<AttrValue>,
}

/// The page.
#[component]
pub fn PublishPage(props: &PublishPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let draft = use_state(Draft::default);
    {
        let draft = draft.clone();
        use_effect_with(props.topic.clone(), move |topic| {
            if let Some(topic) = topic {
                draft.set(Draft { topic: topic.to_string(), ..(*draft).clone() });
            }
        });
    }
    let edit = {
        let (hub, draft) = (hub.clone(), draft.clone());
        Callback::from(move |edited: Draft| {
            // The last result was for what stood here before.
            hub.reset_outcome();
            draft.set(edited);
        })
    };
    let onsubmit = {
        let (hub, draft) = (hub.clone(), draft.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            hub.publish(&draft);
        })
    };
    html! {
        <>
            <header class="page__head">
                <h1 class="page__title">{text.publish}</h1>
                <p class="page__intro">{text.publish_intro}</p>
            </header>
            <form class="card form" {onsubmit} novalidate=true autocomplete="off">
                <Fields draft={(*draft).clone()} on_edit={edit} />
                <div class="form__end">
                    <button type="submit" class="button button--primary" data-testid="publish-send">
                        <Icon symbol={Symbol::Publish} />{text.send}
                    </button>
                    <Result />
                </div>
            </form>
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct FieldsProps {
    draft: Draft,
    on_edit: Callback<Draft>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let draft = &props.draft;
    let on_topic = {
        let (draft, on_edit) = (draft.clone(), props.on_edit.clone());
        Callback::from(move |event: InputEvent| {
            let topic =
                event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
            on_edit.emit(Draft { topic, ..draft.clone() });
        })
    };
    let on_payload = {
        let (draft, on_edit) = (draft.clone(), props.on_edit.clone());
        Callback::from(move |event: InputEvent| {
            let area = event.target_dyn_into::<HtmlTextAreaElement>();
            let payload = area.map(|area| area.value()).unwrap_or_default();
            on_edit.emit(Draft { payload, ..draft.clone() });
        })
    };
    let on_qos = {
        let (draft, on_edit) = (draft.clone(), props.on_edit.clone());
        Callback::from(move |value: &'static str| {
            let qos = value.parse().ok().and_then(QoS::from_bits).unwrap_or_default();
            on_edit.emit(Draft { qos, ..draft.clone() });
        })
    };
    let on_retain = {
        let (draft, on_edit) = (draft.clone(), props.on_edit.clone());
        Callback::from(move |retain| on_edit.emit(Draft { retain, ..draft.clone() }))
    };
    let clears = draft.retain && draft.payload.is_empty();
    html! {
        <>
            <div class="field">
                <label class="field__label" for="publish-topic">{text.topic_label}</label>
                <input id="publish-topic" class="input input--code" type="text" value={draft.topic.clone()} oninput={on_topic}
                    placeholder={text.topic_placeholder} spellcheck="false" autocapitalize="off" data-testid="publish-topic" />
            </div>
            <div class="field">
                <label class="field__label" for="publish-payload">{text.payload_label}</label>
                <textarea id="publish-payload" class="input input--code input--area" value={draft.payload.clone()}
                    oninput={on_payload} placeholder={text.payload_placeholder} rows="4" spellcheck="false"
                    autocapitalize="off" data-testid="publish-payload" />
                if clears {
                    <p class="field__hint">{text.payload_hint_clear}</p>
                }
            </div>
            <Segmented name="publish-qos" legend={text.qos_label} choices={qos_choices(text)}
                chosen={qos_value(draft.qos)} on_choose={on_qos} />
            <Toggle label={text.retain_label} hint={text.retain_hint} on={draft.retain} on_change={on_retain}
                testid="publish-retain" />
        </>
    }
}

fn qos_choices(text: &'static Catalogue) -> Vec<Choice> {
    [("0", text.qos_0), ("1", text.qos_1), ("2", text.qos_2)]
        .into_iter()
        .map(|(value, hint)| Choice { value, label: value.into(), hint: Some(hint.into()) })
        .collect()
}

const fn qos_value(qos: QoS) -> &'static str {
    match qos {
        QoS::AtMostOnce => "0",
        QoS::AtLeastOnce => "1",
        QoS::ExactlyOnce => "2",
    }
}

#[component]
fn Result() -> Html {
    let locale = use_locale();
    let outcome = use_watch((), |hub, ()| hub.outcome());
    let symbol = match outcome {
        Outcome::Idle | Outcome::Sending => None,
        Outcome::Sent | Outcome::Acknowledged => Some(Symbol::Check),
        Outcome::NobodyListens | Outcome::Failed(_) => Some(Symbol::Alert),
    };
    html! {
        <p class={classes!("outcome", format!("outcome--{}", outcome.as_str()))} role="status"
            data-testid="publish-result" data-state={outcome.as_str()}>
            if let Some(symbol) = symbol {
                <Icon {symbol} />
            }
            <span>{words(&locale, &outcome)}</span>
        </p>
    }
}

fn words(locale: &Locale, outcome: &Outcome) -> String {
    let text = locale.catalogue();
    match outcome {
        Outcome::Idle => text.outcome_idle.to_owned(),
        Outcome::Sending => text.outcome_sending.to_owned(),
        Outcome::Sent => text.outcome_sent.to_owned(),
        Outcome::Acknowledged => text.outcome_acknowledged.to_owned(),
        Outcome::NobodyListens => text.outcome_nobody.to_owned(),
        Outcome::Failed(failure) => match failure {
            Failure::Offline => text.outcome_offline.to_owned(),
            Failure::Unknown => text.outcome_unknown.to_owned(),
            Failure::Refused(code) => fill(text.outcome_refused, &[("reason", &reason(*code))]),
            Failure::Client(detail) => fill(text.outcome_client, &[("detail", detail)]),
            Failure::Topic(TopicError::Empty) => text.topic_error_empty.to_owned(),
            Failure::Topic(TopicError::WildcardInName(character)) => {
                fill(text.topic_error_wildcard, &[("character", &character.to_string())])
            }
            Failure::Topic(
                error @ (TopicError::Text(_)
                | TopicError::MisplacedHash
                | TopicError::MisplacedPlus
                | TopicError::Share),
            ) => fill(text.topic_error_other, &[("detail", &error.to_string())]),
        },
    }
}
