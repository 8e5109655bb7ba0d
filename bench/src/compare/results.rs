//! Everything that was measured, for the tables, the page and a file.

use serde::{Deserialize, Serialize};

use super::figures::{Figures, Metric, median};

/// The whole comparison.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    /// Of one measurement.
    pub(crate) seconds: f64,
    pub(crate) brokers: Vec<Broker>,
    /// Brokers that the benchmark knows and that are not installed here.
    pub(crate) absent: Vec<String>,
    pub(crate) rows: Vec<RowResults>,
}

/// Where it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) memory_gib: f64,
    /// The load of the last minute before it began.
    pub(crate) load: f64,
}

/// One that took part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RowResults {
    pub(crate) id: String,
    pub(crate) group: super::row::Group,
    pub(crate) cells: Vec<Cell>,
}

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) broker: String,
    pub(crate) round: usize,
    pub(crate) outcome: Outcome,
}

/// What it came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Figures(Figures),
    /// Why there are none.
    Failure(String),
}

impl Results {
    /// A row by its id.
    pub(crate) fn row(&self, id: &str) -> Option<&RowResults> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// The rows of a group.
    pub(crate) fn group(&self, group: super::row::Group) -> impl Iterator<Item = &RowResults> {
        self.rows.iter().filter(move |row| row.group == group)
    }

    /// Enters a measurement.
    pub(crate) fn enter(&mut self, row: &super::row::Row, cell: Cell) {
        match self.rows.iter_mut().find(|known| known.id == row.id) {
            Some(known) => known.cells.push(cell),
            None => {
                self.rows.push(RowResults { id: row.id.clone(), group: row.group(), cells: vec![cell] });
            }
        }
    }
}

impl RowResults {
    /// The median of a broker's figure over the rounds.
    pub(crate) fn median(&self, broker: &str, metric: Metric) -> Option<f64> {
        median(self.figures(broker, metric))
    }

    /// Why a broker has no figures, if it has none.
    pub(crate) fn failure(&self, broker: &str) -> Option<&str> {
        self.cells.iter().filter(|cell| cell.broker == broker).find_map(|cell| match &cell.outcome {
            Outcome::Figures(_) => None,
            Outcome::Failure(why) => Some(why.as_str()),
        })
    }

    /// The best of these brokers in a figure.
    pub(crate) fn best<'a>(
        &self,
        brokers: impl Iterator<Item = &'a str>,
        metric: Metric,
    ) -> Option<(&'a str, f64)> {
        brokers
            .filter_map(|broker| Some((broker, self.median(broker, metric)?)))
            .reduce(|best, other| if metric.advantage(other.1, best.1) > 1.0 { other } else { best })
    }

    fn figures<'a>(&'a self, broker: &'a str, metric: Metric) -> impl Iterator<Item = f64> + 'a {
        self.cells.iter().filter(move |cell| cell.broker == broker).filter_map(move |cell| {
            match &cell.outcome {
                Outcome::Figures(figures) => figures.get(&metric).copied(),
                Outcome::Failure(_) => None,
            }
        })
    }
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: f64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            // What stands behind the number is the name of whoever built it.
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            memory_gib: kib / f64::from(1 << 20),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::row::Group;
    use super::*;

    /// A row of one figure with a measurement of each broker.
    pub(crate) fn row(id: &str, group: Group, metric: Metric, figures: &[(&str, f64)]) -> RowResults {
        let cells = figures.iter().enumerate().map(|(round, (broker, figure))| Cell {
            broker: (*broker).to_owned(),
            round,
            outcome: Outcome::Figures(Figures::from([(metric, *figure)])),
        });
        RowResults { id: id.to_owned(), group, cells: cells.collect() }
    }

    #[test]
    fn medians_and_failures_are_those_of_a_broker() {
        let mut row = row(
            "x",
            Group::Limit,
            Metric::PerSecond,
            &[("Hearth", 5.0), ("Mosquitto", 9.0), ("Hearth", 1.0), ("Hearth", 3.0)],
        );
        let outcome = Outcome::Failure("it fell".to_owned());
        row.cells.push(Cell { broker: "aedes".to_owned(), round: 1, outcome });
        assert_eq!(row.median("Hearth", Metric::PerSecond), Some(3.0));
        assert_eq!((row.median("aedes", Metric::PerSecond), row.failure("aedes")), (None, Some("it fell")));
        assert_eq!((row.failure("Hearth"), row.median("Hearth", Metric::P99)), (None, None));
        let best = row.best(["Hearth", "Mosquitto", "aedes"].into_iter(), Metric::PerSecond);
        assert_eq!(best, Some(("Mosquitto", 9.0)));
    }

    #[test]
    fn what_was_measured_is_read_again_as_it_was_written() {
        let rows = vec![row("x", Group::Rate, Metric::CpuPerMillion, &[("Hearth", 1.5)])];
        let text = serde_json::to_string(&Results { rows, rounds: 3, ..Results::default() }).unwrap();
        let again: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(again.row("x").unwrap().median("Hearth", Metric::CpuPerMillion), Some(1.5));
        assert_eq!(
            (again.rounds, again.group(Group::Rate).count(), again.group(Group::Idle).count()),
            (3, 1, 0)
        );
    }
}
