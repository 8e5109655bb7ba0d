//! Many points of one series in few bytes.
//!
//! A byte says how values are written, then comes the number of points, the times, and the values. Times are differences of
//! differences, so that a steady pace costs one byte a point. Values are whole multiples of a power of ten where all are,
//! as the values of sensors are, and the bits that differ from the value before where they are not. Numbers have seven bits
//! in each byte, with the sign in the lowest.

/// A value and when it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) value: f64,
}

/// Points of a block at most: three or four blocks fit on a page, and a day of one a second is some 300 of them.
pub(super) const BLOCK_POINTS: usize = 256;

/// Values are the bits that differ.
const BITS: u8 = 0xFF;

/// Digits behind the point, at most, that values have as multiples of a power of ten.
const DECIMALS_MAX: u8 = 9;

/// Below this, every whole number is a value of its own.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The bytes of some points, at most [`BLOCK_POINTS`].
pub(super) fn encode(points: &[Point]) -> Vec<u8> {
    let decimals =
        (0..=DECIMALS_MAX).find(|decimals| points.iter().all(|it| multiple(it.value, *decimals).is_some()));
    let mut bytes = vec![decimals.unwrap_or(BITS)];
    put(&mut bytes, points.len() as u64);
    let (mut time, mut step) = (0_i64, 0_i64);
    for point in points {
        let next = point.time.wrapping_sub(time);
        put_signed(&mut bytes, next.wrapping_sub(step));
        (time, step) = (point.time, next);
    }
    let (mut whole, mut bits) = (0_i64, 0_u64);
    for point in points {
        match decimals {
            Some(decimals) => {
                let next = multiple(point.value, decimals).unwrap_or_default();
                put_signed(&mut bytes, next.wrapping_sub(whole));
                whole = next;
            }
            None => {
                let next = point.value.to_bits();
                put_bits(&mut bytes, next ^ bits);
                bits = next;
            }
        }
    }
    bytes
}

/// The points of a block; `None` when the bytes are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Point>> {
    let (&form, mut bytes) = bytes.split_first()?;
    if form > DECIMALS_MAX && form != BITS {
        return None;
    }
    let count = usize::try_from(take(&mut bytes)?).ok().filter(|count| *count <= BLOCK_POINTS)?;
    let mut points = Vec::with_capacity(count);
    let (mut time, mut step) = (0_i64, 0_i64);
    for _ in 0..count {
        step = step.wrapping_add(take_signed(&mut bytes)?);
        time = time.wrapping_add(step);
        points.push(Point { time, value: 0.0 });
    }
    let (mut whole, mut bits) = (0_i64, 0_u64);
    let scale = 10_f64.powi(i32::from(form));
    for point in &mut points {
        if form == BITS {
            bits ^= take_bits(&mut bytes)?;
            point.value = f64::from_bits(bits);
        } else {
            whole = whole.wrapping_add(take_signed(&mut bytes)?);
            point.value = whole as f64 / scale;
        }
    }
    bytes.is_empty().then_some(points)
}

/// The value as a multiple of a power of ten, when that gives it back to the last bit.
fn multiple(value: f64, decimals: u8) -> Option<i64> {
    let scale = 10_f64.powi(i32::from(decimals));
    let whole = (value * scale).round();
    let is_exact = whole.abs() < EXACT_MAX && (whole as i64 as f64 / scale).to_bits() == value.to_bits();
    is_exact.then_some(whole as i64)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put(bytes, ((number << 1) ^ (number >> 63)) as u64);
}

/// How many zero bytes stand before and behind, and the bytes between.
fn put_bits(bytes: &mut Vec<u8>, bits: u64) {
    let before = bits.leading_zeros() as usize / 8;
    let behind = if bits == 0 { 0 } else { bits.trailing_zeros() as usize / 8 };
    // Both are at most eight.
    bytes.push((before << 4 | behind) as u8);
    bytes.extend_from_slice(&bits.to_be_bytes()[before..8 - behind]);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = take(bytes)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn take_bits(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first()?;
    let (before, behind) = (usize::from(head >> 4), usize::from(head & 0x0F));
    let len = 8_usize.checked_sub(before)?.checked_sub(behind)?;
    let (middle, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    let mut bits = [0; 8];
    bits[before..8 - behind].copy_from_slice(middle);
    Some(u64::from_be_bytes(bits))
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[track_caller]
    fn assert_whole(points: &[Point]) -> usize {
        let bytes = encode(points);
        let back = decode(&bytes).unwrap();
        assert_eq!(back.len(), points.len());
        for (back, point) in back.iter().zip(points) {
            assert_eq!((back.time, back.value.to_bits()), (point.time, point.value.to_bits()));
        }
        bytes.len()
    }

    #[test]
    fn points_come_back_to_the_last_bit() {
        let mut random = SmallRng::seed_from_u64(7);
        let extremes =
            [0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.1 + 0.2, 1e300, -1e-300, EXACT_MAX];
        let times = [0, i64::MAX, i64::MIN, -1, 1_700_000_000_000];
        assert_whole(&[]);
        for round in 0..500 {
            let points: Vec<Point> = (0..round % (BLOCK_POINTS + 1))
                .map(|index| Point {
                    time: if round % 3 == 0 { times[index % 5] } else { random.random() },
                    value: match round % 4 {
                        0 => extremes[random.random_range(0..extremes.len())],
                        1 => f64::from(random.random::<i16>()) / 100.0,
                        2 => f64::from_bits(random.random::<u64>() & !(1 << 62)),
                        _ => f64::from(random.random::<u8>()),
                    },
                })
                .collect();
            assert_whole(&points);
        }
    }

    #[test]
    fn the_values_of_sensors_take_three_bytes_and_what_stays_the_same_two() {
        let points = |value: fn(i64) -> f64| -> Vec<Point> {
            let point = |second| Point { time: 1_700_000_000_000 + second * 1000, value: value(second) };
            (0..BLOCK_POINTS as i64).map(point).collect()
        };
        let steady = assert_whole(&points(|_| 1.0));
        assert!(steady <= 2 * BLOCK_POINTS + 16, "{steady}");
        let sensor = assert_whole(&points(|second| (2150 + second * 37 % 120) as f64 / 100.0));
        assert!(sensor <= 3 * BLOCK_POINTS + 16, "{sensor}");
    }

    #[test]
    fn bytes_that_are_no_block_are_known_and_do_no_harm() {
        let points: Vec<Point> = (0..20).map(|time| Point { time, value: 0.1 }).collect();
        let whole = encode(&points);
        for len in 0..whole.len() {
            assert_eq!(decode(&whole[..len]), None, "cut at {len}");
        }
        let mut random = SmallRng::seed_from_u64(8);
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                let index = random.random_range(0..bytes.len());
                bytes[index] = random.random();
            }
            // Whatever comes of it, it is bounded.
            assert!(decode(&bytes).is_none_or(|points| points.len() <= BLOCK_POINTS));
        }
    }
}
