//! The recent course of one number: what charts and sparklines draw.

use std::collections::VecDeque;

/// A measurement: when it came, in milliseconds since 1970, and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at_ms: f64,
    /// The number.
    pub value: f64,
}

/// An hour at one message a second; older points fall out at the front.
pub const POINTS_MAX: usize = 3600;

/// The last [`POINTS_MAX`] points of one number, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Series {
    points: VecDeque<Point>,
}

impl Series {
    /// Adds a point; one that may not grow, or is full, gives up its oldest. A point in the past of the last one
    /// (the clock was set back) takes the last one's time.
    pub fn push(&mut self, point: Point, may_grow: bool) {
        if (self.points.len() == POINTS_MAX || !may_grow) && self.points.pop_front().is_none() {
            return;
        }
        let at_ms = self.points.back().map_or(point.at_ms, |last| last.at_ms.max(point.at_ms));
        self.points.push_back(Point { at_ms, value: point.value });
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The oldest point.
    pub fn first(&self) -> Option<Point> {
        self.points.front().copied()
    }

    /// The newest point.
    pub fn last(&self) -> Option<Point> {
        self.points.back().copied()
    }

    /// All points, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Point> + '_ {
        self.points.iter().copied()
    }

    /// The points from `from_ms` on. Where the line enters from before, it begins at the edge.
    pub fn window(&self, from_ms: f64) -> Vec<Point> {
        let first = self.points.partition_point(|point| point.at_ms < from_ms);
        let mut window = Vec::with_capacity(self.points.len() - first + 1);
        if let Some(before) = first.checked_sub(1).and_then(|index| self.points.get(index)) {
            let value = match self.points.get(first) {
                Some(after) if after.at_ms > before.at_ms => {
                    let share = (from_ms - before.at_ms) / (after.at_ms - before.at_ms);
                    before.value + (after.value - before.value) * share
                }
                Some(_) | None => before.value,
            };
            window.push(Point { at_ms: from_ms, value });
        }
        window.extend(self.points.range(first..));
        window
    }

    /// The newest `count` points, oldest first.
    pub fn tail(&self, count: usize) -> Vec<Point> {
        self.points.range(self.points.len().saturating_sub(count)..).copied().collect()
    }

    /// At most `count` points that stand for the whole: in each of `count / 2` slices of time the lowest and
    /// the highest, in their order, so that no spike is lost.
    pub fn thinned(points: &[Point], count: usize) -> Vec<Point> {
        if points.len() <= count || count < 2 {
            return points.to_vec();
        }
        let slices = count / 2;
        let mut thinned = Vec::with_capacity(count);
        for slice in 0..slices {
            let chunk = &points[slice * points.len() / slices..(slice + 1) * points.len() / slices];
            let Some(&first) = chunk.first() else { continue };
            let (low, high) = chunk.iter().fold((first, first), |(low, high), &point| {
                (
                    if point.value < low.value { point } else { low },
                    if point.value > high.value { point } else { high },
                )
            });
            let (earlier, later) = if low.at_ms <= high.at_ms { (low, high) } else { (high, low) };
            thinned.push(earlier);
            if later != earlier {
                thinned.push(later);
            }
        }
        thinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: u32, value: f64) -> Point {
        Point { at_ms: f64::from(at_ms), value }
    }

    #[test]
    fn the_oldest_point_makes_room_for_the_newest() {
        let mut series = Series::default();
        for at_ms in 0..=u32::try_from(POINTS_MAX).unwrap() {
            series.push(point(at_ms, 1.0), true);
        }
        assert_eq!(series.len(), POINTS_MAX);
        assert_eq!(series.iter().next(), Some(point(1, 1.0)));
    }

    #[test]
    fn a_series_that_may_not_grow_moves_on() {
        let mut series = Series::default();
        series.push(point(1, 1.0), false);
        assert!(series.is_empty());
        series.push(point(2, 2.0), true);
        series.push(point(3, 3.0), false);
        assert_eq!(series.iter().collect::<Vec<_>>(), [point(3, 3.0)]);
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut series = Series::default();
        series.push(point(100, 1.0), true);
        series.push(point(50, 2.0), true);
        assert_eq!(series.last(), Some(point(100, 2.0)));
    }

    #[test]
    fn a_window_begins_where_the_line_enters_it() {
        let mut series = Series::default();
        for at_ms in [0, 10, 20, 30] {
            series.push(point(at_ms, f64::from(at_ms)), true);
        }
        assert_eq!(series.window(15.0), [point(15, 15.0), point(20, 20.0), point(30, 30.0)]);
        assert_eq!(series.window(-5.0).len(), 4);
        assert_eq!(series.window(99.0), [point(99, 30.0)]);
        assert_eq!(series.tail(2), [point(20, 20.0), point(30, 30.0)]);
        assert_eq!(series.tail(9).len(), 4);
    }

    #[test]
    fn thinning_keeps_the_spike() {
        let points: Vec<Point> =
            (0..1000).map(|at| point(at, if at == 617 { 99.0 } else { f64::from(at % 7) })).collect();
        let thinned = Series::thinned(&points, 100);
        assert!(thinned.len() <= 100);
        assert!(thinned.iter().any(|point| point.value == 99.0));
        assert!(thinned.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
    }
}
