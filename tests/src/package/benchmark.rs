//! Messages a second per CPU second of a page: this client beside MQTT.js, in turn, in one browser under one load.
//!
//! `cargo xtask bench browser-client` runs it. What counts is the processor time of the page's process, all threads, as the system
//! tells it; the brokers and the publisher are other processes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hearth_protocol::codec::encode;
use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, Version};

use super::{open_broker, site};
use crate::browser::{Page, browse, nothing};
use crate::renderer_cpu::{Cpu, cpu_of_renderers};
use crate::wire::{connect, message};

const CLIENTS: [&str; 2] = ["hearth", "mqtt.js"];
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(10);

/// Topics, each published to in turn.
const TOPICS: usize = 1000;
/// A paced publisher writes this often.
const TICK: Duration = Duration::from_millis(10);

/// What is published, and what the page does with it.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    per_second: Option<usize>,
    reads: &'static str,
}

const LOADS: [Load; 3] = [
    Load { name: "20,000 a second, counted", per_second: Some(20_000), reads: "nothing" },
    Load { name: "flat out, counted", per_second: None, reads: "nothing" },
    Load { name: "flat out, payload read", per_second: None, reads: "payload" },
];

/// What one client did in one window.
#[derive(Clone, Copy)]
struct Outcome {
    messages_per_s: f64,
    messages_per_cpu_s: f64,
    messages_per_main_thread_s: f64,
}

#[test]
#[ignore = "a benchmark: `cargo xtask bench browser-client` runs it"]
fn messages_per_cpu_second_beside_mqtt_js() {
    let hearth = open_broker();
    let modules = std::env::var_os("HEARTH_NODE_MODULES").map(PathBuf::from);
    let mqtt_js = modules.expect("HEARTH_NODE_MODULES names npm's packages").join("mqtt/dist");
    let site = site(vec![("mqtt-js", mqtt_js)]);
    println!("| load | client | messages/s | messages/CPU s | the same, main thread |");
    println!("|---|---|---:|---:|---:|");
    for load in LOADS {
        let mut outcomes: [Vec<Outcome>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (client, outcomes) in CLIENTS.iter().zip(&mut outcomes) {
                let url = site.url(&format!(
                    "pages/benchmark.html?client={client}&reads={}&url=ws://{}/mqtt",
                    load.reads,
                    hearth.ws()
                ));
                browse("en", nothing, async |page| {
                    outcomes.push(measure(page, &url, load, hearth.mqtt()).await)
                });
            }
        }
        let medians = outcomes.map(|mut outcomes| {
            outcomes.sort_by(|one, other| one.messages_per_cpu_s.total_cmp(&other.messages_per_cpu_s));
            outcomes[ROUNDS / 2]
        });
        for (client, outcome) in CLIENTS.iter().zip(medians) {
            println!(
                "| {} | {client} | {:.0} | {:.0} | {:.0} |",
                load.name,
                outcome.messages_per_s,
                outcome.messages_per_cpu_s,
                outcome.messages_per_main_thread_s
            );
        }
        let [ours, theirs] = medians.map(|outcome| outcome.messages_per_cpu_s);
        println!("| {} | ratio | | {:.2} | |", load.name, ours / theirs);
    }
}

async fn measure(page: &Page, url: &str, load: Load, broker: SocketAddr) -> Outcome {
    page.open(url).await;
    page.wait_for("the subscription", "window.isReady === true").await;
    let publisher = Publisher::start(broker, load.per_second);
    let before = cpu_of_renderers();
    tokio::time::sleep(WARM_UP).await;
    // The page is where the work is done; Chromium keeps other renderers in reserve.
    let busy = cpu_of_renderers().into_iter().max_by_key(|(pid, cpu)| {
        let idle =
            before.iter().find(|(other, _)| other == pid).map_or(Duration::ZERO, |(_, cpu)| cpu.process);
        cpu.process - idle
    });
    let (pid, _) = busy.expect("the browser has a renderer");
    let count = async || page.evaluate("window.count").await.as_f64().unwrap();
    let (start, cpu_start, count_start) = (Instant::now(), Cpu::of(pid).unwrap(), count().await);
    tokio::time::sleep(WINDOW).await;
    let (cpu_end, count_end, took) = (Cpu::of(pid).unwrap(), count().await, start.elapsed());
    publisher.stop();
    let messages = count_end - count_start;
    assert!(messages > 0.0, "messages come");
    Outcome {
        messages_per_s: messages / took.as_secs_f64(),
        messages_per_cpu_s: messages / (cpu_end.process - cpu_start.process).as_secs_f64(),
        messages_per_main_thread_s: messages / (cpu_end.main_thread - cpu_start.main_thread).as_secs_f64(),
    }
}

/// A client on TCP that publishes with QoS 0.
struct Publisher {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Publisher {
    fn start(broker: SocketAddr, per_second: Option<usize>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(broker).unwrap();
            let mut hello = BytesMut::new();
            let packet = Packet::Connect(Box::new(connect(Version::V311, "publisher")));
            encode(&packet, Version::V311, &mut hello).unwrap();
            stream.write_all(&hello).unwrap();
            let per_tick = per_second.map_or(TOPICS, |rate| rate * TICK.as_millis() as usize / 1000);
            let (mut number, mut due) = (0, Instant::now());
            while !over.load(Ordering::Relaxed) {
                let mut output = BytesMut::new();
                for _ in 0..per_tick {
                    number += 1;
                    let topic =
                        format!("bench/building/{}/device/{}/temperature", number % 10, number % TOPICS);
                    let payload = format!("{{\"value\":21.5,\"unit\":\"°C\",\"n\":{number}}}");
                    let publish = message(&topic, payload.as_bytes(), QoS::AtMostOnce);
                    encode(&Packet::Publish(publish), Version::V311, &mut output).unwrap();
                }
                stream.write_all(&output).unwrap();
                if per_second.is_some() {
                    due += TICK;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            }
        });
        Self { is_over, thread }
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}
