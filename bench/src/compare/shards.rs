//! What more shards than one bring, with what the generator takes of the same cores taken into account.

use super::figures::Metric;
use super::results::{Results, RowResults};
use super::row::Group;
use super::tables::Matrix;
use super::{HEARTH, ONE_SHARD};
use crate::table::shown;

/// Processor time for one delivery, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    broker: f64,
    generator: f64,
}

impl Cost {
    /// What one of the two took in a row.
    fn of(row: &RowResults, broker: &str) -> Option<Self> {
        const MICROS_PER_PERCENT: f64 = 1e6 / 100.0;
        let per_second = row.median(broker, Metric::PerSecond).filter(|rate| *rate > 0.0)?;
        let generator = row.median(broker, Metric::GeneratorCores)? * MICROS_PER_PERCENT / per_second;
        let cost = Self { broker: row.median(broker, Metric::CpuPerMillion)?, generator };
        (cost.broker > 0.0 && cost.generator > 0.0).then_some(cost)
    }

    /// Deliveries in a microsecond that so many shards could make at most beside the generator, which is one thread, on all cores
    /// together: the first bound of three that is met.
    fn most(self, shards: f64, cores: f64) -> f64 {
        let Self { broker, generator } = self;
        (shards / broker).min(1.0 / generator).min(cores / (broker + generator))
    }

    /// The same with a core for each shard, and a generator that costs nothing.
    fn most_alone(self, shards: f64) -> f64 {
        shards / self.broker
    }
}

/// Measured, possible beside the generator, and possible without it, as ratios.
pub(super) fn table(results: &Results) -> Option<Matrix> {
    // A machine has fewer cores than a number may lose.
    let cores = f64::from(u32::try_from(results.machine.cores).unwrap_or(u32::MAX));
    let rows: Vec<_> = results.group(Group::Shards).map(|row| cells(row, cores)).collect();
    let head = [
        "",
        "a delivery, µs: broker",
        "with one shard",
        "generator",
        "measured",
        "most beside the generator",
        "on cores of their own",
    ];
    let title = "Two shards against one, with the generator's own time taken into account";
    (!rows.is_empty()).then(|| Matrix { title, head: head.map(str::to_owned).into(), rows })
}

fn cells(row: &RowResults, cores: f64) -> Vec<String> {
    let costs = Cost::of(row, HEARTH).zip(Cost::of(row, ONE_SHARD));
    let figure =
        |figure: fn((Cost, Cost)) -> f64| costs.map(figure).map_or("–".to_owned(), |it| shown(it, 2));
    let ratio = |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| shown(ratio, 2) + "×");
    let speed = |broker| row.median(broker, Metric::PerSecond);
    // At a fixed rate both carry the same.
    let is_at_limit = row.median(HEARTH, Metric::Offered).is_none();
    let measured = speed(HEARTH).zip(speed(ONE_SHARD)).filter(|_| is_at_limit);
    vec![
        row.id.clone(),
        figure(|(all, _)| all.broker),
        figure(|(_, one)| one.broker),
        figure(|(all, _)| all.generator),
        ratio(measured.map(|(all, one)| all / one)),
        ratio(costs.map(|(all, one)| all.most(cores, cores) / one.most(1.0, cores))),
        ratio(costs.map(|(all, one)| all.most_alone(cores) / one.most_alone(1.0))),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::figures::Figures;
    use super::super::results::{Cell, Outcome};
    use super::*;

    fn results(figures: [(&str, f64, f64, f64); 2], offered: Option<f64>) -> Results {
        let cells = figures.map(|(broker, rate, cpu, generator)| {
            let mut figures = Figures::from([
                (Metric::PerSecond, rate),
                (Metric::CpuPerMillion, cpu),
                (Metric::GeneratorCores, generator),
            ]);
            figures.extend(offered.map(|offered| (Metric::Offered, offered)));
            Cell { broker: broker.to_owned(), round: 1, outcome: Outcome::Figures(figures) }
        });
        let row = RowResults { id: "shards: x".to_owned(), group: Group::Shards, cells: cells.into() };
        let mut results = Results { rows: vec![row], ..Results::default() };
        results.machine.cores = 2;
        results
    }

    #[test]
    fn a_generator_that_takes_a_core_leaves_the_second_shard_nothing() {
        // Each takes one microsecond of its core, so that one shard and the generator fill both.
        let results = results([(HEARTH, 900_000.0, 1.0, 90.0), (ONE_SHARD, 1e6, 1.0, 100.0)], None);
        let rows = table(&results).unwrap().rows;
        assert_eq!(rows, [["shards: x", "1.00", "1.00", "1.00", "0.90×", "1.00×", "2.00×"]]);
    }

    #[test]
    fn a_generator_that_costs_little_shows_what_the_second_shard_brings() {
        let results = results([(HEARTH, 300_000.0, 5.0, 15.0), (ONE_SHARD, 200_000.0, 4.0, 10.0)], None);
        let rows = table(&results).unwrap().rows;
        // 2 / 5.5 against 1 / 4, and 2 / 5 against 1 / 4.
        assert_eq!(rows, [["shards: x", "5.00", "4.00", "0.50", "1.50×", "1.45×", "1.60×"]]);
    }

    #[test]
    fn at_a_fixed_rate_nothing_is_told_of_how_much_goes_through() {
        let results = results([(HEARTH, 1000.0, 5.0, 15.0), (ONE_SHARD, 1000.0, 4.0, 10.0)], Some(1000.0));
        assert_eq!(table(&results).unwrap().rows[0][4], "–");
        assert_eq!(table(&Results::default()), None);
    }
}
