//! What was chosen for this browser, kept in localStorage where the browser has one.

use super::document;
use crate::state::saved::SavedList;
use crate::state::settings::{Language, Shape, Theme};
use crate::state::topic_tree::Order;

const THEME: &str = "hearth.theme";
const LANGUAGE: &str = "hearth.language";
const SHAPE: &str = "hearth.topics.shape";
const ORDER: &str = "hearth.topics.order";
const PUBLISHES: &str = "hearth.publishes";

/// The stored theme.
pub fn theme() -> Theme {
    Theme::from_word(&read(THEME))
}

/// Stores the theme and applies it.
pub fn set_theme(theme: Theme) {
    write(THEME, theme.as_str());
    apply_theme(theme);
}

/// Puts the theme on `<html>`, where the style sheets look for it.
pub fn apply_theme(theme: Theme) {
    if let Some(root) = document::document().document_element() {
        // Setting an attribute with a valid name does not fail.
        let _ = root.set_attribute("data-theme", theme.as_str());
    }
}

/// The stored language.
pub fn language() -> Language {
    Language::from_word(&read(LANGUAGE))
}

/// Stores the language.
pub fn set_language(language: Language) {
    write(LANGUAGE, language.as_str());
}

/// Puts the language's tag on `<html>`, for screen readers and hyphenation.
pub fn apply_language(tag: &str) {
    if let Some(root) = document::document().document_element() {
        // Setting an attribute with a valid name does not fail.
        let _ = root.set_attribute("lang", tag);
    }
}

/// Whether topics were last shown as a tree, and in which order.
pub fn topics() -> (Shape, Order) {
    (Shape::of(&read(SHAPE)), Order::of(&read(ORDER)))
}

/// Stores how topics are shown.
pub fn set_topics(shape: Shape, order: Order) {
    write(SHAPE, shape.as_str());
    write(ORDER, order.as_str());
}

/// The saved publications.
pub fn saved_publishes() -> SavedList {
    SavedList::parse(&read(PUBLISHES))
}

/// Stores them, and tells whether the browser took them.
pub fn set_saved_publishes(list: &SavedList) -> bool {
    storage().is_some_and(|storage| storage.set_item(PUBLISHES, &list.stored()).is_ok())
}

fn storage() -> Option<web_sys::Storage> {
    // Inside a foreign frame and in private windows even asking may throw.
    document::window().local_storage().ok().flatten()
}

fn read(key: &str) -> String {
    storage().and_then(|storage| storage.get_item(key).ok().flatten()).unwrap_or_default()
}

fn write(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full or forbidden storage costs the person nothing but the memory of this choice.
        let _ = storage.set_item(key, value);
    }
}
