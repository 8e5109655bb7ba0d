//! The settings reference, made from the table.

use std::fmt::Write as _;

use super::{Config, Machine, SETTINGS, Setting};

/// What stands before the table.
const INTRODUCTION: &str = "\
# Settings

Defaults < a TOML file (`--config FILE` or `HEARTH_CONFIG`) < environment < flags: a later one replaces an earlier one.
Without `--config` and `HEARTH_CONFIG` no file is read. A name that Hearth does not know is an error, and
`hearth check-config FILE` says whether a file is good and what it changes.

An address is a port (`1883`: this machine only), an address with a port (`0.0.0.0:1883`: every network,
`192.168.1.5:1883`, `[::1]:1883`, `localhost:1883`), a unix socket by the path of its file (`unix:/run/hearth.sock`), or
`none`. Port 0 takes a free one. A flag may be given several times; a variable takes a list with commas; the file takes a string, a port or a list of them. In the file,
`mqtt = 1883` is short for `mqtt.listen = 1883`.

A client that meets one of the `limits` is told with the reason code that the standard has for it, where it has one. How often
that was stands in `$SYS/hearth/limited/NAME`, and a line of the log names client and limit.

This page is made from the table in `server/src/config`; a test keeps it in step
(`HEARTH_WRITE_REFERENCE=1 cargo test -p hearth --lib reference` writes it anew).
";

/// The text of `docs/settings.md`.
#[cfg_attr(not(test), expect(dead_code, reason = "the test that keeps the document in step is its reader"))]
pub(super) fn markdown() -> String {
    // The defaults that depend on the machine are given in words.
    let defaults = Config::defaults(&Machine { cores: 1, has_ipv6_loopback: true, memory_bytes: None });
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n| setting | flag | variable | default | what it does, and why the default |\n");
    text.push_str("|---|---|---|---|---|\n");
    for setting in SETTINGS {
        row(&mut text, setting, &defaults);
    }
    text.push_str(
        "\n## As a file\n\nEvery setting with a default that is the same on every machine:\n\n```toml\n",
    );
    let mut table = "";
    for setting in SETTINGS.iter().filter(|setting| setting.default_words.is_none()) {
        let (of, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if of != table {
            table = of;
            // Writing to a String cannot fail.
            let _ = write!(text, "\n[{table}]\n");
        }
        let _ = writeln!(text, "{name} = {}", setting.show(&defaults));
    }
    text.push_str("```\n");
    text
}

fn row(text: &mut String, setting: &Setting, defaults: &Config) {
    let flag = setting.flag.map_or(String::new(), |flag| format!("`{flag}`"));
    let default = match setting.default_words {
        Some(words) => words.to_owned(),
        None => format!("`{}`", setting.show(defaults).trim_matches('"')),
    };
    let Setting { key, meaning, reason, .. } = setting;
    let _ =
        writeln!(text, "| `{key}` | {flag} | `{}` | {default} | {meaning} {reason} |", setting.variable());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_reference_is_in_step_with_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("HEARTH_WRITE_REFERENCE").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == markdown(),
            "docs/settings.md is behind the table of settings; \
             run `HEARTH_WRITE_REFERENCE=1 cargo test -p hearth --lib reference`"
        );
    }

    #[test]
    fn the_file_in_the_reference_is_a_good_settings_file() {
        let text = markdown();
        let file = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let machine = Machine { cores: 1, has_ipv6_loopback: true, memory_bytes: None };
        let typed = super::super::file::parse(std::path::Path::new("hearth.toml"), file).unwrap();
        let defaults = Config::defaults(&machine);
        assert_eq!(defaults.clone().with(&machine, &typed).unwrap(), defaults);
        assert!(typed.len() > SETTINGS.len() / 2);
    }
}
