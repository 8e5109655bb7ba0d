//! What a million topics cost: bytes of each, and how long looks take. It says so and judges nothing.

use std::time::Duration;

use hearth_broker::{Among, From, Order, Slice};
use hearth_protocol::Time;

use super::index::{Bounds, Index, News};
use super::lens::{Lens, MaySee};
use super::node::{Moment, NodeId};
use super::painter::{Painter, Rows};
use crate::own_process::OwnProcess;

const TOPICS: usize = 1_000_000;

const JSON: &str = r#"{"temperature":21.5,"humidity":48,"battery":97,"linkquality":120}"#;

fn resident() -> u64 {
    OwnProcess::look().map_or(0, |process| process.resident_bytes)
}

fn hear(index: &mut Index, topic: &str, number: usize) {
    let number_text = format!("{}.{}", number % 40, number % 10);
    let preview = if number.is_multiple_of(2) { number_text.as_bytes() } else { JSON.as_bytes() };
    index.take(News {
        topic,
        messages: 1,
        at: Moment::of(Time::from_millis(number as u64)),
        payload_len: preview.len(),
        preview,
        is_retained: None,
    });
}

/// A sensor of a plant: 10 lines of 10 cells of 100 machines of 100 sensors.
fn sensor(number: usize) -> String {
    let (machine, sensor) = (number / 100, number % 100);
    let (cell, line) = (machine / 100, machine / 1000);
    format!("plant/line-{line}/cell-{cell}/machine-{machine}/sensor-{sensor}")
}

fn painter<'a>(index: &'a Index, may_see: MaySee<'a>) -> Painter<'a> {
    let now = Moment::of(Time::from_millis(2_000_000));
    Painter { index, lens: Lens::new(index, may_see), now, epoch_millis: 0 }
}

/// What this process has had of a processor: other work on the machine does not count.
fn processor() -> Duration {
    OwnProcess::look().map_or(Duration::ZERO, |process| process.cpu)
}

/// Says how long something takes, from as many times as are needed for a third of a second.
fn time<T>(what: &str, mut work: impl FnMut() -> T) {
    const ENOUGH: Duration = Duration::from_millis(330);
    let (begun, mut times) = (processor(), 0_u32);
    while processor().saturating_sub(begun) < ENOUGH && times < 10_000 {
        std::hint::black_box(work());
        times += 1;
    }
    let millis = processor().saturating_sub(begun).as_secs_f64() * 1e3 / f64::from(times);
    eprintln!("{what}: {millis:.2} ms");
}

#[test]
#[ignore = "a measurement: cargo test --profile quick -p hearth --lib what_a_million -- --ignored --nocapture"]
fn what_a_million_topics_cost() {
    let before = resident();
    let mut index = Index::new(Bounds { topics_max: TOPICS, bytes_max: usize::MAX / 2 });
    let begun = processor();
    (0..TOPICS).for_each(|number| hear(&mut index, &sensor(number), number));
    let took = processor().saturating_sub(begun).as_secs_f64();
    let bytes = resident() - before;
    let each = |bytes: f64| bytes / TOPICS as f64;
    eprintln!(
        "a million topics: {:.0} bytes each by the system, {:.0} by the index; {:.2} µs each to take in",
        each(bytes as f64),
        each(index.bytes() as f64),
        took
    );
    time("a message of each of 10,000 of them", || {
        (0..10_000).for_each(|number| hear(&mut index, &sensor(number * 97 % TOPICS), number));
    });
    let all = |_: &str| true;
    let slice = |order| Slice { order, from: From::Place(0), count: 50 };
    let machine = "plant/line-3/cell-33/machine-3333";
    time("50 of 100 sensors by name", || {
        painter(&index, &all).window(&slice(Order::Name), Some(machine), &mut Rows::default())
    });
    for words in ["sensor-77 machine-12", "humidity", "nothing"] {
        time(&format!("search for `{words}`"), || {
            painter(&index, &all).found(Among::All, &slice(Order::Name), words, &mut Rows::default())
        });
    }
    let some = |filter: &str| filter.starts_with("plant/line-3/") || filter.ends_with("sensor-5");
    time("the whole tree for one who may read a tenth of it", || {
        painter(&index, &some).lens.look(NodeId::ROOT, "", false)
    });
    let mut flat = Index::new(Bounds { topics_max: TOPICS, bytes_max: usize::MAX / 2 });
    (0..100_000)
        .for_each(|number| hear(&mut flat, &format!("devices/{:06}", number * 7919 % 100_000), number));
    for order in [Order::Name, Order::Activity, Order::Traffic, Order::Rate] {
        time(&format!("50 of 100,000 by {order:?}"), || {
            painter(&flat, &all).window(&slice(order), Some("devices"), &mut Rows::default())
        });
    }
    let mut rows = Rows::default();
    time("the same rows again", || {
        painter(&flat, &all).window(&slice(Order::Name), Some("devices"), &mut rows)
    });
}
