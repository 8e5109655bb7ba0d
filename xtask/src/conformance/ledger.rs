//! Clauses, tests and outcomes brought together: a row for each clause and side, and what is wrong.

use std::collections::BTreeSet;

use super::clause::{Duties, Duty};
use super::marker::Markers;
use crate::test_results::Outcome;

/// Everything that the page shows.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) rows: Vec<Row>,
    /// What makes the run fail, each a sentence.
    pub(super) faults: Vec<String>,
}

/// One clause for one side.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) duty: Duty,
    pub(super) state: State,
}

/// Whether and how a clause is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// By these tests, which all passed.
    Passed(BTreeSet<String>),
    /// By these tests, of which one or more did not pass.
    Failed(BTreeSet<String>),
    /// By none, for this reason.
    Unshown(String),
    /// By none, and nobody said why.
    Missing,
}

impl State {
    /// The tests that show the clause, or should.
    pub(super) fn tests(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::Passed(tests) | Self::Failed(tests) => Some(tests),
            Self::Unshown(_) | Self::Missing => None,
        }
        .into_iter()
        .flatten()
    }
}

impl Ledger {
    /// Puts a row together for each duty; `outcome` tells what became of a test.
    pub(super) fn new(duties: &Duties, markers: &Markers, outcome: impl Fn(&str) -> Option<Outcome>) -> Self {
        let mut faults = markers.faults.clone();
        for marker in &markers.found {
            if duties.find(marker.standard, &marker.clause, marker.side).is_none() {
                let (standard, side) = (marker.standard.name(), marker.side.name());
                let (clause, test) = (&marker.clause, &marker.test);
                faults
                    .push(format!("{test} names {clause}, which MQTT {standard} does not have for a {side}"));
            }
        }
        let mut judged = BTreeSet::new();
        for marker in &markers.found {
            if judged.insert(&marker.test) {
                match outcome(&marker.test) {
                    Some(Outcome::Passed) => {}
                    Some(Outcome::Failed) => faults.push(format!("{} failed", marker.test)),
                    Some(Outcome::Skipped) => faults.push(format!("{} was skipped", marker.test)),
                    None => faults.push(format!("{} did not run", marker.test)),
                }
            }
        }
        let rows = duties.all.iter().map(|duty| {
            let shown = markers.found.iter().filter(|marker| {
                marker.standard == duty.standard && marker.clause == duty.clause && marker.side == duty.side
            });
            let tests: BTreeSet<String> = shown.map(|marker| marker.test.clone()).collect();
            let is_good = tests.iter().all(|test| outcome(test) == Some(Outcome::Passed));
            let state = match duties.reasons.get(duty) {
                None if tests.is_empty() => State::Missing,
                Some(reason) if tests.is_empty() => State::Unshown(reason.clone()),
                Some(_) | None if is_good => State::Passed(tests),
                Some(_) | None => State::Failed(tests),
            };
            Row { duty: duty.clone(), state }
        });
        let rows: Vec<Row> = rows.collect();
        for row in &rows {
            match &row.state {
                State::Missing => faults.push(format!("{} has no test and no reason", row.duty)),
                State::Passed(tests) | State::Failed(tests) if duties.reasons.contains_key(&row.duty) => {
                    let tests = tests.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    faults.push(format!("{} cannot be shown, says unshown.tsv, but is by {tests}", row.duty));
                }
                State::Passed(_) | State::Failed(_) | State::Unshown(_) => {}
            }
        }
        Self { rows, faults }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::clause::{Side, Standard};
    use super::super::marker::Marker;
    use super::*;

    fn duty(number: usize) -> Duty {
        Duty { standard: Standard::V5, number, clause: format!("MQTT-1.0.0-{number}"), side: Side::Server }
    }

    fn marker(clause: &str, test: &str) -> Marker {
        Marker {
            standard: Standard::V5,
            side: Side::Server,
            clause: clause.to_owned(),
            test: test.to_owned(),
        }
    }

    fn ledger(reasons: &[usize], markers: &[(&str, &str)]) -> Ledger {
        let reasons: BTreeMap<_, _> =
            reasons.iter().map(|&number| (duty(number), "So.".to_owned())).collect();
        let duties = Duties { all: vec![duty(1), duty(2)], reasons };
        let found = markers.iter().map(|(clause, test)| marker(clause, test)).collect();
        Ledger::new(&duties, &Markers { found, faults: Vec::new() }, |test| match test {
            "good" => Some(Outcome::Passed),
            "bad" => Some(Outcome::Failed),
            "skipped" => Some(Outcome::Skipped),
            _ => None,
        })
    }

    #[test]
    fn a_clause_with_a_test_that_passed_or_a_reason_is_no_fault() {
        let ledger = ledger(&[2], &[("MQTT-1.0.0-1", "good")]);
        assert!(ledger.faults.is_empty(), "{:?}", ledger.faults);
        assert_eq!(ledger.rows[0].state, State::Passed(["good".to_owned()].into()));
        assert_eq!(ledger.rows[1].state, State::Unshown("So.".to_owned()));
    }

    #[test]
    fn a_clause_without_test_and_reason_is_a_fault() {
        let ledger = ledger(&[], &[("MQTT-1.0.0-1", "good")]);
        assert_eq!(ledger.rows[1].state, State::Missing);
        assert_eq!(ledger.faults, ["MQTT 5.0 server: MQTT-1.0.0-2 has no test and no reason"]);
    }

    #[test]
    fn a_test_that_did_not_pass_is_a_fault_and_so_is_its_clause() {
        for test in ["bad", "skipped", "never run"] {
            let ledger = ledger(&[2], &[("MQTT-1.0.0-1", "good"), ("MQTT-1.0.0-1", test)]);
            assert_eq!(ledger.rows[0].state, State::Failed(["good".to_owned(), test.to_owned()].into()));
            assert_eq!(ledger.faults.len(), 1, "{:?}", ledger.faults);
        }
    }

    #[test]
    fn an_unknown_clause_and_a_reason_beside_a_test_are_faults() {
        let ledger = ledger(&[1, 2], &[("MQTT-1.0.0-1", "good"), ("MQTT-9.0.0-1", "good")]);
        assert_eq!(ledger.faults.len(), 2, "{:?}", ledger.faults);
    }
}
