//! Words in double braces that each message fills in anew: a counter, the time, something random.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The names, in the order in which they are explained. The value of a name is the same everywhere in one message.
pub const NAMES: [&str; 5] = ["counter", "timestamp", "time", "random", "id"];

/// Random whole numbers are below this.
pub const RANDOM_END: u32 = 100;

/// What one message fills in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    /// Messages that this page has sent, this one included.
    pub counter: u64,
    /// Milliseconds since 1970.
    pub now_ms: f64,
    /// Any 32 random bits.
    pub random: u32,
}

impl Values {
    fn write(&self, name: &str, out: &mut String) -> Option<()> {
        // Writing to a String cannot fail.
        let _ = match name {
            "counter" => write!(out, "{}", self.counter),
            "timestamp" => write!(out, "{:.0}", self.now_ms),
            "time" => write!(out, "{}", iso_time(self.now_ms)),
            "random" => write!(out, "{}", self.random % RANDOM_END),
            "id" => write!(out, "{:08x}", self.random),
            _ => return None,
        };
        Some(())
    }
}

/// The text with the known names filled in. Other words in braces stay, since payloads may be templates themselves.
pub fn expand<'a>(text: &'a str, values: &Values) -> Cow<'a, str> {
    if !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let (before, after) = rest.split_at(open);
        filled.push_str(before);
        let inner = &after[2..];
        let known = inner
            .split_once("}}")
            .and_then(|(name, behind)| values.write(name.trim(), &mut filled).map(|()| behind));
        rest = known.unwrap_or_else(|| {
            // One brace only: in `{{{id}}}` the name begins a brace later.
            filled.push('{');
            &after[1..]
        });
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

/// ISO 8601 in UTC with milliseconds, such as `2026-11-21T18:00:00.000Z`.
pub fn iso_time(at_ms: f64) -> String {
    const DAY_MS: u64 = 86_400_000;
    let at_ms = at_ms.max(0.0) as u64;
    let (year, month, day) = civil(at_ms / DAY_MS);
    let rest = at_ms % DAY_MS;
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year, and in eras of 400 years, which all have as many days.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let day_of_era = days % ERA_DAYS;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March on have 153 days, however they are shared out.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (days / ERA_DAYS * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values = Values { counter: 7, now_ms: 1_795_284_000_123.0, random: 0xBEEF };

    #[test]
    fn known_names_are_filled_in_and_others_stay() {
        for (text, filled) in [
            ("plain", "plain"),
            ("n={{counter}}, {{ counter }}", "n=7, 7"),
            (r#"{"at":{{timestamp}}}"#, r#"{"at":1795284000123}"#),
            ("{{time}}", "2026-11-21T18:00:00.123Z"),
            ("{{random}} {{id}}", "79 0000beef"),
            ("{{{id}}}", "{0000beef}"),
            ("{{ state.value }} {{", "{{ state.value }} {{"),
            ("Größe {{counter}}", "Größe 7"),
        ] {
            assert_eq!(expand(text, &VALUES), filled);
        }
    }

    #[test]
    fn every_name_that_is_explained_is_known() {
        for name in NAMES {
            let text = format!("{{{{{name}}}}}");
            assert_ne!(expand(&text, &VALUES), text);
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at_ms, time) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000.0, "2000-03-01T00:00:00.000Z"),
            (4_107_542_399_999.0, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000.0, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599_000.0, "2024-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(iso_time(at_ms), time);
        }
    }
}
