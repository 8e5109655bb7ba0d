//! Times of day as people and programs write them: RFC 3339, or milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// The last millisecond of the year 9999, where RFC 3339 ends.
pub(crate) const TIME_MAX: i64 = 253_402_300_799_999;

const DAY_MILLIS: i64 = 86_400_000;

/// The present in milliseconds since 1970. It is what the machine's clock shows, not what the process counts from its start:
/// that count knows nothing of a clock that is set later, or of sleep.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970 of a text such as `2026-01-31T12:00:00Z`, `2026-01-31T12:00:00.5+01:00`, `2026-01-31` (its begin in
/// UTC) or `1769860800000`; `None` when it is no time from 1970 to 9999.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let time =
        if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok()? } else { parse_date(text)? };
    (0..=TIME_MAX).contains(&time).then_some(time)
}

fn parse_date(text: &str) -> Option<i64> {
    let (date, clock) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_of_month(year, month)).contains(&day)
    {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * DAY_MILLIS;
    if clock.is_empty() {
        return Some(midnight);
    }
    let clock = clock.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = clock.split_at_checked(8)?;
    let mut parts = time.split(':');
    let (hour, minute, second) =
        (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    // A leap second is taken as the last one before it.
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let clock = ((hour * 60 + minute) * 60 + second.min(59)) * 1000 + millis;
    Some(midnight + clock - offset_minutes(zone)? * 60_000)
}

/// The milliseconds of `.123456Z`, and what comes behind them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|end| *end > 0)?;
    let millis =
        rest[..end].bytes().chain(*b"00").take(3).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((millis, &rest[end..]))
}

/// The minutes before UTC of `Z`, `+01:00` or `-05:30`. A plus sign that was not encoded comes as a space.
fn offset_minutes(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+" | " ", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// A number of so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn format(time: i64) -> String {
    let (days, clock) = (time.div_euclid(DAY_MILLIS), time.rem_euclid(DAY_MILLIS));
    let (year, month, day) = date(days);
    let (hour, minute, second, millis) =
        (clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60, clock % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, by counting in eras of 400 years that begin in March (Hinnant, "chrono-compatible low-level date
/// algorithms").
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day: the way back.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_people_write() {
        for (text, expected) in [
            ("0", 0),
            ("1769860800000", 1_769_860_800_000),
            ("2026-01-31T12:00:00Z", 1_769_860_800_000),
            ("2026-01-31t12:00:00z", 1_769_860_800_000),
            ("2026-01-31 13:00:00+01:00", 1_769_860_800_000),
            ("2026-01-31T13:00:00 01:00", 1_769_860_800_000),
            ("2026-01-31T06:30:00.1239-05:30", 1_769_860_800_123),
            ("2026-01-31T12:00:00.5Z", 1_769_860_800_500),
            ("2026-01-31", 1_769_817_600_000),
            ("2000-02-29", 951_782_400_000),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("9999-12-31T23:59:59.999Z", TIME_MAX),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "-1",
            "2026-",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-1-31",
            "1969-12-31",
            "2026-01-31T12:00:00",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00+01:60",
            "2026-01-31T12:00:00Zx",
            "2026-01-31T12:00:00.ß",
            "２026-01-31",
            "99999999999999999999",
            "253402300800000",
            "+2026-01-3",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..=TIME_MAX / DAY_MILLIS {
            let time = day * DAY_MILLIS + day % DAY_MILLIS;
            assert_eq!(parse(&format(time)), Some(time), "{}", format(time));
        }
        assert_eq!(format(1_769_860_800_123), "2026-01-31T12:00:00.123Z");
    }
}
