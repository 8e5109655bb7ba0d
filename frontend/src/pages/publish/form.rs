//! What the pieces of the page share: the form's state and its words.

use std::rc::Rc;

use yew::prelude::*;

use crate::catalogue::publish::{PublishWords, words};
use crate::hooks::{use_hub, use_locale, use_watch};
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::publisher::Publisher;
use crate::state::draft::Draft;

/// The form; clones are the same one.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) hub: Hub,
    pub(super) publisher: Rc<Publisher>,
    pub(super) locale: Locale,
    pub(super) words: &'static PublishWords,
}

impl Form {
    /// Changes what the form holds.
    pub(super) fn edit(&self, change: impl FnOnce(&mut Draft)) {
        let mut draft = self.publisher.draft().clone();
        change(&mut draft);
        self.publisher.edit(&self.hub, draft);
    }

    /// Changes one piece of it.
    pub(super) fn on<T: 'static>(&self, set: impl Fn(&mut Draft, T) + 'static) -> Callback<T> {
        let form = self.clone();
        Callback::from(move |value: T| form.edit(|draft| set(draft, value)))
    }
}

/// The form, drawn anew when it changes.
#[hook]
pub(super) fn use_form() -> Form {
    let (hub, locale) = (use_hub(), use_locale());
    use_watch((), |hub, ()| Publisher::of(hub).revision());
    let words = words(locale.catalogue());
    Form { publisher: Publisher::of(&hub), hub, locale, words }
}
