//! Counts what the server allocates while messages pass through it, from socket to socket: nothing for a delivery.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth::config::{Config, Machine};
use hearth::{Kind, Server};

struct Counting;

/// Allocations of all threads but those of the test.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_TEST: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call goes to the system's allocator as it came; a counter is all that is added.
#[expect(unsafe_code, reason = "an allocator is the only place that sees every allocation")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count() {
    // A thread that ends has no such variable any more, and is none of the test's.
    if !IS_TEST.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SUBSCRIBERS: usize = 20;
const MESSAGES: usize = 500;

/// What other threads may allocate meanwhile, which has nothing to do with single messages: timers, rounds of the live tree.
const BESIDE: usize = 100;

fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let len = u8::try_from(body.len()).ok().filter(|len| *len < 0x80).unwrap();
    [&[first, len], &body[..]].concat()
}

fn connect(address: SocketAddr, client_id: u8) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let connect = packet(0x10, &[b"\x00\x04MQTT\x04\x02\x00\x00\x00\x01", &[b'a' + client_id]]);
    socket.write_all(&connect).unwrap();
    expect(&mut socket, &[0x20, 2, 0, 0]);
    socket
}

fn expect(socket: &mut TcpStream, expected: &[u8]) {
    let mut bytes = [0; 256];
    let bytes = &mut bytes[..expected.len()];
    socket.read_exact(bytes).unwrap();
    assert_eq!(bytes, expected);
}

/// Passes messages of a QoS on, one after the other; what the server allocates for each, in the long run.
fn allocations_per_message(address: SocketAddr, qos: u8) -> f64 {
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS as u8).map(|number| connect(address, number)).collect();
    for subscriber in &mut subscribers {
        subscriber.write_all(&packet(0x82, &[&[0, 1, 0, 4], b"home", &[qos]])).unwrap();
        expect(subscriber, &[0x90, 3, 0, 1, qos]);
    }
    let mut publisher = connect(address, SUBSCRIBERS as u8);
    let mut pass = |number: u16| {
        let packet_id = number.to_be_bytes();
        let id = if qos == 0 { &[][..] } else { &packet_id };
        let publish = packet(0x30 | qos << 1, &[&[0, 4], b"home", id, &[b'x'; 64]]);
        publisher.write_all(&publish).unwrap();
        if qos > 0 {
            expect(&mut publisher, &packet(0x40, &[&packet_id]));
        }
        for subscriber in &mut subscribers {
            // The broker counts as the publisher does.
            expect(subscriber, &publish);
            if qos > 0 {
                subscriber.write_all(&packet(0x40, &[&packet_id])).unwrap();
            }
        }
    };
    (1..=100).for_each(&mut pass);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (101..=100 + MESSAGES as u16).for_each(&mut pass);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    allocations.saturating_sub(BESIDE) as f64 / MESSAGES as f64
}

/// The clients, on a thread of their own.
fn measure(address: SocketAddr) {
    IS_TEST.set(true);
    let at_most_once = allocations_per_message(address, 0);
    assert!(at_most_once < 0.1, "{at_most_once} for a message of QoS 0");
    // What waits for acknowledgements: the message, its payload, and the topic unless others have it.
    let at_least_once = allocations_per_message(address, 1);
    assert!(at_least_once < 3.1, "{at_least_once} for a message of QoS 1 to {SUBSCRIBERS}");
}

#[tokio::test]
async fn a_delivery_allocates_nothing_and_a_message_that_is_acknowledged_little_however_many_get_it() {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::defaults(&Machine { cores: 1, has_ipv6_loopback: false, memory_bytes: None });
    config.data = data.path().join("data");
    config.mqtt = vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()];
    (config.http, config.ws) = (Vec::new(), Vec::new());
    config.sys_interval_seconds = 0;
    let server = Server::start(&config).await.unwrap();
    let listening = server.listening().iter().find(|listening| listening.kind == Kind::Mqtt).unwrap();
    let address = listening.address.tcp().unwrap();
    tokio::task::spawn_blocking(move || measure(address)).await.unwrap();
    server.stop().await;
}
