//! The sentences of the subscribe page.

use super::Catalogue;

/// The sentences of one language. Words in braces are filled in by [`super::fill`].
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the English sentence says what each field is for")]
pub struct SubscribeWords {
    pub title: &'static str,
    pub intro: &'static str,
    pub sections: &'static str,

    // The form
    pub filter: &'static str,
    pub filter_placeholder: &'static str,
    pub qos: &'static str,
    pub options: &'static str,
    pub no_local: &'static str,
    pub no_local_hint: &'static str,
    pub as_published: &'static str,
    pub as_published_hint: &'static str,
    pub handling: &'static str,
    pub handlings: [&'static str; 3],
    pub subscribe: &'static str,
    pub filter_empty: &'static str,
    pub filter_wrong: &'static str,
    pub filter_known: &'static str,
    pub filter_too_many: &'static str,
    pub no_local_shared: &'static str,

    // The filters
    pub filters: &'static str,
    pub filters_none: &'static str,
    pub state_offline: &'static str,
    pub state_asked: &'static str,
    pub state_granted: &'static str,
    pub state_refused: &'static str,
    pub brought: &'static str,
    pub own_too: &'static str,
    pub show_of: &'static str,
    pub hidden: &'static str,
    pub unsubscribe: &'static str,

    // The stream
    pub messages: &'static str,
    pub search: &'static str,
    pub search_placeholder: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub resume_waiting: &'static str,
    pub clear: &'static str,
    pub counts: &'static str,
    pub rate: &'static str,
    pub dropped: &'static str,
    pub paused: &'static str,
    pub none_title: &'static str,
    pub none_text: &'static str,
    pub waits_title: &'static str,
    pub waits_text: &'static str,
    pub retained: &'static str,

    // One message
    pub message: &'static str,
    pub message_gone: &'static str,
    pub open_topic: &'static str,
    pub close: &'static str,

    // Command lines
    pub commands: &'static str,
    pub commands_text: &'static str,
    pub commands_none: &'static str,
    pub commands_assumed: &'static str,
    pub commands_password: &'static str,
    pub commands_incomplete: &'static str,
    pub as_pub: &'static str,
    pub pub_payload: &'static str,
    pub pub_correlation: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub copy_failed: &'static str,
}

static ENGLISH: SubscribeWords = SubscribeWords {
    title: "Subscribe",
    intro: "Follow topics message by message.",
    sections: "Publish and subscribe",

    filter: "Topic filter",
    filter_placeholder: "home/+/temperature",
    qos: "Quality of service, at most",
    options: "Options",
    no_local: "Not my own messages",
    no_local_hint: "What this connection publishes does not come back (no local).",
    as_published: "Retain as published",
    as_published_hint: "The retain flag stays as the publisher set it.",
    handling: "Retained messages",
    handlings: ["Send", "Only if new", "Do not send"],
    subscribe: "Subscribe",
    filter_empty: "Type a topic filter first, such as home/# for all that is below home.",
    filter_wrong: "This is no topic filter: it {detail}.",
    filter_known: "You are subscribed to this filter already. Unsubscribe to change its options.",
    filter_too_many: "There are eight filters. Unsubscribe from one first.",
    no_local_shared: "A shared subscription cannot leave out your own messages.",

    filters: "Subscriptions",
    filters_none: "None yet. The messages of each filter get a letter and a colour of their own.",
    state_offline: "waits for the connection",
    state_asked: "asking…",
    state_granted: "QoS {qos}",
    state_refused: "refused: {reason}",
    brought: "{count} delivered",
    own_too: "own messages come too, since the topics have the same filter",
    show_of: "Show messages of {filter}",
    hidden: "hidden",
    unsubscribe: "Unsubscribe from {filter}",

    messages: "Messages",
    search: "Search messages",
    search_placeholder: "Word or filter",
    pause: "Pause",
    resume: "Resume",
    resume_waiting: "Resume ({count} waiting)",
    clear: "Clear",
    counts: "{delivered} delivered, {kept} kept",
    rate: "{rate}",
    dropped: "{dropped} dropped: the last {messages} messages or {bytes} MiB are kept.",
    paused: "Paused. What comes is counted.",
    none_title: "Nothing is followed yet",
    none_text: "Subscribe to a filter. Its messages appear here as they come.",
    waits_title: "No message yet",
    waits_text: "None has come that is to be shown here. It appears at once when one does.",
    retained: "retained",

    message: "Message",
    message_gone: "This message is not kept any more.",
    open_topic: "Open its topic",
    close: "Close the message",

    commands: "As a command line",
    commands_text: "The same with Mosquitto's tools.",
    commands_none: "There is no broker that these tools could be told.",
    commands_assumed: "These tools need MQTT over TCP. Where this broker takes that is not known here: port {port} is assumed.",
    commands_password: "The password is not in the line: put it in the variable MQTT_PASSWORD.",
    commands_incomplete: "The line comes as soon as the message can be sent.",
    as_pub: "Publish this message again",
    pub_payload: "No command line for this message: its payload is longer than 8 KiB, or 2 KiB of bytes that are no text.",
    pub_correlation: "No command line for this message: its correlation data is no text.",
    copy: "Copy",
    copied: "Copied",
    copy_failed: "The browser forbids copying",
};

static GERMAN: SubscribeWords = SubscribeWords {
    title: "Abonnieren",
    intro: "Verfolge Topics Nachricht für Nachricht.",
    sections: "Senden und abonnieren",

    filter: "Topic-Filter",
    filter_placeholder: "home/+/temperature",
    qos: "Dienstgüte (QoS), höchstens",
    options: "Optionen",
    no_local: "Ohne eigene Nachrichten",
    no_local_hint: "Was diese Verbindung sendet, kommt nicht zurück (no local).",
    as_published: "Retain wie gesendet",
    as_published_hint: "Das Retain-Zeichen bleibt, wie der Absender es gesetzt hat.",
    handling: "Aufbewahrte Nachrichten",
    handlings: ["Senden", "Nur wenn neu", "Nicht senden"],
    subscribe: "Abonnieren",
    filter_empty: "Gib zuerst einen Topic-Filter ein, etwa home/# für alles unter home.",
    filter_wrong: "Das ist kein Topic-Filter: {detail}.",
    filter_known: "Diesen Filter hast du schon abonniert. Bestell ihn ab, um seine Optionen zu ändern.",
    filter_too_many: "Es sind acht Filter. Bestell zuerst einen ab.",
    no_local_shared: "Ein geteiltes Abonnement kann eigene Nachrichten nicht auslassen.",

    filters: "Abonnements",
    filters_none: "Noch keines. Die Nachrichten jedes Filters bekommen einen Buchstaben und eine Farbe.",
    state_offline: "wartet auf die Verbindung",
    state_asked: "wird angefragt…",
    state_granted: "QoS {qos}",
    state_refused: "abgelehnt: {reason}",
    brought: "{count} zugestellt",
    own_too: "eigene Nachrichten kommen auch, denn die Topics haben denselben Filter",
    show_of: "Nachrichten von {filter} zeigen",
    hidden: "ausgeblendet",
    unsubscribe: "{filter} abbestellen",

    messages: "Nachrichten",
    search: "Nachrichten durchsuchen",
    search_placeholder: "Wort oder Filter",
    pause: "Anhalten",
    resume: "Weiter",
    resume_waiting: "Weiter ({count} warten)",
    clear: "Leeren",
    counts: "{delivered} zugestellt, {kept} behalten",
    rate: "{rate}",
    dropped: "{dropped} verworfen: Behalten werden die letzten {messages} Nachrichten oder {bytes} MiB.",
    paused: "Angehalten. Was kommt, wird gezählt.",
    none_title: "Noch nichts abonniert",
    none_text: "Abonniere einen Filter. Seine Nachrichten erscheinen hier, wie sie kommen.",
    waits_title: "Noch keine Nachricht",
    waits_text: "Es kam keine, die hier zu zeigen wäre. Sobald eine kommt, steht sie hier.",
    retained: "retained",

    message: "Nachricht",
    message_gone: "Diese Nachricht ist nicht mehr da.",
    open_topic: "Ihr Topic öffnen",
    close: "Nachricht schließen",

    commands: "Als Befehlszeile",
    commands_text: "Dasselbe mit den Werkzeugen von Mosquitto.",
    commands_none: "Es gibt keinen Broker, den man diesen Werkzeugen nennen könnte.",
    commands_assumed: "Diese Werkzeuge brauchen MQTT über TCP. Wo dieser Broker das annimmt, ist hier nicht bekannt: Port {port} ist angenommen.",
    commands_password: "Das Passwort steht nicht in der Zeile: Leg es in die Variable MQTT_PASSWORD.",
    commands_incomplete: "Die Zeile kommt, sobald die Nachricht gesendet werden kann.",
    as_pub: "Diese Nachricht noch einmal senden",
    pub_payload: "Keine Befehlszeile für diese Nachricht: Ihr Inhalt ist länger als 8 KiB, oder 2 KiB bei Bytes, die kein Text sind.",
    pub_correlation: "Keine Befehlszeile für diese Nachricht: Ihre Korrelationsdaten sind kein Text.",
    copy: "Kopieren",
    copied: "Kopiert",
    copy_failed: "Der Browser verbietet das Kopieren",
};

/// The sentences in the language of a catalogue.
pub fn words(catalogue: &Catalogue) -> &'static SubscribeWords {
    if catalogue.tag == "de" { &GERMAN } else { &ENGLISH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::phrase::assert_same_names;

    #[test]
    fn the_languages_fill_in_the_same_names() {
        assert_same_names(&ENGLISH, &GERMAN);
    }
}
