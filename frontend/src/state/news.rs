//! Which rows light up when they have news.

/// Where more rows than these have news in a second, none lights up: that they change is to be seen anyway, and a browser draws
/// what fades anew sixty times a second.
const LIT_MAX: u32 = 10;

/// What changes again within this time, in milliseconds, changes all the time, which is no news.
const RESTLESS_MS: f64 = 700.0;

/// How many rows have had news in this second and in the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    now_ms: f64,
    now: u32,
    before: u32,
}

impl News {
    /// Time goes on; in milliseconds since 1970.
    pub fn begin(&mut self, now_ms: f64) {
        let (second, past) = ((now_ms / 1000.0).floor(), (self.now_ms / 1000.0).floor());
        self.now_ms = now_ms;
        if second != past {
            self.before = if second == past + 1.0 { self.now } else { 0 };
            self.now = 0;
        }
    }

    /// One more, whose row had news at `changed_ms`, which becomes now; whether it is to light up.
    pub fn is_lit(&mut self, changed_ms: &mut f64) -> bool {
        let since_ms = self.now_ms - std::mem::replace(changed_ms, self.now_ms);
        if since_ms < RESTLESS_MS {
            return false;
        }
        self.now += 1;
        self.now.max(self.before) <= LIT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lights_up_where_more_has_news_than_anybody_follows() {
        let mut news = News::default();
        news.begin(5_000.0);
        assert!((0..LIT_MAX).all(|_| news.is_lit(&mut 0.0)));
        assert!(!news.is_lit(&mut 0.0));
        news.begin(6_000.0);
        assert!(!news.is_lit(&mut 0.0), "so much changed in the second before");
        news.begin(7_000.0);
        assert!(news.is_lit(&mut 0.0));
        news.begin(60_000.0);
        assert!(news.is_lit(&mut 0.0));
    }

    #[test]
    fn a_branch_that_changes_all_the_time_leaves_the_others_their_light() {
        let (mut news, mut branch) = (News::default(), 0.0);
        for beat in 50..100 {
            news.begin(f64::from(beat) * 100.0);
            assert_eq!(news.is_lit(&mut branch), beat == 50);
        }
        assert!(news.is_lit(&mut 0.0));
    }
}
