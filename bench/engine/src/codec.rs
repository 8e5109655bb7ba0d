//! Packets to bytes and back, one after the other, as a busy connection has them in its buffer.

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use hearth_protocol::codec::{decode, encode};
use hearth_protocol::packet::{Packet, PacketId, Publish, PublishAck, PublishProperties};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, Text, Version};

use crate::world::{connect, encoded, topic};
use crate::{Scenario, Work};

/// Packets in one step.
const PACKETS: u64 = 64;

/// Bytes of payload: a sensor's value in JSON.
const PAYLOAD_BYTES: usize = 64;

const PACKET_BYTES_MAX: usize = 1 << 20;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("codec/decode-publish", || decoding(Version::V311, &publish(QoS::AtMostOnce, None)?)),
    scenario("codec/decode-publish-properties", || {
        decoding(Version::V5, &publish(QoS::AtLeastOnce, Some(Box::new(properties()?)))?)
    }),
    scenario("codec/decode-puback", || decoding(Version::V5, &puback())),
    scenario("codec/decode-connect", || {
        let packet = connect(1, Version::V5)?;
        Ok(Box::new(Decoding { version: Version::V5, packets: repeated(&packet), ..Decoding::default() }))
    }),
    scenario("codec/encode-publish", || encoding(Version::V5, publish(QoS::AtLeastOnce, None)?)),
    scenario("codec/encode-publish-properties", || {
        encoding(Version::V5, publish(QoS::AtLeastOnce, Some(Box::new(properties()?)))?)
    }),
    scenario("codec/encode-puback", || encoding(Version::V5, puback())),
];

const fn scenario(name: &'static str, begin: fn() -> Result<Box<dyn Work>>) -> Scenario {
    Scenario { name, units_per_step: PACKETS, steps: 200, begin }
}

fn publish(qos: QoS, properties: Option<Box<PublishProperties>>) -> Result<Packet> {
    Ok(Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic("home/kitchen/temperature")?,
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::MIN),
        payload: Bytes::from(vec![b'x'; PAYLOAD_BYTES]),
        properties,
    }))
}

fn properties() -> Result<PublishProperties> {
    let mut user_properties = UserProperties::default();
    user_properties.push(Text::try_from("trace")?, Text::try_from("0af7651916cd43dd")?);
    Ok(PublishProperties { message_expiry: Some(60), user_properties, ..PublishProperties::EMPTY })
}

fn puback() -> Packet {
    Packet::PubAck(PublishAck::success(PacketId::MIN))
}

struct Decoding {
    version: Version,
    /// All packets of a step.
    packets: Vec<u8>,
    input: BytesMut,
    units: u64,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { version: Version::V5, packets: Vec::new(), input: BytesMut::new(), units: 0 }
    }
}

fn decoding(version: Version, packet: &Packet) -> Result<Box<dyn Work>> {
    let packets = repeated(&encoded(packet, version)?);
    Ok(Box::new(Decoding { version, packets, ..Decoding::default() }))
}

fn repeated(packet: &[u8]) -> Vec<u8> {
    (0..PACKETS).flat_map(|_| packet.iter().copied()).collect()
}

impl Work for Decoding {
    fn step(&mut self) {
        self.input.extend_from_slice(&self.packets);
        while let Ok(Some(packet)) = decode(&mut self.input, self.version, PACKET_BYTES_MAX) {
            self.units += u64::from(std::hint::black_box(packet).packet_type() as u8 > 0);
        }
    }

    fn units(&self) -> u64 {
        self.units
    }
}

struct Encoding {
    version: Version,
    packet: Packet,
    output: BytesMut,
    units: u64,
}

fn encoding(version: Version, packet: Packet) -> Result<Box<dyn Work>> {
    Ok(Box::new(Encoding { version, packet, output: BytesMut::new(), units: 0 }))
}

impl Work for Encoding {
    fn step(&mut self) {
        self.output.clear();
        for _ in 0..PACKETS {
            let encoded = encode(std::hint::black_box(&self.packet), self.version, &mut self.output);
            self.units += u64::from(encoded.is_ok());
        }
    }

    fn units(&self) -> u64 {
        self.units
    }
}
