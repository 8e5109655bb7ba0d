//! What the pieces of the page share.

use std::rc::Rc;

use yew::prelude::*;

use crate::catalogue::subscribe::{SubscribeWords, words};
use crate::hooks::{use_hub, use_locale};
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::subscriber::Subscriber;
use crate::state::command_line::Server;
use hearth_api::ListenerKind;

/// The page's state and words; clones are the same.
#[derive(Clone)]
pub(super) struct Follow {
    pub(super) hub: Hub,
    pub(super) subscriber: Rc<Subscriber>,
    pub(super) locale: Locale,
    pub(super) words: &'static SubscribeWords,
}

impl Follow {
    /// Where a tool that speaks MQTT over TCP finds the broker; `None` where the broker does not say so.
    pub(super) fn server(&self) -> Option<Server> {
        let info = self.hub.info()?;
        let takes_mqtt = |kind: ListenerKind| match kind {
            ListenerKind::Mqtt | ListenerKind::One => true,
            ListenerKind::Http | ListenerKind::Ws => false,
        };
        let mut listeners = info.listeners.iter().filter(|listener| takes_mqtt(listener.kind));
        let port = listeners.find_map(|listener| listener.address.rsplit_once(':')?.1.parse().ok())?;
        Server::of(self.hub.connection().address()?, port)
    }
}

/// The page's state.
#[hook]
pub(super) fn use_follow() -> Follow {
    let (hub, locale) = (use_hub(), use_locale());
    let words = words(locale.catalogue());
    Follow { subscriber: Subscriber::of(&hub), hub, locale, words }
}
