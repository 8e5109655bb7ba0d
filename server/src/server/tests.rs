//! The server through real sockets: what the engine does with bytes, however they come and go.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::config::Machine;

/// Longer than anything takes that works, on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(60);

const CONNACK_V4: &[u8] = &[0x20, 2, 0, 0];
const PINGREQ: &[u8] = &[0xc0, 0];
const PINGRESP: &[u8] = &[0xd0, 0];

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn config() -> Config {
    let machine = Machine { cores: 2, has_ipv6_loopback: false, memory_bytes: None };
    Config { durability: Durability::None, ..Config::defaults(&machine) }
}

async fn start() -> Server {
    start_with(config()).await
}

async fn start_with(mut config: Config) -> Server {
    let free_port = vec![ListenAddress::from(SocketAddr::from(([127, 0, 0, 1], 0)))];
    (config.mqtt, config.http, config.ws) = (free_port.clone(), free_port.clone(), free_port);
    Server::start(&config).await.unwrap()
}

impl Server {
    fn address(&self, kind: Kind) -> SocketAddr {
        self.tcp_address(kind).unwrap()
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = body.len();
    while len > 127 {
        bytes.push((len % 128) as u8 | 0x80);
        len /= 128;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn connect_packet(client_id: &str) -> Vec<u8> {
    packet(0x10, &[&b"\x00\x04MQTT\x04\x02\x00\x3c"[..], &text(client_id)].concat())
}

fn connect_packet_v5(client_id: &str) -> Vec<u8> {
    packet(0x10, &[&b"\x00\x04MQTT\x05\x02\x00\x3c\x00"[..], &text(client_id)].concat())
}

fn subscribe_packet(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(filter), &[0]].concat())
}

fn publish_packet(topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x30, &[&text(topic), payload].concat())
}

/// A client over TCP that knows no more of MQTT than the test tells it.
struct Client(TcpStream);

impl Client {
    async fn open(server: &Server) -> Self {
        Self(TcpStream::connect(server.address(Kind::Mqtt)).await.unwrap())
    }

    async fn connect(server: &Server, client_id: &str) -> Self {
        let mut client = Self::open(server).await;
        client.send(&connect_packet(client_id)).await;
        client.expect(CONNACK_V4).await;
        client
    }

    async fn subscriber(server: &Server, client_id: &str, filter: &str) -> Self {
        let mut client = Self::connect(server, client_id).await;
        client.send(&subscribe_packet(filter)).await;
        client.expect(&[0x90, 3, 0, 1, 0]).await;
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.0.write_all(bytes)).await.unwrap().unwrap();
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        timeout(PATIENCE, self.0.read_exact(&mut got)).await.unwrap().unwrap();
        assert!(got == bytes, "got {:?} for {:?}", &got[..got.len().min(64)], &bytes[..bytes.len().min(64)]);
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut got)).await.unwrap().unwrap();
        got
    }
}

async fn websocket(server: &Server, kind: Kind, path: &str, subprotocol: &str) -> WebSocket {
    let mut request = format!("ws://{}{path}", server.address(kind)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(subprotocol).unwrap());
    let (socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], subprotocol);
    socket
}

async fn next_message(socket: &mut WebSocket) -> Message {
    timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn a_message_reaches_the_subscribers_of_both_shards_once() {
    let server = start().await;
    let mut subscribers = Vec::new();
    for number in 0..8 {
        subscribers.push(Client::subscriber(&server, &format!("sub-{number}"), "home/#").await);
    }
    let mut publisher = Client::connect(&server, "publisher").await;
    let message = publish_packet("home/kitchen/temperature", b"21.5");
    publisher.send(&message).await;
    for subscriber in &mut subscribers {
        subscriber.expect(&message).await;
        subscriber.send(PINGREQ).await;
        subscriber.expect(PINGRESP).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn clients_that_say_nothing_at_first_are_let_in_as_soon_as_they_do() {
    let server = start().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(Client::open(&server).await);
    }
    // Who comes later is served meanwhile.
    let mut late = Client::connect(&server, "late").await;
    for (number, client) in silent.iter_mut().enumerate() {
        client.send(&connect_packet(&format!("silent-{number}"))).await;
        client.expect(CONNACK_V4).await;
    }
    drop(silent.pop());
    late.send(PINGREQ).await;
    late.expect(PINGRESP).await;
    server.stop().await;
}

#[tokio::test]
async fn packets_may_come_byte_by_byte_or_many_at_once() {
    let server = start().await;
    let message = publish_packet("a/b", &[7; 300]);
    let session = [connect_packet("c"), subscribe_packet("a/+"), message.clone(), PINGREQ.to_vec()].concat();
    let answers = [CONNACK_V4, &[0x90, 3, 0, 1, 0], &message, PINGRESP].concat();

    let mut slow = Client::open(&server).await;
    for byte in &session {
        slow.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    slow.expect(&answers).await;
    drop(slow);

    let mut fast = Client::open(&server).await;
    fast.send(&session).await;
    fast.expect(&answers).await;
    server.stop().await;
}

#[tokio::test]
async fn a_large_packet_passes_whole_between_the_shards() {
    let server = start().await;
    let payload: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let message = publish_packet("big", &payload);
    let mut subscribers = Vec::new();
    for number in 0..4 {
        subscribers.push(Client::subscriber(&server, &format!("sub-{number}"), "big").await);
    }
    let mut publisher = Client::connect(&server, "publisher").await;
    publisher.send(&message).await;
    publisher.send(PINGREQ).await;
    publisher.expect(PINGRESP).await;
    for subscriber in &mut subscribers {
        subscriber.expect(&message).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_still_gets_its_answers() {
    let server = start().await;
    let mut client = Client::open(&server).await;
    client.send(&[connect_packet("c"), PINGREQ.to_vec()].concat()).await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, [CONNACK_V4, PINGRESP].concat());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_gets_what_is_due_and_then_the_end() {
    let server = start().await;
    for number in 0..20 {
        let mut client = Client::connect(&server, &format!("client-{number}")).await;
        // QoS 1 with packet id 1, and DISCONNECT behind it.
        client.send(&[packet(0x32, &[0, 1, b't', 0, 1]), packet(0xe0, &[])].concat()).await;
        assert_eq!(client.rest().await, [0x40, 2, 0, 1]);
    }
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_mqtt_end_their_connection_and_no_other() {
    let server = start().await;
    let mut witness = Client::connect(&server, "witness").await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x10, 0xff, 0xff, 0xff, 0xff], &[0; 64], PINGREQ] {
        let mut client = Client::open(&server).await;
        client.send(garbage).await;
        client.rest().await;
    }
    witness.send(PINGREQ).await;
    witness.expect(PINGRESP).await;
    server.stop().await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_costs_the_others_nothing() {
    let server = start().await;
    let _stuck = Client::subscriber(&server, "stuck", "flood").await;
    let mut reader = Client::subscriber(&server, "reader", "flood").await;
    let mut publisher = Client::connect(&server, "publisher").await;
    // Far more than sockets and queues hold for the one that is stuck.
    let message = publish_packet("flood", &[1; 64 * 1024]);
    for _ in 0..512 {
        publisher.send(&message).await;
        reader.expect(&message).await;
    }
    publisher.send(PINGREQ).await;
    publisher.expect(PINGRESP).await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_was_sent_away_and_does_not_read_is_let_go() {
    let server = start().await;
    let mut stuck = Client::subscriber(&server, "stuck", "flood").await;
    let mut publisher = Client::connect(&server, "publisher").await;
    // More than the sockets hold between them.
    for _ in 0..256 {
        publisher.send(&publish_packet("flood", &[1; 64 * 1024])).await;
    }
    publisher.send(PINGREQ).await;
    publisher.expect(PINGRESP).await;
    let _successor = Client::connect(&server, "stuck").await;
    let reset = async {
        while stuck.0.write_all(PINGREQ).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, reset).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_flood_between_the_shards_comes_to_its_end() {
    let server = start().await;
    for number in 0..8 {
        let Client(mut socket) = Client::subscriber(&server, &format!("sub-{number}"), "flood").await;
        tokio::spawn(async move { tokio::io::copy(&mut socket, &mut tokio::io::sink()).await });
    }
    let mut publishers = Vec::new();
    for number in 0..4 {
        publishers.push(Client::connect(&server, &format!("pub-{number}")).await);
    }
    // Several times what fits the ring between two shards, from both sides at once.
    let burst = publish_packet("flood", b"x").repeat(20_000);
    let floods = publishers.iter_mut().map(|publisher| async {
        publisher.send(&burst).await;
        publisher.send(PINGREQ).await;
        publisher.expect(PINGRESP).await;
    });
    futures_util::future::join_all(floods).await;
    server.stop().await;
}

#[tokio::test]
async fn websocket_clients_talk_to_tcp_clients_in_binary_frames() {
    let server = start().await;
    let mut device = Client::subscriber(&server, "device", "lamp/set").await;
    let mut page = websocket(&server, Kind::Ws, "/any/path", "mqtt").await;
    // A packet may begin in one frame and end in another [MQTT-6.0.0-2].
    let session = [connect_packet("page"), subscribe_packet("lamp")].concat();
    for piece in session.chunks(5) {
        page.send(Message::binary(piece.to_vec())).await.unwrap();
    }
    let mut got = Vec::new();
    while got.len() < 9 {
        got.extend_from_slice(&next_message(&mut page).await.into_data());
    }
    assert_eq!(got, [CONNACK_V4, &[0x90, 3, 0, 1, 0]].concat());

    let command = publish_packet("lamp/set", b"on");
    page.send(Message::binary(command.clone())).await.unwrap();
    device.expect(&command).await;
    let echo = publish_packet("lamp", &[b'x'; 70_000]);
    device.send(&echo).await;
    let mut got = Vec::new();
    while got.len() < echo.len() {
        got.extend_from_slice(&next_message(&mut page).await.into_data());
    }
    assert!(got == echo);

    page.send(Message::Ping("still there?".into())).await.unwrap();
    assert_eq!(next_message(&mut page).await, Message::Pong("still there?".into()));
    page.close(None).await.unwrap();
    assert!(matches!(next_message(&mut page).await, Message::Close(_)));
    server.stop().await;
}

#[tokio::test]
async fn frames_that_come_with_the_upgrade_request_are_not_lost() {
    let server = start().await;
    let mut socket = TcpStream::connect(server.address(Kind::Ws)).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let connect = connect_packet("eager");
    // A mask of zeros leaves the payload as it is.
    let frame = [&[0x82, 0x80 | connect.len() as u8, 0, 0, 0, 0][..], &connect].concat();
    socket.write_all(&[request.as_bytes(), &frame].concat()).await.unwrap();
    let mut got = Vec::new();
    let answer = [&[0x82, 4][..], CONNACK_V4].concat();
    while !got.ends_with(&answer) {
        assert_ne!(timeout(PATIENCE, socket.read_buf(&mut got)).await.unwrap().unwrap(), 0, "{got:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_text_frame_ends_a_websocket_with_code_1003() {
    let server = start().await;
    let mut page = websocket(&server, Kind::Ws, "/", "mqttv3.1").await;
    page.send(Message::binary(connect_packet("page"))).await.unwrap();
    assert_eq!(next_message(&mut page).await.into_data(), CONNACK_V4);
    page.send(Message::text("hello")).await.unwrap();
    let last = next_message(&mut page).await;
    let Message::Close(Some(frame)) = last else { panic!("{last:?}") };
    assert_eq!(frame.code, CloseCode::Unsupported);
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_a_strange_site_is_not_let_in() {
    let server = start().await;
    let mut request = format!("ws://{}/mqtt", server.address(Kind::Ws)).into_client_request().unwrap();
    request.headers_mut().insert("origin", HeaderValue::from_static("https://evil.example"));
    let error = connect_async(request).await.unwrap_err();
    let WebSocketError::Http(response) = error else { panic!("{error:?}") };
    assert_eq!(response.status(), 403);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_tells_every_client_and_frees_the_ports() {
    let server = start().await;
    let address = server.address(Kind::Mqtt);
    let mut old = Client::connect(&server, "old").await;
    let mut new = Client::open(&server).await;
    new.send(&connect_packet_v5("new")).await;
    let mut connack = [0; 2];
    timeout(PATIENCE, new.0.read_exact(&mut connack)).await.unwrap().unwrap();
    let mut rest = vec![0; usize::from(connack[1])];
    timeout(PATIENCE, new.0.read_exact(&mut rest)).await.unwrap().unwrap();
    let mut page = websocket(&server, Kind::Ws, "/", "mqtt").await;
    page.send(Message::binary(connect_packet("page"))).await.unwrap();
    assert_eq!(next_message(&mut page).await.into_data(), CONNACK_V4);
    // One that never says who it is does not hold up the stop.
    let _silent = Client::open(&server).await;

    let clients = async {
        assert_eq!(new.rest().await, [0xe0, 1, 0x8b]);
        drop(new);
        assert!(old.rest().await.is_empty());
        drop(old);
        assert!(matches!(next_message(&mut page).await, Message::Close(_)));
        assert!(timeout(PATIENCE, page.next()).await.unwrap().is_none());
    };
    let stop = timeout(PATIENCE, server.stop());
    let (stopped, ()) = tokio::join!(stop, clients);
    stopped.unwrap();
    Bound::bind(Kind::Mqtt, &address.into(), &config()).await.unwrap();
}

#[tokio::test]
async fn wills_of_a_stop_reach_sessions_of_every_shard_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let stored = || {
        let data = folder.path().to_owned();
        start_with(Config { durability: Durability::Os, data, shards: 4, ..config() })
    };
    let connect = |flags, id: &str, rest: &[u8]| {
        packet(0x10, &[b"\x00\x04MQTT\x04", &[flags, 0, 0x3c][..], &text(id), rest].concat())
    };
    let server = stored().await;
    for number in 0..8 {
        let mut keeper = Client::open(&server).await;
        keeper.send(&connect(0, &format!("keeper-{number}"), &[])).await;
        keeper.expect(CONNACK_V4).await;
        keeper.send(&packet(0x82, &[&[0, 1][..], &text("w"), &[1]].concat())).await;
        keeper.expect(&[0x90, 3, 0, 1, 1]).await;
        keeper.send(&[0xe0, 0]).await;
        assert!(keeper.rest().await.is_empty());
    }
    timeout(PATIENCE, server.stop()).await.unwrap();
    for number in 0..4 {
        // Other shards than the one of this client have nobody to wait for.
        let server = stored().await;
        let mut mortal = Client::open(&server).await;
        // With a clean session and a will of QoS 1.
        let will = [text("w"), text(&number.to_string())].concat();
        mortal.send(&connect(0x0e, &format!("mortal-{number}"), &will)).await;
        mortal.expect(CONNACK_V4).await;
        timeout(PATIENCE, server.stop()).await.unwrap();
    }
    let server = stored().await;
    for number in 0..8 {
        let mut keeper = Client::open(&server).await;
        keeper.send(&connect(0, &format!("keeper-{number}"), &[])).await;
        keeper.expect(&[0x20, 2, 1, 0]).await;
        keeper.send(PINGREQ).await;
        let mut got = Vec::new();
        while !got.ends_with(PINGRESP) {
            let read = timeout(PATIENCE, keeper.0.read_buf(&mut got)).await.unwrap().unwrap();
            assert!(read > 0, "the server has left");
        }
        let wills: Vec<u8> = got.chunks_exact(8).map(|publish| publish[7]).collect();
        assert_eq!(wills, b"0123", "{got:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_leaves_nothing_running() {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let taken = Bound::bind(Kind::Mqtt, &any_port.into(), &config()).await.unwrap();
    let mut config = config();
    (config.mqtt, config.http, config.ws) = (vec![taken.address], Vec::new(), Vec::new());
    assert!(matches!(Server::start(&config).await, Err(StartError::Bind(_))));
}
