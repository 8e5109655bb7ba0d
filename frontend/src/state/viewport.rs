//! The part of time that a chart shows, and how zooming and panning move it.

/// The shortest part, in milliseconds: the history knows no finer times.
const SPAN_MIN_MS: f64 = 1_000.0;

/// The longest part: ten years.
const SPAN_MAX_MS: f64 = 10.0 * 365.25 * 86_400_000.0;

/// A part of time; times in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Viewport {
    /// The last so many milliseconds: it moves on with the clock.
    Live {
        /// How long it is.
        span_ms: f64,
    },
    /// A part that stays.
    Fixed {
        /// The left end.
        from_ms: f64,
        /// The right end.
        to_ms: f64,
    },
}

impl Viewport {
    /// From one time to another, in either order. What reaches the present follows it: there is no future to show.
    pub fn between(one_ms: f64, other_ms: f64, now_ms: f64) -> Self {
        let (from_ms, to_ms) = (one_ms.min(other_ms), one_ms.max(other_ms));
        let span_ms = (to_ms - from_ms).clamp(SPAN_MIN_MS, SPAN_MAX_MS);
        let middle_ms = f64::midpoint(from_ms, to_ms);
        let to_ms = middle_ms + span_ms / 2.0;
        if to_ms >= now_ms {
            return Self::Live { span_ms };
        }
        Self::Fixed { from_ms: middle_ms - span_ms / 2.0, to_ms }
    }

    /// The part that the query of an address names, if it names one: `last` in seconds, or `from` and `to` in milliseconds since
    /// 1970.
    pub fn of_query(query: &str, now_ms: f64) -> Option<Self> {
        let value = |name: &str| {
            let mut parts = query.split('&').filter_map(|part| part.split_once('='));
            let number = parts.find(|(own, _)| *own == name)?.1.parse::<f64>().ok();
            number.filter(|number| number.is_finite() && *number >= 0.0)
        };
        if let Some(last_s) = value("last") {
            return Some(Self::Live { span_ms: (last_s * 1000.0).clamp(SPAN_MIN_MS, SPAN_MAX_MS) });
        }
        Some(Self::between(value("from")?, value("to")?, now_ms))
    }

    /// As [`Self::of_query`] reads it.
    pub fn query(self) -> String {
        match self {
            Self::Live { span_ms } => format!("last={}", (span_ms / 1000.0).round()),
            Self::Fixed { from_ms, to_ms } => format!("from={}&to={}", from_ms.round(), to_ms.round()),
        }
    }

    /// An address that names this part, or none, instead of the one that it may name.
    pub fn addressed(viewport: Option<Self>, address: &str) -> String {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let is_own = |part: &&str| ["last=", "from=", "to="].iter().any(|name| part.starts_with(name));
        let others = query.split('&').filter(|part| !part.is_empty() && !is_own(part)).map(str::to_owned);
        let query: Vec<String> = others.chain(viewport.map(Self::query)).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }

    /// Both ends at a moment.
    pub fn range(self, now_ms: f64) -> (f64, f64) {
        match self {
            Self::Live { span_ms } => (now_ms - span_ms, now_ms),
            Self::Fixed { from_ms, to_ms } => (from_ms, to_ms),
        }
    }

    /// Whether it follows the clock.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Shows `factor` times as much. What lies at the share `at` of the width stays there; without it the present of a
    /// live part stays, and the middle of another one.
    #[must_use]
    pub fn zoomed(self, factor: f64, at: Option<f64>, now_ms: f64) -> Self {
        let (from_ms, to_ms) = self.range(now_ms);
        let at = at.unwrap_or(if self.is_live() { 1.0 } else { 0.5 });
        let span_ms = ((to_ms - from_ms) * factor).clamp(SPAN_MIN_MS, SPAN_MAX_MS);
        let pivot_ms = from_ms + (to_ms - from_ms) * at;
        let from_ms = pivot_ms - span_ms * at;
        Self::between(from_ms, from_ms + span_ms, now_ms)
    }

    /// Moved by a share of its width; to the right until the present.
    #[must_use]
    pub fn panned(self, share: f64, now_ms: f64) -> Self {
        let (from_ms, to_ms) = self.range(now_ms);
        let by_ms = (to_ms - from_ms) * share;
        Self::between(from_ms + by_ms, to_ms + by_ms, now_ms)
    }

    /// The part in which two times lie at two shares of the width: where two fingers hold them. Fingers that lie on each
    /// other hold nothing.
    pub fn held([one, other]: [(f64, f64); 2], now_ms: f64) -> Option<Self> {
        let ((one_ms, one_at), (other_ms, other_at)) = (one, other);
        let span_ms = (other_ms - one_ms) / (other_at - one_at);
        if !span_ms.is_finite() || span_ms <= 0.0 {
            return None;
        }
        let from_ms = one_ms - span_ms * one_at;
        Some(Self::between(from_ms, from_ms + span_ms, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_000_000.0;

    fn fixed(from_ms: f64, to_ms: f64) -> Viewport {
        Viewport::Fixed { from_ms, to_ms }
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let viewport = fixed(100_000.0, 200_000.0);
        assert_eq!(viewport.zoomed(0.5, Some(0.25), NOW), fixed(112_500.0, 162_500.0));
        assert_eq!(viewport.zoomed(0.5, None, NOW), fixed(125_000.0, 175_000.0));
        let back = viewport.zoomed(0.5, Some(0.25), NOW).zoomed(2.0, Some(0.25), NOW);
        assert_eq!(back, viewport);
    }

    #[test]
    fn a_live_part_stays_live_while_it_reaches_the_present() {
        let live = Viewport::Live { span_ms: 60_000.0 };
        assert_eq!(live.zoomed(2.0, None, NOW), Viewport::Live { span_ms: 120_000.0 });
        assert_eq!(live.panned(-0.5, NOW), fixed(NOW - 90_000.0, NOW - 30_000.0));
        assert_eq!(live.panned(-0.5, NOW).panned(0.7, NOW), live);
        assert_eq!(live.zoomed(0.5, Some(0.0), NOW), fixed(NOW - 60_000.0, NOW - 30_000.0));
    }

    #[test]
    fn a_part_comes_back_from_its_address() {
        for viewport in [Viewport::Live { span_ms: 3_600_000.0 }, fixed(100_000.0, 200_000.0)] {
            let address = Viewport::addressed(Some(viewport), "#/chart/a?field=/x&and=b&last=7");
            let (path, query) = address.split_once('?').unwrap();
            assert_eq!((path, Viewport::of_query(query, NOW)), ("#/chart/a", Some(viewport)));
            assert!(query.starts_with("field=/x&and=b&"), "{query}");
            assert_eq!(Viewport::addressed(None, &address), "#/chart/a?field=/x&and=b");
        }
        assert_eq!(Viewport::addressed(None, "#/chart/a?last=7"), "#/chart/a");
        for wrong in ["", "last=x", "last=-1", "from=1", "from=1&to=NaN", "field=/last"] {
            assert_eq!(Viewport::of_query(wrong, NOW), None, "{wrong}");
        }
        assert_eq!(Viewport::of_query("last=0", NOW), Some(Viewport::Live { span_ms: 1_000.0 }));
    }

    #[test]
    fn no_part_is_too_short_or_too_long() {
        let tiny = fixed(500_000.0, 501_000.0).zoomed(0.001, None, NOW);
        assert_eq!(tiny, fixed(500_000.0, 501_000.0));
        let Viewport::Live { span_ms } = (Viewport::Live { span_ms: 60_000.0 }).zoomed(1e12, None, NOW)
        else {
            panic!("it reaches the present")
        };
        assert_eq!(span_ms, SPAN_MAX_MS);
        assert_eq!(Viewport::between(300.0, 200.0, NOW), fixed(-250.0, 750.0));
    }

    #[test]
    fn two_fingers_hold_the_times_that_they_took() {
        let viewport = fixed(100_000.0, 200_000.0);
        let (from, _) = viewport.range(NOW);
        let times = [from + 25_000.0, from + 75_000.0];
        // From a quarter and three quarters to the ends: half as much is shown.
        let held = Viewport::held([(times[0], 0.0), (times[1], 1.0)], NOW);
        assert_eq!(held, Some(fixed(125_000.0, 175_000.0)));
        assert_eq!(Viewport::held([(times[0], 0.5), (times[1], 0.5)], NOW), None);
        assert_eq!(Viewport::held([(times[0], 1.0), (times[1], 0.0)], NOW), None);
    }
}
