//! Reads MessagePack into a tree.

use rmp::Marker;
use rmp::decode::{
    read_array_len, read_bin_len, read_bool, read_ext_meta, read_f32, read_f64, read_int, read_map_len,
    read_nil, read_str_len, read_u64,
};

use super::tree::{DEPTH_MAX, Node};

/// One object that fills the payload; `None` for anything else.
pub fn read(payload: &[u8]) -> Option<Node> {
    let mut rest = payload;
    let node = object(&mut rest, DEPTH_MAX)?;
    rest.is_empty().then_some(node)
}

fn object(rest: &mut &[u8], depth: usize) -> Option<Node> {
    let depth = depth.checked_sub(1)?;
    Some(match Marker::from_u8(*rest.first()?) {
        Marker::Null => {
            read_nil(rest).ok()?;
            Node::Null
        }
        Marker::True | Marker::False => Node::Bool(read_bool(rest).ok()?),
        Marker::U64 => Node::Number(read_u64(rest).ok()?.to_string()),
        Marker::FixPos(_)
        | Marker::FixNeg(_)
        | Marker::U8
        | Marker::U16
        | Marker::U32
        | Marker::I8
        | Marker::I16
        | Marker::I32
        | Marker::I64 => Node::Number(read_int::<i64, _>(rest).ok()?.to_string()),
        Marker::F32 => Node::single(read_f32(rest).ok()?),
        Marker::F64 => Node::float(read_f64(rest).ok()?),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let length = read_str_len(rest).ok()?;
            let bytes = take(rest, length)?;
            // The specification lets a string hold bytes that are no text.
            std::str::from_utf8(bytes)
                .map_or_else(|_| Node::Bytes(bytes.to_owned()), |text| Node::Text(text.to_owned()))
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            let length = read_bin_len(rest).ok()?;
            Node::Bytes(take(rest, length)?.to_owned())
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let length = read_array_len(rest).ok()?;
            // No room is made beforehand: the length that a payload names may be a lie.
            let mut list = Vec::new();
            for _ in 0..length {
                list.push(object(rest, depth)?);
            }
            Node::List(list)
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let length = read_map_len(rest).ok()?;
            let mut map = Vec::new();
            for _ in 0..length {
                map.push((object(rest, depth)?.leaf(), object(rest, depth)?));
            }
            Node::Map(map)
        }
        Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16
        | Marker::Ext8
        | Marker::Ext16
        | Marker::Ext32 => {
            let meta = read_ext_meta(rest).ok()?;
            let bytes = take(rest, meta.size)?;
            Node::Map(vec![(format!("type {}", meta.typeid), Node::Bytes(bytes.to_owned()))])
        }
        Marker::Reserved => return None,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let (bytes, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = behind;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(payload: &[u8]) -> Option<String> {
        read(payload).map(|node| node.leaf())
    }

    #[test]
    fn every_kind_of_number_and_text_is_read() {
        for (payload, wanted) in [
            (&b"\x7f"[..], "127"),
            (b"\xe0", "-32"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
            (b"\xcd\x01\x00", "256"),
            (b"\xca\x41\xac\0\0", "21.5"),
            (b"\xc2", "false"),
            (b"\xd9\x02ok", "ok"),
            (b"\xa2\xff\xfe", "ff fe"),
            (b"\xc4\x02\x00\x01", "00 01"),
        ] {
            assert_eq!(leaf(payload).as_deref(), Some(wanted), "{payload:x?}");
        }
    }

    #[test]
    fn every_beginning_of_a_payload_is_refused_without_a_panic() {
        let whole =
            b"\x84\xa1a\x92\x01\xcb\x40\x35\x80\0\0\0\0\0\xa1b\xc4\x01\x01\xa1c\xd4\x05\xaa\x05\xde\0\0";
        assert!(read(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end} bytes");
        }
        for byte in 0..=255 {
            let _ = read(&[byte; 40]);
        }
    }
}
