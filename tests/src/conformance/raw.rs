//! Packets put together byte by byte, so that they can be wrong in one place.

use hearth_protocol::Version;

/// A whole packet: first byte, remaining length and the parts of its body.
pub fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&[first], &variable(body.len())[..], &body].concat()
}

/// A variable byte integer in as few bytes as it needs.
pub fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// Bytes behind their two-byte length: a string, or binary data.
pub fn field(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let len = u16::try_from(bytes.len()).expect("a field has at most 65,535 bytes");
    [&len.to_be_bytes(), bytes].concat()
}

/// A block of properties behind its length; nothing before version 5.
pub fn properties(version: Version, properties: &[&[u8]]) -> Vec<u8> {
    if version.is_v5() {
        let properties = properties.concat();
        [variable(properties.len()), properties].concat()
    } else {
        Vec::new()
    }
}

/// A CONNECT in parts; [`RawConnect::new`] gives a right one, whose parts can then be replaced.
#[derive(Clone, Debug)]
pub struct RawConnect {
    pub first: u8,
    /// With its length.
    pub name: Vec<u8>,
    pub level: u8,
    pub flags: u8,
    pub keep_alive: u16,
    /// With their length; empty before version 5.
    pub properties: Vec<u8>,
    /// Client id and whatever comes behind it.
    pub payload: Vec<u8>,
}

impl RawConnect {
    /// A clean start, no will, no user name, no keep-alive.
    pub fn new(version: Version, client_id: &str) -> Self {
        Self {
            first: 0x10,
            name: field(version.protocol_name()),
            level: version.level(),
            flags: 0x02,
            keep_alive: 0,
            properties: properties(version, &[]),
            payload: field(client_id),
        }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        packet(
            self.first,
            &[
                &self.name,
                &[self.level, self.flags],
                &self.keep_alive.to_be_bytes(),
                &self.properties,
                &self.payload,
            ],
        )
    }
}

/// A PUBLISH; a packet id is written for QoS 1 and 2, and the properties are without their length.
pub fn publish(version: Version, flags: u8, topic: &[u8], props: &[&[u8]], payload: &[u8]) -> Vec<u8> {
    let packet_id: &[u8] = if flags & 0b0110 == 0 { &[] } else { &[0, 1] };
    packet(0x30 | flags, &[&field(topic), packet_id, &properties(version, props), payload])
}

/// A SUBSCRIBE of packet id 1 to one filter; the properties are without their length.
pub fn subscribe(version: Version, props: &[&[u8]], filter: &[u8], options: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1], &properties(version, props), &field(filter), &[options]])
}

/// An UNSUBSCRIBE of packet id 1.
pub fn unsubscribe(version: Version, filter: &[u8]) -> Vec<u8> {
    packet(0xA2, &[&[0, 1], &properties(version, &[]), &field(filter)])
}
