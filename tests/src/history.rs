//! The past of topics: recorded from MQTT, asked for over HTTP, kept through a crash.

use std::time::Instant;

use hearth_protocol::{QoS, Version};
use serde_json::Value;

use crate::hearth::{Hearth, HearthCommand};
use crate::http::{Answer, fetch};
use crate::process::PATIENCE;
use crate::wire::{Wire, connect, message};

fn publish(hearth: &Hearth, messages: &[(&str, &str)]) {
    let mut publisher = Wire::connect(hearth.mqtt(), connect(Version::V5, "publisher")).0;
    for (topic, payload) in messages {
        publisher.publish_to_the_end(message(topic, payload.as_bytes(), QoS::AtLeastOnce));
    }
}

fn ask(hearth: &Hearth, path: &str) -> Answer {
    fetch(hearth.http(), path, &[])
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// The series of a filter as `topic field count`, once there are so many values of them.
fn series(hearth: &Hearth, filter: &str, values: u64) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask(hearth, &format!("/api/v1/history/series?filter={filter}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let list = json(&answer)["series"].as_array().unwrap().clone();
        let text = |series: &Value, name: &str| series[name].as_str().unwrap().to_owned();
        if list.iter().map(|series| series["count"].as_u64().unwrap()).sum::<u64>() == values {
            let line = |it: &Value| format!("{} {} {}", text(it, "topic"), text(it, "field"), it["count"]);
            return list.iter().map(line).collect();
        }
        assert!(Instant::now() < deadline, "{values} values are written: {list:?}");
    }
}

fn values(hearth: &Hearth, query: &str) -> Vec<f64> {
    let answer = ask(hearth, &format!("/api/v1/history?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let points = json(&answer)["points"].as_array().unwrap().clone();
    points.iter().map(|point| point[1].as_f64().unwrap()).collect()
}

#[test]
fn numbers_switches_and_fields_of_json_are_kept_and_nothing_else_is() {
    let hearth = Hearth::start();
    publish(
        &hearth,
        &[
            ("past/t", "21.5"),
            ("past/t", "22"),
            ("past/lamp", "ON"),
            ("past/json", r#"{"temperature":20,"gps":{"lat":52.5},"name":"x"}"#),
            ("past/text", "hello"),
            ("past/broken", r#"{"temperature":20"#),
        ],
    );
    assert_eq!(
        series(&hearth, "past/%23", 5),
        ["past/json /gps/lat 1", "past/json /temperature 1", "past/lamp  1", "past/t  2"]
    );
    assert_eq!(values(&hearth, "topic=past/t"), [21.5, 22.0]);
    assert_eq!(values(&hearth, "topic=past/lamp"), [1.0]);
    assert_eq!(values(&hearth, "topic=past/json&field=temperature"), [20.0]);
    assert_eq!(values(&hearth, "topic=past/json&field=/gps/lat&from=0"), [52.5]);
    assert_eq!(values(&hearth, "topic=past/t&from=0&to=2026-01-01T00:00:00Z"), [0.0; 0]);
    let sys = json(&ask(&hearth, "/api/v1/history/series?filter=$SYS/%23"));
    assert_eq!(sys["series"].as_array().unwrap().len(), 0);
}

#[test]
fn a_spike_among_many_values_is_in_the_few_that_are_shown() {
    let hearth = Hearth::start();
    let payloads: Vec<String> =
        (0..3000).map(|number| if number == 1234 { 99 } else { number % 7 }.to_string()).collect();
    let messages: Vec<(&str, &str)> = payloads.iter().map(|payload| ("spiky", payload.as_str())).collect();
    publish(&hearth, &messages);
    series(&hearth, "spiky", 3000);
    let answer = json(&ask(&hearth, "/api/v1/history?topic=spiky&points=40"));
    assert_eq!((&answer["count"], &answer["field"]), (&Value::from(3000), &Value::from("")));
    let few = values(&hearth, "topic=spiky&points=40");
    assert!(few.len() <= 40, "{}", few.len());
    assert!(few.contains(&99.0) && few.contains(&0.0), "{few:?}");
    let csv = ask(&hearth, "/api/v1/history?topic=spiky&points=40&format=csv");
    assert!(csv.expect_header("content-type").starts_with("text/csv"));
    let lines: Vec<String> = csv.text().lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), lines[0].as_str()), (3001, "time,value"));
    assert!(lines[1235].ends_with("Z,99"), "{}", lines[1235]);
    let liked = fetch(hearth.http(), "/api/v1/history?topic=spiky", &[("Accept", "text/csv")]);
    assert_eq!(liked.body, csv.body);
}

#[test]
fn what_was_written_survives_a_kill_and_the_history_goes_on() {
    let mut hearth = Hearth::start();
    publish(&hearth, &[("kept", "1"), ("kept", "2")]);
    series(&hearth, "kept", 2);
    hearth = hearth.crash().start_again();
    assert_eq!(values(&hearth, "topic=kept"), [1.0, 2.0]);
    publish(&hearth, &[("kept", "3")]);
    // An orderly stop writes what has only just come.
    let hearth = hearth.stop().start_again();
    assert_eq!(values(&hearth, "topic=kept"), [1.0, 2.0, 3.0]);
}

#[test]
fn mistakes_are_told_with_the_parameter_that_they_are_in() {
    let hearth = Hearth::start();
    publish(&hearth, &[("known", r#"{"a":1,"b":2}"#), ("plain", "5")]);
    series(&hearth, "%23", 3);
    for (query, status, parameter, says) in [
        ("", 400, "topic", "say which topic"),
        ("?topic=a/%2B", 400, "topic", "is no topic name"),
        ("?topic=known&from=yesterday", 400, "from", "write RFC 3339"),
        ("?topic=known&point=5", 400, "point", "there is no such parameter"),
        ("?topic=unknown", 404, "topic", "no values of `unknown` are kept"),
        ("?topic=known", 404, "field", "it has /a, /b"),
        ("?topic=plain&field=a&format=csv", 404, "field", "leave out the field"),
    ] {
        let answer = ask(&hearth, &format!("/api/v1/history{query}"));
        let problem = json(&answer);
        assert_eq!((answer.status, &problem["parameter"]), (status, &Value::from(parameter)), "{query}");
        assert!(problem["error"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
}

#[test]
fn nothing_is_kept_where_nothing_outlives_the_process_or_nobody_wants_it() {
    let none = Hearth::start_with(&["--durability", "none"]);
    let any = "127.0.0.1:0";
    let start = |name: &str, value: &str| {
        HearthCommand::new().args(["--mqtt", any, "--http", any, "--ws", "none"]).env(name, value).start()
    };
    let off = start("HEARTH_HISTORY_ENABLED", "false");
    let unfiltered = start("HEARTH_HISTORY_FILTERS", "");
    for hearth in [none, off, unfiltered] {
        publish(&hearth, &[("a", "1")]);
        let answer = ask(&hearth, "/api/v1/history?topic=a");
        assert_eq!(answer.status, 404);
        assert!(json(&answer)["error"].as_str().unwrap().starts_with("nothing is kept: "));
        assert!(!hearth.data().join("history.db").exists());
    }
    let chosen = start("HEARTH_HISTORY_FILTERS", "home/+/t,plant/#");
    publish(&chosen, &[("home/hall/t", "1"), ("home/hall/x", "2"), ("plant/a/b", "3")]);
    assert_eq!(series(&chosen, "%23", 2), ["home/hall/t  1", "plant/a/b  1"]);
}

#[test]
fn whoever_may_not_connect_without_a_name_does_not_see_the_past() {
    let hearth = Hearth::start_with(&["--anonymous", "no"]);
    for path in ["/api/v1/history?topic=a", "/api/v1/history/series"] {
        let answer = ask(&hearth, path);
        assert_eq!(answer.status, 403);
        assert!(json(&answer)["error"].as_str().unwrap().contains("auth.anonymous"));
    }
}
