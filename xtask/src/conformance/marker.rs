//! The comments above tests that say which clauses a test shows.
//!
//! One line for a version and a side: `// MQTT 5.0 server: MQTT-3.1.0-1 MQTT-3.1.0-2`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::clause::{Side, Standard};

/// How a marker begins; what follows is checked, so that a slip is not a comment.
const BEGINNING: &str = "// MQTT ";

/// One clause that a test shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) standard: Standard,
    pub(super) side: Side,
    pub(super) clause: String,
    /// The path of the test as the test runner prints it.
    pub(super) test: String,
}

/// The markers of all files, and what is wrong with some.
#[derive(Debug, Default)]
pub(super) struct Markers {
    pub(super) found: Vec<Marker>,
    pub(super) faults: Vec<String>,
}

impl Markers {
    /// Reads every Rust file below `folder`, whose module has the path `module`.
    pub(super) fn read(folder: &Path, module: &str) -> Result<Self> {
        let mut markers = Self::default();
        markers.read_folder(folder, module)?;
        Ok(markers)
    }

    fn read_folder(&mut self, folder: &Path, module: &str) -> Result<()> {
        let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        // The order of a folder differs between machines; that of the page must not.
        paths.sort();
        for path in paths {
            let stem = path.file_stem().context("a file has no name")?.to_string_lossy();
            if path.is_dir() {
                self.read_folder(&path, &format!("{module}::{stem}"))?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let module = if stem == "mod" { module.to_owned() } else { format!("{module}::{stem}") };
                self.add_file(&text, &module);
            }
        }
        Ok(())
    }

    /// Adds the markers of one module's text.
    fn add_file(&mut self, text: &str, module: &str) {
        let mut open: Vec<(usize, &str)> = Vec::new();
        let mut is_test = false;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with(BEGINNING) {
                open.push((index + 1, line));
            } else if line.starts_with("#[") {
                is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            } else if line.starts_with("//") {
                // More words about the test.
            } else {
                let name = function_name(line).filter(|_| is_test);
                for (line, marker) in open.drain(..) {
                    self.add_line(marker, name.map(|name| format!("{module}::{name}")), module, line);
                }
                is_test = false;
            }
        }
        for (line, _) in open {
            self.faults.push(format!("{module}, line {line}: this marker is above no test"));
        }
    }

    fn add_line(&mut self, marker: &str, test: Option<String>, module: &str, line: usize) {
        let Some(test) = test else {
            self.faults.push(format!("{module}, line {line}: this marker is not directly above a test"));
            return;
        };
        let Some((standard, side, clauses)) = parse(marker) else {
            self.faults.push(format!(
                "{module}, line {line}: a marker reads `{BEGINNING}VERSION SIDE: ID…`, as in \
                 `{BEGINNING}5.0 server: MQTT-3.1.0-1`, and this one `{marker}`"
            ));
            return;
        };
        for clause in clauses.split_whitespace() {
            self.found.push(Marker { standard, side, clause: clause.to_owned(), test: test.clone() });
        }
    }
}

/// The parts of a marker; `None` when it has another form or names no clause.
fn parse(marker: &str) -> Option<(Standard, Side, &str)> {
    let (head, clauses) = marker.strip_prefix(BEGINNING)?.split_once(": ")?;
    let (standard, side) = head.split_once(' ')?;
    let (standard, side) = (Standard::of(standard)?, Side::of(side)?);
    (!clauses.trim().is_empty()).then_some((standard, side, clauses))
}

/// The name in `fn name(` or `async fn name(`.
fn function_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split_once('(').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Markers {
        let mut markers = Markers::default();
        markers.add_file(text, "conformance::connect");
        markers
    }

    #[test]
    fn a_marker_names_the_clauses_of_the_test_below_it() {
        let markers = read(
            "// MQTT 3.1.1 server: MQTT-1.0.0-1\n\
             // MQTT 5.0 client: MQTT-1.0.0-2 MQTT-1.0.0-3\n\
             #[test]\n\
             #[expect(clippy::too_many_lines, reason = \"a table\")]\n\
             fn a_sentence() {\n\
             }\n\
             \n\
             #[test]\n\
             fn another_that_shows_nothing() {\n",
        );
        let shown = |standard, side, clause: &str| Marker {
            standard,
            side,
            clause: clause.to_owned(),
            test: "conformance::connect::a_sentence".to_owned(),
        };
        assert_eq!(
            markers.found,
            [
                shown(Standard::V311, Side::Server, "MQTT-1.0.0-1"),
                shown(Standard::V5, Side::Client, "MQTT-1.0.0-2"),
                shown(Standard::V5, Side::Client, "MQTT-1.0.0-3"),
            ]
        );
        assert!(markers.faults.is_empty(), "{:?}", markers.faults);
    }

    #[test]
    fn words_may_stand_between_a_marker_and_its_test() {
        let markers = read("// MQTT 5.0 server: MQTT-1.0.0-1\n// Why so.\n#[tokio::test]\nasync fn a() {\n");
        assert_eq!(markers.found[0].test, "conformance::connect::a");
    }

    #[test]
    fn a_marker_above_no_test_is_a_fault() {
        for text in [
            "// MQTT 5.0 server: MQTT-1.0.0-1\nfn a_function() {\n",
            "// MQTT 5.0 server: MQTT-1.0.0-1\n\n#[test]\nfn after_a_gap() {\n",
            "#[test]\nfn a() {}\n// MQTT 5.0 server: MQTT-1.0.0-1\n",
        ] {
            let markers = read(text);
            assert!(markers.found.is_empty() && markers.faults.len() == 1, "{markers:?}");
        }
    }

    #[test]
    fn a_marker_of_another_form_is_a_fault() {
        for marker in [
            "// MQTT 5 server: MQTT-1.0.0-1",
            "// MQTT 5.0 broker: MQTT-1.0.0-1",
            "// MQTT 5.0 server MQTT-1.0.0-1",
            "// MQTT 5.0 server: ",
        ] {
            let markers = read(&format!("{marker}\n#[test]\nfn a() {{\n"));
            assert!(markers.found.is_empty() && markers.faults.len() == 1, "{markers:?}");
        }
    }
}
