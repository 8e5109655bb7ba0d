//! `hearth backup`, `restore` and `inspect`: what was acknowledged before is there, wherever it is restored.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hearth_protocol::packet::{Connect, ConnectProperties, Packet, Publish, PublishAck};
use hearth_protocol::{QoS, Version};
use tempfile::TempDir;

use crate::hearth::{Hearth, HearthCommand};
use crate::process::Ended;
use crate::wire::{Wire, connect, message};

/// Runs a command that ends well; what it printed.
#[track_caller]
pub fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let Ended { status, stdout, stderr } = HearthCommand::new().args(arguments).run();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{stdout}");
    stdout
}

/// Runs a command that does nothing; the sentence that says why.
#[track_caller]
pub fn refusal<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let Ended { status, stdout, stderr } = HearthCommand::new().args(arguments).run();
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr}");
    stderr
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A client whose session is kept; whether it was there.
pub fn lasting(hearth: &Hearth, client_id: &str) -> (Wire, bool) {
    let properties = ConnectProperties { session_expiry: Some(3600), ..ConnectProperties::default() };
    let connect = Connect { clean_start: false, properties, ..connect(Version::V5, client_id) };
    let (wire, connack) = Wire::connect(hearth.mqtt(), connect);
    (wire, connack.session_present)
}

/// A broker with a folder that was restored.
#[track_caller]
fn restored(file: &Path) -> Hearth {
    let folder = TempDir::new().unwrap();
    run(["restore", text(file), "--data", text(folder.path())]);
    Hearth::start_with_data(folder)
}

/// The payloads that wait for a client, up to one that is published now.
fn drained(hearth: &Hearth, client_id: &str, topic: &str) -> Vec<u32> {
    let (mut subscriber, session_present) = lasting(hearth, client_id);
    assert!(session_present, "the session was in the backup");
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "fence")).0;
    publisher.publish_acknowledged(topic, b"last");
    let mut got = Vec::new();
    loop {
        let publish = subscriber.next_publish();
        subscriber.send(&Packet::PubAck(PublishAck::success(publish.packet_id.unwrap())));
        match std::str::from_utf8(&publish.payload).unwrap() {
            "last" => return got,
            number => got.push(number.parse().unwrap()),
        }
    }
}

#[test]
fn what_was_acknowledged_before_a_backup_under_load_is_in_it() {
    const PUBLISHERS: usize = 3;
    let mut hearth = Hearth::start();
    for publisher in 0..PUBLISHERS {
        let (mut subscriber, _) = lasting(&hearth, &format!("subscriber {publisher}"));
        subscriber.subscribe(&format!("load/{publisher}"), QoS::AtLeastOnce);
    }
    let acknowledged: [AtomicU32; PUBLISHERS] = Default::default();
    let is_over = AtomicBool::new(false);
    let folder = TempDir::new().unwrap();
    let files = ["first.db", "second.db"].map(|name| folder.path().join(name));
    let mut before = Vec::new();
    let counts = || acknowledged.each_ref().map(|count| count.load(Ordering::SeqCst));
    std::thread::scope(|scope| {
        for (publisher, count) in acknowledged.iter().enumerate() {
            let mut wire =
                Wire::connect(hearth.mqtt(), connect(Version::V5, &format!("publisher {publisher}"))).0;
            let is_over = &is_over;
            scope.spawn(move || {
                let (queued, state) = (format!("load/{publisher}"), format!("state/{publisher}"));
                while !is_over.load(Ordering::SeqCst) {
                    let number = (count.load(Ordering::SeqCst) + 1).to_string();
                    wire.publish_acknowledged(&queued, number.as_bytes());
                    let retained = message(&state, number.as_bytes(), QoS::AtLeastOnce);
                    wire.publish_to_the_end(Publish { retain: true, ..retained });
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for file in &files {
            // Others go on while it is made: at least some more each time.
            let begin = counts();
            while counts().iter().zip(begin).any(|(now, then)| *now < then + 20) {
                std::thread::yield_now();
            }
            before.push(counts());
            run(["backup", text(file), "--data", text(hearth.data())]);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    drop(hearth.crash());
    for (file, before) in files.iter().zip(before) {
        let restored = restored(file);
        for (publisher, acknowledged) in before.into_iter().enumerate() {
            let topic = format!("load/{publisher}");
            let got = drained(&restored, &format!("subscriber {publisher}"), &topic);
            let expected: Vec<u32> = (1..=got.len() as u32).collect();
            assert_eq!(
                got, expected,
                "one moment: nothing is missing before the last, and nothing comes twice"
            );
            assert!(got.len() >= acknowledged as usize, "{} of {acknowledged}", got.len());
            let mut reader = Wire::connect(restored.mqtt(), connect(Version::V5, "reader")).0;
            reader.subscribe(&format!("state/{publisher}"), QoS::AtMostOnce);
            let state: usize = std::str::from_utf8(&reader.next_publish().payload).unwrap().parse().unwrap();
            assert!((acknowledged as usize..=got.len()).contains(&state), "{state} of {}", got.len());
        }
    }
}

#[test]
fn a_restore_sets_the_database_aside_and_refuses_while_a_broker_runs() {
    let mut hearth = Hearth::start();
    lasting(&hearth, "subscriber").0.subscribe("a", QoS::AtLeastOnce);
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    publisher.publish_acknowledged("a", b"1");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("backup.db");
    let data = hearth.data().to_owned();
    let said = run(["backup", text(&file), "--data", text(&data)]);
    assert!(said.starts_with("backed up 1 session, 1 message that it waits for"), "{said}");
    publisher.publish_acknowledged("a", b"2");
    let said = refusal(["restore", text(&file), "--data", text(&data)]);
    assert!(said.contains("another Hearth uses the folder"), "{said}");
    let stopped = hearth.stop();
    let said = run(["restore", text(&file), "--data", text(&data)]);
    let aside = said.lines().find_map(|line| line.strip_prefix("the database that was there is "));
    let aside = Path::new(aside.and_then(|line| line.strip_suffix(" now")).expect("it says where it is"));
    assert!(aside.is_file() && aside.starts_with(&data), "{said}");
    let mut hearth = stopped.start_again();
    assert_eq!(drained(&hearth, "subscriber", "a"), [1]);
    let stopped = hearth.stop();
    // A stopped broker can be backed up too, and what was set aside is as good as a backup.
    run(["backup", text(&file), "--replace", "--data", text(&data)]);
    run(["restore", text(aside), "--data", text(&data)]);
    assert_eq!(drained(&stopped.start_again(), "subscriber", "a"), [1, 2]);
}

#[test]
fn what_lies_in_the_folder_is_shown_while_a_broker_runs_and_after_it() {
    let mut hearth = Hearth::start();
    let (mut subscriber, _) = lasting(&hearth, "subscriber");
    subscriber.subscribe("queue/#", QoS::ExactlyOnce);
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    publisher.publish_to_the_end(message("queue/a", b"under way", QoS::ExactlyOnce));
    assert_eq!(subscriber.next_publish().payload, "under way");
    let large = message("state/large", &[b'x'; 3000], QoS::AtLeastOnce);
    publisher.publish_to_the_end(Publish { retain: true, ..large });
    let folder = hearth.data().to_owned();
    let inspected = || -> serde_json::Value {
        serde_json::from_str(&run(["inspect", "--json", "--data", text(&folder)])).unwrap()
    };
    let running = inspected();
    assert_eq!(running["in_use"], true, "{running:#}");
    assert_eq!(running["totals"]["messages"]["messages"], 1, "{running:#}");
    assert_eq!(running["largest_retained"][0]["topic"], "state/large", "{running:#}");
    assert!(running["totals"]["retained"]["bytes"].as_u64().unwrap() >= 3000, "{running:#}");
    let session = &running["sessions"][0];
    assert_eq!((&session["client_id"], &session["state"]), (&"subscriber".into(), &"connected".into()));
    assert_eq!(session["subscriptions"], serde_json::json!([{ "filter": "queue/#", "qos": 2 }]));
    assert_eq!(session["qos2"], serde_json::json!({ "received": 0, "sent": 1, "released": 0 }));
    assert_eq!((&session["expiry_seconds"], &session["version"]), (&3600.into(), &"5.0".into()));
    hearth.kill();
    let killed = inspected();
    assert_eq!((&killed["in_use"], &killed["sessions"][0]["state"]), (&false.into(), &"interrupted".into()));
    let table = run(["inspect", "--data", text(&folder)]);
    assert!(table.contains("CLIENT") && table.contains("subscriber  -     5.0   interrupted"), "{table}");
    let file = TempDir::new().unwrap();
    let file = file.path().join("backup.db");
    run(["backup", text(&file), "--data", text(&folder)]);
    let table = run(["inspect", text(&file)]);
    assert!(table.contains("state/large") && table.contains("no Hearth uses it"), "{table}");
    let said = refusal(["inspect", "--data", text(&file)]);
    assert!(said.contains("hearth.db"), "{said}");
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_said_in_a_sentence_and_nothing_changes() {
    let hearth = Hearth::start();
    lasting(&hearth, "subscriber").0.subscribe("a", QoS::AtLeastOnce);
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (file, notes, nowhere) = (path("backup.db"), path("notes.txt"), path("no/backup.db"));
    std::fs::write(&notes, "these are notes, and no backup at all").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    let data = text(hearth.data());
    run(["backup", text(&file), "--data", data]);
    let own = hearth.data().join("hearth.db");
    for (words, expected) in [
        (
            ["backup", text(&file), "--data", data],
            "exists; choose another name, or put the backup in its place",
        ),
        (["backup", text(folder.path()), "--data", data], "is a folder; name a file"),
        (["backup", text(&nowhere), "--data", data], "check that the folder is there and can be written"),
        (["backup", text(&path("b")), "--data", text(folder.path())], "there is no database in"),
        (["backup", text(&own), "--data", data], "belongs to the broker's own database"),
        (["restore", text(&own), "--data", data], "belongs to the broker's own database"),
        (["restore", text(&nowhere), "--data", text(&path("new"))], "cannot read"),
        (["restore", text(&notes), "--data", text(&path("new"))], "is no database or backup of Hearth"),
        (
            ["restore", text(&path("empty")), "--data", text(&path("new"))],
            "is no database or backup of Hearth",
        ),
        (["inspect", "--json", "--data", text(folder.path())], "there is no database in"),
    ] {
        let said = refusal(words);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["backup.db", "empty", "notes.txt"]);
}

#[cfg(unix)]
#[test]
fn a_backup_for_which_there_is_no_room_leaves_nothing_and_the_one_before_stays() {
    let hearth = Hearth::start();
    lasting(&hearth, "subscriber").0.subscribe("a", QoS::AtLeastOnce);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("backup.db");
    std::fs::write(&file, "the one before").unwrap();
    // A file may not become larger than this, as on a full disk.
    let command = HearthCommand::with_little_room(16);
    let ended = command.args(["backup", text(&file), "--replace", "--data", text(hearth.data())]).run();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(text(folder.path())), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the one before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
