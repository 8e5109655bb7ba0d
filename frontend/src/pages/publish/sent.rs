//! The last publications, with what became of each and the answers to it.

use yew::prelude::*;

use super::form::{Form, use_form};
use super::outcome::words_of;
use crate::catalogue::fill;
use crate::hooks::use_watch;
use crate::services::publisher::Publisher;
use crate::state::outcome::Outcome;
use crate::state::sendings::{Request, Sending};

/// The list.
#[component]
pub(super) fn Sent() -> Html {
    let form = use_form();
    let words = form.words;
    use_watch((), |hub, ()| Publisher::of(hub).sendings().changes());
    let sendings = form.publisher.sendings();
    let items: Vec<Html> = sendings.newest_first().map(|sending| item(&form, sending)).collect();
    let on_clear = {
        let form = form.clone();
        Callback::from(move |_: MouseEvent| form.publisher.clear(&form.hub))
    };
    html! {
        <section class="card" aria-label={words.sent_title}>
            <div class="card__head">
                <h2 class="card__title">{words.sent_title}</h2>
                if !items.is_empty() {
                    <button type="button" class="button button--quiet" onclick={on_clear} data-testid="sent-clear">
                        {words.sent_clear}</button>
                }
            </div>
            if items.is_empty() {
                <p class="card__note">{words.sent_none}</p>
            } else {
                <ol class="sent">{for items}</ol>
            }
        </section>
    }
}

fn item(form: &Form, sending: &Sending) -> Html {
    let words = form.words;
    let [is_sending, sent, acknowledged, nobody, failed] = words.sent_words;
    let state = match &sending.outcome {
        Outcome::Sending => is_sending,
        Outcome::Sent => sent,
        Outcome::Acknowledged => acknowledged,
        Outcome::NobodyListens => nobody,
        Outcome::Failed(_) => failed,
    };
    let mut facts = vec![state.to_owned()];
    facts.extend(sending.answered_ms.map(|ms| after(form, words.sent_answered, ms)));
    facts.extend(sending.echoed_ms.map(|ms| after(form, words.sent_echoed, ms)));
    let why = match &sending.outcome {
        Outcome::Failed(_) => Some(words_of(form, &sending.outcome)),
        Outcome::Sending | Outcome::Sent | Outcome::Acknowledged | Outcome::NobodyListens => None,
    };
    html! {
        <li class="sent__item" key={sending.id} data-testid="sent-item" data-state={sending.outcome.as_str()}
            data-topic={sending.topic.to_string()} data-echoed={sending.echoed_ms.is_some().to_string()}>
            <p class="sent__head">
                <span class="messages__time">{form.locale.clock_seconds(sending.at_ms)}</span>
                <span class="sent__topic">{sending.topic.to_string()}</span>
                <span class="badge badge--calm">{format!("QoS {}", sending.qos.bits())}</span>
                if sending.retain {
                    <span class="badge badge--calm">{form.locale.catalogue().retained}</span>
                }
            </p>
            <p class="messages__payload">{shown(form, &sending.preview, sending.bytes)}</p>
            <p class={classes!("sent__facts", format!("outcome--{}", sending.outcome.as_str()))}>{facts.join(" · ")}</p>
            if let Some(why) = why {
                <p class="card__note">{why}</p>
            }
            if let Some(request) = &sending.request {
                {replies(form, request)}
            }
        </li>
    }
}

fn replies(form: &Form, request: &Request) -> Html {
    let words = form.words;
    let title = match request.count {
        0 => fill(words.sent_waits, &[("topic", request.response_topic.as_str())]),
        1 => words.sent_reply_one.to_owned(),
        count => fill(words.sent_replies, &[("count", &form.locale.count(count))]),
    };
    html! {
        <div class="sent__replies" data-testid="sent-replies" data-count={request.count.to_string()}>
            <p class="card__note">{title}</p>
            <ol class="sent__answers">
                {for request.replies.iter().map(|reply| html! {
                    <li data-testid="sent-reply">
                        <span class="messages__payload">{shown(form, &reply.preview, reply.bytes)}</span>
                        <span class="card__note">{after(form, words.reply_after, reply.took_ms)}</span>
                    </li>
                })}
            </ol>
        </div>
    }
}

/// A payload on one line, with its size where the line does not show it all.
fn shown(form: &Form, preview: &str, bytes: usize) -> String {
    if bytes == 0 {
        return form.locale.catalogue().empty_payload.to_owned();
    }
    if preview.ends_with('…') {
        let size = fill(form.words.bytes, &[("count", &form.locale.count(bytes as u64))]);
        return format!("{preview} ({size})");
    }
    preview.to_owned()
}

fn after(form: &Form, template: &str, ms: f64) -> String {
    fill(template, &[("ms", &form.locale.number(ms.max(0.0), 0))])
}
