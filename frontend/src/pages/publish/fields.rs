//! Topic, payload, QoS and retain.

use yew::prelude::*;

use super::form::use_form;
use super::payload::Payload;
use crate::catalogue::publish::PublishWords;
use crate::components::{Choice, Field, Segmented, Toggle};
use crate::state::draft::{Draft, Kind};
use hearth_protocol::QoS;

/// What every message has.
#[component]
pub(super) fn Fields() -> Html {
    let form = use_form();
    let words = form.words;
    let draft = form.publisher.draft();
    let on_kind = form.on(|draft: &mut Draft, word: &'static str| {
        draft.kind = Kind::of(word).unwrap_or_default();
    });
    let on_qos = form.on(|draft: &mut Draft, word: &'static str| {
        draft.qos = word.parse().ok().and_then(QoS::from_bits).unwrap_or_default();
    });
    let kinds = Kind::ALL.into_iter().zip(words.kinds);
    let kinds = kinds.map(|(kind, label)| Choice { value: kind.as_str(), label: label.into(), hint: None });
    html! {
        <>
            <Field id="publish-topic" label={words.topic} value={draft.topic.clone()}
                on_input={form.on(|draft: &mut Draft, typed| draft.topic = typed)}
                placeholder={words.topic_placeholder} />
            <div class="form__group">
                <Segmented name="publish-kind" legend={words.kind} choices={kinds.collect::<Vec<_>>()}
                    chosen={draft.kind.as_str()} on_choose={on_kind} />
                <Payload />
            </div>
            <Segmented name="publish-qos" legend={words.qos} choices={qos_choices(words)}
                chosen={qos_word(draft.qos)} on_choose={on_qos} />
            <Toggle label={words.retain} hint={words.retain_hint} on={draft.retain} testid="publish-retain"
                on_change={form.on(|draft: &mut Draft, is_on| draft.retain = is_on)} />
        </>
    }
}

fn qos_choices(words: &'static PublishWords) -> Vec<Choice> {
    let hints = ["0", "1", "2"].into_iter().zip(words.qos_hints);
    hints.map(|(value, hint)| Choice { value, label: value.into(), hint: Some(hint.into()) }).collect()
}

const fn qos_word(qos: QoS) -> &'static str {
    match qos {
        QoS::AtMostOnce => "0",
        QoS::AtLeastOnce => "1",
        QoS::ExactlyOnce => "2",
    }
}
