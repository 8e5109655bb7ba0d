//! Few points for many, without losing a spike.
//!
//! The method is M4 (Jugel and others, "M4: a visualization-oriented time series data aggregation", VLDB 2014): time is cut into
//! buckets of the same length, and of each the first, the smallest, the largest and the last point are kept. A line drawn
//! through them covers the same columns of a screen as one through all points.

use super::block::Point;

/// Takes points, in any order, and gives few.
#[derive(Debug)]
pub(crate) struct M4 {
    from: i64,
    /// Milliseconds, at least one.
    span: u64,
    points_max: usize,
    count: u64,
    /// All points, for as long as there are no more than are wanted.
    all: Vec<Point>,
    buckets: Vec<Option<Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: Point,
    min: Point,
    max: Point,
    last: Point,
}

impl M4 {
    /// For points from `from` to `to`, both included; at most `points_max` come out, which is four at least.
    pub(crate) fn new(from: i64, to: i64, points_max: usize) -> Self {
        let buckets = vec![None; (points_max / 4).max(1)];
        let span = to.abs_diff(from).saturating_add(1);
        Self { from, span, points_max, count: 0, all: Vec::new(), buckets }
    }

    /// One more point, within the bounds of time.
    pub(crate) fn add(&mut self, point: Point) {
        self.count += 1;
        if self.all.len() < self.points_max {
            self.all.push(point);
        }
        let position =
            u128::from(point.time.abs_diff(self.from)) * self.buckets.len() as u128 / u128::from(self.span);
        let last = self.buckets.len() - 1;
        let index = usize::try_from(position).unwrap_or(last).min(last);
        let Some(bucket) = &mut self.buckets[index] else {
            self.buckets[index] = Some(Bucket { first: point, min: point, max: point, last: point });
            return;
        };
        if point.time < bucket.first.time {
            bucket.first = point;
        }
        if point.value < bucket.min.value {
            bucket.min = point;
        }
        if point.value > bucket.max.value {
            bucket.max = point;
        }
        if point.time >= bucket.last.time {
            bucket.last = point;
        }
    }

    /// How many points there were.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// What is left of them, by time: all, where there were no more than are wanted.
    pub(crate) fn finish(self) -> Vec<Point> {
        let mut points = if self.count <= self.points_max as u64 {
            self.all
        } else {
            let mut points = Vec::with_capacity(4 * self.buckets.len());
            for Bucket { first, min, max, last } in self.buckets.into_iter().flatten() {
                let mut middle = [min, max];
                middle.sort_by_key(|point| point.time);
                let start = points.len();
                for point in [first, middle[0], middle[1], last] {
                    if !points[start..].contains(&point) {
                        points.push(point);
                    }
                }
            }
            points
        };
        points.sort_by_key(|point| point.time);
        points
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn reduced(points: &[Point], from: i64, to: i64, points_max: usize) -> Vec<Point> {
        let mut m4 = M4::new(from, to, points_max);
        points.iter().for_each(|point| m4.add(*point));
        assert_eq!(m4.count(), points.len() as u64);
        m4.finish()
    }

    #[test]
    fn each_bucket_keeps_what_a_look_at_all_its_points_finds() {
        let mut random = SmallRng::seed_from_u64(4);
        for round in 0..200 {
            let (from, to) = (1000, 1000 + random.random_range(1..5000));
            let mut points: Vec<Point> = (0..random.random_range(0..2000))
                .map(|_| Point {
                    time: random.random_range(from..=to),
                    value: f64::from(random.random::<i32>()),
                })
                .collect();
            points.sort_by_key(|point| point.time);
            points.dedup_by_key(|point| point.time);
            let points_max = random.random_range(4..200);
            let mut shuffled = points.clone();
            if round % 2 == 0 {
                shuffled.shuffle(&mut random);
            }
            let few = reduced(&shuffled, from, to, points_max);
            assert!(few.len() <= points_max && few.is_sorted_by_key(|point| point.time));
            if points.len() <= points_max {
                assert_eq!(few, points);
                continue;
            }
            let buckets = (points_max / 4) as i64;
            for bucket in 0..buckets {
                let is_in = |point: &&Point| (point.time - from) * buckets / (to - from + 1) == bucket;
                let all: Vec<&Point> = points.iter().filter(is_in).collect();
                let kept: Vec<&Point> = few.iter().filter(is_in).collect();
                let extreme = |points: &[&Point], fold: fn(f64, f64) -> f64| {
                    points.iter().map(|point| point.value).reduce(fold)
                };
                assert_eq!(all.first(), kept.first());
                assert_eq!(all.last(), kept.last());
                assert_eq!(extreme(&all, f64::max), extreme(&kept, f64::max));
                assert_eq!(extreme(&all, f64::min), extreme(&kept, f64::min));
            }
        }
    }

    #[test]
    fn one_spike_among_a_million_points_is_seen() {
        let mut m4 = M4::new(0, 999_999, 100);
        for time in 0..1_000_000 {
            m4.add(Point { time, value: if time == 777_777 { 99.0 } else { 20.0 } });
        }
        let few = m4.finish();
        assert!(few.contains(&Point { time: 777_777, value: 99.0 }));
        assert!(few.len() <= 100);
    }

    #[test]
    fn the_longest_time_there_is_does_not_overflow() {
        let ends = [Point { time: i64::MIN, value: 1.0 }, Point { time: i64::MAX, value: 2.0 }];
        assert_eq!(reduced(&ends, i64::MIN, i64::MAX, 1000), ends);
    }
}
