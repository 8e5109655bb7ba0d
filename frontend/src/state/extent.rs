//! How much of a broker the page takes in: everything while that is little, else what is shown and pinned.

/// Topics that the page takes in without being asked to: some 20 MB, and a second until all are there.
const TOPICS_MAX: u32 = 20_000;

/// Messages a second, over five seconds, that it takes in without being asked to: a tenth of what a phone can take, and about a
/// megabit a second.
const RATE_MAX: f64 = 2_000.0;

/// A broker that has become larger must have been so for this long, in milliseconds: a burst is over before that.
const PATIENCE_MS: f64 = 10_000.0;

/// What is taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Nothing yet: the broker has not said how large it is.
    #[default]
    Unknown,
    /// Everything.
    Everything,
    /// What is shown and pinned; of the others the broker's own tree tells.
    Parts,
}

/// What the whole tree of the broker has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Whole {
    /// Topics.
    pub topics: u32,
    /// Messages a second.
    pub rate: f64,
}

/// The decision.
#[derive(Debug, Default)]
pub struct Extent {
    scope: Scope,
    whole: Option<Whole>,
    is_insisted: bool,
    large_since_ms: Option<f64>,
}

impl Extent {
    /// What is taken in.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// What the whole tree has, where the broker tells.
    pub const fn whole(&self) -> Option<Whole> {
        self.whole
    }

    /// The broker tells what it has. What is not taken in is not asked for by itself later: rows would go and come.
    pub fn handle_whole(&mut self, whole: Whole, now_ms: f64) {
        self.whole = Some(whole);
        let is_large = whole.topics > TOPICS_MAX || whole.rate > RATE_MAX;
        if !is_large {
            self.large_since_ms = None;
        }
        match self.scope {
            Scope::Unknown => self.scope = if is_large { Scope::Parts } else { Scope::Everything },
            Scope::Everything if is_large && !self.is_insisted => {
                self.large_since_ms.get_or_insert(now_ms);
            }
            Scope::Everything | Scope::Parts => {}
        }
        self.handle_time(now_ms);
    }

    /// Time goes on: a broker that has grown and fallen silent tells nothing more.
    pub fn handle_time(&mut self, now_ms: f64) {
        let is_for_long = self.large_since_ms.is_some_and(|since_ms| now_ms - since_ms >= PATIENCE_MS);
        if self.scope == Scope::Everything && is_for_long && !self.is_insisted {
            self.scope = Scope::Parts;
        }
    }

    /// The broker has no tree of its own, or does not tell.
    pub fn handle_silence(&mut self) {
        if self.scope == Scope::Unknown {
            self.scope = Scope::Everything;
        }
    }

    /// A person wants everything all the same.
    pub fn insist(&mut self) {
        self.is_insisted = true;
        self.scope = Scope::Everything;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Whole = Whole { topics: TOPICS_MAX, rate: RATE_MAX };
    const MANY: Whole = Whole { topics: TOPICS_MAX + 1, rate: 0.0 };
    const BUSY: Whole = Whole { topics: 1, rate: RATE_MAX + 1.0 };

    #[test]
    fn a_small_broker_is_taken_in_whole_and_a_large_one_in_parts() {
        for (whole, scope) in [(SMALL, Scope::Everything), (MANY, Scope::Parts), (BUSY, Scope::Parts)] {
            let mut extent = Extent::default();
            extent.handle_whole(whole, 0.0);
            assert_eq!((extent.scope(), extent.whole()), (scope, Some(whole)));
        }
        let mut extent = Extent::default();
        extent.handle_silence();
        assert_eq!(extent.scope(), Scope::Everything);
        extent.handle_whole(MANY, 0.0);
        extent.handle_silence();
        assert_eq!(extent.scope(), Scope::Everything);
    }

    #[test]
    fn a_broker_that_grows_is_left_after_a_while_and_a_burst_is_borne() {
        let mut extent = Extent::default();
        extent.handle_whole(SMALL, 0.0);
        extent.handle_whole(BUSY, 1.0);
        extent.handle_whole(SMALL, 9_000.0);
        extent.handle_whole(BUSY, 10_001.0);
        assert_eq!(extent.scope(), Scope::Everything);
        extent.handle_whole(BUSY, 20_001.0);
        assert_eq!(extent.scope(), Scope::Parts);
        extent.handle_whole(SMALL, 30_000.0);
        assert_eq!(extent.scope(), Scope::Parts, "it stays as it is until somebody asks");
    }

    #[test]
    fn a_broker_that_has_grown_and_says_no_more_is_left_too() {
        let mut extent = Extent::default();
        extent.handle_whole(SMALL, 0.0);
        extent.handle_time(50_000.0);
        extent.handle_whole(MANY, 60_000.0);
        extent.handle_time(69_999.0);
        assert_eq!(extent.scope(), Scope::Everything);
        extent.handle_time(70_000.0);
        assert_eq!(extent.scope(), Scope::Parts);
        extent.insist();
        extent.handle_time(99_000.0);
        assert_eq!(extent.scope(), Scope::Everything);
    }

    #[test]
    fn who_insists_gets_everything_and_keeps_it() {
        let mut extent = Extent::default();
        extent.handle_whole(MANY, 0.0);
        extent.insist();
        extent.handle_whole(MANY, 1.0);
        extent.handle_whole(MANY, 60_000.0);
        assert_eq!(extent.scope(), Scope::Everything);
    }
}
