//! A connection on which a test writes exactly the packets, or the bytes, that it wants to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{decode, encode, frame_len};
use hearth_protocol::packet::{
    ConnAck, Connect, ConnectProperties, PacketId, PublishAck, Subscribe, SubscribeProperties, Subscription,
    Unsubscribe, UnsubscribeProperties,
};
use hearth_protocol::packet::{Packet, Publish};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version};

use crate::process::PATIENCE;

/// More than any test sends.
const PACKET_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A TCP connection that speaks one version.
pub struct Wire {
    stream: TcpStream,
    version: Version,
    input: BytesMut,
}

impl Wire {
    /// A connection on which nothing was said yet.
    #[track_caller]
    pub fn open(broker: SocketAddr, version: Version) -> Self {
        let stream = TcpStream::connect(broker).expect("the broker takes a connection");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, version, input: BytesMut::new() }
    }

    /// A connection after CONNECT and its CONNACK, which must be a success.
    #[track_caller]
    pub fn connect(broker: SocketAddr, connect: Connect) -> (Self, ConnAck) {
        let mut wire = Self::open(broker, connect.version);
        wire.send(&Packet::Connect(Box::new(connect)));
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
        assert!(!answer.reason.is_failure(), "the broker takes the client: {answer:?}");
        (wire, *answer)
    }

    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, packet: &Packet) {
        let mut output = BytesMut::new();
        encode(packet, self.version, &mut output).expect("a test's packet can be encoded");
        self.send_bytes(&output);
    }

    /// Sends a packet to a broker that may have closed the connection.
    pub fn try_send(&mut self, packet: &Packet) -> std::io::Result<()> {
        let mut output = BytesMut::new();
        encode(packet, self.version, &mut output).expect("a test's packet can be encoded");
        self.stream.write_all(&output)
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker reads");
    }

    /// The next packet.
    #[track_caller]
    pub fn next(&mut self) -> Packet {
        self.next_or_end().expect("a packet comes before the broker closes the connection")
    }

    /// The next packet; `None` when the broker closed the connection.
    #[track_caller]
    pub fn next_or_end(&mut self) -> Option<Packet> {
        loop {
            let decoded = decode(&mut self.input, self.version, PACKET_BYTES_MAX);
            if let Some(packet) = decoded.expect("the broker sends well-formed packets") {
                return Some(packet);
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Ends the connection with a reset, as a network or a machine does that fails.
    #[track_caller]
    pub fn reset(mut self) {
        self.send(&Packet::PingReq);
        // What was not read when a socket is closed makes the system send a reset and not an orderly end.
        self.stream.peek(&mut [0]).expect("PINGRESP comes");
    }

    /// Reads what is there; false when the broker closed the connection.
    #[track_caller]
    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return false,
            Err(error) => panic!("waited for a packet: {error}; of it came {:?}", self.input),
        }
        true
    }

    /// The next packet, which must be a PUBLISH; its acknowledgement is left to the test.
    #[track_caller]
    pub fn next_publish(&mut self) -> Publish {
        match self.next() {
            Packet::Publish(publish) => publish,
            other => panic!("waited for PUBLISH, got {other:?}"),
        }
    }

    /// Reads on until the broker closes; gives the last packet before that.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> Option<Packet> {
        let mut last = None;
        while let Some(packet) = self.next_or_end() {
            last = Some(packet);
        }
        last
    }

    /// Every byte until the broker closes.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = self.input.split().to_vec();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("waited for the end of the connection: {error}; there came {bytes:02x?}")
            }
            Ok(_) | Err(_) => bytes,
        }
    }

    /// The bytes of the next packet.
    #[track_caller]
    pub fn next_bytes(&mut self) -> Vec<u8> {
        loop {
            let len =
                frame_len(&self.input, self.version, PACKET_BYTES_MAX).expect("a well-formed fixed header");
            if let Some(len) = len.filter(|len| *len <= self.input.len()) {
                return self.input.split_to(len).to_vec();
            }
            assert!(self.read_more(), "the broker closed; before that came {:02x?}", self.input);
        }
    }

    /// The broker closes the connection. Its last words are this reason; without one it says nothing at all.
    #[track_caller]
    pub fn assert_ended_with(&mut self, reason: Option<ReasonCode>, what: &str) {
        let last = self.wait_for_end();
        match (&last, reason) {
            (Some(Packet::Disconnect(disconnect)), Some(reason)) => {
                assert_eq!(disconnect.reason, reason, "{what}: {disconnect:?}");
            }
            (None, None) => {}
            _ => panic!("{what}: the last words are {reason:?}, not {last:?}"),
        }
    }

    /// Nothing came to this client of all that `publisher` sent before: a message that it sends now comes next.
    #[track_caller]
    pub fn assert_quiet_after(&mut self, publisher: &mut Self) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let fence = format!("fence/{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.subscribe(&fence, QoS::AtMostOnce);
        publisher.send(&Packet::Publish(message(&fence, b"", QoS::AtMostOnce)));
        assert_eq!(self.next_publish().topic.as_str(), fence);
        self.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::MAX,
            filters: vec![topic_filter(&fence)],
            properties: UnsubscribeProperties::default(),
        }));
        assert!(matches!(self.next(), Packet::UnsubAck(_)));
    }

    /// Nothing was on its way before the answer to PINGREQ.
    #[track_caller]
    pub fn assert_quiet(&mut self) {
        self.send(&Packet::PingReq);
        assert_eq!(self.next(), Packet::PingResp);
    }

    /// Subscribes to one filter and waits for its SUBACK.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MAX,
            subscriptions: vec![Subscription::new(topic_filter(filter), qos)],
            properties: SubscribeProperties::default(),
        }));
        let Packet::SubAck(answer) = self.next() else { panic!("SUBACK comes before anything else") };
        assert!(answer.reasons.iter().all(|reason| !reason.is_failure()), "{answer:?}");
    }

    /// Publishes at QoS 1 and waits for PUBACK.
    #[track_caller]
    pub fn publish_acknowledged(&mut self, topic: &str, payload: &[u8]) {
        self.publish_to_the_end(message(topic, payload, QoS::AtLeastOnce));
    }

    /// Publishes and waits for the last acknowledgement of the QoS.
    #[track_caller]
    pub fn publish_to_the_end(&mut self, publish: Publish) {
        let (qos, packet_id) = (publish.qos, PacketId::MIN);
        let publish = Publish { packet_id: (qos != QoS::AtMostOnce).then_some(packet_id), ..publish };
        self.send(&Packet::Publish(publish));
        let ack = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => match self.next() {
                Packet::PubAck(ack) => ack,
                other => panic!("PUBACK comes first, not {other:?}"),
            },
            QoS::ExactlyOnce => match self.next() {
                Packet::PubRec(ack) => ack,
                other => panic!("PUBREC comes first, not {other:?}"),
            },
        };
        // In version 5 the broker may say that nobody subscribed, which is no failure.
        assert!(ack.packet_id == packet_id && !ack.reason.is_failure(), "{ack:?}");
        if qos == QoS::ExactlyOnce {
            self.send(&Packet::PubRel(PublishAck::success(packet_id)));
            assert_eq!(self.next(), Packet::PubComp(PublishAck::success(packet_id)));
        }
    }
}

/// The bytes of a packet.
pub fn encoded(packet: &Packet, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes).expect("a test's packet can be encoded");
    bytes
}

/// A CONNECT with a clean start, no will and no properties.
pub fn connect(version: Version, client_id: &str) -> Connect {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_id: text(client_id),
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// A PUBLISH without a packet id.
pub fn message(topic: &str, payload: &[u8], qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: TopicName::new(text(topic)).unwrap(),
        packet_id: None,
        payload: Bytes::copy_from_slice(payload),
        properties: None,
    }
}

pub fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

pub fn topic_filter(filter: &str) -> TopicFilter {
    TopicFilter::new(text(filter)).unwrap()
}
