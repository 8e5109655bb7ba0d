//! Reads CBOR (RFC 8949) into a tree.

use minicbor::Decoder;
use minicbor::data::Type;

use super::tree::{DEPTH_MAX, Node};

/// One data item that fills the payload; `None` for anything else.
pub fn read(payload: &[u8]) -> Option<Node> {
    let mut decoder = Decoder::new(payload);
    let node = item(&mut decoder, DEPTH_MAX)?;
    (decoder.position() == payload.len()).then_some(node)
}

fn item(decoder: &mut Decoder<'_>, depth: usize) -> Option<Node> {
    let depth = depth.checked_sub(1)?;
    Some(match decoder.datatype().ok()? {
        Type::Bool => Node::Bool(decoder.bool().ok()?),
        Type::Null => {
            decoder.null().ok()?;
            Node::Null
        }
        Type::Undefined => {
            decoder.undefined().ok()?;
            Node::Text("undefined".to_owned())
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => Node::Number(decoder.u64().ok()?.to_string()),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            Node::Number(i128::from(decoder.int().ok()?).to_string())
        }
        Type::F16 => Node::float(f64::from(decoder.f16().ok()?)),
        Type::F32 => Node::single(decoder.f32().ok()?),
        Type::F64 => Node::float(decoder.f64().ok()?),
        Type::Simple => Node::Text(format!("simple({})", decoder.simple().ok()?)),
        Type::Bytes | Type::BytesIndef => {
            let parts: Result<Vec<&[u8]>, _> = decoder.bytes_iter().ok()?.collect();
            Node::Bytes(parts.ok()?.concat())
        }
        Type::String | Type::StringIndef => {
            let parts: Result<Vec<&str>, _> = decoder.str_iter().ok()?.collect();
            Node::Text(parts.ok()?.concat())
        }
        Type::Array | Type::ArrayIndef => {
            let length = decoder.array().ok()?;
            // No room is made beforehand: the length that a payload names may be a lie.
            let mut list = Vec::new();
            while goes_on(decoder, length, list.len())? {
                list.push(item(decoder, depth)?);
            }
            Node::List(list)
        }
        Type::Map | Type::MapIndef => {
            let length = decoder.map().ok()?;
            let mut map = Vec::new();
            while goes_on(decoder, length, map.len())? {
                map.push((item(decoder, depth)?.leaf(), item(decoder, depth)?));
            }
            Node::Map(map)
        }
        Type::Tag => {
            let tag = decoder.tag().ok()?.as_u64();
            Node::Map(vec![(format!("tag {tag}"), item(decoder, depth)?)])
        }
        Type::Break | Type::Unknown(_) => return None,
    })
}

/// Whether another entry comes; the end of one without a length is taken out.
fn goes_on(decoder: &mut Decoder<'_>, length: Option<u64>, so_far: usize) -> Option<bool> {
    match length {
        Some(length) => Some((so_far as u64) < length),
        None if decoder.datatype().ok()? == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            Some(false)
        }
        None => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of a payload, or nothing.
    fn leaves(payload: &[u8]) -> Option<String> {
        let leaves = read(payload)?.leaves();
        Some(leaves.iter().map(|(path, leaf)| format!("{path}={leaf}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 8949, appendix A.
        for (payload, wanted) in [
            (&b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff"[..], "=-18446744073709551616"),
            (b"\xf9\xc4\x00", "=-4"),
            (b"\xfb\xc0\x10\x66\x66\x66\x66\x66\x66", "=-4.1"),
            (b"\xf7", "=undefined"),
            (b"\xf0", "=simple(16)"),
            (b"\xc1\x1a\x51\x4b\x67\xb0", "/tag 1=1363896240"),
            (b"\x5f\x42\x01\x02\x43\x03\x04\x05\xff", "=01 02 03 04 05"),
            (b"\x7f\x65strea\x64ming\xff", "=streaming"),
            (b"\x9f\x01\x82\x02\x03\x9f\x04\x05\xff\xff", "/0=1 /1/0=2 /1/1=3 /2/0=4 /2/1=5"),
            (b"\xbf\x61a\x01\x61b\x9f\x02\x03\xff\xff", "/a=1 /b/0=2 /b/1=3"),
        ] {
            assert_eq!(leaves(payload).as_deref(), Some(wanted), "{payload:x?}");
        }
    }

    #[test]
    fn every_beginning_of_a_payload_is_refused_without_a_panic() {
        let whole = b"\xa3\x61a\x82\x01\xf9\xc4\x00\x61b\x5f\x41\x01\xff\x61c\xc1\x1a\x51\x4b\x67\xb0";
        assert!(read(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end} bytes");
        }
        for byte in 0..=255 {
            let _ = read(&[byte; 40]);
        }
    }
}
