//! Ten thousand malformed inputs over real connections: the broker closes each and goes on serving.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use hearth_protocol::codec::encode;
use hearth_protocol::generate::malformed_input;
use hearth_protocol::packet::Packet;
use hearth_protocol::{QoS, Version};
use tungstenite::client::IntoClientRequest;

use crate::hearth::Hearth;

use crate::process::PATIENCE;
use crate::wire::{Wire, connect};

/// Enough that both shards always have some at hand, few enough for a machine of two cores.
const CONNECTIONS_AT_ONCE: usize = 8;

/// After so many inputs the well-behaved clients are asked whether all is well.
const INPUTS_BETWEEN_CHECKS: usize = 500;

#[test]
fn ten_thousand_malformed_inputs_leave_the_broker_serving() {
    serves_through("TCP", 10_000, |hearth, input, number| {
        let mut stream = TcpStream::connect(hearth.mqtt()).unwrap();
        send_and_wait_for_end(&mut stream, &[greeting(number), input.to_vec()].concat())
    });
}

#[test]
fn a_thousand_malformed_inputs_in_websocket_frames_leave_the_broker_serving() {
    serves_through("WebSocket", 1_000, |hearth, input, number| {
        let server = if number % 2 == 0 { hearth.ws() } else { hearth.http() };
        let mut stream = upgraded(server);
        let bytes = [greeting(number), input.to_vec()].concat();
        let mut framed = Vec::new();
        for part in bytes.chunks(125) {
            // Masked with zeros, which leaves the bytes as they are.
            framed.extend([0x82, 0x80 | part.len() as u8, 0, 0, 0, 0]);
            framed.extend(part);
        }
        send_and_wait_for_end(&mut stream, &framed)
    });
}

#[test]
fn a_thousand_malformed_websocket_frames_leave_the_broker_serving() {
    serves_through("WebSocket frames", 1_000, |hearth, input, number| {
        let mut stream = upgraded(if number % 2 == 0 { hearth.ws() } else { hearth.http() });
        send_and_wait_for_end(&mut stream, input)
    });
}

#[test]
fn a_thousand_inputs_that_are_no_http_leave_the_web_app_served() {
    serves_through("HTTP", 1_000, |hearth, input, number| {
        let server = if number % 2 == 0 { hearth.ws() } else { hearth.http() };
        let head: &[u8] = if number % 4 < 2 { b"GET /mqtt HTTP/1.1\r\nHost: a\r\n" } else { b"" };
        let mut stream = TcpStream::connect(server).unwrap();
        send_and_wait_for_end(&mut stream, &[head, input].concat())
    });
}

/// Runs `attack` with each of `count` inputs, in parallel, and checks all the while that others are served.
#[track_caller]
fn serves_through(
    over: &str,
    count: usize,
    attack: impl Fn(&Hearth, &[u8], usize) -> Result<(), String> + Sync,
) {
    let seed = seed();
    eprintln!("malformed inputs over {over} with HEARTH_TEST_SEED={seed}");
    let hearth = Hearth::start();
    let mut watch = Watch::start(hearth.mqtt(), seed);
    let open_files = hearth.open_files();
    let next = AtomicUsize::new(0);
    for first in (0..count).step_by(INPUTS_BETWEEN_CHECKS) {
        let end = (first + INPUTS_BETWEEN_CHECKS).min(count);
        next.store(first, Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..CONNECTIONS_AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            return;
                        }
                        let input = malformed_input(seed, number);
                        if let Err(why) = attack(&hearth, &input, number) {
                            panic!("input {number} of seed {seed} over {over}: {why}; bytes {input:02x?}");
                        }
                    }
                });
            }
        });
        watch.check();
    }
    wait_until_closed(&hearth, open_files);
    // A newcomer is served too, not only those who were there before.
    Watch::start(hearth.mqtt(), seed.wrapping_add(1)).check();
    assert_eq!(crate::http::fetch(hearth.http(), "/healthz", &[]).status, 200);
}

/// Waits until the broker holds no more sockets than before.
#[track_caller]
fn wait_until_closed(hearth: &Hearth, before: Option<usize>) {
    let deadline = Instant::now() + PATIENCE;
    while hearth.open_files() > before {
        assert!(Instant::now() < deadline, "{:?} files are open, {before:?} before", hearth.open_files());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Two well-behaved clients that must not notice anything.
struct Watch {
    publisher: Wire,
    subscriber: Wire,
    topic: String,
    count: usize,
}

impl Watch {
    #[track_caller]
    fn start(broker: SocketAddr, seed: u64) -> Self {
        let topic = format!("watch-{seed}");
        let (mut subscriber, _) = Wire::connect(broker, connect(Version::V5, &format!("watch-s-{seed}")));
        subscriber.subscribe(&topic, QoS::AtMostOnce);
        let (publisher, _) = Wire::connect(broker, connect(Version::V311, &format!("watch-p-{seed}")));
        Self { publisher, subscriber, topic, count: 0 }
    }

    #[track_caller]
    fn check(&mut self) {
        self.count += 1;
        let payload = self.count.to_string();
        self.publisher.publish_acknowledged(&self.topic, payload.as_bytes());
        assert_eq!(self.subscriber.next_publish().payload, payload);
    }
}

/// What goes before the input: nothing, so that it is the first thing said, or a good CONNECT of some version.
fn greeting(number: usize) -> Vec<u8> {
    let version = match number % 4 {
        0 => return Vec::new(),
        1 => Version::V31,
        2 => Version::V311,
        _ => Version::V5,
    };
    let mut bytes = BytesMut::new();
    let connect = connect(version, &format!("attacker-{number}"));
    encode(&Packet::Connect(Box::new(connect)), version, &mut bytes).unwrap();
    bytes.to_vec()
}

/// Sends everything and the end, and reads until the broker has closed too.
fn send_and_wait_for_end(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let sent = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let is_closed = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
    };
    match sent.and_then(|()| stream.read_to_end(&mut Vec::new())) {
        Ok(_answer) => Ok(()),
        Err(error) if is_closed(&error) => Ok(()),
        Err(error) => Err(format!("the broker does not close the connection: {error}")),
    }
}

/// A connection after the WebSocket handshake.
fn upgraded(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    let mut request = format!("ws://{server}/mqtt").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    let (socket, _answer) = tungstenite::client(request, stream).expect("the broker takes the handshake");
    // Nothing was sent yet, so nothing was read beyond the handshake.
    socket.into_inner()
}

/// From HEARTH_TEST_SEED, or a new one.
fn seed() -> u64 {
    match std::env::var("HEARTH_TEST_SEED") {
        Ok(seed) => seed.parse().expect("HEARTH_TEST_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    }
}
