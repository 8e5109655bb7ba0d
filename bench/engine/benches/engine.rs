//! The time that each scenario takes, by criterion: `cargo bench -p hearth-bench-engine -- turn/`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has failed")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hearth_bench_engine::Scenario;

fn engine(criterion: &mut Criterion) {
    for scenario in Scenario::all() {
        let (name, input) = scenario.name.split_once('/').unwrap();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(scenario.units_per_step));
        group.bench_function(input, |bencher| {
            let mut work = scenario.warmed_up().unwrap();
            bencher.iter(|| work.step());
            scenario.check(work.as_ref(), work.units() / scenario.units_per_step).unwrap();
        });
        group.finish();
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
