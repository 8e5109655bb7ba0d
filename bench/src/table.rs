//! Figures of several rounds, and their medians as a table.

use std::fmt::Write as _;

/// One column: what it says, and digits behind the point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) digits: usize,
}

/// What was measured of several subjects, round after round.
#[derive(Debug)]
pub(crate) struct Table {
    title: &'static str,
    columns: &'static [Column],
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    /// A round each, with a figure for each column.
    rounds: Vec<Vec<f64>>,
}

impl Table {
    /// One without figures.
    pub(crate) const fn new(title: &'static str, columns: &'static [Column]) -> Self {
        Self { title, columns, rows: Vec::new() }
    }

    /// Enters what one round came to; a figure that does not exist is no number.
    pub(crate) fn enter(&mut self, name: &str, figures: Vec<f64>) {
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.rounds.push(figures),
            None => self.rows.push(Row { name: name.to_owned(), rounds: vec![figures] }),
        }
    }

    /// The medians as Markdown. Behind the first column stands its ratio to that of each row named here.
    pub(crate) fn markdown(&self, ratios: &[(&str, &str)]) -> String {
        let mut text = format!("### {}\n\n| broker |", self.title);
        for (place, column) in self.columns.iter().enumerate() {
            push(&mut text, column.title);
            if place == 0 {
                ratios.iter().for_each(|(_, title)| push(&mut text, title));
            }
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.columns.len() + ratios.len()));
        text.push('\n');
        for row in &self.rows {
            text.push('|');
            push(&mut text, &row.name);
            for (place, column) in self.columns.iter().enumerate() {
                push(&mut text, &shown(row.median(place), column.digits));
                if place == 0 {
                    for (base, _) in ratios {
                        let base = self.rows.iter().find(|row| row.name == *base);
                        let ratio = base.map_or(f64::NAN, |base| row.median(0) / base.median(0));
                        push(&mut text, &shown(ratio, 2));
                    }
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Row {
    /// Of two in the middle the lower one; no number where there is none.
    fn median(&self, place: usize) -> f64 {
        let mut figures: Vec<f64> =
            self.rounds.iter().map(|round| round[place]).filter(|figure| !figure.is_nan()).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }
}

fn push(text: &mut String, cell: &str) {
    // Writing to a string does not fail.
    let _written = write!(text, " {cell} |");
}

/// A figure with blanks between thousands, or a dash where there is none.
pub(crate) fn shown(figure: f64, digits: usize) -> String {
    if !figure.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{figure:.digits$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_medians_and_their_ratios() {
        const COLUMNS: &[Column] =
            &[Column { title: "a second", digits: 0 }, Column { title: "CPU", digits: 1 }];
        let mut table = Table::new("Title", COLUMNS);
        for (slow, fast) in [(9.0, 2000.0), (1000.0, 8_000_000.0), (1e9, 4000.0)] {
            table.enter("slow", vec![slow, f64::NAN]);
            table.enter("fast", vec![fast, 0.25]);
        }
        let expected = "### Title\n\n| broker | a second | of slow | CPU |\n|---|---|---|---|\n\
                        | slow | 1,000 | 1.00 | – |\n| fast | 4,000 | 4.00 | 0.2 |\n";
        assert_eq!(table.markdown(&[("slow", "of slow")]), expected);
    }
}
