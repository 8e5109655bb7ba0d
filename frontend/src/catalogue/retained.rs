//! The sentences about the retained messages of a large broker, which the first load does not need.

/// The sentences of one language.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the English sentence below says what each field is for")]
pub struct RetainedWords {
    pub remote: &'static str,
    pub counts: &'static str,
    pub counts_listed: &'static str,
    pub clear_listed: &'static str,
    pub asking: &'static str,
    pub full: &'static str,
    pub trouble: &'static str,
    pub fetching: &'static str,
    pub missed: &'static str,
}

static ENGLISH: RetainedWords = RetainedWords {
    remote: "The broker searches all that it keeps, and this page loads what it lists. Size and age are those of a topic’s last message.",
    counts: "{total} messages",
    counts_listed: "{total} messages, the first {count} listed",
    clear_listed: "Clear the {count} listed",
    asking: "The broker is searching …",
    full: "No more than {count} are listed: type a narrower filter to see the others.",
    trouble: "The broker cannot list what it keeps: {reason}.",
    fetching: "Loading {count} messages, so that they can be given back …",
    missed: "{count} did not come within {seconds} seconds, so they stay: they could not be given back.",
};

static GERMAN: RetainedWords = RetainedWords {
    remote: "Der Broker durchsucht alles, was er aufbewahrt, und diese Seite lädt, was sie auflistet. Größe und Alter sind die der letzten Nachricht eines Topics.",
    counts: "{total} Nachrichten",
    counts_listed: "{total} Nachrichten, die ersten {count} aufgelistet",
    clear_listed: "Die {count} aufgelisteten löschen",
    asking: "Der Broker sucht …",
    full: "Mehr als {count} werden nicht aufgelistet: Tippe einen engeren Filter, um die anderen zu sehen.",
    trouble: "Der Broker kann nicht auflisten, was er aufbewahrt: {reason}.",
    fetching: "{count} Nachrichten werden geladen, damit sie zurückgegeben werden können …",
    missed: "{count} kamen nicht innerhalb von {seconds} Sekunden und bleiben: Sie ließen sich nicht zurückgeben.",
};

/// The sentences of the language with this tag.
pub fn words(tag: &str) -> &'static RetainedWords {
    if tag == "de" { &GERMAN } else { &ENGLISH }
}
