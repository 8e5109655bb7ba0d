//! How much one read of a connection takes: less where few bytes make many.

/// [Cost](hearth_broker::Shard::output_cost) of the output that one read should make at most. With more of it the outputs of a
/// large audience together leave the processor's cache before they are written, and outgrow the buffers that are kept.
///
/// Measured with 100 subscribers of one publisher that never waits: see [`TURN_OUTPUT_COST_MAX`].
///
/// [`TURN_OUTPUT_COST_MAX`]: super::TURN_OUTPUT_COST_MAX
const OUTPUT_COST: u64 = 512 << 10;

/// The largest read, as a power of two: 64 KiB, what a busy socket holds ready, and little enough to stay in the cache.
const MOST: u8 = 16;

/// The smallest one: 2 KiB, some ten messages. A thousand subscribers still get them in one write each.
const LEAST: u8 = 11;

/// Bytes of the largest read.
pub(super) const READ_BYTES_MAX: usize = 1 << MOST;

/// The size of a connection's next read, learned from the last ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Appetite(u8);

impl Default for Appetite {
    fn default() -> Self {
        Self(MOST)
    }
}

impl Appetite {
    /// Bytes that the next read takes at most.
    pub(super) const fn read_bytes(self) -> usize {
        1 << self.0
    }

    /// The last read has made output of this cost.
    pub(super) const fn learn(&mut self, output: u64) {
        if output > OUTPUT_COST && self.0 > LEAST {
            self.0 -= 1;
        } else if output < OUTPUT_COST / 4 && self.0 < MOST {
            self.0 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of a read after many of them, each byte of which makes output that costs `factor` bytes.
    fn settled(appetite: &mut Appetite, factor: u64) -> usize {
        for _ in 0..20 {
            appetite.learn(appetite.read_bytes() as u64 * factor);
        }
        appetite.read_bytes()
    }

    #[test]
    fn reads_are_as_small_as_the_output_that_they_make_asks_for() {
        let mut appetite = Appetite::default();
        assert_eq!(settled(&mut appetite, 1), READ_BYTES_MAX);
        let many = settled(&mut appetite, 100);
        assert!((2048..=8192).contains(&many) && many as u64 * 100 <= OUTPUT_COST, "{many}");
        assert_eq!(settled(&mut appetite, 100_000), 1 << LEAST);
        assert_eq!(settled(&mut appetite, 0), READ_BYTES_MAX);
    }
}
