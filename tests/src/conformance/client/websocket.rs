//! MQTT over WebSocket (chapter 6): the web app in a real browser, whose server a test plays.
//!
//! The page speaks version 5.0. What it does with its WebSocket is the same for every version: that part knows bytes only.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use hearth_protocol::packet::{SubAck, Subscribe, Subscription};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

use super::super::broker::SharedBroker;
use super::*;
use crate::browser::{ConsoleLine, Page, browse};
use crate::hearth::Hearth;
use crate::process::PATIENCE;
use crate::reverse_proxy::ReverseProxy;

/// Serves the page, and nothing of MQTT.
static BROKER: SharedBroker = SharedBroker::new();

const ONLINE: &str = "[data-testid=connection][data-state=online]";
const NOT_ONLINE: &str = "[data-testid=connection]:not([data-state=online])";

/// A WebSocket of the page, at the server's end.
struct PageSocket {
    socket: WebSocket<TcpStream>,
    /// The subprotocols that the page offers.
    offered: Vec<String>,
    input: BytesMut,
}

impl PageSocket {
    /// The next one that the page opens.
    #[track_caller]
    #[expect(clippy::result_large_err, reason = "tungstenite wants its callback so")]
    fn accept(arrivals: &Receiver<TcpStream>) -> Self {
        let stream = arrivals.recv_timeout(PATIENCE).expect("the page connects");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut offered = Vec::new();
        let on_request = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            for value in request.headers().get_all("sec-websocket-protocol") {
                offered.extend(value.to_str().unwrap().split(',').map(|name| name.trim().to_owned()));
            }
            if offered.iter().any(|name| name == "mqtt") {
                response.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
            }
            Ok(response)
        };
        let socket = tungstenite::accept_hdr(stream, on_request).expect("the page opens a WebSocket");
        Self { socket, offered, input: BytesMut::new() }
    }

    /// The next packet, in binary frames.
    #[track_caller]
    fn next(&mut self) -> Packet {
        loop {
            if let Some(packet) =
                decode(&mut self.input, Version::V5, usize::MAX).expect("the page sends packets")
            {
                return packet;
            }
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => self.input.extend_from_slice(&bytes),
                other => panic!("waited for a packet in binary frames, got {other:?}"),
            }
        }
    }

    /// The next packet that is no PINGREQ; the page measures the round trip now and then.
    #[track_caller]
    fn next_but_ping(&mut self) -> Packet {
        loop {
            match self.next() {
                Packet::PingReq => self.send(&bytes_of(&[Packet::PingResp])),
                other => return other,
            }
        }
    }

    #[track_caller]
    fn send(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).expect("the page listens");
    }

    /// Takes the page, and gives its SUBSCRIBE to everything.
    #[track_caller]
    fn take(&mut self) -> Subscribe {
        assert!(matches!(self.next(), Packet::Connect(_)));
        self.send(&bytes_of(&[connack(false, ConnAckProperties::default())]));
        self.take_subscribe()
    }

    /// The SUBSCRIBE to everything. The page asks first how large the broker is, which this one does not say.
    #[track_caller]
    fn take_subscribe(&mut self) -> Subscribe {
        loop {
            match self.next_but_ping() {
                Packet::Subscribe(subscribe) if subscribe.subscriptions.iter().all(is_of_tree) => {
                    self.send(&bytes_of(&[suback(subscribe)]));
                }
                Packet::Subscribe(subscribe) => return subscribe,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The page closes its WebSocket; it may say goodbye before.
    #[track_caller]
    fn assert_closed(&mut self) {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(_)) => {}
                Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed) => return,
                other => panic!("waited for the page to close, got {other:?}"),
            }
        }
    }
}

fn suback(subscribe: Subscribe) -> Packet {
    let reason = |it: &Subscription| {
        if is_of_tree(it) { ReasonCode::TopicFilterInvalid } else { ReasonCode::Success }
    };
    let reasons = subscribe.subscriptions.iter().map(reason).collect();
    Packet::SubAck(SubAck { packet_id: subscribe.packet_id, reasons, properties: Default::default() })
}

/// Whether it is for what only a Hearth has.
fn is_of_tree(subscription: &Subscription) -> bool {
    subscription.filter.as_str().starts_with("$hearth/")
}

fn bytes_of(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for packet in packets {
        encode(packet, Version::V5, &mut bytes).unwrap();
    }
    bytes.to_vec()
}

/// Where the page finds its broker, and its connections to it.
fn page_door(hearth: &Hearth) -> (ReverseProxy, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (arrived, arrivals) = channel();
    // Ends with the first connection that nobody waits for any more.
    std::thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| arrived.send(stream)));
    (ReverseProxy::start_beside("/page", hearth.http(), address), arrivals)
}

/// The browser itself reports a WebSocket that its server ended.
fn is_of_web_socket(line: &ConsoleLine) -> bool {
    line.text.contains("WebSocket connection to")
}

async fn open(page: &Page, door: &ReverseProxy, place: &str) {
    page.open(&format!("http://{}/page/#/{place}", door.address())).await;
}

/// The text of the topics that the page lists.
async fn wait_for_value(page: &Page, topic: &str, value: &str) {
    let row = format!(r#"[data-testid=topic-row][data-topic="{topic}"] [data-testid=topic-value]"#);
    page.wait_for_text(&row, value).await;
}

// MQTT 3.1.1 client: MQTT-6.0.0-3
// MQTT 5.0 client: MQTT-6.0.0-3
#[test]
fn the_page_offers_the_subprotocol_mqtt_each_time() {
    let hearth = BROKER.get();
    let (door, arrivals) = page_door(&hearth);
    browse("en", is_of_web_socket, async |page| {
        open(page, &door, "topics").await;
        for _ in 0..2 {
            let mut socket = PageSocket::accept(&arrivals);
            assert!(socket.offered.iter().any(|name| name == "mqtt"), "{:?}", socket.offered);
            let subscribe = socket.take();
            socket.send(&bytes_of(&[suback(subscribe)]));
            page.wait_for_element(ONLINE).await;
            drop(socket);
            page.wait_for_element(NOT_ONLINE).await;
        }
    });
}

// MQTT 3.1.1 client: MQTT-6.0.0-1
// MQTT 5.0 client: MQTT-6.0.0-1
#[test]
fn the_page_speaks_in_binary_frames_and_ends_a_connection_that_brings_text() {
    let hearth = BROKER.get();
    let (door, arrivals) = page_door(&hearth);
    browse("en", is_of_web_socket, async |page| {
        open(page, &door, "publish").await;
        let mut socket = PageSocket::accept(&arrivals);
        let subscribe = socket.take();
        socket.send(&bytes_of(&[suback(subscribe)]));
        page.wait_for_element(ONLINE).await;
        page.fill("[data-testid=publish-topic]", "from/page").await;
        page.fill("[data-testid=publish-payload]", "only text").await;
        page.click("[data-testid=publish-qos-1]").await;
        page.click("[data-testid=publish-send]").await;
        let Packet::Publish(publish) = socket.next_but_ping() else { panic!("the page publishes") };
        assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("from/page", &b"only text"[..]));
        let acknowledged = PublishAck::success(publish.packet_id.unwrap());
        socket.send(&bytes_of(&[Packet::PubAck(acknowledged)]));
        page.wait_for_element("[data-testid=publish-result][data-state=acknowledged]").await;

        // The very bytes of a message, which happen to be text; and less.
        let whole = bytes_of(&[Packet::Publish(message("by/text", b"x", QoS::AtMostOnce))]);
        for text in [str::from_utf8(&whole).unwrap(), "hello", ""] {
            socket.socket.send(Message::text(text)).unwrap();
            socket.assert_closed();
            page.wait_for_element(NOT_ONLINE).await;
            socket = PageSocket::accept(&arrivals);
            let subscribe = socket.take();
            socket.send(&bytes_of(&[suback(subscribe)]));
            page.wait_for_element(ONLINE).await;
        }
        page.click("[data-testid=nav-topics]").await;
        let marker = message("by/binary", b"seen", QoS::AtMostOnce);
        socket.send(&bytes_of(&[Packet::Publish(marker)]));
        wait_for_value(page, "by/binary", "seen").await;
        assert!(!page.text().await.contains("by/text"));
        // Before CONNACK as well.
        drop(socket);
        let mut socket = PageSocket::accept(&arrivals);
        assert!(matches!(socket.next(), Packet::Connect(_)));
        socket.socket.send(Message::text("hello")).unwrap();
        socket.assert_closed();
    });
}

// MQTT 3.1.1 client: MQTT-6.0.0-2
// MQTT 5.0 client: MQTT-6.0.0-2
#[test]
fn the_page_takes_packets_that_begin_and_end_anywhere_in_frames() {
    let hearth = BROKER.get();
    let (door, arrivals) = page_door(&hearth);
    browse("en", is_of_web_socket, async |page| {
        open(page, &door, "topics").await;
        let mut socket = PageSocket::accept(&arrivals);
        assert!(matches!(socket.next(), Packet::Connect(_)));
        // CONNACK byte by byte, too.
        for byte in bytes_of(&[connack(false, ConnAckProperties::default())]) {
            socket.send(&[byte]);
        }
        let subscribe = socket.take_subscribe();
        socket.send(&bytes_of(&[suback(subscribe)]));
        for (round, size) in [1, 3, 7, 100, usize::MAX].into_iter().enumerate() {
            let messages: Vec<_> = (0..5)
                .map(|number| {
                    let value = format!("{round}-{number}");
                    Packet::Publish(message(&format!("pieces/{number}"), value.as_bytes(), QoS::AtMostOnce))
                })
                .collect();
            let bytes = bytes_of(&messages);
            for piece in bytes.chunks(size.min(bytes.len())) {
                socket.send(piece);
            }
            for number in 0..5 {
                wait_for_value(page, &format!("pieces/{number}"), &format!("{round}-{number}")).await;
            }
        }
        // One frame in fragments.
        let whole = bytes_of(&[Packet::Publish(message("pieces/0", b"whole", QoS::AtMostOnce))]);
        for (index, byte) in whole.iter().enumerate() {
            let opcode = if index == 0 { Data::Binary } else { Data::Continue };
            let frame = Frame::message(vec![*byte], OpCode::Data(opcode), index + 1 == whole.len());
            socket.socket.send(Message::Frame(frame)).unwrap();
        }
        wait_for_value(page, "pieces/0", "whole").await;
    });
}
