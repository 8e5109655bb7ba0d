//! The sentences of a topic's page that the first load does not need.

/// The sentences of one language.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the English sentence below says what each field is for")]
pub struct TopicWords {
    pub size: &'static str,
    pub dup_flag: &'static str,
    pub dup_yes: &'static str,
    pub dup_no: &'static str,
    pub no_properties: &'static str,
    pub user_properties: &'static str,
    pub subscription_ids: &'static str,
    pub correlation_text: &'static str,
    pub unborn: &'static str,
    pub no_tree: &'static str,
    pub no_changes: &'static str,
    pub rebirth: &'static str,
    pub rebirth_text: &'static str,
    pub rebirth_asked: &'static str,
    pub rebirth_failed: &'static str,
    pub save_csv: &'static str,
    pub save_json: &'static str,
}

static ENGLISH: TopicWords = TopicWords {
    size: "Size",
    dup_flag: "Duplicate flag (DUP)",
    dup_yes: "Yes: delivered again",
    dup_no: "No",
    no_properties: "The message came without MQTT 5 properties.",
    user_properties: "User properties",
    subscription_ids: "Subscription identifiers",
    correlation_text: "Correlation data as text",
    unborn: "Metrics without a name: their birth certificate is not known here. The page of the topic can ask for it.",
    no_tree: "Too long for the tree, which is made of {mib} MiB at most.",
    no_changes: "What differs from the message before is not known: of messages above {kib} KiB only the last one is kept.",
    rebirth: "Ask for rebirth",
    rebirth_text: "No birth certificate is known here that names these metrics: it came before this page was opened, and the broker has not kept it. Asked for a rebirth, the edge node publishes all its births again, to everybody.",
    rebirth_asked: "Asked. A node that follows Sparkplug answers within seconds.",
    rebirth_failed: "Not asked: there is no connection.",
    save_csv: "Save the last messages as CSV",
    save_json: "Save the last messages as JSON",
};

static GERMAN: TopicWords = TopicWords {
    size: "Größe",
    dup_flag: "Wiederholung (DUP)",
    dup_yes: "Ja: noch einmal zugestellt",
    dup_no: "Nein",
    no_properties: "Die Nachricht kam ohne MQTT-5-Eigenschaften.",
    user_properties: "Eigene Eigenschaften",
    subscription_ids: "Abonnement-Kennungen",
    correlation_text: "Korrelationsdaten als Text",
    unborn: "Messwerte ohne Namen: Ihre Geburtsurkunde ist hier nicht bekannt. Die Seite des Topics kann um sie bitten.",
    no_tree: "Zu lang für den Baum, der aus höchstens {mib} MiB gemacht wird.",
    no_changes: "Was sich geändert hat, ist nicht bekannt: Von Nachrichten über {kib} KiB wird nur die letzte behalten.",
    rebirth: "Um Neugeburt bitten",
    rebirth_text: "Hier ist keine Geburtsurkunde bekannt, die diese Messwerte benennt: Sie kam, bevor diese Seite geöffnet wurde, und der Broker hat sie nicht behalten. Um Neugeburt gebeten, veröffentlicht der Knoten alle seine Geburten noch einmal, an alle.",
    rebirth_asked: "Gebeten. Ein Knoten, der sich an Sparkplug hält, antwortet in Sekunden.",
    rebirth_failed: "Nicht gebeten: Es besteht keine Verbindung.",
    save_csv: "Letzte Nachrichten als CSV speichern",
    save_json: "Letzte Nachrichten als JSON speichern",
};

/// The sentences of the language with this tag.
pub fn words(tag: &str) -> &'static TopicWords {
    if tag == "de" { &GERMAN } else { &ENGLISH }
}
