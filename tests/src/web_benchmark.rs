//! The web app under load: 100,000 topics, 20,000 messages a second, and a person who uses it meanwhile.
//!
//! `cargo xtask bench browser` runs it. Frames are those that the page draws; how long a click or key takes is what the browser itself
//! tells (Event Timing: from the input to the next picture); memory is measured after the browser has collected its garbage.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hearth_protocol::codec::encode;
use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, Version};
use serde_json::{Value, json};

use crate::browser::{Page, browse, nothing};
use crate::hearth::Hearth;
use crate::metrics::{scrape, sum};
use crate::renderer_cpu::{Cpu, cpu_of_renderers};
use crate::web_page::open;
use crate::wire::{connect, message};

const TOPICS: u64 = 100_000;
/// Topics of one branch below a building, and branches of a building.
const DEVICES: u64 = 100;
const FLOORS: u64 = 20;
/// The publisher writes this often.
const TICK: Duration = Duration::from_millis(10);
/// The person does something this often.
const PAUSE: Duration = Duration::from_millis(700);
/// After so many things that the person did, four of them twice, the page shows what it showed before: what was opened is closed.
const ROUND: u64 = 8;
/// Memory is printed this often, where it takes that long.
const LOOK: Duration = Duration::from_secs(300);

/// What the page shows meanwhile, and by that what the broker sends it.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// The broker's own tree: what is in view, a few times a second.
    View,
    /// The page's tree, which takes in every message.
    Everything,
    /// The stream of a subscription to every message, and the page's tree behind it.
    Stream,
}

impl Shown {
    const ALL: [Self; 3] = [Self::View, Self::Everything, Self::Stream];

    const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Everything => "everything",
            Self::Stream => "stream",
        }
    }
}

/// What is asked for: `HEARTH_BENCH_BROWSER=seconds,messages a second,how many times slower the processor is,what is shown`.
struct Load {
    seconds: u64,
    per_second: u64,
    // None: as it is, and then four times slower.
    throttle: Option<u64>,
    // None: one after the other.
    shown: Option<Shown>,
}

impl Load {
    fn of_environment() -> Self {
        let asked = std::env::var("HEARTH_BENCH_BROWSER").unwrap_or_default();
        let mut words = asked.split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut number = || words.next().map(|word| word.parse().expect("a number"));
        let (seconds, per_second, throttle) = (number(), number(), number());
        let shown = words.next().map(|word| {
            let named = Shown::ALL.into_iter().find(|shown| shown.name() == word);
            named.unwrap_or_else(|| panic!("{word}: view, everything or stream"))
        });
        Self { seconds: seconds.unwrap_or(60), per_second: per_second.unwrap_or(20_000), throttle, shown }
    }
}

#[test]
#[ignore = "a benchmark: `cargo xtask bench browser` runs it"]
fn the_web_app_under_load() {
    let load = Load::of_environment();
    let frame = "frames a second: median, p5";
    println!(
        "| shown | throttle | messages/s | of these to the page | a core, main thread | {frame} | input to picture: p50, p95, worst | \
        slower than 16 ms | heap at start, end | nodes at start, end |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for shown in load.shown.map_or(Shown::ALL.to_vec(), |only| vec![only]) {
        for throttle in load.throttle.map_or(vec![1, 4], |only| vec![only]) {
            let hearth = Hearth::start();
            fill(hearth.mqtt());
            browse("en", nothing, async |page| {
                let row = measure(page, &hearth, shown, &load, throttle).await;
                println!("| {} | {throttle}x | {row} |", shown.name());
            });
        }
    }
}

/// Publishes to each topic once.
fn fill(broker: SocketAddr) {
    let publisher = Publisher::start(broker, 50_000);
    while publisher.sent.load(Ordering::Relaxed) < TOPICS {
        std::thread::sleep(TICK);
    }
    publisher.stop();
}

/// One row of the table.
#[expect(clippy::print_stdout, reason = "what a benchmark of an hour measures is told on the way")]
async fn measure(page: &Page, hearth: &Hearth, shown: Shown, load: &Load, throttle: u64) -> String {
    prepare(page, hearth, shown).await;
    let publisher = Publisher::start(hearth.mqtt(), load.per_second);
    page.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": throttle })).await;
    page.run(WATCH).await;
    // What is allocated once, the first time that each thing is done under such a load, is no leak. Both looks at memory come
    // after whole rounds, so that the page shows the same at both.
    for round in 0..ROUND {
        act(page, shown, round).await;
        tokio::time::sleep(PAUSE).await;
    }
    let (heap_at_start, nodes_at_start) = (heap(page).await, nodes(page).await);
    page.evaluate("watched.begin()").await;
    let (start, sent) = (Instant::now(), publisher.sent.load(Ordering::Relaxed));
    let heard = to_the_page(hearth);
    let page_process = busiest_renderer().await;
    let cpu_at_start = Cpu::of(page_process).unwrap();
    let (mut acts, mut looks) = (0_u64, 1);
    while start.elapsed() < Duration::from_secs(load.seconds) || !acts.is_multiple_of(ROUND) {
        act(page, shown, acts).await;
        acts += 1;
        tokio::time::sleep(PAUSE).await;
        if start.elapsed() > LOOK * looks {
            let minutes = start.elapsed().as_secs() / 60;
            println!("after {minutes} min: {:.1} MB, {} nodes", heap(page).await / 1e6, nodes(page).await);
            looks += 1;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = (publisher.sent.load(Ordering::Relaxed) - sent) as f64 / seconds;
    let heard = (to_the_page(hearth) - heard) / seconds;
    let cpu = Cpu::of(page_process).unwrap();
    let busy = (cpu.main_thread - cpu_at_start.main_thread).as_secs_f64() / seconds;
    let seen = page.evaluate("watched.end()").await;
    let (heap_at_end, nodes_at_end) = (heap(page).await, nodes(page).await);
    publisher.stop();
    let figure = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
    format!(
        "{rate:.0} | {heard:.0} | {:.0} % | {:.0}, {:.0} | {:.0}, {:.0}, {:.0} ms | {:.0} | {:.1}, {:.1} MB | {nodes_at_start}, {nodes_at_end}",
        busy * 100.0,
        figure("fps50"),
        figure("fps5"),
        figure("input50"),
        figure("input95"),
        figure("inputMax"),
        figure("told"),
        heap_at_start / 1e6,
        heap_at_end / 1e6,
    )
}

/// Opens what is to be measured, with every topic known.
async fn prepare(page: &Page, hearth: &Hearth, shown: Shown) {
    open(page, hearth, "topics").await;
    page.wait_for_element("[data-testid=topic-count][data-total]").await;
    if shown != Shown::View {
        page.click("label:has([data-testid=topic-shape-list])").await;
        page.click("[data-testid=load-everything]").await;
        page.wait_for("no notice", "!document.querySelector('[data-testid=parts-notice]')").await;
        // Nothing in the page tells when the broker has heard that it wants all: it has before the second time.
        fill(hearth.mqtt());
        fill(hearth.mqtt());
        page.click("label:has([data-testid=topic-shape-tree])").await;
    }
    let all = format!(
        "document.querySelector('{} [data-testid=topic-value]')?.textContent.replace(/\\D/g, '') >= {TOPICS}",
        row("bench")
    );
    page.wait_for("all topics", &all).await;
    let mut path = "bench".to_owned();
    for level in ["building-0", "floor-0", "device-0", "temperature"] {
        page.click(&toggle(&path)).await;
        path = format!("{path}/{level}");
        page.wait_for_element(&row(&path)).await;
    }
    if shown == Shown::Stream {
        page.click("[data-testid=nav-publish]").await;
        page.click("[data-testid=section-subscribe]").await;
        page.fill("[data-testid=subscribe-filter]", "bench/#").await;
        page.click("[data-testid=subscribe-add]").await;
        page.wait_for_element("[data-testid=filter][data-state=granted]").await;
    }
}

/// The process that shows the page: Chromium keeps others in reserve.
async fn busiest_renderer() -> u32 {
    let before = cpu_of_renderers();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = |(pid, cpu): &(u32, Cpu)| {
        let idle = before.iter().find(|(other, _)| other == pid);
        cpu.process - idle.map_or(Duration::ZERO, |(_, cpu)| cpu.process)
    };
    cpu_of_renderers().into_iter().max_by_key(used).expect("the browser has a renderer").0
}

/// Does one thing, as a person does: opens or closes a branch, searches, chooses a topic, goes back to all of them; or halts the
/// stream and lets it go on, searches it, and looks at a message.
async fn act(page: &Page, shown: Shown, round: u64) {
    match (shown, round % 4) {
        (Shown::View | Shown::Everything, 0) => tap(page, &toggle("bench/building-0/floor-0/device-1")).await,
        (Shown::View | Shown::Everything, 1) => {
            type_in(page, "#topic-filter", "device-7").await;
            tap(page, ".search__clear:not([hidden])").await;
        }
        (Shown::View | Shown::Everything, 2) => {
            tap(page, &row("bench/building-0/floor-0/device-0/temperature")).await;
        }
        (Shown::View | Shown::Everything, _) => tap(page, "[data-testid=nav-topics]").await,
        (Shown::Stream, 0 | 2) => tap(page, "[data-testid=stream-pause]").await,
        (Shown::Stream, 1) => {
            tap(page, "[data-testid=stream-row]").await;
            tap(page, "[data-testid=stream-detail-close]").await;
        }
        (Shown::Stream, _) => {
            const BACKSPACE: &str = "\u{E003}";
            type_in(page, "[data-testid=stream-search]", "device-7").await;
            page.press(&BACKSPACE.repeat("device-7".len())).await;
        }
    }
}

/// Clicks with the mouse at the middle of an element, of which nobody keeps hold: chromedriver never lets go of an element that
/// it found, and the nodes of an hour would be its own.
async fn tap(page: &Page, selector: &str) {
    let place = format!(
        "(() => {{ const it = document.querySelector({}); if (!it) return null; it.scrollIntoViewIfNeeded(); \
            const place = it.getBoundingClientRect(); \
            return [place.left + place.width / 2, place.top + place.height / 2]; }})()",
        json!(selector)
    );
    let place = page.wait_for(selector, &place).await;
    for (kind, button) in [("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left")] {
        let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": button, "clickCount": 1 });
        page.devtools("Input.dispatchMouseEvent", event).await;
    }
}

/// Types in a field, which is clicked first.
async fn type_in(page: &Page, selector: &str, text: &str) {
    tap(page, selector).await;
    page.press(text).await;
}

fn row(path: &str) -> String {
    format!(r#"[data-testid=topic-row][data-topic="{path}"]"#)
}

fn toggle(path: &str) -> String {
    format!(r#".topic-item:has([data-topic="{path}"]) [data-testid=topic-toggle]"#)
}

/// Counts frames by the second and keeps how long the browser says that inputs took; what took less than
/// 16 ms is not told.
const WATCH: &str = r#"
    const frames = [], inputs = new Map();
    let beginning = Infinity;
    const onFrame = (time) => {
        const second = Math.floor((time - beginning) / 1000);
        if (second >= 0) frames[second] = (frames[second] ?? 0) + 1;
        requestAnimationFrame(onFrame);
    };
    requestAnimationFrame(onFrame);
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
            if (entry.interactionId && entry.startTime >= beginning)
                inputs.set(entry.interactionId, Math.max(inputs.get(entry.interactionId) ?? 0, entry.duration));
    }).observe({ type: "event", durationThreshold: 16 });
    const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 16;
    window.watched = {
        begin() { beginning = performance.now(); return true; },
        end() {
            const seconds = Array.from({ length: Math.floor((performance.now() - beginning) / 1000) }, (_, second) => frames[second] ?? 0);
            beginning = Infinity;
            const durations = [...inputs.values()].sort((a, b) => a - b);
            seconds.sort((a, b) => a - b);
            return { fps5: at(seconds, 0.05), fps50: at(seconds, 0.5), told: durations.length,
                input50: at(durations, 0.5), input95: at(durations, 0.95), inputMax: durations.at(-1) ?? 16 };
        },
    };
"#;

/// Messages that the broker has sent to the page, which alone subscribes.
fn to_the_page(hearth: &Hearth) -> f64 {
    sum(&scrape(hearth), "hearth_messages_sent_total", &[])
}

/// Nodes of the document and those that are no longer in it but held, after a collection.
async fn nodes(page: &Page) -> u64 {
    page.devtools("Memory.getDOMCounters", json!({})).await["nodes"].as_u64().unwrap()
}

/// Bytes that are in use: of JavaScript after a collection, and the memory of the wasm.
async fn heap(page: &Page) -> f64 {
    page.devtools("HeapProfiler.collectGarbage", json!({})).await;
    let usage: Value = page.devtools("Runtime.getHeapUsage", json!({})).await;
    let wasm = page.evaluate("wasmBindings.initSync().memory.buffer.byteLength").await;
    usage["usedSize"].as_f64().unwrap_or(f64::NAN) + wasm.as_f64().unwrap_or(f64::NAN)
}

/// A client on TCP that publishes with QoS 0, to one topic after the other.
struct Publisher {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Publisher {
    fn start(broker: SocketAddr, per_second: u64) -> Self {
        let (is_over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, counter) = (Arc::clone(&is_over), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(broker).unwrap();
            let mut output = BytesMut::new();
            let packet =
                Packet::Connect(Box::new(connect(Version::V311, &format!("publisher-{per_second}"))));
            encode(&packet, Version::V311, &mut output).unwrap();
            let per_tick = per_second * TICK.as_millis() as u64 / 1000;
            let mut due = Instant::now();
            while !over.load(Ordering::Relaxed) {
                let first = counter.load(Ordering::Relaxed);
                for number in first..first + per_tick {
                    let publish =
                        message(&topic(number % TOPICS), payload(number).as_bytes(), QoS::AtMostOnce);
                    encode(&Packet::Publish(publish), Version::V311, &mut output).unwrap();
                }
                stream.write_all(&output).unwrap();
                output.clear();
                counter.store(first + per_tick, Ordering::Relaxed);
                due += TICK;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self { is_over, sent, thread }
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn topic(number: u64) -> String {
    let (device, branch) = (number % DEVICES, number / DEVICES);
    format!("bench/building-{}/floor-{}/device-{device}/temperature", branch / FLOORS, branch % FLOORS)
}

fn payload(number: u64) -> String {
    format!("{{\"value\":{}.5,\"unit\":\"°C\",\"n\":{number}}}", number % 40)
}
