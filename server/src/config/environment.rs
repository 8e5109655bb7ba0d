//! Settings from variables of the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::nearest;
use super::{ConfigError, Place, Raw, SETTINGS, Typed};

/// Names the settings file.
const FILE: &str = "HEARTH_CONFIG";

/// Variables of Hearth's build and tests, which are no settings and may stand beside them.
const NO_SETTINGS: &[&str] = &["HEARTH_WEB_DIST", "HEARTH_BIN", "HEARTH_WRITE_REFERENCE"];

/// What the environment says.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) file: Option<PathBuf>,
    pub(super) typed: Vec<Typed>,
}

/// Reads the variables that begin with `HEARTH_`.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, ConfigError> {
    let mut environment = Environment { file: None, typed: Vec::new() };
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("HEARTH_")) else { continue };
        if name == FILE {
            environment.file = Some(PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty());
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
            if NO_SETTINGS.contains(&name) || is_of_a_container_service(name) {
                continue;
            }
            let known = SETTINGS.iter().map(super::Setting::variable).chain([FILE.to_owned()]);
            return Err(ConfigError::UnknownVariable {
                name: name.to_owned(),
                nearest: nearest(name, known),
            });
        };
        let place = Place::Variable(name.to_owned());
        let word = value.into_string().map_err(|_| ConfigError::Value {
            place: place.clone(),
            key: setting.key,
            problem: "the value is not UTF-8; write it in UTF-8".to_owned(),
        })?;
        environment.typed.push(Typed { setting, raw: Raw::Word(word), place });
    }
    Ok(environment)
}

/// Kubernetes sets these in every container beside a service that is named `hearth`.
fn is_of_a_container_service(name: &str) -> bool {
    name == "HEARTH_PORT" || name.starts_with("HEARTH_PORT_") || name.starts_with("HEARTH_SERVICE_")
}
