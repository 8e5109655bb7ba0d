//! The clauses of the two standards, whom each binds, and those that no test can show.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A version of MQTT whose clauses are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standard {
    V311,
    V5,
}

/// Whom a clause binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Server,
    Client,
}

/// What has to be shown: one clause for one side. The number orders the rows as the standard does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duty {
    pub(super) standard: Standard,
    pub(super) number: usize,
    pub(super) clause: String,
    pub(super) side: Side,
}

/// Every duty there is, and the reason of each that no test can show.
#[derive(Debug, Default)]
pub(super) struct Duties {
    pub(super) all: Vec<Duty>,
    pub(super) reasons: BTreeMap<Duty, String>,
}

impl Standard {
    pub(super) const ALL: [Self; 2] = [Self::V311, Self::V5];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5.0",
        }
    }

    /// The one of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standard| standard.name() == name)
    }
}

impl Side {
    pub(super) const ALL: [Self; 2] = [Self::Server, Self::Client];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// The one of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MQTT {} {}: {}", self.standard.name(), self.side.name(), self.clause)
    }
}

impl Duties {
    /// Reads the lists of `tests/conformance`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut duties = Self::default();
        for standard in Standard::ALL {
            let path = folder.join(format!("mqtt-{}.tsv", standard.name()));
            read_lines(&path, |line| duties.add_clause(standard, line))?;
        }
        read_lines(&folder.join("unshown.tsv"), |line| duties.add_reason(line))?;
        Ok(duties)
    }

    /// The duty of a clause and a side, if the clause exists and binds that side.
    pub(super) fn find(&self, standard: Standard, clause: &str, side: Side) -> Option<&Duty> {
        self.all.iter().find(|duty| duty.standard == standard && duty.clause == clause && duty.side == side)
    }

    /// Adds a line of the form `MQTT-3.1.0-1 TAB both`.
    fn add_clause(&mut self, standard: Standard, line: &str) -> Result<()> {
        let (clause, party) = line.split_once('\t').context("a line is an id, a tab and a party")?;
        let sides: &[Side] = match party {
            "server" => &[Side::Server],
            "client" => &[Side::Client],
            "both" => &Side::ALL,
            other => bail!("a party is `server`, `client` or `both`, not `{other}`"),
        };
        let number = self.all.len();
        for &side in sides {
            if self.find(standard, clause, side).is_some() {
                bail!("{clause} stands here twice");
            }
            self.all.push(Duty { standard, number, clause: clause.to_owned(), side });
        }
        Ok(())
    }

    /// Adds a line of the form `5.0 TAB MQTT-3.1.0-1 TAB server TAB reason`.
    fn add_reason(&mut self, line: &str) -> Result<()> {
        let mut fields = line.splitn(4, '\t');
        let mut field =
            || fields.next().context("a line is a version, an id, a side and a reason, with tabs");
        let (version, clause, side, reason) = (field()?, field()?, field()?, field()?.trim());
        let standard = Standard::of(version).with_context(|| format!("there is no version `{version}`"))?;
        let side = Side::of(side).with_context(|| format!("a side is `server` or `client`, not `{side}`"))?;
        let duty = self.find(standard, clause, side);
        let duty = duty.with_context(|| {
            format!("{clause} of {version} does not bind a {} or does not exist", side.name())
        })?;
        if reason.is_empty() {
            bail!("{clause} has no reason");
        }
        if self.reasons.insert(duty.clone(), reason.to_owned()).is_some() {
            bail!("{clause} of {version} stands here twice for the {}", side.name());
        }
        Ok(())
    }
}

/// Gives each line that is not empty to `take`; an error says where it was.
fn read_lines(path: &Path, mut take: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        take(line).with_context(|| format!("{}:{}", path.display(), index + 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_for_both_is_a_duty_of_each_side() {
        let mut duties = Duties::default();
        duties.add_clause(Standard::V5, "MQTT-1.0.0-1\tboth").unwrap();
        duties.add_clause(Standard::V5, "MQTT-1.0.0-2\tclient").unwrap();
        assert_eq!(duties.all.len(), 3);
        assert!(duties.find(Standard::V5, "MQTT-1.0.0-1", Side::Server).is_some());
        assert!(duties.find(Standard::V5, "MQTT-1.0.0-2", Side::Server).is_none());
        assert!(duties.find(Standard::V311, "MQTT-1.0.0-1", Side::Server).is_none());
    }

    #[test]
    fn a_list_with_a_mistake_is_refused() {
        let mut duties = Duties::default();
        duties.add_clause(Standard::V5, "MQTT-1.0.0-1\tserver").unwrap();
        for line in ["MQTT-1.0.0-1\tserver", "MQTT-1.0.0-2", "MQTT-1.0.0-2\tnobody"] {
            assert!(duties.add_clause(Standard::V5, line).is_err(), "{line}");
        }
        duties.add_reason("5.0\tMQTT-1.0.0-1\tserver\tA reason.").unwrap();
        for line in [
            "5.0\tMQTT-1.0.0-1\tserver\tTwice.",
            "5.0\tMQTT-1.0.0-1\tclient\tIt does not bind a client.",
            "5.0\tMQTT-1.0.0-9\tserver\tThere is none.",
            "4.0\tMQTT-1.0.0-1\tserver\tThere is none.",
            "5.0\tMQTT-1.0.0-1\tserver",
        ] {
            assert!(duties.add_reason(line).is_err(), "{line}");
        }
    }
}
