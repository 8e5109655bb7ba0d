//! The control of a lamp: what it is, what was asked of it, and whether that came true.

use yew::prelude::*;

use crate::catalogue::{Catalogue, fill, reason};
use crate::components::{Icon, Symbol};
use crate::state::command::{Command, Failure};

/// What a lamp looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LampLook {
    /// The reported state; `None` when it is not known.
    pub on: Option<bool>,
    /// Where the last command stands.
    pub command: Command,
    /// Whether the state is up to date.
    pub live: bool,
    /// Whether the device says that it is there.
    pub reachable: bool,
}

impl LampLook {
    /// The word for style sheets and tests.
    pub const fn as_str(&self) -> &'static str {
        match (self.command, self.on) {
            (Command::Pending { .. }, _) => "pending",
            (Command::Failed { .. }, _) => "failed",
            (Command::Settled, Some(true)) => "on",
            (Command::Settled, Some(false) | None) => "off",
        }
    }

    /// Where the switch stands: a pending command moves it at once, a failed one moves it back.
    const fn shown_on(&self) -> bool {
        match (self.command, self.on) {
            (Command::Pending { target, .. }, _) => target,
            (Command::Failed { .. } | Command::Settled, on) => matches!(on, Some(true)),
        }
    }

    fn words(&self, text: &Catalogue) -> String {
        match self.command {
            Command::Pending { target: true, .. } => text.switching_on.to_owned(),
            Command::Pending { target: false, .. } => text.switching_off.to_owned(),
            Command::Failed { failure } => match failure {
                Failure::NoAnswer => text.failed_no_answer.to_owned(),
                Failure::NobodyListens => text.failed_nobody.to_owned(),
                Failure::Refused(code) => fill(text.failed_refused, &[("reason", &reason(code))]),
                Failure::Offline => text.failed_offline.to_owned(),
            },
            Command::Settled if !self.reachable => text.device_offline.to_owned(),
            Command::Settled => {
                let state = match self.on {
                    Some(true) => text.on,
                    Some(false) => text.off,
                    None => text.unknown,
                };
                if self.live { state.to_owned() } else { format!("{state} · {}", text.last_known) }
            }
        }
    }
}

/// Props of [`Lamp`].
#[derive(Clone, PartialEq, Properties)]
pub struct LampProps {
    /// The state topic.
    pub topic: AttrValue,
    /// What people call it.
    pub name: AttrValue,
    /// What it looks like.
    pub look: LampLook,
    /// Whether a command can be sent at all.
    pub enabled: bool,
    /// The sentences.
    pub text: CatalogueRef,
    /// Hears taps.
    pub on_tap: Callback<()>,
}

/// A catalogue as a prop: there is one a language, so that the place tells them apart.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueRef(pub &'static Catalogue);

impl PartialEq for CatalogueRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// A lamp.
#[component]
pub fn Lamp(props: &LampProps) -> Html {
    let look = &props.look;
    let on = look.shown_on();
    let class = classes!(
        "lamp",
        format!("lamp--{}", look.as_str()),
        on.then_some("lamp--lit"),
        (!look.live).then_some("is-stale")
    );
    html! {
        <button type="button" {class} role="switch" aria-checked={on.to_string()} aria-label={&props.name}
            disabled={!props.enabled} onclick={props.on_tap.reform(|_| ())}
            aria-busy={matches!(look.command, Command::Pending { .. }).to_string()}
            data-testid="lamp" data-topic={&props.topic} data-state={look.as_str()}>
            <span class="lamp__bulb"><Icon symbol={Symbol::Bulb} /></span>
            <span class="lamp__words">
                <span class="lamp__name">{&props.name}</span>
                <span class="lamp__state" data-testid="lamp-state" role="status">{look.words(props.text.0)}</span>
            </span>
            <span class="lamp__track" aria-hidden="true"><span class="lamp__thumb"></span></span>
        </button>
    }
}
