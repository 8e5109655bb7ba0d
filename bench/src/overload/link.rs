//! One blocking connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, Subscribe, SubscribeProperties, Subscription,
};
use hearth_protocol::{QoS, ReasonCode, Text, TopicFilter, TopicName, Version, codec};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of version 5 that does what it is told and nothing else.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: TcpStream,
    input: BytesMut,
}

impl Link {
    /// A client that was let in.
    pub(super) fn open(broker: SocketAddr, client_id: &str) -> Result<Self> {
        let socket = TcpStream::connect(broker)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut link = Self { socket, input: BytesMut::new() };
        link.send(&Packet::Connect(Box::new(Connect {
            version: Version::V5,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            client_id: Text::try_from(client_id).context("a client id of the benchmark")?,
            will: None,
            user_name: None,
            password: None,
            properties: ConnectProperties::default(),
        })))?;
        let answer = link.next()?;
        if !matches!(&answer, Packet::ConnAck(connack) if !connack.reason.is_failure()) {
            bail!("{client_id} is not let in: {answer:?}");
        }
        Ok(link)
    }

    /// Subscribes and waits for the answer.
    pub(super) fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<()> {
        let filter = TopicFilter::try_from(filter).context("a filter of the benchmark")?;
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MAX,
            subscriptions: vec![Subscription::new(filter, qos)],
            properties: SubscribeProperties::default(),
        }))?;
        let answer = self.next()?;
        let is_taken = |reasons: &[ReasonCode]| reasons.iter().all(|reason| !reason.is_failure());
        if !matches!(&answer, Packet::SubAck(suback) if is_taken(&suback.reasons)) {
            bail!("the broker does not take a subscription: {answer:?}");
        }
        Ok(())
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<()> {
        self.socket.write_all(&encoded(packet)?).context("the broker takes nothing more")
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = codec::decode(&mut self.input, Version::V5, usize::MAX)? {
                return Ok(packet);
            }
            let mut piece = [0; 32 << 10];
            match self.socket.read(&mut piece).context("the broker does not answer")? {
                0 => bail!("the broker ended a connection"),
                len => self.input.extend_from_slice(&piece[..len]),
            }
        }
    }
}

/// The bytes of a packet.
pub(super) fn encoded(packet: &Packet) -> Result<BytesMut> {
    let mut bytes = BytesMut::new();
    codec::encode(packet, Version::V5, &mut bytes).context("a packet of the benchmark")?;
    Ok(bytes)
}

/// A message; with an identifier it is QoS 1.
pub(super) fn publish(topic: &str, payload: &Bytes, packet_id: Option<PacketId>) -> Result<Packet> {
    Ok(Packet::Publish(Publish {
        dup: false,
        qos: if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        retain: false,
        topic: TopicName::try_from(topic).context("a topic of the benchmark")?,
        packet_id,
        payload: payload.clone(),
        properties: None,
    }))
}
