//! What was typed, before it is known what it means.

use std::fmt;
use std::path::PathBuf;

use super::Setting;

/// One setting as one place has it.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Which setting.
    pub setting: &'static Setting,
    /// The value as it stands there.
    pub raw: Raw,
    /// Where it stands.
    pub place: Place,
}

/// A value whose shape is known, but not yet whether it fits its setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// Text of a flag or a variable: may be anything, lists are separated by commas.
    Word(String),
    /// A string of TOML.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// A number.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// A shape that no setting has; the text names it.
    Other(&'static str),
}

/// Where something was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(String),
    /// A line of a file, counted from 1.
    Line(PathBuf, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => formatter.write_str(flag),
            Self::Variable(name) => formatter.write_str(name),
            Self::Line(path, line) => write!(formatter, "{}, line {line}", path.display()),
        }
    }
}
