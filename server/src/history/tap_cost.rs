//! What the history costs a shard for each message.
#![expect(unsafe_code, reason = "an allocator is the only place that sees every allocation")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hearth_broker::Tap;

use super::intake::Intake;
use super::recorder::Recorder;
use crate::config::HistoryConfig;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; a counter of the own thread is all that is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Messages of a turn.
const TURN: u32 = 64;

/// Turns before the thread of the history takes what there is.
const TURNS: u32 = 100;

/// Shows a recorder turns of one message; the allocations that this took.
fn run(rounds: u32, payload: &[u8]) -> usize {
    let intake = Arc::new(Intake::new(1));
    let mut recorder = Recorder::new(0, Arc::clone(&intake), Arc::new(HistoryConfig::default()));
    let mut taken = Vec::new();
    let mut round = || {
        for _ in 0..TURNS {
            for _ in 0..TURN {
                recorder.on_message(black_box("home/kitchen/sensor/temperature"), black_box(payload));
            }
            recorder.on_turn_end();
        }
        taken.clear();
        intake.take(0, &mut taken);
    };
    // Three buffers go round until each has its room.
    (0..8).for_each(|_| round());
    let before = ALLOCATIONS.with(Cell::get);
    (0..rounds).for_each(|_| round());
    ALLOCATIONS.with(Cell::get) - before
}

const PAYLOADS: [(&str, &[u8]); 3] = [
    ("a number", b"21.5"),
    ("JSON", br#"{"temperature":21.5,"humidity":48,"battery":97}"#),
    ("no value", b"offline"),
];

#[test]
fn a_shard_allocates_nothing_for_the_history_in_a_steady_state() {
    for (name, payload) in PAYLOADS {
        assert_eq!(run(4, payload), 0, "{name}");
    }
}

/// It says how long it takes and judges nothing: docs/history.md has the command and what it said.
#[test]
#[ignore = "a measurement: cargo test --profile quick -p hearth --lib what_the_tap_costs -- --ignored --nocapture"]
fn what_the_tap_costs() {
    for (name, payload) in PAYLOADS {
        let mut nanoseconds: Vec<f64> = (0..21)
            .map(|_| {
                let begun = Instant::now();
                run(42, payload);
                begun.elapsed().as_secs_f64() * 1e9 / f64::from(50 * TURN * TURNS)
            })
            .collect();
        nanoseconds.sort_by(f64::total_cmp);
        eprintln!(
            "{name}: {:.1} ns a message (the least of 21; median {:.1})",
            nanoseconds[0], nanoseconds[10]
        );
    }
}
