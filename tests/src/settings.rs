//! Settings: where they come from, which wins, and what a mistake leads to.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::hearth::{Hearth, HearthCommand};
use crate::http::fetch;
use crate::mosquitto::{Subscriber, V311, publish};
use crate::process::Ended;

const OFF: [&str; 6] = ["--mqtt", "none", "--http", "none", "--ws", "none"];

#[test]
fn each_listener_says_where_it_listens() {
    let hearth = Hearth::start();
    let kinds: Vec<&str> = hearth.listeners().iter().map(|listener| listener.kind.as_str()).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["http", "mqtt", "ws"]);
    for listener in hearth.listeners() {
        assert_ne!(
            listener.address.port(),
            0,
            "the port that the system chose is told, not the 0 that was asked"
        );
    }
}

#[test]
fn a_listener_may_have_several_addresses_and_another_none() {
    let hearth = HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--mqtt", "127.0.0.2:0", "--mqtt", "127.0.0.1:0"])
        .args(["--http", "none", "--ws", "none", "--shards", "2"])
        .start();
    let listeners = hearth.listeners().to_vec();
    assert_eq!(listeners.iter().filter(|it| it.kind == "mqtt").count(), 3, "{listeners:?}");
    let mut subscribers: Vec<_> = listeners
        .iter()
        .map(|listener| Subscriber::start(listener.address, V311, &["-t", "a", "-q", "1"]))
        .collect();
    for listener in &listeners {
        publish(listener.address, V311, &["-t", "a", "-m", &listener.address.to_string(), "-q", "1"]);
        for subscriber in &mut subscribers {
            subscriber.expect(1, false, &format!("a {}", listener.address));
        }
    }
}

#[test]
fn an_address_of_ipv6_listens_where_the_machine_has_one() {
    let arguments = ["--mqtt", "[::1]:0", "--http", "none", "--ws", "none"];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        assert_refused(&HearthCommand::new().args(arguments).run(), &["[::1]:0"]);
        return;
    }
    let hearth = HearthCommand::new().args(arguments).start();
    let mut subscriber = Subscriber::start(hearth.mqtt(), V311, &["-t", "a"]);
    publish(hearth.mqtt(), V311, &["-t", "a", "-m", "six"]);
    subscriber.expect(0, false, "a six");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = TempDir::new().unwrap();
    let all = |ip: &str| ["mqtt", "http", "ws"].map(|key| format!("{key}.listen = [\"{ip}:0\"]\n")).concat();
    let file = write(&folder, &format!("shards = 2\n{}", all("127.0.0.2")));
    let hearth = HearthCommand::new()
        .args(["--config", file.to_str().unwrap()])
        .env("HEARTH_HTTP", "127.0.0.3:0")
        .env("HEARTH_WS", "127.0.0.3:0")
        .args(["--ws", "127.0.0.4:0"])
        .with_more_listeners(2)
        .start();
    assert_eq!(hearth.mqtt().ip().to_string(), "127.0.0.2", "the file's");
    assert_eq!(hearth.http().ip().to_string(), "127.0.0.3", "the environment's");
    assert_eq!(hearth.ws().ip().to_string(), "127.0.0.4", "the flag's");
}

#[test]
fn the_config_file_may_be_named_by_the_environment() {
    let folder = TempDir::new().unwrap();
    let file =
        write(&folder, "mqtt.listen = \"127.0.0.5:0\"\nhttp.listen = \"none\"\nws.listen = \"none\"\n");
    let hearth =
        HearthCommand::new().env("HEARTH_CONFIG", file.to_str().unwrap()).with_more_listeners(1).start();
    assert_eq!(hearth.mqtt().ip().to_string(), "127.0.0.5");
}

#[test]
fn a_taken_port_is_one_sentence_and_exit_code_2() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--mqtt", "--http", "--ws"] {
        let mut arguments = OFF;
        let at = OFF.iter().position(|it| *it == flag).unwrap();
        arguments[at + 1] = &address;
        let ended = HearthCommand::new().args(arguments).run();
        assert_refused(&ended, &[&address]);
    }
}

#[test]
fn an_unknown_key_of_the_file_names_the_nearest_known_one() {
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "shard = 2\n");
    let file = file.to_str().unwrap();
    assert_refused(
        &HearthCommand::new().args(["--config", file]).args(OFF).run(),
        &["shard", "`shards`", file],
    );
    assert_refused(&HearthCommand::new().args(["check-config", file]).run(), &["shard", "`shards`", file]);
}

#[test]
fn an_unknown_flag_names_the_nearest_known_one() {
    let ended = HearthCommand::new().args(["--shard", "2"]).run();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("--shards"), "{}", ended.stderr);
}

#[test]
fn a_mistake_in_a_setting_is_one_sentence_and_exit_code_2() {
    let folder = TempDir::new().unwrap();
    let bad_type = write(&folder, "shards = \"many\"\n");
    let bad_type = bad_type.to_str().unwrap();
    let missing = folder.path().join("missing.toml");
    let missing = missing.to_str().unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["--mqtt", "nowhere"], "nowhere"),
        (&["--mqtt", "127.0.0.1:99999"], "99999"),
        (&["--shards", "0"], "shards"),
        (&["--config", missing], missing),
        (&["--config", bad_type], bad_type),
        (&["check-config", missing], missing),
    ];
    for (arguments, named) in cases {
        assert_refused(&HearthCommand::new().args(arguments.iter().copied()).run(), &[named]);
    }
    let ended = HearthCommand::new().env("HEARTH_SHARDS", "many").args(OFF).run();
    assert_refused(&ended, &["HEARTH_SHARDS", "many"]);
    let ended = HearthCommand::new().env("HEARTH_SHARD", "2").args(OFF).run();
    assert_refused(&ended, &["HEARTH_SHARD", "HEARTH_SHARDS"]);
}

#[test]
fn check_config_takes_a_good_file_and_starts_nothing() {
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "shards = 2\nlog = \"info\"\n[mqtt]\nlisten = [\"127.0.0.1:1883\"]\n");
    let ended = HearthCommand::new().args(["check-config", file.to_str().unwrap()]).run();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("listening"), "{}", ended.stdout);
}

#[test]
fn version_and_help_go_to_standard_output() {
    let ended = HearthCommand::new().args(["--version"]).run();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stdout.trim(), concat!("hearth ", env!("CARGO_PKG_VERSION")));
    let ended = HearthCommand::new().args(["--help"]).run();
    assert_eq!(ended.status.code(), Some(0));
    for flag in [
        "--config",
        "--data",
        "--mqtt",
        "--http",
        "--ws",
        "--one",
        "--shards",
        "--log",
        "--demo",
        "check-config",
    ] {
        assert!(ended.stdout.contains(flag), "{flag} is explained: {}", ended.stdout);
    }
}

#[test]
fn without_demo_the_broker_is_empty_and_with_it_a_home_lives() {
    let hearth = Hearth::start_with(&["--demo"]);
    let filters = ["-t", "home/+/lamp", "-t", "home/+/lamp/set", "-q", "1"];
    // Who comes before the lamp's first report gets that one live; whoever comes after it gets it kept.
    Subscriber::start(hearth.mqtt(), V311, &filters).next_message();
    let mut lamp = Subscriber::start(hearth.mqtt(), V311, &filters);
    let first = lamp.next_message();
    assert!(first.retain, "a lamp's state is kept: {first:?}");
    let (topic, state) = first.text.split_once(' ').unwrap();
    let wanted = if state == "on" { "off" } else { "on" };
    publish(hearth.mqtt(), V311, &["-t", &format!("{topic}/set"), "-m", wanted, "-q", "1"]);
    loop {
        let heard = lamp.next_message();
        if heard.text == format!("{topic} {wanted}") {
            break;
        }
    }
    assert_eq!(fetch(hearth.http(), "/readyz", &[]).status, 200);
}

/// One sentence on standard error that names all of these, no backtrace, exit code 2.
#[track_caller]
fn assert_refused(ended: &Ended, named: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "one sentence: {}", ended.stderr);
    assert_eq!(ended.stdout, "");
    for name in named {
        assert!(ended.stderr.contains(name), "{} names {name}", ended.stderr);
    }
    assert!(!ended.stderr.contains("backtrace") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

fn write(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("hearth.toml");
    std::fs::write(&path, text).unwrap();
    path
}
