//! The command line: what the `hearth` command is asked to do.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::auth::UsersFile;
use crate::config::{Config, ConfigError, Machine, Place, Raw, Setting, Typed};
use crate::store_command::StoreAction;
use crate::user_command::UserAction;

/// What the process exits with after a mistake in its settings.
pub const EXIT_CODE: u8 = 2;

/// What is to be done.
#[derive(Debug)]
pub enum Invocation {
    /// Run the broker.
    Serve(Box<Config>),
    /// Change or list the users.
    User(UserAction, UsersFile),
    /// Back the broker's folder up, restore it or look at it: what, the folder, and its users.
    Store(StoreAction, PathBuf, UsersFile),
    /// Write this text to standard output and end well.
    Print(String),
}

/// Why nothing can be done: one sentence for standard error; the exit code is [`EXIT_CODE`].
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The command line is not understood.
    #[error("{0}")]
    Usage(String),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

#[derive(Debug, Parser)]
#[command(
    name = "hearth",
    version,
    about = "MQTT broker and smart-home panel in one program.",
    after_help = "ADDR is a port (this machine only), an address with a port (0.0.0.0:1883: every network), a unix socket \
                  (unix:/run/hearth.sock) or `none`; it may be given several times.\nEvery setting has a variable and a key of the file too: see \
                  docs/settings.md.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct CommandLine {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep what outlives the process in this folder [default: hearth-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Acknowledge a message when it is on the disk (fsync), with the system (os) or in memory (none) [default: fsync]
    #[arg(long, value_name = "HOW")]
    durability: Option<String>,
    /// Serve MQTT here [default: localhost:1883]
    #[arg(long, value_name = "ADDR")]
    mqtt: Vec<String>,
    /// Serve the web app here, with MQTT over WebSocket at /mqtt [default: localhost:8080]
    #[arg(long, value_name = "ADDR")]
    http: Vec<String>,
    /// Serve MQTT over WebSocket here, at any path [default: localhost:9001]
    #[arg(long, value_name = "ADDR")]
    ws: Vec<String>,
    /// Serve all of this on one port here: MQTT, the web app, and MQTT over WebSocket at /mqtt [default: none]
    #[arg(long, value_name = "ADDR")]
    one: Vec<String>,
    /// Check user names and passwords against this file [default: users.toml in the folder of --data, if it is there]
    #[arg(long, value_name = "FILE")]
    users: Option<String>,
    /// Serve clients without a name: no, local (on this machine), yes [default: local without users, no with them]
    #[arg(long, value_name = "WHO")]
    anonymous: Option<String>,
    /// Serve clients on this many threads [default: one a core]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shards: Option<String>,
    /// Log this: error, warn, info, debug, trace, off, or parts such as info,hearth=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Run a small simulated home
    #[arg(long, action = ArgAction::SetTrue)]
    demo: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say whether a settings file is good, and what it changes
    CheckConfig {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Make, remove and list users
    #[command(subcommand, disable_help_subcommand = true, arg_required_else_help = false)]
    User(UserTask),
    /// Write everything that outlives the process to FILE, while the broker runs or not
    Backup {
        /// The backup; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Put it in the place of a file that is there
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Make a backup the database of the broker's folder, which no broker may use meanwhile
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Do so even if rows of it have decayed, without those
        #[arg(long)]
        incomplete: bool,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Say what outlives the process: sessions, waiting and retained messages, sizes; while the broker runs or not
    Inspect {
        /// A backup to look at, and not the broker's folder
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Write JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: DataPlace,
    },
}

#[derive(Debug, Subcommand)]
enum UserTask {
    /// Make a user, or give it another password, which is asked for or comes as a line of standard input
    Add {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        place: UsersPlace,
    },
    /// Remove a user; its connections end
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        place: UsersPlace,
    },
    /// List the users
    List {
        #[command(flatten)]
        place: UsersPlace,
    },
}

/// Where the users are: the broker's own settings.
#[derive(Args, Debug)]
struct UsersPlace {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The broker's folder [default: hearth-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The file itself [default: users.toml in the folder of --data]
    #[arg(long, value_name = "FILE")]
    users: Option<String>,
}

/// Where the broker keeps things: its own settings.
#[derive(Args, Debug)]
struct DataPlace {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The broker's folder [default: hearth-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

impl DataPlace {
    fn read(
        self,
        action: StoreAction,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        machine: &Machine,
    ) -> Result<Invocation, Refusal> {
        let typed = typed([("--data", self.data.map(Raw::Word))]);
        let config = Config::load(machine, self.config.as_deref(), environment, typed)?;
        let users = config.users_file();
        Ok(Invocation::Store(action, config.data, users))
    }
}

/// Understands the arguments (the first is the program's name) and the environment.
pub fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    machine: &Machine,
) -> Result<Invocation, Refusal> {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Invocation::Print(error.to_string()));
        }
        Err(error) => return Err(Refusal::Usage(sentence(&error))),
    };
    match line.task {
        Some(Task::CheckConfig { file }) => return check_config(machine, &file).map(Invocation::Print),
        Some(Task::User(task)) => return task.read(environment, machine),
        Some(Task::Backup { file, replace, place }) => {
            let action = StoreAction::Backup { file, may_replace: replace };
            return place.read(action, environment, machine);
        }
        Some(Task::Restore { file, incomplete, place }) => {
            let action = StoreAction::Restore { file, is_incomplete: incomplete };
            return place.read(action, environment, machine);
        }
        Some(Task::Inspect { file, json, place }) => {
            let action = StoreAction::Inspect { backup: file, as_json: json };
            return place.read(action, environment, machine);
        }
        None => {}
    }
    let file = line.config.clone();
    let config = Config::load(machine, file.as_deref(), environment, line.typed())?;
    Ok(Invocation::Serve(Box::new(config)))
}

fn check_config(machine: &Machine, file: &std::path::Path) -> Result<String, Refusal> {
    let config = Config::load_file(machine, file)?;
    let differences = config.differences(&Config::defaults(machine));
    let mut text = match differences.len() {
        0 => format!("{} is good and changes nothing.\n", file.display()),
        1 => format!("{} is good and changes one setting:\n", file.display()),
        count => format!("{} is good and changes {count} settings:\n", file.display()),
    };
    for line in differences {
        text.push_str("  ");
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

impl UserTask {
    fn read(
        self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        machine: &Machine,
    ) -> Result<Invocation, Refusal> {
        let (action, place) = match self {
            Self::Add { name, place } => (UserAction::Add(name), place),
            Self::Remove { name, place } => (UserAction::Remove(name), place),
            Self::List { place } => (UserAction::List, place),
        };
        let flags = [("--data", place.data), ("--users", place.users)].into_iter();
        let typed = typed(flags.map(|(flag, word)| (flag, word.map(Raw::Word))));
        let config = Config::load(machine, place.config.as_deref(), environment, typed)?;
        Ok(Invocation::User(action, config.users_file()))
    }
}

/// The flags that were given.
fn typed(flags: impl IntoIterator<Item = (&'static str, Option<Raw>)>) -> Vec<Typed> {
    let typed = flags.into_iter().filter_map(|(flag, raw)| {
        Some(Typed { setting: Setting::by_flag(flag)?, raw: raw?, place: Place::Flag(flag) })
    });
    typed.collect()
}

impl CommandLine {
    /// The flags that were given.
    fn typed(self) -> Vec<Typed> {
        let word = |word: Option<String>| word.map(Raw::Word);
        let list = |items: Vec<String>| (!items.is_empty()).then_some(Raw::List(items));
        typed([
            ("--data", word(self.data)),
            ("--durability", word(self.durability)),
            ("--mqtt", list(self.mqtt)),
            ("--http", list(self.http)),
            ("--ws", list(self.ws)),
            ("--one", list(self.one)),
            ("--users", word(self.users)),
            ("--anonymous", word(self.anonymous)),
            ("--shards", word(self.shards)),
            ("--log", word(self.log)),
            ("--demo", self.demo.then_some(Raw::Switch(true))),
        ])
    }
}

/// clap's error without its paragraphs.
fn sentence(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let typed = context(ContextKind::InvalidArg).or_else(|| context(ContextKind::InvalidSubcommand));
    let suggested = context(ContextKind::SuggestedArg).or_else(|| context(ContextKind::SuggestedSubcommand));
    let complaint = match (error.kind(), typed, suggested) {
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, Some(typed), Some(suggested)) => {
            return format!("`{typed}` is not known; did you mean `{suggested}`?");
        }
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, Some(typed), None) => {
            format!("`{typed}` is not known")
        }
        (ErrorKind::InvalidValue, Some(typed), _) => format!("`{typed}` needs a value after it"),
        (ErrorKind::ArgumentConflict, Some(typed), _) => {
            format!("`{typed}` is given twice, or beside something that it cannot be combined with")
        }
        (ErrorKind::MissingRequiredArgument, Some(typed), _) => format!("`{typed}` is missing"),
        (ErrorKind::MissingSubcommand, _, _) => {
            "it does not say what is to be done with the users: add, remove or list".to_owned()
        }
        (ErrorKind::InvalidUtf8, _, _) => "an argument is not UTF-8 text".to_owned(),
        // clap may have more to complain about in a later version: its first line is a sentence too.
        (_, _, _) => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or("the command line is not understood");
            first.trim_start_matches("error: ").to_owned()
        }
    };
    format!("{complaint}; `hearth --help` shows what there is")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ListenAddress;

    const MACHINE: Machine = Machine { cores: 3, has_ipv6_loopback: true, memory_bytes: None };

    fn invoke(line: &str, variables: &[(&str, &str)]) -> Result<Invocation, Refusal> {
        let arguments = std::iter::once("hearth").chain(line.split_whitespace()).map(OsString::from);
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        read(arguments, variables, &MACHINE)
    }

    #[track_caller]
    fn config(line: &str) -> Config {
        match invoke(line, &[]) {
            Ok(Invocation::Serve(config)) => *config,
            other => panic!("`hearth {line}` serves; {other:?}"),
        }
    }

    #[track_caller]
    fn printed(line: &str) -> String {
        match invoke(line, &[]) {
            Ok(Invocation::Print(text)) => text,
            other => panic!("`hearth {line}` prints; {other:?}"),
        }
    }

    #[track_caller]
    fn assert_refused(line: &str, expected: &str) {
        let sentence = invoke(line, &[]).unwrap_err().to_string();
        assert!(sentence.contains(expected), "`hearth {line}`: `{sentence}` does not say `{expected}`");
        assert!(!sentence.contains('\n'), "one sentence: {sentence}");
    }

    #[test]
    fn without_arguments_the_defaults_are_served() {
        assert_eq!(config(""), Config::defaults(&MACHINE));
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        let config = config(
            "--data /var/lib/hearth --mqtt 0.0.0.0:1883 --mqtt [::]:1883 --http none --ws 127.0.0.1:0 --shards 2 \
             --log hearth=debug --demo --users /etc/users.toml --anonymous local",
        );
        assert_eq!(config.data.to_str(), Some("/var/lib/hearth"));
        let tcp = |address: &str| ListenAddress::Tcp(address.parse().unwrap());
        assert_eq!(config.mqtt, [tcp("0.0.0.0:1883"), tcp("[::]:1883")]);
        assert_eq!(config.http, []);
        assert_eq!(config.ws, [tcp("127.0.0.1:0")]);
        assert_eq!(config.users_file(), UsersFile { path: "/etc/users.toml".into(), is_named: true });
        assert_eq!(config.auth_anonymous, crate::auth::Anonymous::Local);
        assert_eq!((config.shards, config.log.as_str(), config.demo), (2, "hearth=debug", true));
    }

    #[test]
    fn a_mistake_on_the_command_line_is_one_sentence() {
        for (line, expected) in [
            ("--shard 2", "`--shard` is not known; did you mean `--shards`?"),
            ("--zzz", "`--zzz` is not known; `hearth --help` shows what there is"),
            ("chekc-config x", "`chekc-config` is not known; did you mean `check-config`?"),
            ("serve", "`serve` is not known"),
            ("--mqtt", "needs a value after it"),
            ("--shards 1 --shards 2", "is given twice"),
            ("--demo check-config x", "cannot be combined with"),
            ("check-config", "`<FILE>` is missing"),
            ("check-config a b", "`b` is not known"),
            ("user", "add, remove or list; `hearth --help` shows"),
            ("user ad ann", "`ad` is not known; did you mean `add`?"),
            ("user add", "`<NAME>` is missing"),
            ("user list ann", "`ann` is not known"),
            ("backup", "`<FILE>` is missing"),
            ("restore a b", "`b` is not known"),
            ("restore a --replace", "`--replace` is not known"),
            ("--anonymous maybe", "--anonymous: `maybe` says not who is served"),
            ("--shards -1", "--shards: `-1` does not fit"),
            ("--shards 0", "--shards: 0 is out of bounds"),
            ("--mqtt nowhere", "--mqtt: `nowhere` is no address"),
            ("--mqtt none --mqtt 1883", "--mqtt: `none` stands beside other addresses"),
            ("--log =", "--log: `=` is no log filter"),
            ("--config /no/such.toml", "cannot read the settings file /no/such.toml"),
            ("check-config /no/such.toml", "cannot read the settings file /no/such.toml"),
        ] {
            assert_refused(line, expected);
        }
    }

    #[test]
    fn a_mistake_in_the_environment_is_refused_even_where_a_flag_would_win() {
        let sentence = invoke("--shards 2", &[("HEARTH_SHARDS", "many")]).unwrap_err().to_string();
        assert!(sentence.starts_with("HEARTH_SHARDS: `many` does not fit"), "{sentence}");
    }

    #[test]
    fn users_are_looked_for_where_the_broker_of_the_same_settings_has_them() {
        let place = |line: &str, variables: &[(&str, &str)]| match invoke(line, variables) {
            Ok(Invocation::User(action, UsersFile { path, is_named })) => {
                (action, path.to_str().unwrap().to_owned(), is_named)
            }
            other => panic!("`hearth {line}` is about users; {other:?}"),
        };
        let ann = || "ann".to_owned();
        assert_eq!(
            place("user add ann", &[]),
            (UserAction::Add(ann()), "hearth-data/users.toml".into(), false)
        );
        let data = [("HEARTH_DATA", "/var/lib/hearth")];
        let expected = (UserAction::List, "/var/lib/hearth/users.toml".into(), false);
        assert_eq!(place("user list", &data), expected);
        let expected = (UserAction::Remove(ann()), "/d/users.toml".into(), false);
        assert_eq!(place("user remove ann --data /d", &data), expected);
        let expected = (UserAction::Remove(ann()), "/etc/users.toml".into(), true);
        assert_eq!(place("user remove ann --users /etc/users.toml", &data), expected);
    }

    #[test]
    fn a_backup_is_made_and_restored_where_the_broker_of_the_same_settings_keeps_things() {
        let place = |line: &str, variables: &[(&str, &str)]| match invoke(line, variables) {
            Ok(Invocation::Store(action, folder, users)) => (action, folder, users.path),
            other => panic!("`hearth {line}` is about what is kept; {other:?}"),
        };
        let backup = |may_replace| StoreAction::Backup { file: "f".into(), may_replace };
        let default = (backup(false), "hearth-data".into(), "hearth-data/users.toml".into());
        assert_eq!(place("backup f", &[]), default);
        let data = [("HEARTH_DATA", "/var/lib/hearth")];
        let named = (backup(true), "/var/lib/hearth".into(), "/var/lib/hearth/users.toml".into());
        assert_eq!(place("backup --replace f", &data), named);
        let restore = |is_incomplete| StoreAction::Restore { file: "f".into(), is_incomplete };
        assert_eq!(
            place("restore f --data /d", &data),
            (restore(false), "/d".into(), "/d/users.toml".into())
        );
        assert_eq!(place("restore f --incomplete --data /d", &[]).0, restore(true));
        let inspect = StoreAction::Inspect { backup: None, as_json: true };
        assert_eq!(place("inspect --json", &data).0, inspect);
    }

    #[test]
    fn version_and_help_are_printed() {
        assert_eq!(printed("--version"), concat!("hearth ", env!("CARGO_PKG_VERSION"), "\n"));
        let help = printed("--help");
        for setting in crate::config::SETTINGS.iter().filter_map(|setting| setting.flag) {
            assert!(help.contains(setting), "{setting} is explained: {help}");
        }
        assert!(help.contains("check-config") && help.contains("--config"), "{help}");
        assert!(help.contains("backup") && help.contains("inspect") && help.contains("restore"), "{help}");
        assert!(printed("check-config --help").contains("FILE"));
    }

    #[test]
    fn check_config_says_what_a_good_file_changes() {
        let path = std::env::temp_dir().join(format!("hearth-check-{}.toml", std::process::id()));
        let line = format!("check-config {}", path.display());
        std::fs::write(&path, "").unwrap();
        assert!(printed(&line).ends_with("is good and changes nothing.\n"));
        std::fs::write(&path, "shards = 7\n[http]\nlisten = \"none\"\n").unwrap();
        let text = printed(&line);
        assert!(text.ends_with("changes 2 settings:\n  shards = 7\n  http.listen = \"none\"\n"), "{text}");
        std::fs::write(&path, "shards = 0\n").unwrap();
        assert_refused(&line, "line 1: shards: 0 is out of bounds");
        std::fs::remove_file(&path).unwrap();
    }
}
