//! Bytes on their way to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

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
}

/// Written bytes in front of the tail up to which they are not worth moving the rest.
const WRITTEN_MAX: usize = 16 << 10;

impl Output {
    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes to write.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// All there is to write, when it is one piece or nothing: then there is no need for [`Output::chunks`].
    pub fn only_chunk(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.written..])
    }

    /// Fills `slices` with the first pieces and says how many it filled.
    pub fn chunks<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (self.tail.len() > self.written).then(|| &self.tail[self.written..]);
        let pieces = self.chunks.iter().map(|chunk| &chunk[..]).chain(tail);
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// The first `count` bytes are written; at most `len()`.
    pub fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
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

    /// Everything as one piece, for a frame.
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
        self.close_tail();
        self.len += bytes.len();
        self.chunks.push_back(bytes.clone());
    }

    /// Lets `write` put bytes behind the others.
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut BytesMut) -> R) -> R {
        let before = self.tail.len();
        let result = write(&mut self.tail);
        self.len += self.tail.len() - before;
        result
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

/// Outputs that no connection needs now, with their memory.
///
/// A turn lends one to each connection that it writes to and gets them back when they are written: connections
/// have neither buffers nor the place for one while they are idle, and a busy turn allocates none.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    #[expect(clippy::vec_box, reason = "they move between here and connections, which hold a pointer")]
    spare: Vec<Box<Output>>,
    bytes: usize,
}

/// Bytes of spare buffers. 4 MiB: a turn that writes to ten thousand connections gets by with them.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// A buffer that is kept may have this many bytes; what a rare large packet needed is given back.
const SPARE_BUFFER_BYTES_MAX: usize = 64 << 10;

impl Outputs {
    /// The output in `place`; a spare one when there is none.
    pub(crate) fn lend<'a>(&mut self, place: &'a mut Option<Box<Output>>) -> &'a mut Output {
        place.get_or_insert_with(|| {
            let Some(output) = self.spare.pop() else { return Box::default() };
            self.bytes -= output.cost();
            output
        })
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
}

#[cfg(test)]
mod tests {
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
