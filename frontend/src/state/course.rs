//! The course of a value over the past and the present: what the server kept, and behind it what was heard since.

use std::ops::Range;

use super::series::Point;

/// What the server has written when it is asked may miss this much of the present, in milliseconds: it writes every
/// 750 ms (docs/history.md), and a busy machine takes its time.
const SETTLED_AFTER_MS: f64 = 3_000.0;

/// How far the times of one message may differ between the server and the page, in milliseconds.
const SAME_WITHIN_MS: f64 = 2_000.0;

/// A pause this many times as long as three quarters of the others are is a gap.
const GAP_FACTOR: f64 = 6.0;

/// A shorter pause is no gap, in milliseconds.
const GAP_MIN_MS: f64 = 2_000.0;

/// Fewer pauses say nothing about what is usual.
const PAUSES_MIN: usize = 4;

/// What the server kept of a part of time; all times by its clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The left end of what was asked for.
    pub from_ms: f64,
    /// The right end.
    pub to_ms: f64,
    /// When it was asked.
    pub asked_ms: f64,
    /// How many values there are; when there are more than points, the points are their extremes.
    pub count: u64,
    /// In the order of time.
    pub points: Vec<Point>,
    /// How long a piece of time is of which the extremes were taken, in milliseconds.
    pub piece_ms: f64,
}

impl Past {
    /// Whether the points are fewer than the values.
    pub fn is_folded(&self) -> bool {
        self.count > self.points.len() as u64
    }
}

/// The points of the past, and behind them those that were heard and are not among them.
///
/// Up to some seconds before it was asked the server knows all there was, so that what was heard and is not among it was
/// no message of that time, but a retained one given again. Behind that its last value is looked for among those heard.
pub fn join(past: Option<&Past>, heard: &[Point]) -> Vec<Point> {
    let Some(past) = past else { return heard.to_vec() };
    let settled_ms = past.to_ms.min(past.asked_ms - SETTLED_AFTER_MS);
    let mut first = heard.partition_point(|point| point.at_ms <= settled_ms);
    if let Some(last) = past.points.last() {
        let distance = |point: &Point| (point.at_ms - last.at_ms).abs();
        let same = heard
            .iter()
            .enumerate()
            .filter(|(_, point)| point.value == last.value && distance(point) <= SAME_WITHIN_MS)
            .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
        first = first.max(match same {
            Some((index, _)) => index + 1,
            None => heard.partition_point(|point| point.at_ms <= last.at_ms),
        });
    }
    let mut points = past.points.clone();
    let end_ms = points.last().map_or(f64::MIN, |point| point.at_ms);
    // The clocks differ by some milliseconds; time still runs forwards.
    points.extend(heard[first..].iter().map(|point| Point { at_ms: point.at_ms.max(end_ms), ..*point }));
    points
}

/// Whether the values are those of a switch, which has its value until the next.
pub fn is_switch(points: &[Point]) -> bool {
    !points.is_empty() && points.iter().all(|point| point.value == 0.0 || point.value == 1.0)
}

/// From which pause on nothing was there, in milliseconds. `piece_ms` is how long the pieces are that the points stand
/// for, 0 where they are the values themselves.
pub fn gap_ms(points: &[Point], piece_ms: f64) -> f64 {
    let mut pauses: Vec<f64> = points.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).collect();
    if pauses.len() < PAUSES_MIN || is_switch(points) {
        return f64::INFINITY;
    }
    let at = pauses.len() * 3 / 4;
    let (_, usual, _) = pauses.select_nth_unstable_by(at, f64::total_cmp);
    (*usual * GAP_FACTOR).max(piece_ms * 3.0).max(GAP_MIN_MS)
}

/// The pieces of the course without a gap inside.
pub fn pieces(points: &[Point], gap_ms: f64) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut first = 0;
    for index in 1..=points.len() {
        if index == points.len() || points[index].at_ms - points[index - 1].at_ms > gap_ms {
            pieces.push(first..index);
            first = index;
        }
    }
    pieces
}

/// What of a piece lies between two times. A line that crosses an end begins or stops there; a switch keeps its value.
pub fn clipped(piece: &[Point], from_ms: f64, to_ms: f64, is_switch: bool) -> Vec<Point> {
    let first = piece.partition_point(|point| point.at_ms < from_ms);
    let end = piece.partition_point(|point| point.at_ms <= to_ms);
    let between = |before: Point, after: Point, at_ms: f64| {
        let share = (at_ms - before.at_ms) / (after.at_ms - before.at_ms).max(f64::MIN_POSITIVE);
        let value =
            if is_switch { before.value } else { before.value + (after.value - before.value) * share };
        Point { at_ms, value }
    };
    let mut inside = Vec::with_capacity(end.saturating_sub(first) + 2);
    if let Some(&before) = first.checked_sub(1).and_then(|index| piece.get(index)) {
        match piece.get(first) {
            Some(&after) => inside.push(between(before, after, from_ms)),
            None if is_switch => inside.push(Point { at_ms: from_ms, ..before }),
            None => {}
        }
    }
    inside.extend_from_slice(piece.get(first..end).unwrap_or_default());
    if let (Some(&before), Some(&after)) =
        (end.checked_sub(1).and_then(|index| piece.get(index)), piece.get(end))
        && before.at_ms >= from_ms
    {
        inside.push(between(before, after, to_ms));
    }
    inside
}

/// The points with the corners of a switch between them.
pub fn stepped(points: &[Point]) -> Vec<Point> {
    let mut stepped = Vec::with_capacity(points.len() * 2);
    for (index, &point) in points.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).and_then(|before| points.get(before)) {
            stepped.push(Point { at_ms: point.at_ms, value: before.value });
        }
        stepped.push(point);
    }
    stepped
}

/// The point of a course that is nearest to a time, among those between two others.
pub fn nearest(course: &[Point], at_ms: f64, from_ms: f64, to_ms: f64) -> Option<Point> {
    let shown = course.iter().filter(|point| (from_ms..=to_ms).contains(&point.at_ms));
    shown.min_by(|one, other| (one.at_ms - at_ms).abs().total_cmp(&(other.at_ms - at_ms).abs())).copied()
}

/// The time of the next point of any of these courses behind a time, or of the one before it, among those between two others.
pub fn step(courses: &[&[Point]], at_ms: f64, is_on: bool, from_ms: f64, to_ms: f64) -> Option<f64> {
    let times = courses.iter().copied().flatten().map(|point| point.at_ms);
    let shown = times.filter(|time| (from_ms..=to_ms).contains(time));
    if is_on {
        shown.filter(|time| *time > at_ms).min_by(f64::total_cmp)
    } else {
        shown.filter(|time| *time < at_ms).max_by(f64::total_cmp)
    }
}

/// The mean over time of pieces without gaps; of single points, their mean.
pub fn mean(pieces: &[Vec<Point>]) -> Option<f64> {
    let (mut area, mut time_ms) = (0.0, 0.0);
    for pair in pieces.iter().flat_map(|piece| piece.windows(2)) {
        let step_ms = pair[1].at_ms - pair[0].at_ms;
        area += f64::midpoint(pair[0].value, pair[1].value) * step_ms;
        time_ms += step_ms;
    }
    if time_ms > 0.0 {
        return Some(area / time_ms);
    }
    let values: Vec<f64> = pieces.iter().flatten().map(|point| point.value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(list: &[(u32, f64)]) -> Vec<Point> {
        list.iter().map(|&(at_ms, value)| Point { at_ms: f64::from(at_ms), value }).collect()
    }

    fn past(asked_ms: f64, list: &[(u32, f64)]) -> Past {
        let points = points(list);
        Past { from_ms: 0.0, to_ms: asked_ms, asked_ms, count: points.len() as u64, points, piece_ms: 0.0 }
    }

    #[test]
    fn the_present_goes_on_behind_the_past_without_a_seam() {
        let past = past(20_000.0, &[(1_000, 1.0), (18_000, 5.0), (18_500, 5.0), (19_000, 5.0)]);
        // The same three messages came 20 ms later than they were written, then two more.
        let heard = points(&[(18_020, 5.0), (18_520, 5.0), (19_020, 5.0), (19_520, 6.0), (20_020, 7.0)]);
        let wanted = points(&[
            (1_000, 1.0),
            (18_000, 5.0),
            (18_500, 5.0),
            (19_000, 5.0),
            (19_520, 6.0),
            (20_020, 7.0),
        ]);
        assert_eq!(join(Some(&past), &heard), wanted);
        // A clock that is behind loses nothing either.
        let early = points(&[(18_980, 5.0), (18_990, 6.0)]);
        assert_eq!(join(Some(&past), &early).last(), Some(&Point { at_ms: 19_000.0, value: 6.0 }));
        assert_eq!(join(None, &heard), heard);
    }

    #[test]
    fn a_retained_message_that_is_given_again_is_no_value_of_that_time() {
        let past = past(20_000.0, &[(1_000, 1.0)]);
        assert_eq!(join(Some(&past), &points(&[(15_000, 1.0)])), past.points);
        // What came since the server wrote may be new.
        assert_eq!(join(Some(&past), &points(&[(15_000, 1.0), (19_000, 2.0)])).len(), 2);
    }

    #[test]
    fn a_pause_far_longer_than_usual_is_a_gap() {
        let mut list: Vec<(u32, f64)> = (0..20).map(|second| (second * 1_000, f64::from(second))).collect();
        list.extend((100..120).map(|second| (second * 1_000, f64::from(second))));
        let course = points(&list);
        let gap = gap_ms(&course, 0.0);
        assert_eq!(gap, 6_000.0);
        assert_eq!(pieces(&course, gap), [0..20, 20..40]);
        // Points that stand for pieces of time may miss two of them.
        assert_eq!(gap_ms(&course, 30_000.0), 90_000.0);
        assert_eq!(gap_ms(&course[..3], 0.0), f64::INFINITY);
        assert_eq!(pieces(&course, f64::INFINITY).first(), Some(&(0..40)));
        assert!(pieces(&[], 1.0).is_empty());
    }

    #[test]
    fn messages_in_pairs_have_no_gaps_between_the_pairs() {
        let list: Vec<(u32, f64)> =
            (0..20).flat_map(|minute| [(minute * 60_000, 1.5), (minute * 60_000 + 5, 2.5)]).collect();
        let course = points(&list);
        assert_eq!(pieces(&course, gap_ms(&course, 0.0)).len(), 1);
    }

    #[test]
    fn a_switch_keeps_its_value_until_the_next() {
        let course =
            points(&[(0, 1.0), (1_000, 0.0), (90_000, 1.0), (91_000, 0.0), (92_000, 1.0), (93_000, 0.0)]);
        assert!(is_switch(&course) && gap_ms(&course, 0.0).is_infinite());
        assert_eq!(clipped(&course, 5_000.0, 6_000.0, true), points(&[(5_000, 0.0)]));
        assert_eq!(clipped(&course, 95_000.0, 96_000.0, true), points(&[(95_000, 0.0)]));
        assert_eq!(stepped(&course[..2]), points(&[(0, 1.0), (1_000, 1.0), (1_000, 0.0)]));
    }

    #[test]
    fn a_time_is_read_at_the_nearest_point_that_is_shown() {
        let course = points(&[(0, 0.0), (10, 1.0), (20, 2.0), (90, 9.0)]);
        assert_eq!(nearest(&course, 14.0, 0.0, 50.0), Some(Point { at_ms: 10.0, value: 1.0 }));
        assert_eq!(nearest(&course, 80.0, 0.0, 50.0), Some(Point { at_ms: 20.0, value: 2.0 }));
        assert_eq!(nearest(&course, 30.0, 30.0, 50.0), None);
        let other = points(&[(15, 5.0)]);
        let courses = [&course[..], &other[..]];
        assert_eq!(step(&courses, 10.0, true, 0.0, 50.0), Some(15.0));
        assert_eq!(step(&courses, 15.0, false, 0.0, 50.0), Some(10.0));
        assert_eq!(step(&courses, 20.0, true, 0.0, 50.0), None);
    }

    #[test]
    fn a_line_begins_and_stops_at_the_ends() {
        let course = points(&[(0, 0.0), (10, 10.0), (20, 20.0), (30, 30.0)]);
        assert_eq!(
            clipped(&course, 5.0, 25.0, false),
            points(&[(5, 5.0), (10, 10.0), (20, 20.0), (25, 25.0)])
        );
        assert_eq!(clipped(&course, -5.0, 99.0, false), course);
        assert!(clipped(&course, 40.0, 50.0, false).is_empty());
        assert_eq!(clipped(&course, 12.0, 13.0, false), points(&[(12, 12.0)]));
        assert_eq!(mean(&[course.clone(), points(&[(50, 15.0), (60, 15.0)])]), Some(15.0));
        assert_eq!(mean(&[points(&[(1, 4.0)]), points(&[(9, 8.0)])]), Some(6.0));
        assert_eq!(mean(&[]), None);
    }
}
