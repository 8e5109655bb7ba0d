//! The table without its results, as the tests write it: a line for each thing, with tabs between its parts.

use anyhow::{Context, Result, bail};

/// Rows, columns and what is not tried.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Rows without cells, each with its reason.
    pub(super) not_offered: Vec<(Labels, String)>,
}

/// Client, version, transport and broker.
pub(super) type Labels = [String; 4];

/// A client in one version over one transport at one broker.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) labels: Labels,
    pub(super) cells: Vec<Cell>,
}

/// A scenario of a row.
#[derive(Debug)]
pub(super) struct Cell {
    /// The path of its test.
    pub(super) test: String,
    /// What a reader has to know of it, if anything.
    pub(super) note: String,
}

impl Table {
    /// Reads `column`, `row`, `cell` (of the row before it) and `not-offered` lines.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut table = Self::default();
        for line in text.lines() {
            let parts: Vec<&str> = line.split('\t').collect();
            match parts[..] {
                ["column", title] => table.columns.push(title.to_owned()),
                ["row", client, version, transport, broker] => {
                    let labels = [client, version, transport, broker].map(str::to_owned);
                    table.rows.push(Row { labels, cells: Vec::new() });
                }
                ["cell", test, note] => {
                    let row = table.rows.last_mut().context("a cell stands before the first row")?;
                    row.cells.push(Cell { test: test.to_owned(), note: note.to_owned() });
                }
                ["not-offered", client, version, transport, broker, why] => {
                    let labels = [client, version, transport, broker].map(str::to_owned);
                    table.not_offered.push((labels, why.to_owned()));
                }
                _ => bail!("the tests wrote a line that is none of the table: {line:?}"),
            }
        }
        if table.rows.is_empty() || table.rows.iter().any(|row| row.cells.len() != table.columns.len()) {
            bail!("the tests wrote a table whose rows have not a cell for each column");
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_line_by_line() {
        let text = "column\ta\ncolumn\tb\nrow\tp\t3.1\tTCP\tHearth\ncell\tx::a\t\ncell\tx::b\tAll at once.\n\
                    not-offered\tq\tall\tTCP\tHearth\tIt has none.\n";
        let table = Table::parse(text).unwrap();
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.rows[0].labels, ["p", "3.1", "TCP", "Hearth"]);
        assert_eq!(table.rows[0].cells[1].note, "All at once.");
        assert_eq!(table.not_offered[0].1, "It has none.");
    }

    #[test]
    fn a_row_without_all_cells_and_an_unknown_line_are_refused() {
        assert!(Table::parse("column\ta\nrow\tp\t3.1\tTCP\tHearth\n").is_err());
        assert!(Table::parse("column\ta\nrow\tp\t3.1\tTCP\tHearth\ncell\tx::a\t\nword\n").is_err());
        assert!(Table::parse("cell\tx::a\t\n").is_err());
        assert!(Table::parse("").is_err());
    }
}
