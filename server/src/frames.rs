//! WebSocket frames of one connection, taken apart and put together in the shard's own buffers.
//!
//! tungstenite parses and writes the frame headers. Its socket type would hold a read buffer for each
//! connection, read in steps of that buffer's size, keep the largest frame it ever saw and copy each frame
//! it sends; here a connection holds this one small value, bytes are unmasked where they were read, and a
//! frame goes out as a header before the chunks of the output.

use std::io::Cursor;

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The longest frame header: 2 bytes, 8 of length, 4 of mask (RFC 6455, 5.2).
const HEADER_BYTES_MAX: usize = 14;

/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// The WebSocket layer of a connection, server side.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The start of a header that has not come completely.
    head: [u8; HEADER_BYTES_MAX],
    head_len: u8,
    frame: Option<IncomingFrame>,
    /// A message has begun whose last frame has not come.
    in_message: bool,
    /// Frame bytes that go out before anything else: control frames, and the header of the frame in `owed`.
    pending: Vec<u8>,
    /// Payload bytes of the output that belong to the frame whose header went to `pending`.
    owed: usize,
    /// Control frames that came due inside of a frame and wait for its end.
    pong: Option<Box<[u8]>>,
    close: Option<CloseCode>,
    close_sent: bool,
}

#[derive(Debug)]
struct IncomingFrame {
    remaining: u64,
    mask: [u8; 4],
    kind: FrameKind,
}

#[derive(Debug)]
enum FrameKind {
    Data { last: bool },
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
}

/// Why a peer's stream of frames ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameEnd {
    /// It sent a close frame.
    Closed,
    /// It broke a rule of RFC 6455 or of MQTT over WebSocket, which the text names.
    Violation(&'static str),
}

impl Frames {
    /// Turns the raw bytes of `buffer` from `start` on into the payload bytes they carry, in place.
    ///
    /// # Errors
    /// The peer ended the stream or broke a rule; the answer is among the bytes to send, and what came
    /// before it is in `buffer`.
    pub(crate) fn unwrap(&mut self, buffer: &mut BytesMut, start: usize) -> Result<(), FrameEnd> {
        let mut read = start;
        let mut write = start;
        let end = loop {
            if self.frame.is_none() {
                match self.begin_frame(&buffer[read..]) {
                    Ok((taken, true)) => read += taken,
                    Ok((_, false)) => break Ok(()),
                    Err(end) => break Err(end),
                }
            }
            let Some(frame) = &mut self.frame else { break Ok(()) };
            let available = buffer.len() - read;
            let len =
                usize::try_from(frame.remaining).map_or(available, |remaining| remaining.min(available));
            match &mut frame.kind {
                FrameKind::Data { .. } => {
                    buffer.copy_within(read..read + len, write);
                    unmask(&mut buffer[write..write + len], &mut frame.mask);
                    write += len;
                }
                FrameKind::Ping(payload) | FrameKind::Close(payload) => {
                    let from = payload.len();
                    payload.extend_from_slice(&buffer[read..read + len]);
                    unmask(&mut payload[from..], &mut frame.mask);
                }
                FrameKind::Pong => {}
            }
            read += len;
            frame.remaining -= len as u64;
            if frame.remaining > 0 {
                break Ok(());
            }
            if let Err(end) = self.end_frame() {
                break Err(end);
            }
        };
        buffer.truncate(write);
        if let Err(FrameEnd::Violation(_)) = end {
            self.close.get_or_insert(CloseCode::Protocol);
        }
        end
    }

    /// Reads a header from the bytes kept of it and `bytes`. How many of `bytes` it took, and whether the
    /// header is complete; an incomplete one is kept.
    fn begin_frame(&mut self, bytes: &[u8]) -> Result<(usize, bool), FrameEnd> {
        let kept = usize::from(self.head_len);
        let added = bytes.len().min(HEADER_BYTES_MAX - kept);
        self.head[kept..kept + added].copy_from_slice(&bytes[..added]);
        let mut cursor = Cursor::new(&self.head[..kept + added]);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|_| FrameEnd::Violation("the opcode is a reserved one (RFC 6455, 5.2)"))?;
        let Some((header, len)) = parsed else {
            // At most 14 bytes, so that the length fits; and 14 bytes always are a whole header.
            self.head_len = u8::try_from(kept + added).unwrap_or(u8::MAX);
            return Ok((added, false));
        };
        let header_len = usize::try_from(cursor.position()).unwrap_or(HEADER_BYTES_MAX);
        self.head_len = 0;
        self.frame = Some(self.check(&header, len)?);
        Ok((header_len - kept, true))
    }

    fn check(&mut self, header: &FrameHeader, len: u64) -> Result<IncomingFrame, FrameEnd> {
        let violation = |text| Err(FrameEnd::Violation(text));
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return violation("a reserved bit is set and no extension was agreed (RFC 6455, 5.2)");
        }
        let Some(mask) = header.mask else {
            return violation("a frame of a client is not masked (RFC 6455, 5.1)");
        };
        if len > i64::MAX as u64 {
            return violation("the top bit of the 64-bit length is set (RFC 6455, 5.2)");
        }
        let kind = match header.opcode {
            OpCode::Data(Data::Binary) if self.in_message => {
                return violation("a new message begins inside of one (RFC 6455, 5.4)");
            }
            OpCode::Data(Data::Continue) if !self.in_message => {
                return violation("a continuation without a message (RFC 6455, 5.4)");
            }
            OpCode::Data(Data::Binary | Data::Continue) => FrameKind::Data { last: header.is_final },
            OpCode::Data(Data::Text) => {
                self.close = Some(CloseCode::Unsupported);
                return violation("a text frame [MQTT-6.0.0-1]");
            }
            OpCode::Control(_) if !header.is_final => {
                return violation("a control frame is fragmented (RFC 6455, 5.5)");
            }
            OpCode::Control(_) if len > CONTROL_BYTES_MAX as u64 => {
                return violation("a control frame has more than 125 bytes (RFC 6455, 5.5)");
            }
            OpCode::Control(Control::Ping) => FrameKind::Ping(Vec::new()),
            OpCode::Control(Control::Pong) => FrameKind::Pong,
            OpCode::Control(Control::Close) => FrameKind::Close(Vec::new()),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                return violation("the opcode is a reserved one (RFC 6455, 5.2)");
            }
        };
        Ok(IncomingFrame { remaining: len, mask, kind })
    }

    fn end_frame(&mut self) -> Result<(), FrameEnd> {
        match self.frame.take().map(|frame| frame.kind) {
            Some(FrameKind::Data { last }) => self.in_message = !last,
            // Only the latest of several pings needs an answer (RFC 6455, 5.5.3).
            Some(FrameKind::Ping(payload)) => self.pong = Some(payload.into_boxed_slice()),
            Some(FrameKind::Pong) | None => {}
            Some(FrameKind::Close(payload)) => {
                let code = match payload[..] {
                    [] => CloseCode::Normal,
                    [_] => {
                        return Err(FrameEnd::Violation("a close frame has half a code (RFC 6455, 5.5.1)"));
                    }
                    [high, low, ..] => CloseCode::from(u16::from_be_bytes([high, low])),
                };
                if !code.is_allowed() {
                    return Err(FrameEnd::Violation("a close frame has a code that is not for the wire"));
                }
                self.close.get_or_insert(code);
                return Err(FrameEnd::Closed);
            }
        }
        Ok(())
    }

    /// Asks for a close frame after all output.
    pub(crate) fn close(&mut self, code: CloseCode) {
        self.close.get_or_insert(code);
    }

    /// Prepares the next bytes to send: the bytes that come first, and how many of the `output_len` bytes of
    /// the output may follow them.
    pub(crate) fn wrap(&mut self, output_len: usize) -> (&[u8], usize) {
        if self.owed == 0 {
            if let Some(payload) = self.pong.take() {
                self.append_header(OpCode::Control(Control::Pong), payload.len());
                self.pending.extend_from_slice(&payload);
            }
            if output_len > 0 && !self.close_sent {
                self.append_header(OpCode::Data(Data::Binary), output_len);
                self.owed = output_len;
            } else if let (Some(code), false) = (self.close, self.close_sent) {
                self.append_header(OpCode::Control(Control::Close), 2);
                self.pending.extend_from_slice(&u16::from(code).to_be_bytes());
                self.close_sent = true;
            }
        }
        (&self.pending, self.owed)
    }

    /// Takes note of `written` sent bytes; how many of them were bytes of the output.
    pub(crate) fn advance(&mut self, written: usize) -> usize {
        let own = written.min(self.pending.len());
        if own < self.pending.len() {
            self.pending.drain(..own);
        } else {
            // A connection at rest holds nothing; a header's few bytes are cheap to ask for again.
            self.pending = Vec::new();
        }
        let payload = (written - own).min(self.owed);
        self.owed -= payload;
        payload
    }

    /// Whether bytes of its own wait to be sent.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty() || self.pong.is_some() || (self.close.is_some() && !self.close_sent)
    }

    fn append_header(&mut self, opcode: OpCode, len: usize) {
        let header =
            FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None };
        // Writing to a vector cannot fail, so that there is no error to tell anybody.
        let written = header.format(len as u64, &mut self.pending);
        debug_assert!(written.is_ok());
    }
}

/// Applies the mask and turns it, so that it fits the byte after the last one (RFC 6455, 5.3).
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    mask.rotate_left(rest.len() % 4);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

    fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let header =
            FrameHeader { is_final, rsv1: false, rsv2: false, rsv3: false, opcode, mask: Some(MASK) };
        let mut bytes = Vec::new();
        header.format(payload.len() as u64, &mut bytes).unwrap();
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn binary(payload: &[u8]) -> Vec<u8> {
        frame(OpCode::Data(Data::Binary), true, payload)
    }

    fn unwrap_all(frames: &mut Frames, bytes: &[u8], step: usize) -> (Vec<u8>, Result<(), FrameEnd>) {
        let mut payload = BytesMut::new();
        for piece in bytes.chunks(step) {
            let start = payload.len();
            payload.extend_from_slice(piece);
            if let Err(end) = frames.unwrap(&mut payload, start) {
                return (payload.to_vec(), Err(end));
            }
        }
        (payload.to_vec(), Ok(()))
    }

    fn drain(frames: &mut Frames, output_len: usize) -> Vec<u8> {
        let (own, _) = frames.wrap(output_len);
        let own = own.to_vec();
        assert_eq!(frames.advance(own.len()), 0);
        own
    }

    #[test]
    fn payloads_of_any_length_come_out_whole_however_the_bytes_are_cut() {
        let payloads: Vec<Vec<u8>> = [0, 1, 7, 8, 9, 125, 126, 300, 65_535, 65_536, 70_001]
            .map(|len: usize| (0..len).map(|i| (i % 251) as u8).collect())
            .to_vec();
        let bytes: Vec<u8> = payloads.iter().flat_map(|payload| binary(payload)).collect();
        for step in [1, 2, 3, 13, 14, 15, 1000, 65_536, bytes.len()] {
            let (got, end) = unwrap_all(&mut Frames::default(), &bytes, step);
            assert_eq!(end, Ok(()), "step {step}");
            assert!(got == payloads.concat(), "step {step}");
        }
    }

    #[test]
    fn a_message_of_several_frames_may_have_a_ping_inside_and_the_ping_is_answered() {
        let bytes = [
            frame(OpCode::Data(Data::Binary), false, b"one "),
            frame(OpCode::Control(Control::Ping), true, b"there?"),
            frame(OpCode::Data(Data::Continue), false, b"two "),
            frame(OpCode::Control(Control::Pong), true, b"unasked"),
            frame(OpCode::Data(Data::Continue), true, b"three"),
        ]
        .concat();
        for step in 1..bytes.len() {
            let mut frames = Frames::default();
            let (got, end) = unwrap_all(&mut frames, &bytes, step);
            assert_eq!((got.as_slice(), end), (&b"one two three"[..], Ok(())));
            assert!(frames.has_pending());
            assert_eq!(drain(&mut frames, 0), b"\x8a\x06there?");
            assert!(!frames.has_pending());
        }
    }

    #[test]
    fn what_a_client_must_not_send_ends_the_stream_and_is_named() {
        let unmasked = vec![0x82, 0x01, 0x00];
        let mut reserved_bit = binary(b"x");
        reserved_bit[0] |= 0x40;
        let cases = [
            (unmasked, "5.1", 1002),
            (reserved_bit, "reserved bit", 1002),
            (frame(OpCode::Data(Data::Text), true, b"x"), "MQTT-6.0.0-1", 1003),
            (frame(OpCode::Data(Data::Continue), true, b"x"), "5.4", 1002),
            ([frame(OpCode::Data(Data::Binary), false, b"x"), binary(b"y")].concat(), "5.4", 1002),
            (frame(OpCode::Control(Control::Ping), false, b"x"), "fragmented", 1002),
            (frame(OpCode::Control(Control::Ping), true, &[0; 126]), "125", 1002),
            (frame(OpCode::Control(Control::Close), true, &[3]), "half a code", 1002),
            (frame(OpCode::Control(Control::Close), true, &1005_u16.to_be_bytes()), "not for the wire", 1002),
            (vec![0x83, 0x80, 1, 2, 3, 4], "reserved", 1002),
            ([&[0x82, 0xff, 0xff][..], &[0; 11]].concat(), "top bit", 1002),
        ];
        for (bytes, text, code) in cases {
            let mut frames = Frames::default();
            let (_, end) = unwrap_all(&mut frames, &bytes, bytes.len());
            let Err(FrameEnd::Violation(why)) = end else { panic!("{text}: {end:?}") };
            assert!(why.contains(text), "{why}");
            let close = drain(&mut frames, 0);
            assert_eq!(close, [&[0x88, 0x02][..], &u16::to_be_bytes(code)].concat(), "{text}");
        }
    }

    #[test]
    fn a_close_frame_is_answered_with_its_code_after_what_came_before() {
        let mut frames = Frames::default();
        let close = frame(OpCode::Control(Control::Close), true, &1001_u16.to_be_bytes());
        let bytes = [binary(b"last words"), close].concat();
        let (got, end) = unwrap_all(&mut frames, &bytes, 5);
        assert_eq!((got.as_slice(), end), (&b"last words"[..], Err(FrameEnd::Closed)));
        assert_eq!(drain(&mut frames, 0), [0x88, 0x02, 0x03, 0xe9]);
        assert!(!frames.has_pending());
    }

    #[test]
    fn output_that_grows_while_a_frame_is_on_its_way_waits_for_the_next_frame() {
        let mut frames = Frames::default();
        let (own, follows) = frames.wrap(300);
        assert_eq!((own, follows), (&[0x82, 126, 1, 44][..], 300));
        assert_eq!(frames.advance(2), 0);
        assert_eq!(frames.advance(102), 100);
        let (own, follows) = frames.wrap(1000);
        assert_eq!((own, follows), (&[][..], 200));
        frames.close(CloseCode::Normal);
        assert_eq!(frames.advance(200), 200);
        let (own, follows) = frames.wrap(5);
        assert_eq!((own, follows), (&[0x82, 5][..], 5));
        assert_eq!(frames.advance(7), 5);
        assert_eq!(drain(&mut frames, 0), [0x88, 0x02, 0x03, 0xe8]);
    }
}
