//! The sentences of the command palette, which the first load does not need.

/// The sentences of one language.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the English sentence below says what each field is for")]
pub struct PaletteWords {
    pub name: &'static str,
    pub hint: &'static str,
    pub go_to: &'static str,
    pub topic: &'static str,
    pub action: &'static str,
    pub nothing: &'static str,
    pub searching: &'static str,
    pub topics_of: &'static str,
    pub trouble: &'static str,
    pub theme: &'static str,
    pub language: &'static str,
    pub reconnect: &'static str,
    pub copy_address: &'static str,
    pub shortcut: &'static str,
    pub keys: &'static str,
}

static ENGLISH: PaletteWords = PaletteWords {
    name: "Commands",
    hint: "Page, topic or command",
    go_to: "Page",
    topic: "Topic",
    action: "Command",
    nothing: "Nothing has these words.",
    searching: "The broker is searching …",
    topics_of: "{count} of {total} topics that the broker has found; type more to see others.",
    trouble: "The broker cannot search: {reason}.",
    theme: "Appearance: {choice}",
    language: "Language: {choice}",
    reconnect: "Connect again now",
    shortcut: "Find any page, topic or command",
    copy_address: "Copy the address of this page",
    keys: "↑ ↓ to choose · Enter to go · Esc to close",
};

static GERMAN: PaletteWords = PaletteWords {
    name: "Befehle",
    hint: "Seite, Topic oder Befehl",
    go_to: "Seite",
    topic: "Topic",
    action: "Befehl",
    nothing: "Nichts hat diese Wörter.",
    searching: "Der Broker sucht …",
    topics_of: "{count} von {total} Topics, die der Broker gefunden hat; tippe mehr, um andere zu sehen.",
    trouble: "Der Broker kann nicht suchen: {reason}.",
    theme: "Darstellung: {choice}",
    language: "Sprache: {choice}",
    reconnect: "Jetzt neu verbinden",
    shortcut: "Jede Seite, jedes Topic, jeden Befehl finden",
    copy_address: "Die Adresse dieser Seite kopieren",
    keys: "↑ ↓ zum Wählen · Enter zum Öffnen · Esc zum Schließen",
};

/// The sentences of the language with this tag.
pub fn words(tag: &str) -> &'static PaletteWords {
    if tag == "de" { &GERMAN } else { &ENGLISH }
}
