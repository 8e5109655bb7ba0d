//! Settings from a TOML file.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::nearest;
use super::{ConfigError, Place, Raw, SETTINGS, Setting, Typed};

/// A settings file is a page of text; what is larger is another file by mistake.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads and parses the file.
pub(super) fn read(path: &Path) -> Result<Vec<Typed>, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable { path: path.to_path_buf(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(plain(&error)))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a folder".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(plain(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))?;
    parse(path, &text)
}

/// The system's words without the error number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// The settings of a file's text; `path` is for messages.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Typed>, ConfigError> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: file.place(error.span().map_or(0, |span| span.start)),
        reason: error.message().replace('\n', ", "),
    })?;
    let mut typed = Vec::new();
    file.walk("", table.get_ref(), &mut typed)?;
    Ok(typed)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// Settings lie at most one table deep, so this is no recursion over what was typed.
    fn walk(&self, prefix: &str, table: &DeTable<'_>, typed: &mut Vec<Typed>) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let place = self.place(key.span().start);
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            // `http = 8080` is short for `http.listen = 8080`.
            let short = (!is_table).then(|| Setting::by_key(&format!("{name}.listen"))).flatten();
            if let Some(setting) = Setting::by_key(&name).or(short) {
                typed.push(Typed { setting, raw: raw(value), place });
            } else if let DeValue::Table(inner) = value.get_ref()
                && is_table_of_settings(&name)
            {
                self.walk(&format!("{name}."), inner, typed)?;
            } else {
                return Err(self.unknown(prefix, key, value, place));
            }
        }
        Ok(())
    }

    fn unknown(
        &self,
        prefix: &str,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
        place: Place,
    ) -> ConfigError {
        let name = format!("{prefix}{}", key.get_ref().as_ref());
        let nearest = if matches!(value.get_ref(), DeValue::Table(_)) {
            nearest(&name, tables().map(ToOwned::to_owned))
        } else {
            // The same word in another table is what is most often meant.
            let last = key.get_ref().as_ref();
            let namesake = SETTINGS.iter().find(|setting| setting.key.rsplit('.').next() == Some(last));
            match namesake {
                Some(setting) => Some(setting.key.to_owned()),
                None => nearest(&name, SETTINGS.iter().map(|setting| setting.key.to_owned())),
            }
        };
        ConfigError::Unknown { place, name, nearest }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().iter().take(offset);
        Place::Line(self.path.to_path_buf(), 1 + before.filter(|&&byte| byte == b'\n').count())
    }
}

/// The names of the tables that settings lie in, with repeats.
fn tables() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(|setting| setting.key.split_once('.')).map(|(table, _)| table)
}

fn is_table_of_settings(name: &str) -> bool {
    tables().any(|table| table == name)
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Raw::Number(number),
            Err(_) => Raw::Other("a number that is too large"),
        },
        DeValue::Boolean(on) => Raw::Switch(*on),
        DeValue::Array(items) => list(items),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn list(items: &DeArray<'_>) -> Raw {
    let mut texts = Vec::with_capacity(items.len());
    for item in items.iter() {
        match raw(item) {
            Raw::Text(text) => texts.push(text),
            Raw::Number(number) => texts.push(number.to_string()),
            Raw::Word(_) | Raw::List(_) | Raw::Switch(_) | Raw::Other(_) => {
                return Raw::Other("a list of other things than strings");
            }
        }
    }
    Raw::List(texts)
}
