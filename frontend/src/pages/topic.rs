//! One topic: its last message whole, what came with it, and what came before.

use std::rc::Rc;

use yew::prelude::*;

use super::chart_fields::use_fields;
use super::pin_button::PinButton;
use super::topic_facts::FactsCard;
use super::topic_history::HistoryCard;
use super::topic_rebirth::Rebirth;
use crate::catalogue::topic::words;
use crate::catalogue::{explore, fill};
use crate::components::{Empty, Icon, PayloadView, Symbol};
use crate::hooks::{use_follow, use_hub, use_locale, use_topic, use_watch};
use crate::route::Route;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::{document, download};
use crate::state::history::{Kept, PAYLOAD_BYTES_MAX, PastMessage};
use crate::state::payload::{self, Form};
use crate::state::spark::Spark;
use crate::state::topics::{Kind, Topic};
use crate::state::view::{self, Told};
use crate::state::{births, export, sparkplug};
use crate::widgets::SparkLine;

/// Characters of a past message.
const PAST_CHARS: usize = 160;

/// Changed values that are listed; the others are counted.
const CHANGES_MAX: usize = 50;

/// Numbers inside a payload that are offered beside it.
const FIELDS_MAX: usize = 64;

/// Points of the small picture of a number's course.
const COURSE_POINTS: usize = 200;

/// Props of [`TopicPage`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct TopicPageProps {
    /// The topic.
    pub topic: AttrValue,
    /// Whether the list of topics stands beside it.
    #[prop_or_default]
    pub is_beside: bool,
}

/// The page.
#[component]
pub(super) fn TopicPage(props: &TopicPageProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let topic = &props.topic;
    use_follow(Some(topic.clone()));
    let fields = use_fields(topic);
    let heard = use_watch(topic.clone(), |hub, topic| hub.topics().find(topic).is_some());
    html! {
        <>
            <TopicHead topic={topic.clone()} is_beside={props.is_beside} />
            if heard {
                <div class="columns">
                    <PayloadCard topic={topic.clone()} />
                    <FactsCard topic={topic.clone()} />
                </div>
            } else if fields.is_empty() {
                <Empty symbol={Symbol::Topics} title={text.topic_unheard_title}
                    text={fill(text.topic_unheard_text, &[("topic", topic)])} />
            } else {
                <p class="card__note">{fill(text.topic_unheard_text, &[("topic", topic)])}</p>
            }
            // In one place, so that the first message does not begin the chart anew.
            if !fields.is_empty() {
                <HistoryCard topic={topic.clone()} {fields} key={topic.to_string()} />
            }
            if heard {
                <MessagesCard topic={topic.clone()} />
            }
        </>
    }
}

/// Drawn anew with each message and not more often: the payload may be large.
#[component]
fn PayloadCard(props: &TopicPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let births_mark = use_watch(props.topic.clone(), |hub, topic| births::mark(&hub.topics(), topic));
    let births = use_memo((props.topic.clone(), births_mark), {
        let hub = hub.clone();
        move |(topic, _)| births::of(&hub.topics(), topic)
    });
    let Some(mark) = use_topic(Rc::from(props.topic.as_str())) else { return Html::default() };
    let topics = hub.topics();
    let topic = topics.topic(mark.id);
    let told = Told { topic: topic.name(), content_type: topic.content_type(), births: &births };
    let is_unborn = sparkplug::is_data(topic.name())
        && (births.is_empty() || sparkplug::has_unknown_alias(topic.payload(), &births));
    html! {
        <section class="card" aria-labelledby="payload-title">
            <div class="card__head">
                <h2 class="card__title" id="payload-title">{text.payload}</h2>
                if !mark.live {
                    <span class="badge badge--warn">{text.last_known}</span>
                }
                <span class="card__note">{kind_and_size(&locale, topic.payload())}</span>
                <CopyButton topic={props.topic.clone()} />
            </div>
            <PayloadView topic={props.topic.clone()} payload={Rc::<[u8]>::from(topic.payload())}
                content_type={topic.content_type().map(|told| AttrValue::from(told.to_owned()))}
                births={births.clone()} tells_unborn=false live={mark.live} locale={locale.clone()} />
            if is_unborn {
                <Rebirth topic={props.topic.clone()} />
            }
            {changes(&locale, topic, told)}
            {course(topic)}
            {fields(&locale, topic, told)}
        </section>
    }
}

#[component]
fn MessagesCard(props: &TopicPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let Some(mark) = use_topic(Rc::from(props.topic.as_str())) else { return Html::default() };
    let topics = hub.topics();
    html! {
        <section class="card" aria-labelledby="messages-title">
            <div class="card__head">
                <h2 class="card__title" id="messages-title">{text.last_messages}</h2>
                <button type="button" class="button button--quiet" onclick={save(&hub, &props.topic, File::Csv)}
                    aria-label={words(text.tag).save_csv} data-testid="messages-csv">{"CSV"}</button>
                <button type="button" class="button button--quiet" onclick={save(&hub, &props.topic, File::Json)}
                    aria-label={words(text.tag).save_json} data-testid="messages-json">{"JSON"}</button>
            </div>
            <ol class="messages" data-testid="detail-messages">
                {for topics.topic(mark.id).history().newest_first().map(|message| past(&locale, message))}
            </ol>
        </section>
    }
}

/// What the messages can be saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Csv,
    Json,
}

fn save(hub: &Hub, topic: &AttrValue, file: File) -> Callback<MouseEvent> {
    let (hub, topic) = (hub.clone(), topic.clone());
    Callback::from(move |_: MouseEvent| {
        let topics = hub.topics();
        let Some(id) = topics.find(&topic) else { return };
        let messages = topics.topic(id).history().newest_first();
        match file {
            File::Csv => {
                let csv = export::messages_csv(messages);
                download::save_text(&export::file_name(&topic, "csv"), "text/csv", &csv);
            }
            File::Json => {
                let json = export::messages_json(&topic, messages);
                download::save_text(&export::file_name(&topic, "json"), "application/json", &json);
            }
        }
    })
}

#[component]
fn TopicHead(props: &TopicPageProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let name = props.topic.to_string();
    let is_number = use_watch(props.topic.clone(), |hub, name| {
        let topics = hub.topics();
        topics.find(name).is_some_and(|id| topics.topic(id).kind() == Kind::Number)
    });
    let split = name.rfind('/').map_or(0, |slash| slash + 1);
    let title = html! {
        <><span class="topic-title__parent">{&name[..split]}</span><wbr />{&name[split..]}</>
    };
    html! {
        <header class="page__head">
            if props.is_beside {
                <div class="topic-bar">
                    <h2 class="topic-title" data-testid="detail-topic">{title}</h2>
                    <a class="button button--quiet" href={Route::Topics.href()} aria-label={explore::words(text.tag).close}
                        title={explore::words(text.tag).close}
                        data-testid="detail-close"><Icon symbol={Symbol::Close} /></a>
                </div>
            } else {
                <a class="back" href={Route::Topics.href()}><Icon symbol={Symbol::Back} />{text.back_to_topics}</a>
                <h1 class="topic-title" data-testid="detail-topic">{title}</h1>
            }
            <div class="actions">
                <a class="button" href={Route::Publish(Some(name.clone())).href()} data-testid="detail-publish">
                    <Icon symbol={Symbol::Publish} />{text.publish_here}
                </a>
                <PinButton filter={name.clone()} />
                if is_number {
                    <a class="button" href={Route::Chart(Some(name.clone()), String::new()).href()}
                        data-testid="detail-chart"><Icon symbol={Symbol::Chart} />{text.show_chart}</a>
                }
            </div>
        </header>
    }
}

#[component]
fn CopyButton(props: &TopicPageProps) -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let copied = use_state_eq(|| None::<bool>);
    let onclick = {
        let (copied, topic) = (copied.setter(), props.topic.clone());
        Callback::from(move |_: MouseEvent| {
            let topics = hub.topics();
            let Some(id) = topics.find(&topic) else { return };
            let payload = topics.topic(id).payload();
            let text = String::from_utf8(payload.to_vec())
                .unwrap_or_else(|_| payload::hex_dump(payload, payload.len()));
            let copied = copied.clone();
            document::copy(&text, move |allowed| copied.set(Some(allowed)));
        })
    };
    let label = match *copied {
        None => text.copy,
        Some(true) => text.copied,
        Some(false) => text.copy_failed,
    };
    html! {
        <button type="button" class="button button--quiet" {onclick}>
            <Icon symbol={Symbol::Copy} /><span role="status">{label}</span>
        </button>
    }
}

fn kind_and_size(locale: &Locale, payload: &[u8]) -> String {
    let text = locale.catalogue();
    let form = match Form::of(payload) {
        Form::Empty => text.format_empty,
        Form::Json => text.format_json,
        Form::Text => text.format_text,
        Form::Hex => text.format_hex,
    };
    format!("{form} · {}", size(locale, payload.len()))
}

pub(super) fn size(locale: &Locale, bytes: usize) -> String {
    let text = locale.catalogue();
    match bytes {
        1 => text.bytes_one.to_owned(),
        bytes => fill(text.bytes_many, &[("count", &locale.count(bytes as u64))]),
    }
}

/// What the last message changed, where both are known.
fn changes(locale: &Locale, topic: &Topic, told: Told<'_>) -> Html {
    let before = match topic.history().newest_first().nth(1).map(|message| &message.payload) {
        Some(Kept::Whole(before)) => before,
        Some(Kept::TooLarge(_)) => {
            let kib = (PAYLOAD_BYTES_MAX / 1024).to_string();
            let note = fill(words(locale.catalogue().tag).no_changes, &[("kib", &kib)]);
            return html! { <p class="card__note" data-testid="detail-no-changes">{note}</p> };
        }
        None => return Html::default(),
    };
    let shown = view::offered(told, topic.payload())[0];
    let changes = view::changes(shown, told.births, before, topic.payload()).unwrap_or_default();
    let text = locale.catalogue();
    let title = match changes.len() {
        0 => return Html::default(),
        1 => text.changes_one.to_owned(),
        count => fill(text.changes_many, &[("count", &locale.count(count as u64))]),
    };
    let side = |value: Option<&String>| {
        let mut line = String::new();
        match value {
            Some(value) => payload::preview(value.as_bytes(), PAST_CHARS, &mut line),
            None => text.change_absent.clone_into(&mut line),
        }
        line
    };
    html! {
        <details class="changes" data-testid="detail-changes">
            <summary class="changes__title">{title}</summary>
            <dl class="facts">
                {for changes.iter().take(CHANGES_MAX).map(|change| html! {
                    <div class="facts__row">
                        <dt>{if change.path.is_empty() { text.change_whole } else { &change.path }}</dt>
                        <dd><del class="changes__before">{side(change.before.as_ref())}</del>{" "}
                            <ins class="changes__after">{side(change.after.as_ref())}</ins></dd>
                    </div>
                })}
                if changes.len() > CHANGES_MAX {
                    <div class="facts__row"><dt>{"…"}</dt><dd>{locale.count((changes.len() - CHANGES_MAX) as u64)}</dd></div>
                }
            </dl>
        </details>
    }
}

/// How a number went lately; the chart has the scales.
fn course(topic: &Topic) -> Html {
    let points = topic.series().map(|series| series.tail(COURSE_POINTS)).unwrap_or_default();
    match Spark::of(&points, 0.0, 0.0) {
        Some(spark) => html! {
            <a class="course" href={Route::Chart(Some(topic.name().to_owned()), String::new()).href()} tabindex="-1"
                aria-hidden="true"><SparkLine {spark} /></a>
        },
        None => Html::default(),
    }
}

/// The numbers inside a payload, each a link to its chart.
fn fields(locale: &Locale, topic: &Topic, told: Told<'_>) -> Html {
    let fields = view::numeric_fields(told, topic.payload(), FIELDS_MAX);
    if fields.is_empty() {
        return Html::default();
    }
    html! {
        <div class="fields">
            <span class="fields__title">{locale.catalogue().numeric_fields}</span>
            {for fields.into_iter().map(|field| {
                let route = Route::Chart(Some(topic.name().to_owned()), field.clone());
                html! { <a class="chip" href={route.href()}><Icon symbol={Symbol::Chart} />{field}</a> }
            })}
        </div>
    }
}

fn past(locale: &Locale, message: &PastMessage) -> Html {
    let text = locale.catalogue();
    let body = match &message.payload {
        Kept::Whole(payload) if payload.is_empty() => text.empty_payload.to_owned(),
        Kept::Whole(payload) => {
            let mut line = String::new();
            payload::preview(payload, PAST_CHARS, &mut line);
            line
        }
        Kept::TooLarge(bytes) => fill(text.too_large_kept, &[("count", &locale.count(*bytes as u64))]),
    };
    html! {
        <li class="messages__item" data-testid="detail-message">
            <span class="messages__time">{locale.clock_seconds(message.at_ms)}</span>
            <span class="messages__payload">{body}</span>
            if message.retain {
                <span class="badge badge--calm" title={text.retained_name}>{text.retained}</span>
            }
        </li>
    }
}
