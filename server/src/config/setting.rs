//! One setting: its names, what it is for, and how its value gets into the [`Config`].

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::number::Unit;
use super::{
    AllowedOrigins, Config, HistoryFilters, Kind, ListenAddress, Machine, Raw, TrustedProxies, WebBrokers,
    address,
};
use crate::auth::Anonymous;
use crate::store::Durability;

/// An entry of the table of settings.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file, with its table: `http.allowed_origins`.
    pub key: &'static str,
    /// Its flag with dashes, if it has one.
    pub flag: Option<&'static str>,
    /// What it does.
    pub meaning: &'static str,
    /// Why the default is what it is.
    pub reason: &'static str,
    /// The default in words where it depends on the machine.
    pub default_words: Option<&'static str>,
    /// Where its value lives.
    pub(super) field: Field,
}

/// The field of [`Config`] that a setting fills, by kind of value.
#[derive(Debug)]
pub(super) enum Field {
    Addresses(fn(&mut Config) -> &mut Vec<ListenAddress>),
    Origins(fn(&mut Config) -> &mut AllowedOrigins),
    WebBrokers(fn(&mut Config) -> &mut WebBrokers),
    HistoryFilters(fn(&mut Config) -> &mut HistoryFilters),
    Proxies(fn(&mut Config) -> &mut TrustedProxies),
    Kinds(fn(&mut Config) -> &mut Vec<Kind>),
    LogFilter(fn(&mut Config) -> &mut String),
    Folder(fn(&mut Config) -> &mut PathBuf),
    Durability(fn(&mut Config) -> &mut Durability),
    File(fn(&mut Config) -> &mut Option<PathBuf>),
    Anonymous(fn(&mut Config) -> &mut Anonymous),
    Switch(fn(&mut Config) -> &mut bool),
    Permissions(fn(&mut Config) -> &mut u32),
    /// A text, and what is wrong with it.
    Text(fn(&mut Config) -> &mut String, fn(&str) -> Result<(), String>),
    Number {
        unit: Unit,
        min: u64,
        max: u64,
        read: fn(&Config) -> u64,
        write: fn(&mut Config, u64),
    },
}

impl Setting {
    /// Its name in the environment: that of its flag, or else of its key.
    pub fn variable(&self) -> String {
        let name = match self.flag {
            Some(flag) => flag.trim_start_matches("--").replace('-', "_"),
            None => self.key.replace('.', "_"),
        };
        format!("HEARTH_{}", name.to_uppercase())
    }

    /// Puts a typed value into the configuration, or says what is wrong with it.
    pub(super) fn apply(&self, config: &mut Config, machine: &Machine, raw: &Raw) -> Result<(), String> {
        match &self.field {
            Field::Addresses(field) => *field(config) = address::parse_all(machine, &list(raw)?)?,
            Field::Origins(field) => *field(config) = AllowedOrigins::parse(&list(raw)?)?,
            Field::WebBrokers(field) => *field(config) = WebBrokers::parse(&list(raw)?)?,
            Field::HistoryFilters(field) => *field(config) = HistoryFilters::parse(&list(raw)?)?,
            Field::Proxies(field) => *field(config) = TrustedProxies::parse(&list(raw)?)?,
            Field::Kinds(field) => *field(config) = Kind::parse_all(&list(raw)?)?,
            Field::LogFilter(field) => *field(config) = log_filter(raw)?,
            Field::Folder(field) => *field(config) = folder(raw)?,
            Field::Durability(field) => *field(config) = Durability::parse(text(raw)?)?,
            Field::File(field) => *field(config) = file(raw)?,
            Field::Anonymous(field) => *field(config) = anonymous(raw)?,
            Field::Switch(field) => *field(config) = switch(raw)?,
            Field::Permissions(field) => *field(config) = permissions(raw)?,
            Field::Text(field, check) => {
                let text = text(raw)?;
                check(text)?;
                *field(config) = text.to_owned();
            }
            Field::Number { unit, min, max, write, .. } => write(config, number(raw, *unit, *min, *max)?),
        }
        Ok(())
    }

    /// Its value as TOML.
    pub fn show(&self, config: &Config) -> String {
        let mut config = config.clone();
        match &self.field {
            Field::Addresses(field) => address::show(field(&mut config)),
            Field::Origins(field) => field(&mut config).show(),
            Field::WebBrokers(field) => field(&mut config).show(),
            Field::HistoryFilters(field) => field(&mut config).show(),
            Field::Proxies(field) => field(&mut config).show(),
            Field::Kinds(field) => Kind::show_all(field(&mut config)),
            Field::LogFilter(field) => toml::Value::from(field(&mut config).as_str()).to_string(),
            Field::Durability(field) => format!("\"{}\"", field(&mut config)),
            Field::Folder(field) => toml::Value::from(&*field(&mut config).to_string_lossy()).to_string(),
            Field::File(field) => {
                let path = field(&mut config).take().unwrap_or_default();
                toml::Value::from(&*path.to_string_lossy()).to_string()
            }
            Field::Anonymous(field) => format!("\"{}\"", field(&mut config).name()),
            Field::Switch(field) => field(&mut config).to_string(),
            Field::Permissions(field) => format!("\"{:03o}\"", field(&mut config)),
            Field::Text(field, _) => toml::Value::from(field(&mut config).as_str()).to_string(),
            Field::Number { unit, read, .. } => unit.show(read(&config)),
        }
    }
}

fn list(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::Word(word) => Ok(word.split(',').map(|item| item.trim().to_owned()).collect()),
        Raw::Text(text) => Ok(vec![text.clone()]),
        Raw::List(items) => Ok(items.clone()),
        // A port alone is a number in TOML.
        Raw::Number(number) => Ok(vec![number.to_string()]),
        Raw::Switch(_) => Err("this is true or false; write a string or a list of strings".to_owned()),
        Raw::Other(shape) => Err(format!("this is {shape}; write a string or a list of strings")),
    }
}

fn text(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::Word(text) | Raw::Text(text) => Ok(text),
        Raw::List(_) | Raw::Number(_) | Raw::Switch(_) | Raw::Other(_) => {
            Err("this is not text; write it between quotation marks".to_owned())
        }
    }
}

fn log_filter(raw: &Raw) -> Result<String, String> {
    let filter = text(raw)?;
    match filter.parse::<EnvFilter>() {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(format!(
            "`{filter}` is no log filter ({error}); write a level (error, warn, info, debug, trace, off) or parts \
             such as `info,hearth=debug`"
        )),
    }
}

fn folder(raw: &Raw) -> Result<PathBuf, String> {
    match text(raw)? {
        "" => Err("the folder's name is empty; write a path".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

/// A path; without one the setting is as if nobody had set it.
fn file(raw: &Raw) -> Result<Option<PathBuf>, String> {
    Ok(Some(PathBuf::from(text(raw)?)).filter(|path| !path.as_os_str().is_empty()))
}

fn anonymous(raw: &Raw) -> Result<Anonymous, String> {
    let name = match raw {
        Raw::Switch(true) => "yes",
        Raw::Switch(false) => "no",
        Raw::Word(_) | Raw::Text(_) | Raw::List(_) | Raw::Number(_) | Raw::Other(_) => text(raw)?,
    };
    Anonymous::from_name(name).ok_or_else(|| {
        format!("`{name}` says not who is served without a name; write auto, no, local or yes")
    })
}

fn switch(raw: &Raw) -> Result<bool, String> {
    match raw {
        Raw::Switch(on) => Ok(*on),
        Raw::Word(word) => match word.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            word => Err(format!("`{word}` is neither true nor false; write one of them")),
        },
        Raw::Text(_) | Raw::List(_) | Raw::Number(_) | Raw::Other(_) => {
            Err("this is neither true nor false; write one of them".to_owned())
        }
    }
}

/// Three octal digits, as chmod takes them. A number of TOML would be decimal, and is not what it looks like.
fn permissions(raw: &Raw) -> Result<u32, String> {
    let digits = text(raw)?;
    let is_octal =
        matches!(digits.len(), 3 | 4) && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if is_octal && mode <= 0o777 => Ok(mode),
        Ok(_) | Err(_) => Err(format!(
            "`{digits}` are no permissions; write three octal digits as chmod takes them, such as \"660\" for owner \
             and group"
        )),
    }
}

fn number(raw: &Raw, unit: Unit, min: u64, max: u64) -> Result<u64, String> {
    let number = match raw {
        Raw::Number(number) => u64::try_from(*number).map_err(|_| out_of_bounds(number, unit, min, max))?,
        Raw::Word(word) | Raw::Text(word) => unit.parse(word)?,
        Raw::Switch(_) => return Err("this is true or false; write a whole number".to_owned()),
        Raw::List(_) => return Err("this is a list; write a whole number".to_owned()),
        Raw::Other(shape) => return Err(format!("this is {shape}; write a whole number")),
    };
    if number < min || number > max {
        return Err(out_of_bounds(number, unit, min, max));
    }
    Ok(number)
}

fn out_of_bounds(number: impl std::fmt::Display, unit: Unit, min: u64, max: u64) -> String {
    let bound = |bound| unit.show(bound).replace('"', "");
    format!("{number} is out of bounds; write a number from {} to {}", bound(min), bound(max))
}
