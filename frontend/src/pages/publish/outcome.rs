//! What became of the form's last message, in words.

use yew::prelude::*;

use super::form::{Form, use_form};
use crate::catalogue::publish::PublishWords;
use crate::catalogue::{fill, reason};
use crate::components::{Icon, Symbol};
use crate::hooks::use_watch;
use crate::services::publisher::Publisher;
use crate::state::draft::DraftError;
use crate::state::hex::HexError;
use crate::state::outcome::{Failure, Outcome};
use hearth_protocol::topic::TopicError;

/// The result beside the button.
#[component]
pub(super) fn Result() -> Html {
    let form = use_form();
    let outcome = use_watch((), |hub, ()| Publisher::of(hub).outcome());
    let state = outcome.as_ref().map_or("idle", Outcome::as_str);
    let symbol = match outcome {
        None | Some(Outcome::Sending) => None,
        Some(Outcome::Sent | Outcome::Acknowledged) => Some(Symbol::Check),
        Some(Outcome::NobodyListens | Outcome::Failed(_)) => Some(Symbol::Alert),
    };
    html! {
        <p class={classes!("outcome", format!("outcome--{state}"))} role="status" data-testid="publish-result"
            data-state={state}>
            if let Some(symbol) = symbol {
                <Icon {symbol} />
            }
            <span>{outcome.as_ref().map_or_else(|| form.words.outcome_idle.to_owned(), |outcome| words_of(&form, outcome))}</span>
        </p>
    }
}

/// An outcome in a sentence.
pub(super) fn words_of(form: &Form, outcome: &Outcome) -> String {
    let words = form.words;
    match outcome {
        Outcome::Sending => words.outcome_sending.to_owned(),
        Outcome::Sent => words.outcome_sent.to_owned(),
        Outcome::Acknowledged => words.outcome_acknowledged.to_owned(),
        Outcome::NobodyListens => words.outcome_nobody.to_owned(),
        Outcome::Failed(Failure::Draft(error)) => draft_words(words, error),
        Outcome::Failed(Failure::Offline) => words.outcome_offline.to_owned(),
        Outcome::Failed(Failure::Unknown) => words.outcome_unknown.to_owned(),
        Outcome::Failed(Failure::Client(detail)) => fill(words.outcome_client, &[("detail", detail)]),
        Outcome::Failed(Failure::Refused(answer)) => {
            let code = format!("{:02X}", answer.reason.byte());
            let told = answer.reason_string.as_ref().map_or("", |words| words.as_str());
            let template = if told.is_empty() { words.outcome_refused } else { words.outcome_refused_why };
            fill(template, &[("reason", &reason(answer.reason)), ("code", &code), ("words", told)])
        }
    }
}

fn draft_words(words: &PublishWords, error: &DraftError) -> String {
    let detail = |template: &str, detail: &str| fill(template, &[("detail", detail)]);
    match error {
        DraftError::Topic(TopicError::Empty) => words.topic_empty.to_owned(),
        DraftError::Topic(TopicError::WildcardInName(character)) => {
            fill(words.topic_wildcard, &[("character", &character.to_string())])
        }
        DraftError::Topic(error) => detail(words.topic_other, &error.to_string()),
        DraftError::ResponseTopic(error) => detail(words.response_wrong, &error.to_string()),
        DraftError::Hex(error) => detail(words.not_sent, &hex_words(words, *error)),
        DraftError::Json { line, column, detail: complaint } => {
            let (line, column) = (line.to_string(), column.to_string());
            let place = [("line", line.as_str()), ("column", &column), ("detail", complaint)];
            detail(words.not_sent, &fill(words.json_bad, &place))
        }
        DraftError::NoFile => words.no_file.to_owned(),
        DraftError::NotUtf8 => words.not_utf8.to_owned(),
        DraftError::MessageExpiry => words.bad_expiry.to_owned(),
        DraftError::CorrelationData(error) => detail(words.bad_correlation, &hex_words(words, *error)),
        DraftError::Text(complaint) => detail(words.bad_text, complaint),
    }
}

/// What is wrong with hex.
pub(super) fn hex_words(words: &PublishWords, error: HexError) -> String {
    match error {
        HexError::Odd => words.hex_odd.to_owned(),
        HexError::Digit { character, place } => {
            fill(words.hex_digit, &[("character", &character.to_string()), ("place", &place.to_string())])
        }
    }
}
