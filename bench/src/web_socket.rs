//! The client's side of a WebSocket: the handshake, and frames around the bytes of MQTT.
//!
//! tungstenite reads and writes the frame headers. Its socket type would wait for a handshake and keep a buffer of its own for each
//! of many connections.

use std::io::Cursor;

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The key of RFC 6455, 1.3, and what a server makes of it: a benchmark has no cache to protect.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A mask without zeros, so that no server can leave it away.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// The WebSocket layer of one connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    phase: Phase,
    /// What came and is not a whole head yet.
    kept: BytesMut,
}

#[derive(Debug)]
enum Phase {
    /// The request went out.
    Asked,
    /// Between frames.
    Open,
    /// Inside of a frame that has so many bytes left.
    Frame { kind: Kind, left: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
}

impl WebSocket {
    /// One whose request goes to `output`.
    pub(crate) fn ask(host: &str, path: &str, output: &mut BytesMut) -> Self {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        output.extend_from_slice(request.as_bytes());
        Self { phase: Phase::Asked, kept: BytesMut::new() }
    }

    /// Whether frames may be sent.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Asked)
    }

    /// Takes what came, puts the bytes of MQTT into `input` and what the other side has to be answered into `output`.
    ///
    /// # Errors
    /// The server refused the connection, closed it or broke a rule.
    pub(crate) fn unwrap(
        &mut self,
        received: &[u8],
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<()> {
        if self.kept.is_empty() && self.is_open() {
            let mut bytes = received;
            self.take_frames(&mut bytes, input, output)?;
            self.kept.extend_from_slice(bytes);
            return Ok(());
        }
        self.kept.extend_from_slice(received);
        if !self.is_open() {
            let Some(len) = end_of_head(&self.kept) else {
                if self.kept.len() > HEAD_BYTES_MAX {
                    bail!("the answer to the WebSocket's request has no end");
                }
                return Ok(());
            };
            check_answer(&String::from_utf8_lossy(&self.kept[..len]))?;
            self.kept.advance(len);
            self.phase = Phase::Open;
        }
        let kept = std::mem::take(&mut self.kept);
        let mut bytes = &kept[..];
        self.take_frames(&mut bytes, input, output)?;
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    /// Puts bytes of MQTT into `output` as one frame.
    pub(crate) fn wrap(bytes: &[u8], output: &mut BytesMut) -> Result<()> {
        append_frame(OpCode::Data(Data::Binary), bytes, output)
    }

    fn take_frames(&mut self, bytes: &mut &[u8], input: &mut BytesMut, output: &mut BytesMut) -> Result<()> {
        loop {
            if let Phase::Frame { kind, left } = &mut self.phase {
                let len = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let (payload, rest) = bytes.split_at(len);
                match kind {
                    Kind::Data => input.extend_from_slice(payload),
                    Kind::Ping => append_frame(OpCode::Control(Control::Pong), payload, output)?,
                    Kind::Pong => {}
                }
                *bytes = rest;
                *left -= len as u64;
                if *left > 0 {
                    return Ok(());
                }
                self.phase = Phase::Open;
            }
            let mut cursor = Cursor::new(*bytes);
            let Some((header, left)) = FrameHeader::parse(&mut cursor)? else { return Ok(()) };
            let kind = match header.opcode {
                OpCode::Data(Data::Binary | Data::Continue) => Kind::Data,
                OpCode::Control(Control::Ping) => Kind::Ping,
                OpCode::Control(Control::Pong) => Kind::Pong,
                OpCode::Control(Control::Close) => bail!("the broker closed the WebSocket"),
                OpCode::Data(Data::Text | Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                    bail!("the broker sent a frame that MQTT does not have: {:?}", header.opcode)
                }
            };
            let header_len = usize::try_from(cursor.position()).context("a frame header without end")?;
            // A control frame is answered whole.
            if kind == Kind::Ping && ((bytes.len() - header_len) as u64) < left {
                return Ok(());
            }
            *bytes = &bytes[header_len..];
            self.phase = Phase::Frame { kind, left };
        }
    }
}

fn append_frame(opcode: OpCode, payload: &[u8], output: &mut BytesMut) -> Result<()> {
    let header = FrameHeader { opcode, mask: Some(MASK), ..FrameHeader::default() };
    header.format(payload.len() as u64, &mut bytes::BufMut::writer(&mut *output))?;
    let start = output.len();
    output.extend_from_slice(payload);
    let wide = u64::from_ne_bytes([MASK[0], MASK[1], MASK[2], MASK[3], MASK[0], MASK[1], MASK[2], MASK[3]]);
    let (words, rest) = output[start..].as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(())
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4)
}

fn check_answer(head: &str) -> Result<()> {
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        bail!("the broker takes no WebSocket: {status}");
    }
    let accept = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("sec-websocket-accept").then(|| value.trim())
    });
    if accept != Some(ACCEPT) {
        bail!("the broker answers another WebSocket's key: {accept:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        header.format(payload.len() as u64, &mut bytes).unwrap();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut_and_a_ping_is_answered() {
        let long: Vec<u8> = (0..70_000).map(|byte| (byte % 251) as u8).collect();
        let bytes = [
            ANSWER.to_vec(),
            frame(OpCode::Data(Data::Binary), b"short"),
            frame(OpCode::Control(Control::Ping), b"there?"),
            frame(OpCode::Data(Data::Binary), &long),
        ]
        .concat();
        for step in [1, 3, 150, 4096, bytes.len()] {
            let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
            let mut socket = WebSocket::ask("localhost", "/mqtt", &mut output);
            assert!(output.starts_with(b"GET /mqtt HTTP/1.1\r\n"));
            output.clear();
            for piece in bytes.chunks(step) {
                socket.unwrap(piece, &mut input, &mut output).unwrap();
            }
            assert!(input[..] == [b"short", &long[..]].concat(), "step {step}");
            let masked: Vec<u8> = b"there?".iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b).collect();
            assert_eq!(output[..], [&[0x8a, 0x86], &MASK[..], &masked].concat(), "step {step}");
        }
    }

    #[test]
    fn what_is_sent_is_one_masked_frame() {
        let mut output = BytesMut::new();
        WebSocket::wrap(&[7; 300], &mut output).unwrap();
        assert_eq!(output[..4], [0x82, 0xfe, 1, 44]);
        assert_eq!(output[4..8], MASK);
        let unmasked: Vec<u8> = output[8..].iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!(unmasked, [7; 300]);
    }

    #[test]
    fn a_refusal_and_a_wrong_key_are_told() {
        for (answer, what) in [
            (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "404"),
            (b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: no\r\n\r\n", "another"),
        ] {
            let mut output = BytesMut::new();
            let mut socket = WebSocket::ask("localhost", "/", &mut output);
            let error = socket.unwrap(answer, &mut BytesMut::new(), &mut output).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
