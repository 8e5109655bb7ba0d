//! WebSocket frames with MQTT inside, from a good client and from any other, beside a naive reader of frames.

use bytes::{Bytes, BytesMut};
use hearth_protocol::Time;
use hearth_protocol::connection::ServerConnection;
use hearth_protocol::generate::{Random, client_packet, connect};
use hearth_protocol::packet::Packet;
use hearth_protocol::{Version, codec};

use crate::frames::{FrameEnd, Frames};

const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How many payload bytes came through. Frames of a good client carry any bytes, however frames, packets and reads are
/// cut; of any other client nothing but the payload of whole frames before the first broken one comes through. What goes
/// out is whole frames in either case, and nothing after a close.
///
/// # Panics
/// When it is not so.
pub(crate) fn frames(tape: &[u8]) -> usize {
    let mut random = Random::of_tape(tape);
    if random.one_in(2) { good_client(&mut random) } else { any_client(&mut random) }
}

fn good_client(random: &mut Random) -> usize {
    let payload = mqtt(random);
    let mut wire = Vec::new();
    let mut last_ping = None;
    let mut rest = &payload[..];
    let mut in_message = false;
    while !rest.is_empty() || in_message {
        if random.one_in(6) {
            let ping = random.bytes(125);
            append(random, &mut wire, 0x80 | PING, &ping);
            last_ping = Some(ping);
        }
        let (part, left) = rest.split_at(random.below(rest.len().min(400) + 1));
        let is_last = random.one_in(2);
        let opcode = if in_message { 0 } else { BINARY };
        append(random, &mut wire, u8::from(is_last) << 7 | opcode, part);
        (rest, in_message) = (left, !is_last);
    }
    let mut frames = Frames::default();
    let (got, end) = unwrap_in_pieces(random, &mut frames, &wire);
    assert_eq!(end, Ok(()));
    assert!(got == payload, "the payload comes whole and in order");
    check_packets(&payload, &got);
    let sent = check_output(random, &mut frames);
    let pongs: Vec<&Vec<u8>> =
        sent.iter().filter(|(opcode, _)| *opcode == PONG).map(|(_, body)| body).collect();
    assert_eq!(pongs.last().map(|pong| &pong[..]), last_ping.as_ref().map(|ping| &ping[..]));
    got.len()
}

fn any_client(random: &mut Random) -> usize {
    let mut wire = Vec::new();
    while wire.len() < 2000 && !random.is_over() {
        match random.below(4) {
            0 => wire.extend(random.bytes(20)),
            _ => {
                let first = random.byte();
                let body = random.bytes(200);
                append(random, &mut wire, first, &body);
                if random.one_in(8) {
                    let at = random.below(wire.len());
                    wire[at] ^= 1 << random.below(8);
                }
            }
        }
    }
    let expected = naive(&wire);
    let mut frames = Frames::default();
    let (got, end) = unwrap_in_pieces(random, &mut frames, &wire);
    assert!(got == expected.payload, "only the payload of data frames, up to the first broken rule");
    assert_eq!(end.is_err(), expected.is_over, "{end:?}");
    let sent = check_output(random, &mut frames);
    if end.is_err() {
        assert!(sent.last().is_some_and(|(opcode, _)| *opcode == CLOSE), "the last word is a close frame");
    }
    got.len()
}

/// A CONNECT and what may follow it.
fn mqtt(random: &mut Random) -> Vec<u8> {
    let version = random.pick(&[Version::V31, Version::V311, Version::V5]);
    let mut bytes = BytesMut::new();
    let first = Packet::Connect(Box::new(connect(random, version)));
    let packets = (0..random.below(4)).map(|_| client_packet(random, version));
    for packet in [first].into_iter().chain(packets.collect::<Vec<_>>()) {
        assert_eq!(codec::encode(&packet, version, &mut bytes), Ok(()), "generated packets are valid");
    }
    bytes.truncate(20_000);
    bytes.to_vec()
}

/// The first packets of a connection do not depend on how their bytes came.
fn check_packets(sent: &[u8], got: &[u8]) {
    let first =
        |bytes: &[u8]| ServerConnection::new(1 << 16).next_packet(Time::ZERO, &mut BytesMut::from(bytes));
    assert_eq!(first(sent), first(got));
}

/// Appends a masked frame whose first byte is this.
fn append(random: &mut Random, wire: &mut Vec<u8>, first: u8, body: &[u8]) {
    let mask: [u8; 4] = std::array::from_fn(|_| random.byte());
    wire.push(first);
    match body.len() {
        // At times the long form, which RFC 6455 forbids to senders and which does no harm.
        len if len < 126 && !random.one_in(16) => wire.push(0x80 | len as u8),
        len if len < 1 << 16 => {
            wire.push(0x80 | 126);
            wire.extend((len as u16).to_be_bytes());
        }
        len => {
            wire.push(0x80 | 127);
            wire.extend((len as u64).to_be_bytes());
        }
    }
    wire.extend(mask);
    wire.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Feeds the bytes in reads of any length, with whatever stood in the buffer before them.
fn unwrap_in_pieces(
    random: &mut Random,
    frames: &mut Frames,
    mut wire: &[u8],
) -> (Vec<u8>, Result<(), FrameEnd>) {
    let mut got = Vec::new();
    while !wire.is_empty() {
        let (piece, rest) = wire.split_at(1 + random.below(wire.len().min(600)));
        wire = rest;
        let held = random.bytes(5);
        let mut buffer = BytesMut::from(&held[..]);
        buffer.extend_from_slice(piece);
        let end = frames.unwrap(&mut buffer, held.len());
        assert_eq!(buffer[..held.len()], held[..], "what stood there before is not touched");
        assert!(buffer.len() <= held.len() + piece.len(), "nothing grows");
        got.extend_from_slice(&buffer[held.len()..]);
        if end.is_err() {
            return (got, end);
        }
    }
    (got, Ok(()))
}

/// What a server says in the end, written in pieces of any length: opcode and body of each frame.
fn check_output(random: &mut Random, frames: &mut Frames) -> Vec<(u8, Vec<u8>)> {
    let mut output = random.bytes(40);
    let mut sent = Vec::new();
    while !output.is_empty() || frames.has_pending() {
        let (own, owed) = frames.wrap(output.len());
        assert!(owed <= output.len());
        let own_len = own.len();
        let mut all = own.to_vec();
        all.extend_from_slice(&output[..owed]);
        if all.is_empty() {
            assert!(!frames.has_pending(), "what is pending can be sent");
            break;
        }
        let written = 1 + random.below(all.len());
        sent.extend_from_slice(&all[..written]);
        let of_output = frames.advance(written);
        assert_eq!(of_output, written.saturating_sub(own_len));
        output = output.slice(of_output..);
    }
    read_frames(&Bytes::from(sent))
}

/// Takes a server's frames apart.
fn read_frames(mut sent: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames: Vec<(u8, Vec<u8>)> = Vec::new();
    while let [first, len, rest @ ..] = sent {
        assert!(frames.last().is_none_or(|(opcode, _)| *opcode != CLOSE), "nothing comes after a close");
        assert_eq!((first & 0xF0, len & 0x80), (0x80, 0), "a server's frame is whole and not masked");
        assert!(*len < 126, "no output here is that long");
        let (body, rest) = rest.split_at(usize::from(*len));
        frames.push((first & 0x0F, body.to_vec()));
        sent = rest;
    }
    assert!(sent.is_empty(), "the last frame is whole");
    frames
}

/// What RFC 6455 makes of a client's bytes.
struct Reading {
    payload: Vec<u8>,
    is_over: bool,
}

/// Reads frame by frame with all bytes at hand.
fn naive(mut wire: &[u8]) -> Reading {
    let mut reading = Reading { payload: Vec::new(), is_over: false };
    let mut in_message = false;
    while let [first, second, rest @ ..] = wire {
        let (first, second) = (*first, *second);
        let (opcode, is_final) = (first & 0x0F, first & 0x80 != 0);
        let len_bytes = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let Some((head, rest)) = rest.split_at_checked(len_bytes + mask_bytes) else { return reading };
        let len = head[..len_bytes].iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
        let len = if len_bytes == 0 { u64::from(second & 0x7F) } else { len };
        let is_control = opcode >= CLOSE;
        // A header is judged when it is whole.
        let is_broken = first & 0x70 != 0
            || matches!(opcode, 3..=7 | 11..)
            || mask_bytes == 0
            || len > i64::MAX as u64
            || opcode == 1
            || (opcode == BINARY && in_message)
            || (opcode == 0 && !in_message)
            || (is_control && (!is_final || len > 125));
        if is_broken {
            reading.is_over = true;
            return reading;
        }
        let whole = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
        let (body, rest) = whole.unwrap_or((rest, &[]));
        if !is_control {
            let mask = &head[len_bytes..];
            reading.payload.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        if whole.is_none() {
            return reading;
        }
        match opcode {
            CLOSE => {
                reading.is_over = true;
                return reading;
            }
            PING | PONG => {}
            _ => in_message = !is_final,
        }
        wire = rest;
    }
    reading
}
