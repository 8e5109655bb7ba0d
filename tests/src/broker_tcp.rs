//! mosquitto_pub and mosquitto_sub against the broker over TCP: what a newcomer types first.

use crate::hearth::Hearth;
use crate::mosquitto::{Heard, ProtocolVersion, Subscriber, V5, V311, VERSIONS, publish};

#[test]
fn mosquitto_tools_of_every_version_talk_to_each_other_at_every_qos() {
    let hearth = Hearth::start();
    let listen = |version| Subscriber::start(hearth.mqtt(), version, &["-t", "home/#", "-q", "2"]);
    let mut early = VERSIONS.map(listen);
    let mut wanted = Vec::new();
    for version in VERSIONS {
        for qos in 0..=2 {
            let topic = format!("home/kitchen/{version}-{qos}");
            publish(hearth.mqtt(), version, &["-t", &topic, "-m", "21.5", "-q", &qos.to_string(), "-r"]);
            for subscriber in &mut early {
                subscriber.expect(qos, false, &format!("{topic} 21.5"));
            }
            wanted.push(Heard::new(qos, true, &format!("{topic} 21.5")));
        }
    }
    wanted.sort_by(|a, b| a.text.cmp(&b.text));
    for version in VERSIONS {
        let late = listen(version).next_messages_sorted(wanted.len());
        assert_eq!(late, wanted, "what {version} hears of the retained messages");
    }
}

#[test]
fn a_subscription_bounds_the_qos_of_what_it_brings() {
    let hearth = Hearth::start();
    for granted in 0..=2_u8 {
        let arguments = ["-t", "a/+", "-q", &granted.to_string()];
        let mut subscriber = Subscriber::start(hearth.mqtt(), V311, &arguments);
        for sent in 0..=2_u8 {
            publish(hearth.mqtt(), V5, &["-t", "a/b", "-m", "x", "-q", &sent.to_string()]);
            subscriber.expect(sent.min(granted), false, "a/b x");
        }
    }
}

#[test]
fn an_empty_retained_message_clears_its_topic() {
    let hearth = Hearth::start();
    for version in VERSIONS {
        publish(hearth.mqtt(), version, &["-t", "home/a", "-m", "old", "-q", "1", "-r"]);
        publish(hearth.mqtt(), version, &["-t", "home/a", "-n", "-q", "1", "-r"]);
        publish(hearth.mqtt(), version, &["-t", "home/b", "-m", "kept", "-q", "1", "-r"]);
        let mut late = Subscriber::start(hearth.mqtt(), version, &["-t", "home/#", "-q", "1"]);
        late.expect(1, true, "home/b kept");
    }
}

#[test]
fn a_retained_message_replaces_the_one_before() {
    let hearth = Hearth::start();
    publish(hearth.mqtt(), V311, &["-t", "home/a", "-m", "first", "-q", "1", "-r"]);
    publish(hearth.mqtt(), V5, &["-t", "home/a", "-m", "second", "-q", "2", "-r"]);
    let mut late = Subscriber::start(hearth.mqtt(), V311, &["-t", "home/+", "-t", "marker", "-q", "2"]);
    late.expect(2, true, "home/a second");
    publish(hearth.mqtt(), V311, &["-t", "marker", "-m", "end", "-q", "1"]);
    late.expect(1, false, "marker end");
}

#[test]
fn a_persistent_session_brings_what_was_missed_in_its_order() {
    let hearth = Hearth::start();
    for (version, qos, is_killed) in VERSIONS.into_iter().flat_map(|it| [(it, 1, false), (it, 2, true)]) {
        let id = format!("keeps-{version}-{qos}");
        let session = persistent(version, &id);
        let arguments: Vec<&str> = session.iter().map(String::as_str).chain(["-t", "missed/#"]).collect();
        let first = Subscriber::start(hearth.mqtt(), version, &arguments);
        if is_killed {
            first.kill()
        } else {
            first.disconnect()
        }
        for text in ["one", "two", "three", "four"] {
            publish(hearth.mqtt(), V311, &["-t", "missed/it", "-m", text, "-q", &qos.to_string()]);
        }
        let mut second = Subscriber::start_connected(hearth.mqtt(), version, &arguments);
        for text in ["one", "two", "three", "four"] {
            second.expect(qos, false, &format!("missed/it {text}"));
        }
    }
}

#[test]
fn a_clean_session_forgets_what_an_earlier_one_subscribed() {
    let hearth = Hearth::start();
    let mut arguments: Vec<String> = persistent(V311, "forgets");
    arguments.extend(["-t", "old"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Subscriber::start(hearth.mqtt(), V311, &arguments).disconnect();
    let mut clean = Subscriber::start(hearth.mqtt(), V311, &["-i", "forgets", "-t", "new", "-q", "1"]);
    publish(hearth.mqtt(), V311, &["-t", "old", "-m", "1", "-q", "1"]);
    publish(hearth.mqtt(), V311, &["-t", "new", "-m", "2", "-q", "1"]);
    clean.expect(1, false, "new 2");
}

#[test]
fn a_client_that_dies_leaves_its_will_and_one_that_says_goodbye_does_not() {
    let hearth = Hearth::start();
    for version in VERSIONS {
        let filters = ["-t", "will/#", "-t", "marker", "-q", "2"];
        let mut witness = Subscriber::start(hearth.mqtt(), V5, &filters);
        let with_will = |payload, more: &[&'static str]| {
            let mut arguments = vec!["-t", "bye", "--will-topic", "will/of", "--will-payload", payload];
            arguments.extend(["--will-qos", "1", "--will-retain"].iter().chain(more));
            Subscriber::start(hearth.mqtt(), version, &arguments)
        };
        let polite = with_will("polite", &["-C", "1"]);
        publish(hearth.mqtt(), V311, &["-t", "bye", "-m", "now", "-q", "1"]);
        polite.wait();
        publish(hearth.mqtt(), V311, &["-t", "marker", "-m", "between", "-q", "1"]);
        witness.expect(1, false, "marker between");

        with_will("gone", &[]).kill();
        witness.expect(1, false, "will/of gone");
        let mut late = Subscriber::start(hearth.mqtt(), version, &["-t", "will/of", "-q", "1"]);
        late.expect(1, true, "will/of gone");
        publish(hearth.mqtt(), version, &["-t", "will/of", "-n", "-r", "-q", "1"]);
    }
}

#[test]
fn a_v5_client_may_say_goodbye_and_ask_for_its_will() {
    let hearth = Hearth::start();
    let mut witness = Subscriber::start(hearth.mqtt(), V311, &["-t", "will", "-q", "1"]);
    let arguments = ["-t", "x", "--will-topic", "will", "--will-payload", "asked for"];
    // At SIGTERM mosquitto_sub sends DISCONNECT with reason 0x04.
    Subscriber::start(hearth.mqtt(), V5, &arguments).disconnect();
    witness.expect(0, false, "will asked for");
}

#[test]
fn wildcards_match_by_level_and_leave_dollar_topics_alone() {
    let hearth = Hearth::start();
    let listen = |filter| Subscriber::start(hearth.mqtt(), V311, &["-t", filter, "-t", "marker", "-q", "1"]);
    let cases: [(&str, &[&str]); 6] = [
        ("sport/#", &["sport", "sport/tennis", "sport/tennis/score", "sport/"]),
        ("sport/+", &["sport/tennis", "sport/"]),
        ("+/+", &["sport/tennis", "sport/", "/finance"]),
        ("+", &["sport"]),
        ("#", &["sport", "sport/tennis", "sport/tennis/score", "sport/", "/finance"]),
        ("$inside/#", &["$inside/clock"]),
    ];
    let mut subscribers = cases.map(|(filter, _topics)| listen(filter));
    for topic in ["sport", "sport/tennis", "sport/tennis/score", "sport/", "/finance", "$inside/clock"] {
        publish(hearth.mqtt(), V311, &["-t", topic, "-m", "x", "-q", "1"]);
    }
    publish(hearth.mqtt(), V311, &["-t", "marker", "-m", "end", "-q", "1"]);
    for ((filter, topics), subscriber) in cases.iter().zip(&mut subscribers) {
        let mut heard = Vec::new();
        loop {
            let message = subscriber.next_message();
            // A filter that takes the marker's topic too may bring it once or twice.
            match message.text.as_str() {
                "marker end" => break,
                text => heard.push(text.trim_end_matches(" x").to_owned()),
            }
        }
        assert_eq!(&heard, topics, "what {filter} brings");
    }
}

/// Arguments of a session that outlives its connection.
fn persistent(version: ProtocolVersion, id: &str) -> Vec<String> {
    let mut arguments: Vec<String> = ["-c", "-i", id, "-q", "2"].map(str::to_owned).into();
    if version == V5 {
        arguments.extend(["-x", "3600"].map(str::to_owned));
    }
    arguments
}
