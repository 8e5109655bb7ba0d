//! A sparkline: the course of a number as an SVG path.

use std::fmt::Write as _;

use super::course;
use super::series::Point;

/// The size of the picture that the paths are for.
pub const WIDTH: f64 = 100.0;

/// Its height; a margin inside keeps the stroke from being cut.
pub const HEIGHT: f64 = 32.0;

const MARGIN: f64 = 3.0;

/// Slices of time, of each of which the lowest and the highest point are drawn: more cannot be told apart at this size.
pub const SLICES: u32 = 50;

/// A line and the area under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spark {
    /// The `d` of the line.
    pub line: String,
    /// The `d` of the area.
    pub area: String,
}

impl Spark {
    /// The sparkline of points in the order of time, however many, which breaks where nothing was there; `None` below two points,
    /// which show no course. Where the points stand for pieces of time, these are `piece_ms` long. The picture is as high as
    /// `least_span`, or as the points span where that is more.
    pub fn of(points: &[Point], piece_ms: f64, least_span: f64) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let span = last.at_ms - first.at_ms;
        if points.len() < 2 || span <= 0.0 {
            return None;
        }
        let low = points.iter().map(|point| point.value).fold(f64::INFINITY, f64::min);
        let high = points.iter().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
        // A line that hardly moves must not look like a mountain range.
        let height = (high - low).max(least_span).max(high.abs() * 0.01).max(1e-9);
        let middle = f64::midpoint(low, high);
        let share = |point: &Point| (point.at_ms - first.at_ms) / span;
        let mut spark = Self::default();
        for piece in course::pieces(points, course::gap_ms(points, piece_ms)) {
            let drawn = extremes(&points[piece], |point| (share(point) * f64::from(SLICES)).floor());
            let mut line = String::new();
            for (index, point) in drawn.iter().enumerate() {
                let x = share(point) * WIDTH;
                let y = HEIGHT / 2.0 - (point.value - middle) / height * (HEIGHT / 2.0 - MARGIN) * 2.0;
                // Writing to a String cannot fail.
                let _ = write!(line, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            if let [begin, .., end] = drawn.as_slice() {
                let (begin, end) = (share(begin) * WIDTH, share(end) * WIDTH);
                let _ = write!(spark.area, "{line}L{end:.1} {HEIGHT}L{begin:.1} {HEIGHT}Z");
            } else {
                // A line of no length is a dot.
                line.push_str("h0");
            }
            spark.line.push_str(&line);
        }
        Some(spark)
    }
}

/// The first and the last point, and of each slice between them the lowest and the highest in their order.
fn extremes(points: &[Point], slice_of: impl Fn(&Point) -> f64) -> Vec<Point> {
    let Some((&first, others)) = points.split_first() else { return Vec::new() };
    let mut drawn = vec![first];
    let Some((&last, inner)) = others.split_last() else { return drawn };
    for slice in inner.chunk_by(|a, b| slice_of(a) == slice_of(b)) {
        let by_value = |a: &&Point, b: &&Point| a.value.total_cmp(&b.value);
        let Some((&low, &high)) = slice.iter().min_by(by_value).zip(slice.iter().max_by(by_value)) else {
            continue;
        };
        let (earlier, later) = if low.at_ms <= high.at_ms { (low, high) } else { (high, low) };
        drawn.push(earlier);
        if later != earlier {
            drawn.push(later);
        }
    }
    drawn.push(last);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        values.iter().zip(0_u32..).map(|(&value, at)| Point { at_ms: f64::from(at), value }).collect()
    }

    #[test]
    fn the_line_spans_the_picture_from_low_to_high() {
        let spark = Spark::of(&points(&[10.0, 20.0, 15.0]), 0.0, 0.0).unwrap();
        assert_eq!(spark.line, "M0.0 29.0L50.0 3.0L100.0 16.0");
        assert_eq!(spark.area, "M0.0 29.0L50.0 3.0L100.0 16.0L100.0 32L0.0 32Z");
    }

    #[test]
    fn a_steady_number_is_a_level_line() {
        let spark = Spark::of(&points(&[21.5, 21.5]), 0.0, 0.0).unwrap();
        assert_eq!(spark.line, "M0.0 16.0L100.0 16.0");
    }

    #[test]
    fn what_moves_less_than_the_least_span_does_not_fill_the_picture() {
        let spark = Spark::of(&points(&[20.0, 20.2]), 0.0, 2.0).unwrap();
        assert_eq!(spark.line, "M0.0 17.3L100.0 14.7");
    }

    #[test]
    fn one_point_has_no_course() {
        assert_eq!(Spark::of(&points(&[1.0]), 0.0, 0.0), None);
        assert_eq!(Spark::of(&[], 0.0, 0.0), None);
    }

    #[test]
    fn the_line_breaks_where_nothing_was_there() {
        let at = |seconds: u32| Point { at_ms: f64::from(seconds) * 1000.0, value: f64::from(seconds % 2) };
        let points: Vec<Point> = (0..10)
            .chain([50])
            .chain(91..=100)
            .map(at)
            .map(|it| Point { value: it.value * 3.0, ..it })
            .collect();
        let spark = Spark::of(&points, 0.0, 0.0).unwrap();
        let starts: Vec<_> =
            spark.line.split('M').skip(1).map(|piece| piece.split(' ').next().unwrap()).collect();
        assert_eq!(starts, ["0.0", "50.0", "91.0"], "{}", spark.line);
        assert!(spark.line.contains("M50.0 29.0h0M"), "a value by itself is a dot: {}", spark.line);
        assert_eq!(spark.area.matches('Z').count(), 2, "{}", spark.area);
        let folded = Spark::of(&points, 20_000.0, 0.0).unwrap();
        assert_eq!(folded.line.matches('M').count(), 1, "pieces of time lie as far apart: {}", folded.line);
    }

    #[test]
    fn a_day_of_seconds_is_few_points_and_keeps_its_spike() {
        let mut values = vec![20.0; 86_400];
        values[40_000] = 90.0;
        let spark = Spark::of(&points(&values), 0.0, 0.0).unwrap();
        assert!(spark.line.matches('L').count() <= 2 * 51, "{}", spark.line);
        assert!(spark.line.contains("L46.3 3.0"), "{}", spark.line);
        assert!(spark.line.starts_with("M0.0 29.0") && spark.line.ends_with("L100.0 29.0"), "{}", spark.line);
    }
}
