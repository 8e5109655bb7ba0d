//! What the pieces of the page share.

use std::rc::Rc;

use yew::prelude::*;

use crate::catalogue::subscribe::{SubscribeWords, words};
use crate::hooks::{use_hub, use_locale};
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::subscriber::Subscriber;

/// The page's state and words; clones are the same.
#[derive(Clone)]
pub(super) struct Follow {
    pub(super) hub: Hub,
    pub(super) subscriber: Rc<Subscriber>,
    pub(super) locale: Locale,
    pub(super) words: &'static SubscribeWords,
}

/// The page's state.
#[hook]
pub(super) fn use_follow() -> Follow {
    let (hub, locale) = (use_hub(), use_locale());
    let words = words(locale.catalogue());
    Follow { subscriber: Subscriber::of(&hub), hub, locale, words }
}
