//! Bytes on their way to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Payloads up to this many bytes are copied behind their header; larger ones are shared.
///
/// A copy of 4 KiB takes less time than the second slice of a vectored write and the count of its owners.
pub(crate) const COPY_MAX: usize = 4096;

/// What is to be written, in order. Holds no memory once it is written.
#[derive(Debug, Default)]
pub struct Output {
    /// Pieces before `tail`.
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

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
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
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
        self.tail.advance(left);
        if self.len == 0 {
            self.chunks = VecDeque::new();
        }
    }

    /// Everything as one piece, for a frame.
    pub fn take_contiguous(&mut self) -> Bytes {
        self.len = 0;
        if self.chunks.is_empty() {
            return self.tail.split().freeze();
        }
        let mut all = BytesMut::new();
        for chunk in self.chunks.drain(..) {
            all.extend_from_slice(&chunk);
        }
        all.extend_from_slice(&self.tail);
        self.tail.clear();
        all.freeze()
    }

    /// Puts bytes behind the others without a copy.
    pub(crate) fn put_shared(&mut self, bytes: &Bytes) {
        self.len += bytes.len();
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
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
        self.tail = buffer;
    }

    /// Takes the memory back, when everything is written.
    pub(crate) fn reclaim(&mut self) -> Option<BytesMut> {
        (self.len == 0 && self.tail.capacity() > 0).then(|| std::mem::take(&mut self.tail))
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
    fn memory_goes_back_only_when_everything_is_written() {
        let mut output = Output::default();
        put(&mut output, b"abc");
        assert!(output.reclaim().is_none());
        output.advance(3);
        assert!(output.reclaim().is_some());
        assert!(!output.has_buffer());
    }
}
