//! Bytes on their way to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::encoding::{Encoded, Own};
use crate::tape::{Stretch, Tape};

/// Payloads up to this many bytes are copied behind their header; larger ones are shared.
///
/// Measured with 100 receivers and vectored writes to /dev/null: at 4 KiB a copy takes as long as the second slice,
/// the count of owners and the buffer that is not used again; below it is faster.
pub(crate) const COPY_MAX: usize = 4096;

/// What is to be written, in order. Holds no memory once it is written and given back.
#[derive(Debug, Default)]
pub struct Output {
    /// Pieces before `tail`.
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes of `tail` that are written. They stay in front of it, so that its memory is known and used again.
    written: usize,
    len: usize,
    /// Where all of it stands on the shard's tape; then there is nothing else. Never outside of the shard.
    stretch: Option<Stretch>,
}

/// An output and what it refers to: what is to be written now.
#[derive(Debug)]
pub struct Sending<'a> {
    output: &'a mut Output,
    tape: &'a [u8],
}

/// Written bytes in front of the tail up to which they are not worth moving the rest.
const WRITTEN_MAX: usize = 16 << 10;

impl Sending<'_> {
    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Bytes to write.
    pub const fn len(&self) -> usize {
        self.output.len()
    }

    /// All there is to write, when it is one piece or nothing: then there is no need for [`Sending::chunks`].
    pub fn only_chunk(&self) -> Option<&[u8]> {
        match &self.output.stretch {
            Some(stretch) => Some(stretch.of(self.tape)),
            None => self.output.only_chunk(),
        }
    }

    /// Fills `slices` with the first pieces and says how many it filled.
    pub fn chunks<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(stretch) = &self.output.stretch else { return self.output.chunks(slices) };
        let Some(first) = slices.first_mut() else { return 0 };
        *first = IoSlice::new(stretch.of(self.tape));
        1
    }

    /// The first `count` bytes are written; at most `len()`.
    pub fn advance(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// Everything as one piece, for a frame.
    pub fn take_contiguous(&mut self) -> Bytes {
        self.output.settle(self.tape);
        self.output.take_contiguous()
    }
}

impl Output {
    /// The same as what a shard gives to be written.
    pub fn sending(&mut self) -> Sending<'_> {
        Sending { output: self, tape: &[] }
    }

    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes to write.
    pub const fn len(&self) -> usize {
        self.len
    }

    fn only_chunk(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.written..])
    }

    fn chunks<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (self.tail.len() > self.written).then(|| &self.tail[self.written..]);
        let pieces = self.chunks.iter().map(|chunk| &chunk[..]).chain(tail);
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        if let Some(stretch) = &mut self.stretch {
            stretch.advance(left);
            if self.len == 0 {
                self.stretch = None;
            }
            return;
        }
        while let Some(chunk) = self.chunks.front_mut() {
            if chunk.len() > left {
                chunk.advance(left);
                return;
            }
            left -= chunk.len();
            self.chunks.pop_front();
        }
        self.written += left;
        if self.len == 0 {
            if self.chunks.capacity() > 0 {
                self.chunks = VecDeque::new();
            }
            self.tail.clear();
            self.written = 0;
        } else if self.written > WRITTEN_MAX && self.written * 2 > self.tail.len() {
            // Less is moved than was written since the last time.
            self.tail.copy_within(self.written.., 0);
            self.tail.truncate(self.tail.len() - self.written);
            self.written = 0;
        }
    }

    /// Everything as one piece.
    pub fn take_contiguous(&mut self) -> Bytes {
        self.close_tail();
        self.len = 0;
        let mut chunks = std::mem::take(&mut self.chunks);
        match chunks.pop_front() {
            None => Bytes::new(),
            Some(only) if chunks.is_empty() => only,
            Some(first) => {
                let mut all = BytesMut::from(&first[..]);
                chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
                all.freeze()
            }
        }
    }

    /// Puts bytes behind the others without a copy.
    pub(crate) fn put_shared(&mut self, bytes: &Bytes) {
        debug_assert!(self.stretch.is_none(), "it was settled when it was lent");
        self.close_tail();
        self.len += bytes.len();
        self.chunks.push_back(bytes.clone());
    }

    /// Lets `write` put bytes behind the others.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        debug_assert!(self.stretch.is_none(), "it was settled when it was lent");
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
    }

    /// Takes what it has on the tape into its own memory.
    fn settle(&mut self, tape: &[u8]) {
        if let Some(stretch) = self.stretch.take() {
            self.tail.extend_from_slice(stretch.of(tape));
        }
    }

    /// Bytes of memory that it takes while it is spare.
    fn cost(&self) -> usize {
        size_of::<Self>() + self.tail.capacity()
    }

    /// Makes the tail the last of the pieces. Its memory goes with it, so that none stays behind unseen.
    fn close_tail(&mut self) {
        let mut tail = std::mem::take(&mut self.tail);
        tail.advance(std::mem::take(&mut self.written));
        if !tail.is_empty() {
            self.chunks.push_back(tail.freeze());
        }
    }
}

/// Outputs that no connection needs now, with their memory, and the tape to which those in use may refer.
///
/// A turn lends one to each connection that it writes to and gets them back when they are written: connections
/// have neither buffers nor the place for one while they are idle, and a busy turn allocates none.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    #[expect(clippy::vec_box, reason = "they move between here and connections, which hold a pointer")]
    spare: Vec<Box<Output>>,
    bytes: usize,
    pub(crate) tape: Tape,
    /// Bytes that were ever copied into outputs of their own.
    pub(crate) copied: u64,
}

/// Bytes of spare buffers. 4 MiB: a turn that writes to ten thousand connections gets by with them.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// A buffer that is kept may have this many bytes; what a rare large packet needed is given back.
const SPARE_BUFFER_BYTES_MAX: usize = 64 << 10;

impl Outputs {
    /// The output in `place`, to put something behind what it has; a spare one when there is none.
    pub(crate) fn lend<'a>(&mut self, place: &'a mut Option<Box<Output>>) -> &'a mut Output {
        let output = place.get_or_insert_with(|| self.spare());
        output.settle(self.tape.bytes());
        output
    }

    /// The output in `place`, to be written.
    pub(crate) fn sending<'a>(&'a mut self, place: &'a mut Option<Box<Output>>) -> Sending<'a> {
        Sending { output: place.get_or_insert_with(|| self.spare()), tape: self.tape.bytes() }
    }

    /// Puts an encoded PUBLISH into the output in `place`, with what is the delivery's own: a copy, or only word of where it
    /// stands on the tape when that is all that the output has, or stands right behind it.
    pub(crate) fn put(&mut self, place: &mut Option<Box<Output>>, encoded: &Encoded<'_>, own: Own) {
        let output = place.get_or_insert_with(|| self.spare());
        let (start, end) = (encoded.start, encoded.end);
        let follows = match &output.stretch {
            Some(stretch) => stretch.ends_at(start),
            None => output.len == 0,
        };
        if follows && encoded.shared.is_none() && self.tape.adopt(encoded, own) {
            output.len += end - start;
            match &mut output.stretch {
                Some(stretch) => stretch.extend(end),
                None => output.stretch = Some(self.tape.stretch(start, end)),
            }
            return;
        }
        output.settle(self.tape.bytes());
        self.copied += (end - start) as u64;
        output.write(|tail| {
            let at = tail.len();
            tail.extend_from_slice(&self.tape.bytes()[start..end]);
            own.patch(&mut tail[at..], encoded.packet_id_at);
        });
        if let Some(payload) = encoded.shared {
            output.put_shared(payload);
        }
    }

    /// Takes the output in `place` off the tape, since it stays for longer than the turn.
    pub(crate) fn settle(&self, place: &mut Option<Box<Output>>) {
        if let Some(output) = place {
            output.settle(self.tape.bytes());
        }
    }

    /// Takes the output in `place` back, when everything is written.
    pub(crate) fn reclaim(&mut self, place: &mut Option<Box<Output>>) {
        if let Some(output) = place.take_if(|output| output.is_empty()) {
            let cost = output.cost();
            if cost <= SPARE_BUFFER_BYTES_MAX && self.bytes + cost <= SPARE_BYTES_MAX {
                self.bytes += cost;
                self.spare.push(output);
            }
        }
    }

    fn spare(&mut self) -> Box<Output> {
        let Some(output) = self.spare.pop() else { return Box::default() };
        self.bytes -= output.cost();
        output
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::QoS;
    use hearth_protocol::packet::PacketId;

    use super::*;

    fn put(output: &mut Output, bytes: &[u8]) {
        output.write(|tail| tail.extend_from_slice(bytes));
    }

    fn content(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = output.chunks(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn copied_and_shared_bytes_keep_their_order_however_they_are_written() {
        for step in 1..12 {
            let mut output = Output::default();
            put(&mut output, b"ab");
            output.put_shared(&Bytes::from_static(b"cde"));
            put(&mut output, b"f");
            output.put_shared(&Bytes::from_static(b"gh"));
            put(&mut output, b"ij");
            let mut written = Vec::new();
            while !output.is_empty() {
                let all = content(&output);
                assert_eq!(all.len(), output.len());
                assert!(output.only_chunk().is_none_or(|only| only == all));
                let count = step.min(all.len());
                written.extend_from_slice(&all[..count]);
                output.advance(count);
            }
            assert_eq!(written, b"abcdefghij", "in steps of {step}");
        }
    }

    #[test]
    fn a_backlog_that_never_ends_needs_no_more_memory_than_it_has_bytes() {
        let mut output = Output::default();
        let piece = [7; 10_000];
        put(&mut output, &piece);
        for _ in 0..1000 {
            put(&mut output, &piece);
            output.advance(piece.len());
        }
        assert_eq!(output.len(), piece.len());
        assert_eq!(content(&output), piece);
        assert!(output.tail.capacity() <= 8 * piece.len(), "{} bytes", output.tail.capacity());
    }

    #[test]
    fn a_buffer_that_was_filled_to_the_last_byte_is_used_again_and_a_large_one_given_back() {
        let mut outputs = Outputs::default();
        for (bytes, spare) in [(64, 1), (SPARE_BUFFER_BYTES_MAX, 0)] {
            let mut place = None;
            let output = outputs.lend(&mut place);
            output.tail = BytesMut::with_capacity(bytes);
            put(output, &vec![1; bytes]);
            outputs.reclaim(&mut place);
            assert!(place.is_some(), "it is not written yet");
            let output = place.as_mut().unwrap();
            output.advance(40);
            output.advance(bytes - 40);
            outputs.reclaim(&mut place);
            assert!(place.is_none());
            let capacities: Vec<_> = outputs.spare.iter().map(|output| output.tail.capacity()).collect();
            assert_eq!(capacities, [64][..spare]);
            assert_eq!(outputs.bytes, spare * (64 + size_of::<Output>()));
        }
    }

    /// Puts a packet on the tape and into these outputs, with the packet identifier that each has for it.
    fn deliver(outputs: &mut Outputs, packet: &[u8], places: &mut [(&mut Option<Box<Output>>, u16)]) {
        outputs.tape.begin();
        let tape = outputs.tape.end();
        let start = tape.len();
        tape.extend_from_slice(packet);
        let encoded = Encoded { start, end: tape.len(), packet_id_at: 1, shared: None };
        for (place, packet_id) in places {
            let own = Own { qos: QoS::AtLeastOnce, packet_id: PacketId::new(*packet_id), dup: false };
            outputs.put(place, &encoded, own);
        }
    }

    fn sent(outputs: &mut Outputs, place: &mut Option<Box<Output>>) -> Vec<u8> {
        let mut sending = outputs.sending(place);
        let only = sending.only_chunk().unwrap().to_vec();
        let mut slices = [IoSlice::new(&[]); 2];
        assert_eq!(sending.chunks(&mut slices), usize::from(!only.is_empty()));
        sending.advance(only.len());
        outputs.reclaim(place);
        assert!(place.is_none());
        only
    }

    #[test]
    fn who_gets_the_same_packets_one_after_the_other_shares_them_and_who_does_not_has_a_copy() {
        let mut outputs = Outputs::default();
        let [mut all, mut first_and_last, mut other_ids, mut answered] = [const { None }; 4];
        put(outputs.lend(&mut answered), b"ack");
        let first = &mut [(&mut all, 1), (&mut first_and_last, 1), (&mut other_ids, 7), (&mut answered, 1)];
        deliver(&mut outputs, &[0x32, 0, 0, b'a'], first);
        deliver(&mut outputs, &[0x32, 0, 0, b'b'], &mut [(&mut all, 2)]);
        deliver(&mut outputs, &[0x32, 0, 0, b'c'], &mut [(&mut all, 3), (&mut first_and_last, 3)]);
        let stands = |place: &Option<Box<Output>>| place.as_ref().unwrap().stretch.is_some();
        assert!(stands(&all));
        assert!(!stands(&first_and_last) && !stands(&other_ids) && !stands(&answered));
        put(outputs.lend(&mut all), b"end");
        assert_eq!(sent(&mut outputs, &mut all), b"\x32\0\x01a\x32\0\x02b\x32\0\x03cend");
        assert_eq!(sent(&mut outputs, &mut first_and_last), b"\x32\0\x01a\x32\0\x03c");
        assert_eq!(sent(&mut outputs, &mut other_ids), b"\x32\0\x07a");
        assert_eq!(sent(&mut outputs, &mut answered), b"ack\x32\0\x01a");
    }

    #[test]
    fn what_a_socket_does_not_take_in_the_turn_is_its_own_and_the_tape_begins_anew() {
        let mut outputs = Outputs::default();
        let [mut slow, mut fast] = [const { None }; 2];
        for round in 0..200 {
            let message = [&[0x32, 0, 0][..], &[round; 4093]].concat();
            deliver(&mut outputs, &message, &mut [(&mut slow, 1), (&mut fast, 1)]);
            assert!(slow.as_ref().unwrap().stretch.is_some(), "round {round}");
            assert_eq!(outputs.tape.bytes().len(), message.len());
            assert_eq!(sent(&mut outputs, &mut fast)[3..], message[3..]);
            outputs.sending(&mut slow).advance(4000);
            outputs.settle(&mut slow);
            deliver(&mut outputs, b"\x32\0\0next", &mut [(&mut fast, 2)]);
            assert_eq!(outputs.tape.bytes().len(), 7);
            assert_eq!(sent(&mut outputs, &mut slow), [round; 96]);
            assert_eq!(sent(&mut outputs, &mut fast), b"\x32\0\x02next");
        }
    }

    #[test]
    fn a_full_tape_takes_no_more_and_changes_nothing_that_somebody_has_on_it() {
        let mut outputs = Outputs::default();
        let mut places: Vec<_> = (0..200).map(|_| None).collect();
        for (number, place) in places.iter_mut().enumerate() {
            let message = [&[0x32, 0, 0][..], &[number as u8; 3997]].concat();
            deliver(&mut outputs, &message, &mut [(place, 9)]);
        }
        let shared = places.iter().filter(|place| place.as_ref().unwrap().stretch.is_some()).count();
        assert_eq!(shared, (256 << 10) / 4000);
        assert!(outputs.tape.bytes().len() <= 260 << 10);
        for (number, place) in places.iter_mut().enumerate() {
            assert_eq!(sent(&mut outputs, place)[3..], [number as u8; 3997]);
        }
    }

    #[test]
    fn spare_buffers_are_bounded_together() {
        let mut outputs = Outputs::default();
        let mut places: Vec<_> = (0..10_000).map(|_| None).collect();
        for place in &mut places {
            put(outputs.lend(place), &[0; 1000]);
        }
        for place in &mut places {
            place.as_mut().unwrap().advance(1000);
            outputs.reclaim(place);
        }
        let bytes: usize = outputs.spare.iter().map(|output| output.cost()).sum();
        assert_eq!(bytes, outputs.bytes);
        assert!((SPARE_BYTES_MAX - 2000..=SPARE_BYTES_MAX).contains(&bytes), "{bytes}");
    }
}
