//! What became of each test, read from the lines of the test runner.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{run_openly, run_watched};
use crate::step::step;
use crate::workspace::Workspace;

/// What the test runner said of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Passed,
    /// It exists, but was told not to run.
    Skipped,
    Failed,
}

/// Outcomes by the path of the test.
#[derive(Debug, Default)]
pub(crate) struct Results {
    by_test: BTreeMap<String, Outcome>,
}

/// The tests wait for timers and sockets most of the time, so that more of them than there are cores go well together.
const TESTS_AT_ONCE: &str = "--test-threads=8";

impl Results {
    /// Builds the broker and the tests of `module` and runs these, with more variables in their environment.
    pub(crate) fn of_run(
        workspace: &Workspace,
        module: &str,
        environment: &[(&str, PathBuf)],
    ) -> Result<Self> {
        step("building the broker", || {
            let mut cargo = workspace.cargo();
            run_openly(cargo.args(["build", "--locked", "--package", "hearth", "--bin", "hearth"]))
        })?;
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--locked", "--package", "hearth-tests", "--test", "system", "--no-fail-fast"]);
        cargo.args(["--", &format!("{module}::"), TESTS_AT_ONCE]);
        cargo.env("HEARTH_BIN", workspace.program("debug", "hearth"));
        cargo.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut results = Self::default();
        let is_good = run_watched(&mut cargo, |line| results.add(line))?;
        if results.by_test.is_empty() {
            bail!("no test ran");
        }
        // A runner that ended badly without a failed test would leave rows that look well.
        let has_failure = results.by_test.values().any(|outcome| *outcome == Outcome::Failed);
        if !is_good && !has_failure {
            bail!("the tests ended badly, although none of them failed; the output above says why");
        }
        Ok(results)
    }

    /// What became of a test; `None` when it did not run at all.
    pub(crate) fn of(&self, test: &str) -> Option<Outcome> {
        self.by_test.get(test).copied()
    }

    /// Adds a line of the form `test conformance::connect::a_sentence ... ok`.
    pub(crate) fn add(&mut self, line: &str) {
        let Some((test, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        else {
            return;
        };
        let outcome = match outcome.split([',', ' ', '\n']).next() {
            Some("ok") => Outcome::Passed,
            Some("ignored") => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        // Two crates may have a test of the same path: none of them hides that another did not pass.
        let entry = self.by_test.entry(test.to_owned()).or_insert(outcome);
        *entry = outcome.max(*entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_from_the_runners_lines() {
        let mut results = Results::default();
        for line in [
            "running 4 tests\n",
            "test conformance::a::good ... ok\n",
            "test conformance::a::bad ... FAILED\n",
            "test conformance::a::put_off ... ignored, needs a moon\n",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n",
        ] {
            results.add(line);
        }
        results.add("test conformance::a::bad ... ok\n");
        assert_eq!(results.by_test.len(), 3);
        assert_eq!(results.of("conformance::a::good"), Some(Outcome::Passed));
        assert_eq!(results.of("conformance::a::bad"), Some(Outcome::Failed));
        assert_eq!(results.of("conformance::a::put_off"), Some(Outcome::Skipped));
        assert_eq!(results.of("conformance::a::never"), None);
    }
}
