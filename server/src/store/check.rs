//! A check on every row, by which one that has decayed on the disk is known.

/// Bytes of the check at the end of a row.
const LEN: usize = 4;

/// The row with its check behind it.
pub(crate) fn seal(table: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(value.len() + LEN);
    sealed.extend_from_slice(value);
    sealed.extend_from_slice(&check(table, key, value));
    sealed
}

/// What stands behind a row.
pub(crate) fn check(table: u8, key: &[u8], value: &[u8]) -> [u8; LEN] {
    checksum(table, key, value).to_le_bytes()
}

/// The row without its check; `None` when it is not what was written.
pub(crate) fn unseal<'a>(table: u8, key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (value, check) = sealed.split_last_chunk::<LEN>()?;
    (self::check(table, key, value) == *check).then_some(value)
}

fn checksum(table: u8, key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[table]);
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_shows_and_so_does_a_row_in_the_wrong_place() {
        let sealed = seal(3, b"key", b"value");
        assert_eq!(unseal(3, b"key", &sealed), Some(&b"value"[..]));
        assert_eq!(unseal(4, b"key", &sealed), None);
        assert_eq!(unseal(3, b"kez", &sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(3, b"key", &flipped), None, "bit {bit}");
        }
        assert_eq!(unseal(3, b"key", b"abc"), None);
    }
}
