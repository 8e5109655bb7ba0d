//! Fixed pieces of the engine's work, the same in every run: instructions are counted and times are taken of them.
//!
//! Everything is on the public face of `protocol` and `broker`, without sockets: what the kernel costs is not in here.

mod codec;
mod matching;
mod turn;
mod world;

use anyhow::{Result, bail};

/// A piece of work that can be done again and again.
pub trait Work {
    /// Does it once.
    fn step(&mut self);

    /// How many packets, deliveries or connections all steps together have brought.
    fn units(&self) -> u64;
}

/// A piece of work under its name.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `codec/`, `matching/` or `turn/`, and what it is.
    pub name: &'static str,
    /// What one step brings.
    pub units_per_step: u64,
    /// Steps that are enough to count: some million instructions.
    pub steps: u64,
    begin: fn() -> Result<Box<dyn Work>>,
}

impl Scenario {
    /// Every one.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [codec::SCENARIOS, matching::SCENARIOS, turn::SCENARIOS].into_iter().flatten()
    }

    /// The one with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<&'static Self> {
        match Self::all().find(|scenario| scenario.name == name) {
            Some(scenario) => Ok(scenario),
            None => bail!("there is no scenario `{name}`; without a name all are listed"),
        }
    }

    /// Sets it up and takes the steps after which nothing grows any more.
    ///
    /// # Errors
    /// The steps bring something else than they should.
    pub fn warmed_up(&self) -> Result<Box<dyn Work>> {
        const STEPS: u64 = 16;
        let mut work = (self.begin)()?;
        (0..STEPS).for_each(|_| work.step());
        self.check(work.as_ref(), STEPS)?;
        Ok(work)
    }

    /// Sees that so many steps have brought what they should.
    ///
    /// # Errors
    /// They have not: what was counted or timed means nothing.
    pub fn check(&self, work: &dyn Work, steps: u64) -> Result<()> {
        let (units, expected) = (work.units(), steps * self.units_per_step);
        if units != expected {
            bail!("{}: {steps} steps brought {units}, not {expected}", self.name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_brings_what_it_says_and_has_a_name_of_its_own() {
        let mut names: Vec<_> = Scenario::all().map(|scenario| scenario.name).collect();
        for scenario in Scenario::all() {
            scenario.warmed_up().unwrap();
            assert_eq!(Scenario::find(scenario.name).unwrap().name, scenario.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Scenario::all().count());
        assert!(Scenario::find("codec/nothing").is_err());
    }
}
