//! Numbers with a unit, as a person types them.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things.
    Count,
    /// Bytes; `KiB`, `MiB` and `GiB` may be written.
    Bytes,
    /// Seconds; `s`, `min`, `h` and `d` may be written.
    Seconds,
}

impl Unit {
    /// Names and sizes, largest first.
    const fn multiples(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Count => &[],
            Self::Bytes => &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)],
            Self::Seconds => &[("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)],
        }
    }

    /// What to write, for error messages.
    const fn example(self) -> &'static str {
        match self {
            Self::Count => "write a whole number",
            Self::Bytes => "write a whole number of bytes, or one with a unit such as \"16 MiB\"",
            Self::Seconds => "write a whole number of seconds, or one with a unit such as \"10 min\"",
        }
    }

    /// Reads `16`, `16 MiB`, `16MiB`, `1_000`.
    pub(super) fn parse(self, text: &str) -> Result<u64, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` does not fit; {}", self.example());
        let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '_').unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let number: u64 = digits.replace('_', "").parse().map_err(|_| wrong())?;
        let unit = unit.trim();
        if unit.is_empty() {
            return Ok(number);
        }
        let (_, size) =
            self.multiples().iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?;
        number.checked_mul(*size).ok_or_else(wrong)
    }

    /// The shortest text without loss, as a value of TOML.
    pub(super) fn show(self, number: u64) -> String {
        let multiple = self.multiples().iter().find(|(_, size)| number > 0 && number.is_multiple_of(*size));
        match multiple {
            Some((_, 1)) | None => number.to_string(),
            Some((name, size)) => format!("\"{} {name}\"", number / size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_and_without_their_unit() {
        for (unit, text, expected) in [
            (Unit::Count, "12", 12),
            (Unit::Count, "1_000", 1000),
            (Unit::Bytes, "512", 512),
            (Unit::Bytes, "16 MiB", 16 << 20),
            (Unit::Bytes, "1gib", 1 << 30),
            (Unit::Bytes, "7 B", 7),
            (Unit::Seconds, "10 min", 600),
            (Unit::Seconds, "2d", 172_800),
        ] {
            assert_eq!(unit.parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_the_unit_is_refused() {
        for (unit, text) in [
            (Unit::Count, "12 MiB"),
            (Unit::Count, "-1"),
            (Unit::Count, ""),
            (Unit::Bytes, "16 MB"),
            (Unit::Bytes, "1.5 MiB"),
            (Unit::Bytes, "99999999999999999999"),
            (Unit::Bytes, "18446744073709551615 GiB"),
            (Unit::Seconds, "1 week"),
        ] {
            assert!(unit.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_shown_in_the_largest_unit_that_loses_nothing() {
        assert_eq!(Unit::Bytes.show(16 << 20), "\"16 MiB\"");
        assert_eq!(Unit::Bytes.show((16 << 20) + 1), "16777217");
        assert_eq!(Unit::Bytes.show(0), "0");
        assert_eq!(Unit::Seconds.show(90), "90");
        assert_eq!(Unit::Seconds.show(86_400), "\"1 d\"");
        assert_eq!(Unit::Count.show(4096), "4096");
    }
}
