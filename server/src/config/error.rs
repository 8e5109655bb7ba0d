//! What is wrong with the settings, in one sentence that says what to do.

use std::path::PathBuf;

use super::Place;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {reason}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{place}: this is not TOML: {reason}")]
    Syntax {
        /// Where reading stopped.
        place: Place,
        /// What the parser says.
        reason: String,
    },
    /// A name that no setting has.
    #[error("{place}: `{name}` is not a setting{}", hint(nearest.as_deref()))]
    Unknown {
        /// Where it stands.
        place: Place,
        /// The name.
        name: String,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// A variable that no setting has.
    #[error("the environment variable {name} is not a setting{}", hint(nearest.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// A value that does not fit its setting.
    #[error("{}: {problem}", subject(place, key))]
    Value {
        /// Where it stands.
        place: Place,
        /// The setting.
        key: &'static str,
        /// What is wrong and what to write.
        problem: String,
    },
}

/// A flag or a variable is a setting's own name; a line of a file needs it.
fn subject(place: &Place, key: &str) -> String {
    match place {
        Place::Flag(_) | Place::Variable(_) => place.to_string(),
        Place::Line(_, _) => format!("{place}: {key}"),
    }
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => "; docs/settings.md lists all of them".to_owned(),
    }
}

/// The candidate most like `name`, if any is alike enough to be meant.
pub(super) fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    // Below this Jaro-Winkler similarity a suggestion is more puzzling than none.
    const SIMILAR: f64 = 0.75;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}
