//! The state of the connection in words.

use hearth_protocol::ReasonCode;
use yew::prelude::*;

use crate::catalogue::{fill, reason};
use crate::services::locale::Locale;
use crate::state::link::{Cause, Link};

/// Props of [`ConnectionBadge`].
#[derive(Clone, PartialEq, Properties)]
pub struct ConnectionBadgeProps {
    /// The state.
    pub link: Link,
    /// Seconds until the next attempt.
    pub retry_in_s: Option<u64>,
    /// The person's language.
    pub locale: Locale,
    /// For tests.
    #[prop_or("connection")]
    pub testid: &'static str,
}

/// A dot and a word, and the round trip where there is one.
#[component]
pub fn ConnectionBadge(props: &ConnectionBadgeProps) -> Html {
    let text = props.locale.catalogue();
    let words = match &props.link {
        Link::Connecting => text.connecting,
        Link::Checking => text.checking,
        Link::Online { .. } => text.connected,
        Link::Waiting { .. } => text.offline,
        Link::Refused { .. } => text.refused,
        Link::Closed => text.offline,
    };
    let round_trip = match &props.link {
        Link::Online { round_trip: Some(round_trip) } => {
            let ms = props.locale.number(round_trip.as_secs_f64() * 1000.0, 0);
            Some(fill(text.round_trip, &[("ms", &ms)]))
        }
        Link::Online { round_trip: None }
        | Link::Connecting
        | Link::Checking
        | Link::Waiting { .. }
        | Link::Refused { .. }
        | Link::Closed => None,
    };
    let retry = props.retry_in_s.map(|s| fill(text.retry_in, &[("seconds", &props.locale.count(s))]));
    html! {
        <span class="connection" data-testid={props.testid} data-state={props.link.as_str()}>
            <span class="connection__dot" aria-hidden="true"></span>
            <span class="connection__words" role="status">{words}</span>
            if let Some(round_trip) = round_trip {
                <span class="connection__detail" data-testid="round-trip" title={text.round_trip_name}>{round_trip}</span>
            }
            if let Some(retry) = retry {
                <span class="connection__detail">{retry}</span>
            }
        </span>
    }
}

/// What happened, as a sentence, with what to do where the broker is the page's own; `None` while there is nothing to explain.
pub fn explain(link: &Link, is_own: bool, locale: &Locale) -> Option<String> {
    let text = locale.catalogue();
    Some(match link {
        Link::Connecting | Link::Checking | Link::Online { .. } => return None,
        Link::Closed => text.cause_you.to_owned(),
        Link::Refused { reason: code, .. } => {
            let refused = fill(text.cause_refused, &[("reason", &reason(*code))]);
            if is_own && *code == ReasonCode::NotAuthorized {
                format!("{refused} {}", text.refused_login)
            } else {
                refused
            }
        }
        Link::Waiting { cause, .. } => match cause {
            Cause::Lost => text.cause_lost.to_owned(),
            Cause::Silent => text.cause_silent.to_owned(),
            Cause::Closed(code) => fill(text.cause_closed, &[("reason", &reason(*code))]),
            Cause::Protocol(detail) => fill(text.cause_protocol, &[("detail", detail)]),
        },
    })
}
