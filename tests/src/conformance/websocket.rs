//! MQTT over WebSocket (chapter 6).

use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, Version};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

use super::broker::SharedBroker;
use super::packets::subscribe;
use super::{VERSIONS, unique};
use crate::process::PATIENCE;
use crate::wire::{connect, message};

static BROKER: SharedBroker = SharedBroker::new();

/// A WebSocket that is open, and the subprotocol that the broker chose.
#[track_caller]
fn open(url: &str, address: SocketAddr, offer: Option<&str>) -> (WebSocket<TcpStream>, Option<String>) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = url.into_client_request().unwrap();
    if let Some(offer) = offer {
        request.headers_mut().insert("sec-websocket-protocol", offer.parse().unwrap());
    }
    let (socket, response) = tungstenite::client(request, stream).expect("the broker takes the handshake");
    let chosen = response.headers().get("sec-websocket-protocol");
    (socket, chosen.map(|chosen| chosen.to_str().unwrap().to_owned()))
}

/// The addresses at which the broker takes WebSockets: the port for them and the path beside the web app.
fn doors(hearth: &crate::hearth::Hearth) -> [(String, SocketAddr); 2] {
    [(format!("ws://{}/", hearth.ws()), hearth.ws()), (format!("ws://{}/mqtt", hearth.http()), hearth.http())]
}

/// Packets one behind the other: CONNECT, SUBSCRIBE, and messages that come back.
fn conversation(version: Version, topic: &str) -> (Vec<u8>, Vec<Publish>) {
    let messages: Vec<_> =
        (0..4_usize).map(|number| message(topic, &vec![b'x'; number * 100], QoS::AtMostOnce)).collect();
    let mut packets =
        vec![Packet::Connect(Box::new(connect(version, topic))), subscribe(1, &[(topic, QoS::AtMostOnce)])];
    packets.extend(messages.iter().cloned().map(Packet::Publish));
    let mut bytes = BytesMut::new();
    for packet in &packets {
        encode(packet, version, &mut bytes).unwrap();
    }
    (bytes.to_vec(), messages)
}

/// Reads packets off binary frames until there are so many; anything else fails.
#[track_caller]
fn read(socket: &mut WebSocket<TcpStream>, version: Version, count: usize, what: &str) -> Vec<Packet> {
    let (mut input, mut packets) = (BytesMut::new(), Vec::new());
    while packets.len() < count {
        match socket.read() {
            Ok(Message::Binary(bytes)) => input.extend_from_slice(&bytes),
            other => {
                panic!("{what}: waited for {count} packets in binary frames, got {packets:?}, {other:?}")
            }
        }
        while let Some(packet) = decode(&mut input, version, usize::MAX).expect("well-formed packets") {
            packets.push(packet);
        }
    }
    assert!(input.is_empty(), "{what}: {input:02x?}");
    packets
}

/// The whole conversation is answered.
#[track_caller]
fn assert_answered(socket: &mut WebSocket<TcpStream>, version: Version, messages: Vec<Publish>, what: &str) {
    let heard = read(socket, version, 2 + messages.len(), what);
    assert!(matches!(heard[..2], [Packet::ConnAck(_), Packet::SubAck(_)]), "{what}: {heard:?}");
    let wanted: Vec<_> = messages.into_iter().map(Packet::Publish).collect();
    assert_eq!(heard[2..], wanted, "{what}");
}

// MQTT 3.1.1 server: MQTT-6.0.0-1
// MQTT 5.0 server: MQTT-6.0.0-1
#[test]
fn packets_come_in_binary_frames_and_a_text_frame_ends_the_connection() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for (url, address) in doors(&hearth) {
            // The very bytes of CONNECT, which happen to be text here, in a text frame.
            let (bytes, _) = conversation(version, "text");
            let connect_len = bytes[1] as usize + 2;
            let as_text = String::from_utf8(bytes[..connect_len].to_vec()).unwrap();
            for text in [as_text.as_str(), "hello", ""] {
                let (mut socket, _) = open(&url, address, Some("mqtt"));
                socket.send(Message::text(text)).unwrap();
                assert_ended(&mut socket, &format!("{version}: first is the text {text:?}"));

                let topic = unique("text");
                let (bytes, messages) = conversation(version, &topic);
                let (mut socket, _) = open(&url, address, Some("mqtt"));
                socket.send(Message::binary(bytes)).unwrap();
                assert_answered(&mut socket, version, messages, "in binary frames");
                socket.send(Message::text(text)).unwrap();
                assert_ended(&mut socket, &format!("{version}: text {text:?} of a connected client"));
            }
        }
    }
}

/// Nothing comes any more but words of farewell, and then the end.
#[track_caller]
fn assert_ended(socket: &mut WebSocket<TcpStream>, what: &str) {
    loop {
        match socket.read() {
            Ok(Message::Binary(bytes)) => {
                assert_eq!(bytes[0], 0xE0, "{what}: a DISCONNECT, not {bytes:02x?}")
            }
            Ok(Message::Close(_)) => {}
            Ok(other) => panic!("{what}: {other:?}"),
            Err(_) => break,
        }
    }
    // Closed by a close frame or by the end of the stream, not by our patience.
    let is_closed = !socket.can_read() || socket.get_ref().peek(&mut [0]).is_ok_and(|count| count == 0);
    assert!(is_closed, "{what}: the broker closed");
}

// MQTT 3.1.1 server: MQTT-6.0.0-2
// MQTT 5.0 server: MQTT-6.0.0-2
#[test]
fn packets_may_begin_and_end_anywhere_in_frames() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for (url, address) in doors(&hearth) {
            for pieces in [1, 2, 3, 7, 100, usize::MAX] {
                for fragmented in [false, true] {
                    let topic = unique("frames");
                    let (bytes, messages) = conversation(version, &topic);
                    let what = format!("{version}: pieces of {pieces}, fragments {fragmented}");
                    let (mut socket, _) = open(&url, address, Some("mqtt"));
                    let parts: Vec<_> = bytes.chunks(pieces.min(bytes.len())).collect();
                    for (index, part) in parts.iter().enumerate() {
                        let opcode = if index == 0 || !fragmented { Data::Binary } else { Data::Continue };
                        let is_last = !fragmented || index + 1 == parts.len();
                        let frame = Frame::message(part.to_vec(), OpCode::Data(opcode), is_last);
                        socket.send(Message::Frame(frame)).unwrap();
                    }
                    assert_answered(&mut socket, version, messages, &what);
                }
            }
        }
    }
}

// MQTT 3.1.1 server: MQTT-6.0.0-4
// MQTT 5.0 server: MQTT-6.0.0-4
#[test]
fn the_subprotocol_is_mqtt() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        for (url, address) in doors(&hearth) {
            for offer in ["mqtt", "mqtt, mqttv3.1", "mqttv3.1, mqtt", "chat,mqtt", "wamp, mqtt, chat"] {
                let (mut socket, chosen) = open(&url, address, Some(offer));
                assert_eq!(chosen.as_deref(), Some("mqtt"), "{version}: of {offer}");
                let (bytes, messages) = conversation(version, &unique("subprotocol"));
                socket.send(Message::binary(bytes)).unwrap();
                assert_answered(&mut socket, version, messages, offer);
            }
        }
    }
}
