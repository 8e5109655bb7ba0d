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
    unborn: "Metrics without a name: their birth certificate came before this page was opened. Publish “Node Control/Rebirth” to the edge node to hear it again.",
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
    unborn: "Messwerte ohne Namen: Ihre Geburtsurkunde kam, bevor diese Seite geöffnet wurde. Sende „Node Control/Rebirth“ an den Knoten, um sie noch einmal zu hören.",
    save_csv: "Letzte Nachrichten als CSV speichern",
    save_json: "Letzte Nachrichten als JSON speichern",
};

/// The sentences of the language with this tag.
pub fn words(tag: &str) -> &'static TopicWords {
    if tag == "de" { &GERMAN } else { &ENGLISH }
}
