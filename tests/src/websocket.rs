//! MQTT over WebSocket: clients that others wrote, the handshake, and how packets lie in frames.

use std::net::TcpStream;

use bytes::BytesMut;
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::packet::{Packet, PacketId, Subscribe, SubscribeProperties, Subscription};
use hearth_protocol::{QoS, Version};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Message, WebSocket};

use crate::hearth::Hearth;
use crate::independent::{IndependentClient, Library};
use crate::mosquitto::{Subscriber, V311, publish};
use crate::process::PATIENCE;
use crate::wire::{connect, message, topic_filter};

#[test]
fn mqtt_js_talks_to_tcp_clients_over_the_websocket_port() {
    talks_to_tcp_clients(Library::MqttJs, |hearth| format!("ws://{}/any/path", hearth.ws()));
}

#[test]
fn mqtt_js_talks_to_tcp_clients_over_the_web_apps_port() {
    talks_to_tcp_clients(Library::MqttJs, |hearth| format!("ws://{}/mqtt", hearth.http()));
}

#[test]
fn paho_talks_to_tcp_clients_over_the_websocket_port() {
    talks_to_tcp_clients(Library::PahoMqtt, |hearth| format!("ws://{}/", hearth.ws()));
}

#[test]
fn paho_talks_to_tcp_clients_over_the_web_apps_port() {
    talks_to_tcp_clients(Library::PahoMqtt, |hearth| format!("ws://{}/mqtt", hearth.http()));
}

#[test]
fn the_two_libraries_talk_to_each_other_across_versions_and_ports() {
    let hearth = Hearth::start();
    let web = format!("ws://{}/mqtt", hearth.http());
    let port = format!("ws://{}/mqtt", hearth.ws());
    for (one_version, other_version) in [(Version::V311, Version::V5), (Version::V5, Version::V311)] {
        let mut one = IndependentClient::connect(Library::MqttJs, &web, one_version);
        let mut other = IndependentClient::connect(Library::PahoMqtt, &port, other_version);
        one.subscribe("to/one", 2);
        other.subscribe("to/other", 2);
        for qos in 0..=2 {
            one.publish("to/other", "hello", qos, false);
            other.expect_message("to/other", "hello", qos, false);
            other.publish("to/one", "grüß dich", qos, false);
            one.expect_message("to/one", "grüß dich", qos, false);
        }
        one.disconnect();
        other.disconnect();
    }
}

#[test]
fn packets_and_frames_need_not_begin_together() {
    let hearth = Hearth::start();
    let subscribe = Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: vec![Subscription::new(topic_filter("a"), QoS::AtMostOnce)],
        properties: SubscribeProperties::default(),
    });
    let hello = Packet::Publish(message("a", b"hello", QoS::AtMostOnce));
    let session = [Packet::Connect(Box::new(connect(Version::V311, "framed"))), subscribe, hello.clone()];
    let mut bytes = BytesMut::new();
    for packet in &session {
        encode(packet, Version::V311, &mut bytes).unwrap();
    }
    let whole = vec![Message::binary(bytes.to_vec())];
    let one_byte_each = bytes.iter().map(|byte| Message::binary(vec![*byte])).collect();
    let empty_between =
        bytes.chunks(3).flat_map(|part| [Message::binary(part.to_vec()), Message::binary(vec![])]);
    let last = bytes.len() - 1;
    let fragments = bytes.iter().enumerate().map(|(index, byte)| {
        let code = if index == 0 { Data::Binary } else { Data::Continue };
        Message::Frame(Frame::message(vec![*byte], OpCode::Data(code), index == last))
    });
    let with_pings =
        bytes.chunks(5).flat_map(|part| [Message::binary(part.to_vec()), Message::Ping("here?".into())]);
    let ways: [(&str, Vec<Message>); 5] = [
        ("all packets in one frame", whole),
        ("each byte in a frame of its own", one_byte_each),
        ("empty frames between", empty_between.collect()),
        ("one message in many fragments", fragments.collect()),
        ("pings between", with_pings.collect()),
    ];
    for (way, messages) in ways {
        let mut socket = open(&hearth);
        for message in messages {
            socket.send(message).unwrap_or_else(|error| panic!("{way}: {error}"));
        }
        let heard = read_packets(&mut socket, 3, way);
        assert!(matches!(heard[0], Packet::ConnAck(_)), "{way}: {heard:?}");
        assert!(matches!(heard[1], Packet::SubAck(_)), "{way}: {heard:?}");
        assert_eq!(heard[2], hello, "{way}");
    }
}

#[test]
fn text_frames_and_broken_frames_end_the_connection() {
    let hearth = Hearth::start();
    let mut bytes = BytesMut::new();
    encode(&Packet::Connect(Box::new(connect(Version::V311, "bad"))), Version::V311, &mut bytes).unwrap();
    let reserved_bits = {
        let mut frame = Frame::message(bytes.to_vec(), OpCode::Data(Data::Binary), true);
        frame.header_mut().rsv1 = true;
        Message::Frame(frame)
    };
    let bad = [
        ("text [MQTT-6.0.0-1]", Message::text("hello")),
        ("reserved bits", reserved_bits),
        (
            "a continuation of nothing",
            Message::Frame(Frame::message("x", OpCode::Data(Data::Continue), true)),
        ),
        ("bytes that are no MQTT", Message::binary(vec![0xFF; 64])),
    ];
    for (what, message) in bad {
        for is_connected in [false, true] {
            let mut socket = open(&hearth);
            if is_connected {
                socket.send(Message::binary(bytes.to_vec())).unwrap();
                read_packets(&mut socket, 1, what);
            }
            socket.send(message.clone()).unwrap();
            // The broker closes, with a close frame or without; anything but silence ends the loop.
            while let Ok(message) = socket.read() {
                assert!(!message.is_text(), "{what}: {message:?}");
            }
            let is_closed =
                !socket.can_read() || socket.get_ref().peek(&mut [0]).is_ok_and(|count| count == 0);
            assert!(is_closed, "{what}: the broker closed");
        }
    }
    open(&hearth);
}

#[test]
fn a_stopping_broker_tells_clients_over_websocket_too() {
    let mut hearth = Hearth::start();
    let mut socket = open(&hearth);
    let mut bytes = BytesMut::new();
    encode(&Packet::Connect(Box::new(connect(Version::V5, "told"))), Version::V5, &mut bytes).unwrap();
    socket.send(Message::binary(bytes.to_vec())).unwrap();
    assert!(socket.read().unwrap().is_binary(), "CONNACK");
    assert_eq!(hearth.terminate().status.code(), Some(0));
    let Message::Binary(last) = socket.read().unwrap() else { panic!("DISCONNECT comes in a binary frame") };
    assert_eq!((last[0], last[2]), (0xE0, 0x8B), "DISCONNECT with its reason: {last:02x?}");
    let end = socket.read().unwrap();
    assert!(end.is_close(), "the WebSocket ends in good order, not with {end:?}");
}

/// Both ways between `library` and the tools over TCP, at every QoS, and a retained message to a late subscriber.
#[track_caller]
fn talks_to_tcp_clients(library: Library, url: impl Fn(&Hearth) -> String) {
    let hearth = Hearth::start();
    for version in [Version::V311, Version::V5] {
        let mut client = IndependentClient::connect(library, &url(&hearth), version);
        let mut tool = Subscriber::start(hearth.mqtt(), V311, &["-t", "up/#", "-q", "2"]);
        assert_eq!(client.subscribe("down/#", 2), 2, "the granted QoS");
        for qos in 0..=2 {
            publish(hearth.mqtt(), V311, &["-t", "down/x", "-m", "21.5", "-q", &qos.to_string()]);
            client.expect_message("down/x", "21.5", qos, false);
            client.publish("up/x", "on", qos, false);
            tool.expect(qos, false, "up/x on");
        }
        client.publish("kept/x", &version.to_string(), 1, true);
        assert_eq!(client.subscribe("kept/+", 1), 1, "the granted QoS");
        client.expect_message("kept/x", &version.to_string(), 1, true);
        client.disconnect();
    }
}

/// A WebSocket to the port for them, with the subprotocol and nothing said yet.
#[track_caller]
fn open(hearth: &Hearth) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(hearth.ws()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut request = format!("ws://{}/", hearth.ws()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    tungstenite::client(request, stream).expect("the broker takes the handshake").0
}

/// Reads binary frames until so many packets of version 3.1.1 were in them.
#[track_caller]
fn read_packets(socket: &mut WebSocket<TcpStream>, count: usize, what: &str) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut input = BytesMut::new();
    while packets.len() < count {
        match socket.read() {
            Ok(Message::Binary(bytes)) => input.extend_from_slice(&bytes),
            Ok(Message::Pong(payload)) => assert_eq!(payload, "here?", "{what}"),
            other => panic!("{what}: waited for {count} packets, got {packets:?} and then {other:?}"),
        }
        while let Some(packet) = decode(&mut input, Version::V311, usize::MAX).expect("well-formed packets") {
            packets.push(packet);
        }
    }
    packets
}
