//! The places together: what wins, and what each mistake says.

use super::*;

const MACHINE: Machine = Machine { cores: 3, has_ipv6_loopback: true, memory_bytes: None };

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let typed = file::parse(Path::new("hearth.toml"), text)?;
    Config::defaults(&MACHINE).with(&MACHINE, &typed)
}

fn flag(key: &'static str, word: &str) -> Typed {
    let setting = Setting::by_key(key).unwrap();
    Typed { setting, raw: Raw::Word(word.to_owned()), place: Place::Flag(setting.flag.unwrap()) }
}

#[track_caller]
fn assert_error(result: Result<Config, ConfigError>, expected: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    assert!(!error.contains('\n'), "`{error}` is more than one line");
}

#[test]
fn the_defaults_serve_this_machine_alone() {
    let config = Config::defaults(&MACHINE);
    for addresses in [&config.mqtt, &config.http, &config.ws] {
        assert_eq!(addresses.len(), 2);
        assert!(addresses.iter().all(|address| address.tcp().unwrap().ip().is_loopback()));
    }
    assert_eq!(config.shards, 3);
    assert!(!config.demo);
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let folder = std::env::temp_dir().join(format!("hearth-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("hearth.toml");
    std::fs::write(
        &path,
        "shards = 4\nlog = \"debug\"\ndata = \"file\"\n[mqtt]\nlisten = [\"10.0.0.1:1\", 2]\n[http]\nlisten = 81\n",
    )
    .unwrap();
    let load = |file, environment: &[(&str, &str)], flags| {
        Config::load(&MACHINE, file, variables(environment), flags).unwrap()
    };

    let config = load(Some(&path), &[], Vec::new());
    assert_eq!((config.shards, config.log.as_str(), config.data.to_str()), (4, "debug", Some("file")));
    assert_eq!(config.http, MACHINE.loopback(81));
    assert_eq!(config.mqtt.len(), 3);
    assert_eq!(config.ws, MACHINE.loopback(9001));

    let environment =
        [("HEARTH_SHARDS", "5"), ("HEARTH_LOG", "warn"), ("HEARTH_MQTT", "0.0.0.0:1, none-such")];
    assert_error(
        Config::load(&MACHINE, Some(&path), variables(&environment), Vec::new()),
        "HEARTH_MQTT: `none-such` is no address",
    );
    let environment = [("HEARTH_SHARDS", "5"), ("HEARTH_LOG", "warn"), ("HEARTH_MQTT", "0.0.0.0:1, [::]:1")];
    let flags = vec![flag("shards", "6"), flag("mqtt.listen", "none")];
    let config = load(Some(&path), &environment, flags);
    assert_eq!((config.shards, config.log.as_str(), config.data.to_str()), (6, "warn", Some("file")));
    assert_eq!(config.mqtt, []);

    let named = path.to_str().unwrap();
    assert_eq!(
        load(None, &[("HEARTH_CONFIG", named)], Vec::new()).shards,
        4,
        "the file of the variable is read"
    );
    assert_eq!(load(None, &[("HEARTH_CONFIG", "")], Vec::new()).shards, 3, "an empty name is no file");
    assert_eq!(load(None, &[], Vec::new()).shards, 3, "no file is read that nobody named");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    for (text, expected) in [
        ("\nshard = 2\n", "hearth.toml, line 2: `shard` is not a setting; did you mean `shards`?"),
        (
            "[mqtt]\n\nlisten = 1\nlisen = 2\n",
            "line 4: `mqtt.lisen` is not a setting; did you mean `mqtt.listen`?",
        ),
        ("[mqt]\nlisten = 1\n", "line 1: `mqt` is not a setting; did you mean `mqtt`?"),
        ("allowed_origins = []\n", "did you mean `http.allowed_origins`?"),
        ("[http.tls]\nkey = 1\n", "line 1: `http.tls` is not a setting"),
        ("zzz = 1\n", "line 1: `zzz` is not a setting; docs/settings.md lists all of them"),
        ("[http.listen]\nport = 1\n", "http.listen: this is a table"),
        ("mqtt.listn = 1", "`mqtt.listn` is not a setting; did you mean `mqtt.listen`?"),
    ] {
        assert_error(from_file(text), expected);
    }
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_known_one() {
    let load = |name| Config::load(&MACHINE, None, variables(&[(name, "1")]), Vec::new());
    assert_error(
        load("HEARTH_SHARD"),
        "variable HEARTH_SHARD is not a setting; did you mean `HEARTH_SHARDS`?",
    );
    assert_error(load("HEARTH_HTTP_ALLOWED"), "did you mean `HEARTH_HTTP_ALLOWED_ORIGINS`?");
    assert_error(load("HEARTH_ZZZ_QQQ"), "HEARTH_ZZZ_QQQ is not a setting");
    for name in ["HEARTH_WEB_DIST", "HEARTH_SERVICE_HOST", "HEARTH_PORT_1883_TCP", "HEARTHSTONE", "PATH"] {
        assert_eq!(load(name).unwrap(), Config::defaults(&MACHINE), "{name}");
    }
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_place() {
    for (text, expected) in [
        ("shards = 0", "line 1: shards: 0 is out of bounds; write a number from 1 to 64"),
        ("shards = -3", "-3 is out of bounds"),
        ("shards = 99999999999999999999", "this is a number that is too large"),
        ("shards = 1.5", "this is a number with a fraction; write a whole number"),
        ("shards = true", "this is true or false; write a whole number"),
        ("shards = \"two\"", "`two` does not fit"),
        ("demo = \"maybe\"", "this is neither true nor false"),
        ("demo = 1", "this is neither true nor false"),
        ("[unix]\npermissions = 660", "line 2: unix.permissions: this is not text"),
        ("[unix]\npermissions = \"668\"", "`668` are no permissions"),
        ("[unix]\npermissions = \"7777\"", "`7777` are no permissions"),
        ("log = 3", "this is not text; write it between quotation marks"),
        ("log = \"hearth=loud\"", "`hearth=loud` is no log filter"),
        ("data = \"\"", "the folder's name is empty"),
        (
            "[mqtt]\nlisten = \"kitchen:1883\"",
            "line 2: mqtt.listen: `kitchen` in `kitchen:1883` is not an IP",
        ),
        ("[mqtt]\nlisten = [\"\"]", "`` is no address"),
        ("[[mqtt]]\nlisten = 1\n", "mqtt.listen: this is a list of other things than strings"),
        ("limits = 3", "`limits` is not a setting"),
        ("[limits]\npacket_bytes_max = \"16 MB\"", "line 2: limits.packet_bytes_max: `16 MB` does not fit"),
        ("[limits]\ninflight_max = 65536", "65536 is out of bounds; write a number from 1 to 65535"),
        ("[limits]\ninflight_max = \"1 KiB\"", "write a whole number"),
        ("[mqtt]\nlisten = false", "write a string or a list of strings"),
        ("[mqtt]\nlisten = [1.5]", "this is a list of other things than strings"),
        ("[mqtt]\nlisten = 1979-05-27", "this is a date"),
        ("[ws]\nallowed_origins = [\"panel\"]", "ws.allowed_origins: `panel` is no origin"),
    ] {
        assert_error(from_file(text), expected);
    }
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    assert_error(from_file("shards = 1\nlog = \n"), "hearth.toml, line 2: this is not TOML");
    assert_error(from_file("[mqtt\n"), "line 1: this is not TOML");
    assert_error(from_file("shards = 1\nshards = 2\n"), "this is not TOML: duplicate key");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let load = |path: &str| Config::load_file(&MACHINE, Path::new(path));
    assert_error(
        load("/no/such/file.toml"),
        "cannot read the settings file /no/such/file.toml: no such file",
    );
    assert_error(load("/"), "it is a folder");
}

#[test]
fn a_listener_with_addresses_alone_may_be_written_in_one_line() {
    let config = from_file("mqtt = 1884\nhttp = [\"10.0.0.1:80\"]\nws = []\n").unwrap();
    assert_eq!(config.mqtt, MACHINE.loopback(1884));
    assert_eq!(config.http, [ListenAddress::Tcp("10.0.0.1:80".parse().unwrap())]);
    assert_eq!(config.ws, []);
}

#[test]
fn only_what_differs_from_the_defaults_is_shown() {
    let defaults = Config::defaults(&MACHINE);
    assert_eq!(defaults.differences(&defaults), Vec::<String>::new());
    let config =
        from_file("shards = 9\n[ws]\nlisten = \"none\"\n[http]\nallowed_origins = [\"*\"]\n").unwrap();
    assert_eq!(
        config.differences(&defaults),
        ["shards = 9", "http.allowed_origins = [\"*\"]", "ws.listen = \"none\""]
    );
}

#[test]
fn every_setting_is_shown_in_a_form_that_it_reads_back() {
    let defaults = Config::defaults(&MACHINE);
    for setting in SETTINGS {
        let (table, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        let table = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let line = format!("{table}{name} = {}\n", setting.show(&defaults));
        assert_eq!(from_file(&line).unwrap(), defaults, "{line}");
    }
}

#[test]
fn every_bound_of_the_broker_is_a_setting_that_holds_its_smallest_and_its_largest_value() {
    for setting in SETTINGS {
        let setting::Field::Number { min, max, read, write, .. } = &setting.field else { continue };
        let mut config = Config::defaults(&MACHINE);
        assert!((*min..=*max).contains(&read(&config)), "{}: the default is within its bounds", setting.key);
        for bound in [*min, *max] {
            write(&mut config, bound);
            assert_eq!(read(&config), bound, "{}", setting.key);
        }
    }
    let shown = format!("{:?}, {:?}", Limits::default(), DoorLimits::default());
    let fields: Vec<String> = shown
        .replace("Limits { ", "")
        .replace("Door", "")
        .split(", ")
        .filter_map(|field| field.split_once(": "))
        .map(|(name, _)| format!("limits.{name}"))
        .collect();
    let keys: Vec<&str> =
        SETTINGS.iter().map(|setting| setting.key).filter(|key| key.starts_with("limits.")).collect();
    assert_eq!(keys, fields);
}

#[test]
fn a_bound_is_read_from_each_place() {
    let config =
        from_file("[limits]\npacket_bytes_max = \"1 MiB\"\nsession_expiry_max_seconds = \"2 d\"\n").unwrap();
    assert_eq!(config.limits.packet_bytes_max, 1 << 20);
    assert_eq!(config.limits.session_expiry_max_seconds, 172_800);
    let environment = variables(&[("HEARTH_LIMITS_PACKET_BYTES_MAX", "32KiB")]);
    let config = Config::load(&MACHINE, None, environment, Vec::new()).unwrap();
    assert_eq!(config.limits.packet_bytes_max, 32 * 1024);
}

#[test]
fn the_names_of_settings_are_unique_in_every_place() {
    for (index, setting) in SETTINGS.iter().enumerate() {
        for other in &SETTINGS[index + 1..] {
            assert_ne!(setting.key, other.key);
            assert_ne!(setting.variable(), other.variable());
        }
        assert!(setting.meaning.ends_with('.') && setting.reason.ends_with('.'), "{}", setting.key);
    }
}

/// Random text made of the pieces that settings files are made of, so that it comes past the first letter.
#[test]
fn no_text_makes_the_settings_panic() {
    use rand::{Rng, SeedableRng, rngs::SmallRng};
    const PIECES: &[&str] = &[
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "\n",
        "\"",
        "'",
        "\"\"\"",
        ".",
        ",",
        "{",
        "}",
        "#",
        " ",
        "\\u00e9",
        "é",
        "\u{0}",
        "\u{1f525}",
        "true",
        "0",
        "-1",
        "1e400",
        "0x",
        "9999999999999999999",
        "1979-05-27T07:32:00Z",
        "nan",
        "mqtt",
        "listen",
        "shards",
        "log",
        "limits",
        "http",
        "allowed_origins",
        "none",
        "1883",
        "[::1]:1883",
        "localhost:",
        "https://a:b",
        "16 MiB",
        "\"*\"",
        "= [",
        "= \"",
        "\" ]\n",
        "[mqtt]\nlisten = ",
        "shards = ",
    ];
    let mut random = SmallRng::seed_from_u64(0x4845_4152_5448);
    let mut good = 0;
    for _ in 0..20_000 {
        let text: String =
            (0..random.random_range(0..12)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect();
        match from_file(&text) {
            Ok(_) => good += 1,
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!(good > 0, "some of the random texts are good");
}

#[test]
fn deeply_nested_text_is_refused_and_does_not_exhaust_the_stack() {
    let deep = "[".repeat(100_000);
    assert!(from_file(&format!("log = {deep}")).is_err());
    let dotted = "a.".repeat(50_000);
    assert!(from_file(&format!("{dotted}a = 1")).is_err());
}

#[test]
fn clients_are_sent_to_servers_that_can_be_reached_and_nowhere_else() {
    let to = |text: &str| from_file(&format!("[redirect]\nto = \"{text}\"\nall = true"));
    for text in
        ["other", "other.example:1883", "10.0.0.7", "[2001:db8::1]", "[2001:db8::1]:1883 höhle.example"]
    {
        assert_eq!(to(text).unwrap().options().redirect.unwrap().server.as_str(), text);
    }
    for text in [
        " ",
        "a  b",
        "other:99999",
        "other:0",
        "other:",
        ":1883",
        "2001:db8::1",
        "[x]:1",
        "mqtt://other",
        "a\tb",
    ] {
        assert_error(to(text), "no server reference");
    }
    assert_error(to(""), "hearth.toml, line 3: redirect.all: there is no server to send clients to");
    assert_error(from_file("[redirect]\npermanent = true"), "redirect.permanent: there is no server");
    assert!(from_file("[redirect]\nall = false").is_ok());
}
