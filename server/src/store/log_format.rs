//! The bytes of SQLite's write-ahead log: <https://www.sqlite.org/fileformat2.html#walformat>.
//!
//! Every frame has the sums of all frames up to itself, so that one whose sums hold is as it was written, and so is everything
//! before it.

/// Bytes before the first frame.
pub(super) const HEADER_LEN: usize = 32;

/// Bytes of a frame before its page.
const FRAME_HEADER_LEN: usize = 24;

/// The last bit says in which order the bytes of a word are summed up.
const MAGIC: u32 = 0x377F_0682;

/// The only version of the format that there is.
const VERSION: u32 = 3_007_000;

/// Bytes of a page, where nothing else is known: what SQLite makes.
const PAGE_LEN: usize = 4096;

/// Sums over 32-bit words: each word goes into one of two, and each of the two into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sums(u32, u32);

/// How bytes are made words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// What the beginning of a log says.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogHeader {
    order: Order,
    page_len: usize,
    salts: [u8; 8],
    /// With which the first frame goes on.
    pub(super) sums: Sums,
}

/// A frame, as it reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
}

/// A frame that is not as it was written, by at most one bit or by its salts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mended {
    /// The byte that had another value, by its place in the frame; none where salts or sums have decayed, which the frames before
    /// say, or where it cannot be told.
    pub(super) byte: Option<(usize, u8)>,
    /// Whether a bit of it has flipped that cannot be told: the sums are the same for several.
    pub(super) is_unclear: bool,
    /// With which the next frame goes on.
    pub(super) sums: Sums,
}

impl Order {
    fn word(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The value of a bit of the byte at that place within a word.
    const fn bit(self, byte: usize, bit: usize) -> u32 {
        match self {
            Self::Little => 1 << (byte * 8 + bit),
            Self::Big => 1 << ((3 - byte) * 8 + bit),
        }
    }
}

impl Sums {
    const NONE: Self = Self(0, 0);

    /// With these bytes too: an even number of words.
    fn with(self, order: Order, bytes: &[u8]) -> Self {
        let Self(mut first, mut second) = self;
        for [a, b, c, d, e, f, g, h] in bytes.as_chunks().0 {
            first = first.wrapping_add(order.word([*a, *b, *c, *d])).wrapping_add(second);
            second = second.wrapping_add(order.word([*e, *f, *g, *h])).wrapping_add(first);
        }
        Self(first, second)
    }

    /// As they stand in a file.
    fn stored(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
    }

    fn bytes(self) -> [u8; 8] {
        (u64::from(self.0) << 32 | u64::from(self.1)).to_be_bytes()
    }

    fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0), self.1.wrapping_sub(other.1))
    }

    fn times(self, factor: u32) -> Self {
        Self(self.0.wrapping_mul(factor), self.1.wrapping_mul(factor))
    }
}

impl LogHeader {
    /// `None`: these are not the bytes that were written.
    pub(super) fn parse(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let magic = word(bytes, 0);
        let order = match magic.checked_sub(MAGIC)? {
            0 => Order::Little,
            1 => Order::Big,
            _ => return None,
        };
        let page_len = word(bytes, 8) as usize;
        let is_known = page_len.is_power_of_two() && (512..=65_536).contains(&page_len);
        let sums = Sums::stored(eight(bytes, 24));
        let is_whole = Sums::NONE.with(order, &bytes[..24]) == sums && word(bytes, 4) == VERSION;
        (is_known && is_whole).then(|| Self { order, page_len, salts: eight(bytes, 16), sums })
    }

    /// What may have been written, where one bit is another one now.
    pub(super) fn candidates(bytes: [u8; HEADER_LEN]) -> impl Iterator<Item = ([u8; HEADER_LEN], Self)> {
        (0..HEADER_LEN * 8).filter_map(move |bit| {
            let mut candidate = bytes;
            candidate[bit / 8] ^= 1 << (bit % 8);
            Some((candidate, Self::parse(&candidate)?))
        })
    }

    /// What it may have been, where nothing of it is left: pages as SQLite makes them on this machine, and the salts of a frame.
    pub(super) fn guess(first_frame: Option<Frame<'_>>) -> Self {
        let order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
        let salts = first_frame.map_or([0; 8], Frame::salts);
        Self { order, page_len: PAGE_LEN, salts, sums: Sums::NONE }
    }

    /// Bytes of a frame with its page.
    pub(super) const fn frame_len(&self) -> usize {
        FRAME_HEADER_LEN + self.page_len
    }

    /// Whether a frame was written since the log has begun anew: a salt of its own says so, even where the other has decayed.
    pub(super) fn is_of_now(&self, frame: Frame<'_>) -> bool {
        let (ours, theirs) = (self.salts, frame.salts());
        ours[..4] == theirs[..4] || ours[4..] == theirs[4..]
    }

    /// Whether SQLite takes a frame for one that goes on where those sums were.
    pub(super) fn holds(&self, frame: Frame<'_>, before: Sums) -> bool {
        frame.salts() == self.salts
            && frame.page() != 0
            && frame.sums_from(self.order, before) == frame.sums()
    }

    /// What a frame was that goes on where those sums were, and does not [hold](Self::holds): its salts are not what the header
    /// says, or one bit of the rest is another one. A frame that differs in more may be anything. `next` is what follows it.
    pub(super) fn mend(&self, frame: Frame<'_>, next: Option<Frame<'_>>, before: Sums) -> Option<Mended> {
        let sums = frame.sums_from(self.order, before);
        if sums == frame.sums() {
            // No page has the number 0, whatever the sums say.
            return (frame.page() != 0).then_some(Mended { byte: None, is_unclear: false, sums });
        }
        if frame.salts() != self.salts {
            return None;
        }
        let differing = |one: u32, other: u32| (one ^ other).count_ones();
        let mut bits = frame.flipped_bits(self.order, frame.sums().minus(sums));
        let found = bits.next();
        // Either the sums themselves have decayed, or what they are of. The next frame goes on with what was written.
        let may_be_sums = differing(sums.0, frame.sums().0) + differing(sums.1, frame.sums().1) == 1;
        if may_be_sums && (found.is_none() || next.is_some_and(|next| self.holds(next, sums))) {
            return Some(Mended { byte: None, is_unclear: false, sums });
        }
        let found = found?;
        let mut is_unclear = may_be_sums;
        for (at, _) in bits {
            is_unclear = true;
            // Which page it is, and how many there are, must not be left to chance.
            if at < FRAME_HEADER_LEN {
                return None;
            }
        }
        if is_unclear && found.0 < FRAME_HEADER_LEN {
            return None;
        }
        let byte = (!is_unclear).then_some(found);
        Some(Mended { byte, is_unclear, sums: frame.sums() })
    }

    /// Makes a frame one that goes on where those sums were; the sums up to its end.
    pub(super) fn seal(&self, frame: &mut [u8], before: Sums) -> Sums {
        let sums = Frame::new(frame).sums_from(self.order, before);
        frame[8..16].copy_from_slice(&self.salts);
        frame[16..24].copy_from_slice(&sums.bytes());
        sums
    }
}

impl<'a> Frame<'a> {
    /// So many bytes as [`LogHeader::frame_len`] says.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether a commit ended with it when that byte was another one.
    pub(super) fn is_commit_with(self, at: usize, byte: u8) -> bool {
        (4..8).any(|place| if place == at { byte != 0 } else { self.bytes[place] != 0 })
    }

    /// The number of its page.
    pub(super) fn page(self) -> u32 {
        word(self.bytes, 0)
    }

    /// The page.
    pub(super) fn content(self) -> &'a [u8] {
        &self.bytes[FRAME_HEADER_LEN..]
    }

    /// Whether a commit ends with it.
    pub(super) fn is_commit(self) -> bool {
        self.pages().is_some()
    }

    /// How many pages the database has from a commit on that ends with it.
    pub(super) fn pages(self) -> Option<u32> {
        Some(word(self.bytes, 4)).filter(|pages| *pages > 0)
    }

    fn salts(self) -> [u8; 8] {
        eight(self.bytes, 8)
    }

    /// Those that were written with it.
    pub(super) fn sums(self) -> Sums {
        Sums::stored(eight(self.bytes, 16))
    }

    fn sums_from(self, order: Order, before: Sums) -> Sums {
        before.with(order, &self.bytes[..8]).with(order, &self.bytes[FRAME_HEADER_LEN..])
    }

    /// The bits whose flip changes the sums by so much, as bytes with their places. Each word counts in the sums with factors
    /// that depend on its place alone; the highest bits of many words count alike.
    fn flipped_bits(self, order: Order, missing: Sums) -> impl Iterator<Item = (usize, u8)> {
        let step = |Sums(first, second): Sums| {
            let first = first.wrapping_add(second);
            Sums(first, second.wrapping_add(first))
        };
        // Of the last pair of words: what counts as its first, and as its second one.
        let last = (Sums(1, 1), Sums(0, 1));
        let factors =
            std::iter::successors(Some(last), move |(first, second)| Some((step(*first), step(*second))));
        let pairs = (FRAME_HEADER_LEN..self.bytes.len()).rev().step_by(8).map(|end| end - 7).chain([0]);
        pairs.zip(factors).flat_map(move |(pair, (first, second))| {
            (0..64).filter_map(move |bit| {
                let at = pair + bit / 8;
                let (byte, flipped) = (self.bytes[at], self.bytes[at] ^ 1 << (bit % 8));
                let value = order.bit(at % 4, bit % 8);
                let change = if flipped > byte { value } else { value.wrapping_neg() };
                let factor = if bit < 32 { first } else { second };
                (factor.times(change) == missing).then_some((at, flipped))
            })
        })
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    std::array::from_fn(|place| bytes[at + place])
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use rusqlite::config::DbConfig;

    use super::*;

    /// A log as SQLite writes it.
    fn log() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let connection = Connection::open(&file).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES ('c')")
            .unwrap();
        std::fs::read(folder.path().join("a.db-wal")).unwrap()
    }

    /// A header and a frame of it.
    fn frame(log: &[u8]) -> (LogHeader, Vec<u8>) {
        let header = LogHeader::parse(log.first_chunk().unwrap()).unwrap();
        let frame = log[HEADER_LEN..HEADER_LEN + header.frame_len()].to_vec();
        assert!(header.holds(Frame::new(&frame), header.sums));
        (header, frame)
    }

    #[test]
    fn a_bit_of_a_frame_that_has_flipped_is_told_by_the_sums_or_known_to_be_one() {
        let log = log();
        let (header, frame) = frame(&log);
        let next = Frame::new(&log[HEADER_LEN + frame.len()..][..frame.len()]);
        let (mut told, mut unclear, mut open) = (0, 0, 0);
        for bit in (0..FRAME_HEADER_LEN * 8).chain((FRAME_HEADER_LEN * 8..frame.len() * 8).step_by(7)) {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!header.holds(Frame::new(&flipped), header.sums), "bit {bit}");
            let Some(mended) = header.mend(Frame::new(&flipped), Some(next), header.sums) else {
                open += 1;
                continue;
            };
            assert_eq!(mended.sums, Frame::new(&frame).sums(), "bit {bit}: the next frame goes on");
            if mended.is_unclear {
                assert_eq!(mended.byte, None);
                unclear += 1;
                continue;
            }
            told += 1;
            if let Some((at, byte)) = mended.byte {
                flipped[at] = byte;
            }
            header.seal(&mut flipped, header.sums);
            assert!(flipped == frame, "bit {bit}");
        }
        assert!(unclear > 0 && told > unclear * 2, "{told} told, {unclear} unclear");
        assert!(open > 0 && told > open * 10, "{told} told, {open} left open");
    }

    #[test]
    fn a_bit_of_a_header_that_has_flipped_shows_and_the_right_one_is_among_what_may_have_been() {
        let log = log();
        let header: &[u8; HEADER_LEN] = log.first_chunk().unwrap();
        let (_, frame) = frame(&log);
        for bit in 0..HEADER_LEN * 8 {
            let mut flipped = *header;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(LogHeader::parse(&flipped).is_none(), "bit {bit}");
            let mut candidates = LogHeader::candidates(flipped)
                .filter(|(_, candidate)| candidate.holds(Frame::new(&frame), candidate.sums));
            assert_eq!(candidates.next().unwrap().0, *header, "bit {bit}");
            assert!(candidates.next().is_none(), "bit {bit}: a frame tells which one it was");
        }
    }

    #[test]
    fn a_frame_that_differs_in_more_than_a_bit_is_not_made_up() {
        let (header, frame) = frame(&log());
        let mut taken = 0;
        for first in 0..frame.len() {
            let second = (first * 31 + 7) % frame.len();
            // Salts are not summed up: the header alone says what they are.
            if (8..16).contains(&first) || (8..16).contains(&second) {
                continue;
            }
            let mut torn = frame.clone();
            torn[first] ^= 0x10;
            torn[second] ^= 0x44;
            taken += usize::from(header.mend(Frame::new(&torn), None, header.sums).is_some());
        }
        assert_eq!(taken, 0);
        let mut half = frame.clone();
        half[2000..].fill(0);
        assert_eq!(header.mend(Frame::new(&half), None, header.sums), None);
    }
}
