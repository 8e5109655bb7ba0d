//! The sentences about large brokers and pins.

/// The sentences of one language.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the English sentence below says what each field is for")]
pub struct ExploreWords {
    pub parts_title: &'static str,
    pub parts: &'static str,
    pub parts_tree: &'static str,
    pub load_everything: &'static str,
    pub loading: &'static str,
    pub messages_one: &'static str,
    pub messages_many: &'static str,
    pub tree_trouble: &'static str,
    pub pinned: &'static str,
    pub pin: &'static str,
    pub unpin: &'static str,
    pub pin_filter: &'static str,
    pub pins_full: &'static str,
    pub pin_silent: &'static str,
    pub pin_refused: &'static str,
    pub divider: &'static str,
    pub close: &'static str,
}

static ENGLISH: ExploreWords = ExploreWords {
    parts_title: "A large broker",
    parts: "This broker has {topics} topics and {rate} messages a second. To stay quick, this page hears only what is pinned and what is open; the tree shows all topics.",
    parts_tree: "Show the tree",
    load_everything: "Load everything",
    loading: "…",
    messages_one: "1 message",
    messages_many: "{count} messages",
    tree_trouble: "The broker's tree cannot be shown: {reason}.",
    pinned: "Pinned",
    pin: "Pin",
    unpin: "Unpin {topic}",
    pin_filter: "Pin this filter",
    pins_full: "These are {count} pins, and there is no room for more: unpin one to pin another.",
    pin_silent: "Nothing has come yet.",
    pin_refused: "The broker refused it: {reason}.",
    divider: "Width of the list",
    close: "Close this topic",
};

static GERMAN: ExploreWords = ExploreWords {
    parts_title: "Ein großer Broker",
    parts: "Dieser Broker hat {topics} Topics und {rate} Nachrichten pro Sekunde. Damit sie flink bleibt, hört diese Seite nur, was angeheftet und was geöffnet ist; der Baum zeigt alle Topics.",
    parts_tree: "Baum zeigen",
    load_everything: "Alles laden",
    loading: "…",
    messages_one: "1 Nachricht",
    messages_many: "{count} Nachrichten",
    tree_trouble: "Der Baum des Brokers kann nicht gezeigt werden: {reason}.",
    pinned: "Angeheftet",
    pin: "Anheften",
    unpin: "{topic} ablösen",
    pin_filter: "Diesen Filter anheften",
    pins_full: "Das sind {count}, mehr lassen sich nicht anheften: Löse eins ab, um ein anderes anzuheften.",
    pin_silent: "Noch ist nichts gekommen.",
    pin_refused: "Der Broker hat es abgelehnt: {reason}.",
    divider: "Breite der Liste",
    close: "Dieses Topic schließen",
};

/// The sentences of the language with this tag.
pub fn words(tag: &str) -> &'static ExploreWords {
    if tag == "de" { &GERMAN } else { &ENGLISH }
}
