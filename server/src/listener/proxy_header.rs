//! The PROXY protocol, versions 1 and 2: what a trusted proxy says before the bytes of its client.
//!
//! As HAProxy's `proxy-protocol.txt` describes it. Ours rather than a library's, since this is where addresses are
//! believed: it says at the first wrong byte that nothing good can follow, holds the text form to its 107 bytes, takes
//! a LOCAL header whatever its address block is, and bounds what is buffered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What both versions begin with.
const V1_PREFIX: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a client inside of this process says where it would be taken for a proxy: that it comes for itself.
pub(crate) const LOCAL_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The longest line of version 1, its end included.
const V1_BYTES_MAX: usize = 107;

/// Signature, version with command, family, and two bytes of length.
const V2_HEAD_BYTES: usize = 16;

/// The longest header of version 2 that is waited for: addresses take 216 bytes at most, and what proxies add to them
/// (names, certificates' common names, cloud endpoints) some hundred.
const V2_BYTES_MAX: usize = 4096;

/// What the first bytes of a connection from a proxy say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The header may still come.
    NeedMore,
    /// It is there and so many bytes long.
    Header(usize, Spoken),
    /// It is not there, for this reason.
    Bad(&'static str),
}

/// For whom the proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// For a client with this address.
    For(SocketAddr),
    /// For a client without an address of IP: it came to the proxy over a unix socket.
    ForUnix,
    /// For somebody whose address it does not know or tell.
    ForSomebody,
    /// For itself, such as to see whether the broker lives.
    Itself,
}

/// Reads a header at the front of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let parsed = if bytes.first() == V1_PREFIX.first() { parse_v1(bytes) } else { parse_v2(bytes) };
    match parsed {
        Ok(Some((len, spoken))) => Parsed::Header(len, spoken),
        Ok(None) => Parsed::NeedMore,
        Err(reason) => Parsed::Bad(reason),
    }
}

type Outcome = Result<Option<(usize, Spoken)>, &'static str>;

fn parse_v1(bytes: &[u8]) -> Outcome {
    if !may_begin_with(bytes, V1_PREFIX) {
        return Err("it does not begin with a PROXY header");
    }
    let window = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() < V1_BYTES_MAX { Ok(None) } else { Err("the line is longer than 107 bytes") };
    };
    let line = std::str::from_utf8(&window[V1_PREFIX.len()..end]).map_err(|_| "the line is not ASCII")?;
    let spoken = match line.split(' ').collect::<Vec<_>>()[..] {
        // What follows is for people.
        ["UNKNOWN", ..] => Spoken::ForSomebody,
        ["TCP4", source, destination, port, own_port] => {
            v1_source::<Ipv4Addr>([source, destination], [port, own_port])?
        }
        ["TCP6", source, destination, port, own_port] => {
            v1_source::<Ipv6Addr>([source, destination], [port, own_port])?
        }
        _ => return Err("the line is none of TCP4, TCP6 and UNKNOWN with their parts"),
    };
    Ok(Some((end + 2, spoken)))
}

fn v1_source<Ip: FromStr + Into<IpAddr>>(ips: [&str; 2], ports: [&str; 2]) -> Result<Spoken, &'static str> {
    let [Ok(source), Ok(_)] = ips.map(str::parse::<Ip>) else {
        return Err("an address of the line is none");
    };
    let [Some(port), Some(_)] = ports.map(v1_port) else { return Err("a port of the line is none") };
    Ok(Spoken::For(SocketAddr::new(source.into(), port)))
}

/// Decimal digits without zeros in front.
fn v1_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn parse_v2(bytes: &[u8]) -> Outcome {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    if !may_begin_with(bytes, V2_SIGNATURE) {
        return Err("it does not begin with a PROXY header");
    }
    let command = match bytes.get(12) {
        None => return Ok(None),
        Some(&command @ (LOCAL | PROXY)) => command,
        Some(_) => return Err("its version is not 2 or its command not known"),
    };
    let Some(&[family, high, low]) = bytes.get(13..V2_HEAD_BYTES) else { return Ok(None) };
    let len = V2_HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if len > V2_BYTES_MAX {
        return Err("it is longer than 4,096 bytes");
    }
    let Some(block) = bytes.get(V2_HEAD_BYTES..len) else { return Ok(None) };
    // Of a LOCAL header nothing else counts.
    let spoken = if command == LOCAL { Spoken::Itself } else { v2_source(family, block)? };
    Ok(Some((len, spoken)))
}

/// Who stands in an address block, which may be followed by more that nobody here needs.
fn v2_source(family: u8, block: &[u8]) -> Result<Spoken, &'static str> {
    const TOO_SHORT: &str = "its length is too short for its addresses";
    match family {
        0x00 => Ok(Spoken::ForSomebody),
        0x11 | 0x12 => {
            let block: &[u8; 12] = block.first_chunk().ok_or(TOO_SHORT)?;
            let [a, b, c, d, _, _, _, _, high, low, ..] = *block;
            Ok(Spoken::For(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])))))
        }
        0x21 | 0x22 => {
            let (ips, rest) = block.split_first_chunk::<32>().ok_or(TOO_SHORT)?;
            let [high, low, _, _] = *rest.first_chunk::<4>().ok_or(TOO_SHORT)?;
            let (source, _) = ips.split_first_chunk::<16>().ok_or(TOO_SHORT)?;
            Ok(Spoken::For(SocketAddr::from((*source, u16::from_be_bytes([high, low])))))
        }
        0x31 | 0x32 => match block.len() {
            ..216 => Err(TOO_SHORT),
            216.. => Ok(Spoken::ForUnix),
        },
        _ => Err("its family is not known"),
    }
}

fn may_begin_with(bytes: &[u8], prefix: &[u8]) -> bool {
    let len = bytes.len().min(prefix.len());
    bytes[..len] == prefix[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let len = (block.len() as u16).to_be_bytes();
        [V2_SIGNATURE, &[command, family], &len, block].concat()
    }

    fn v4_block() -> Vec<u8> {
        vec![192, 0, 2, 1, 198, 51, 100, 1, 0x9c, 0x40, 0x07, 0x5b]
    }

    fn v6_block() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let own: Ipv6Addr = "2001:db8::2".parse().unwrap();
        [&source.octets()[..], &own.octets(), &[0x9c, 0x40, 0x07, 0x5b]].concat()
    }

    fn client(address: &str) -> Spoken {
        Spoken::For(address.parse().unwrap())
    }

    /// Good headers and what they say.
    fn good() -> Vec<(Vec<u8>, Spoken)> {
        let v4 = client("192.0.2.1:40000");
        let v6 = client("[2001:db8::1]:40000");
        // A unique id, padding, and a type that nobody knows.
        let extras = [5, 0, 2, 7, 7, 4, 0, 3, 0, 0, 0, 0xE0, 0, 1, 9];
        let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                       65535 65535\r\n";
        assert_eq!(longest.len(), V1_BYTES_MAX);
        vec![
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n".to_vec(), v4),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 1883\r\n".to_vec(), v6),
            (b"PROXY UNKNOWN\r\n".to_vec(), Spoken::ForSomebody),
            (longest.as_bytes().to_vec(), Spoken::ForSomebody),
            (v2(0x21, 0x11, &v4_block()), v4),
            (v2(0x21, 0x12, &v4_block()), v4),
            (v2(0x21, 0x21, &v6_block()), v6),
            (v2(0x21, 0x11, &[&v4_block()[..], &extras].concat()), v4),
            (v2(0x21, 0x21, &[&v6_block()[..], &extras].concat()), v6),
            (v2(0x21, 0x31, &[b'/'; 216]), Spoken::ForUnix),
            (v2(0x21, 0x00, &[]), Spoken::ForSomebody),
            (v2(0x21, 0x00, &extras), Spoken::ForSomebody),
            (v2(0x20, 0x00, &[]), Spoken::Itself),
            (LOCAL_HEADER.to_vec(), Spoken::Itself),
            (v2(0x20, 0x11, &[1, 2]), Spoken::Itself),
            (v2(0x20, 0xEE, &extras), Spoken::Itself),
            (v2(0x21, 0x11, &[&v4_block()[..], &[0; V2_BYTES_MAX - 16 - 12]].concat()), v4),
        ]
    }

    #[test]
    fn good_headers_are_read_however_they_are_cut_and_leave_what_follows() {
        for (header, spoken) in good() {
            for len in 0..header.len() {
                assert_eq!(parse(&header[..len]), Parsed::NeedMore, "{len} of {header:02x?}");
            }
            for follows in [&b""[..], b"\x10", b"\r\n", b"PROXY UNKNOWN\r\n"] {
                let bytes = [&header[..], follows].concat();
                assert_eq!(parse(&bytes), Parsed::Header(header.len(), spoken), "{header:02x?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_and_named() {
        let long_line = [b"PROXY UNKNOWN ", &[b'x'; 92][..], b"\r\n"].concat();
        assert_eq!(long_line.len(), 108);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"\x10\x0f\x00\x04MQTT".to_vec(), "does not begin"),
            (b"GET / HTTP/1.1\r\n".to_vec(), "does not begin"),
            (b"POST / HTTP/1.1\r\n".to_vec(), "does not begin"),
            (b"PROXYTCP4".to_vec(), "does not begin"),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), "does not begin"),
            (long_line, "longer than 107"),
            ([b"PROXY ".to_vec(), vec![b'1'; 200]].concat(), "longer than 107"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 40000\r\n".to_vec(), "none of TCP4"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883 x\r\n".to_vec(), "none of TCP4"),
            (b"PROXY UDP4 192.0.2.1 198.51.100.1 40000 1883\r\n".to_vec(), "none of TCP4"),
            (b"PROXY  TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n".to_vec(), "none of TCP4"),
            (b"PROXY TCP4 192.0.2.256 198.51.100.1 40000 1883\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 192.0.2.01 198.51.100.1 40000 1883\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 2001:db8::1 198.51.100.1 40000 1883\r\n".to_vec(), "an address"),
            (b"PROXY TCP6 192.0.2.1 2001:db8::2 40000 1883\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 192.0.2.1 nowhere 40000 1883\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 1883\r\n".to_vec(), "a port"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 +80 1883\r\n".to_vec(), "a port"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 080 1883\r\n".to_vec(), "a port"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 80 -1\r\n".to_vec(), "a port"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 80 1883\xff\r\n".to_vec(), "not ASCII"),
            (v2(0x11, 0x11, &v4_block()), "version is not 2"),
            (v2(0x22, 0x11, &v4_block()), "command"),
            (v2(0x21, 0x41, &v4_block()), "family"),
            (v2(0x21, 0x13, &v4_block()), "family"),
            (v2(0x21, 0x11, &v4_block()[..11]), "too short"),
            (v2(0x21, 0x21, &v6_block()[..35]), "too short"),
            (v2(0x21, 0x31, &[b'/'; 215]), "too short"),
            (v2(0x21, 0x11, &[0; V2_BYTES_MAX]), "longer than 4,096"),
            ([V2_SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), "longer than 4,096"),
        ];
        for (bytes, expected) in cases {
            let Parsed::Bad(reason) = parse(&bytes) else { panic!("{bytes:02x?} is bad") };
            assert!(reason.contains(expected), "{reason}: {bytes:02x?}");
            // What is bad now must not have been good before its end came.
            for len in 0..bytes.len() {
                assert!(!matches!(parse(&bytes[..len]), Parsed::Header(..)), "{len} of {bytes:02x?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_believe_more_than_there_is() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(7);
        let good = good();
        for _ in 0..50_000 {
            let (mut bytes, _) = good[random.random_range(0..good.len())].clone();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            bytes.truncate(random.random_range(0..=bytes.len()));
            if let Parsed::Header(len, _) = parse(&bytes) {
                assert!(len <= bytes.len());
            }
        }
    }
}
