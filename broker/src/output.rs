//! Bytes on their way to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Payloads up to this many bytes are copied behind their header; larger ones are shared.
///
/// A copy of 4 KiB takes less time than the second slice of a vectored write and the count of its owners.
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
            self.chunks = VecDeque::new();
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

    /// Whether it has memory to write into.
    pub(crate) fn has_buffer(&self) -> bool {
        self.tail.capacity() > 0
    }

    /// Lends it memory, when it has none.
    pub(crate) fn lend(&mut self, buffer: BytesMut) {
        debug_assert!(self.tail.is_empty(), "its bytes would be lost");
        self.tail = buffer;
    }

    /// Takes the memory back, empty, when everything is written.
    pub(crate) fn reclaim(&mut self) -> Option<BytesMut> {
        (self.len == 0 && self.has_buffer()).then(|| std::mem::take(&mut self.tail))
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
    fn a_buffer_that_was_filled_to_the_last_byte_is_given_back_whole() {
        let mut output = Output::default();
        output.lend(BytesMut::with_capacity(64));
        put(&mut output, &[1; 64]);
        output.advance(40);
        output.advance(24);
        assert_eq!(output.reclaim().map(|buffer| buffer.capacity()), Some(64));
    }

    #[test]
    fn memory_goes_back_only_when_everything_is_written() {
        let mut output = Output::default();
        put(&mut output, b"abc");
        assert!(output.reclaim().is_none());
        output.advance(3);
        assert!(output.reclaim().is_some());
        assert!(!output.has_buffer());
    }
}
