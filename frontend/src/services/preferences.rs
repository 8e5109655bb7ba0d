//! What was chosen for this browser, kept in localStorage where the browser has one.

use super::document;
use crate::state::saved::SavedList;
use crate::state::settings::{Language, Shape, Theme};
use crate::state::topic_tree::Order;

const THEME: &str = "hearth.theme";
const LANGUAGE: &str = "hearth.language";
const SHAPE: &str = "hearth.topics.shape";
const ORDER: &str = "hearth.topics.order";
const LIST_SHARE: &str = "hearth.topics.share";
const PUBLISHES: &str = "hearth.publishes";
const CONNECTIONS: &str = "hearth.connections";
const SHOWN_CONNECTION: &str = "hearth.connections.shown";

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

/// How much of the width the list of topics has beside a topic, in percent; `None` where nobody chose it.
pub fn list_share() -> Option<f64> {
    read(LIST_SHARE).parse().ok()
}

/// Stores it.
pub fn set_list_share(percent: f64) {
    write(LIST_SHARE, &percent.to_string());
}

/// The saved publications.
pub fn saved_publishes() -> SavedList {
    SavedList::parse(&read(PUBLISHES))
}

/// Stores them, and tells whether the browser took them.
pub fn set_saved_publishes(list: &SavedList) -> bool {
    storage().is_some_and(|storage| storage.set_item(PUBLISHES, &list.stored()).is_ok())
}

/// The stored document of the connections; empty when there is none.
pub fn connections() -> String {
    read(CONNECTIONS)
}

/// Whether one of the connections may have to be opened with the page; the document itself tells for sure.
pub fn connects_at_start() -> bool {
    read(CONNECTIONS).contains(r#""connect_at_start": true"#)
}

/// Stores the document of the connections; `false` when the browser does not take it.
pub fn set_connections(document: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(CONNECTIONS, document).is_ok())
}

/// The id of the connection that was shown last; the own one's when there is none.
pub fn shown_connection() -> u32 {
    read(SHOWN_CONNECTION).parse().unwrap_or_default()
}

/// Stores which connection is shown.
pub fn set_shown_connection(id: u32) {
    write(SHOWN_CONNECTION, &id.to_string());
}

/// What is pinned of the broker at an address.
pub fn pins(address: Option<&str>) -> String {
    read(&pins_key(address))
}

/// Stores what is pinned of the broker at an address.
pub fn set_pins(address: Option<&str>, pins: &str) {
    write(&pins_key(address), pins);
}

fn pins_key(address: Option<&str>) -> String {
    format!("hearth.pins {}", address.unwrap_or_default())
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
