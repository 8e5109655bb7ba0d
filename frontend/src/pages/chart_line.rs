//! One series of a chart: what the server kept of it, what was heard since, and how it is read.

use std::cell::{Cell, Ref, RefCell};

use crate::services::past::{NoPast, Question};
use crate::state::births;
use crate::state::course::{self, Past};
use crate::state::export::ExportSeries;
use crate::state::field_series::FieldSeries;
use crate::state::measure::Measure;
use crate::state::payload;
use crate::state::series::Point;
use crate::state::topics::Topics;
use crate::state::viewport::Viewport;

/// How much more than what is shown is asked for at either side, as a share of it: panning shows it at once.
const MARGIN: f64 = 0.5;

/// Points asked for, at least and at most.
const POINTS_BOUNDS: (f64, f64) = (400.0, 8_000.0);

/// After this time a live chart asks for what the server has written meanwhile, in milliseconds; later as often as the
/// picture moves on by a hundredth, but within a minute.
const REFRESH_MIN_MS: f64 = 5_000.0;
const REFRESH_MAX_MS: f64 = 60_000.0;

/// When the server is asked again after it had nothing to show, in milliseconds.
const RETRY_MS: f64 = 10_000.0;

/// Which series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeriesKey {
    /// The topic.
    pub(super) topic: String,
    /// The JSON pointer; empty: the whole payload.
    pub(super) field: String,
}

/// What is told of a series in text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LineReadout {
    /// Which series.
    pub(super) key: SeriesKey,
    /// The symbol of its unit; empty where none is known.
    pub(super) unit: &'static str,
    /// Digits after the decimal point.
    pub(super) decimals: usize,
    /// The newest value of all.
    pub(super) latest: Option<f64>,
    /// Whether the topic's value is up to date.
    pub(super) is_live: bool,
    /// The lowest and the highest value that are shown.
    pub(super) low_high: Option<(f64, f64)>,
    /// The mean over time of what is shown.
    pub(super) mean: Option<f64>,
    /// Points that are shown.
    pub(super) points: usize,
    /// Values that they stand for, where the server says.
    pub(super) values: Option<u64>,
    /// Times without values among them, and the longest in milliseconds.
    pub(super) gaps: (usize, f64),
    /// Why there is no past; `None`: there is, or it is under way.
    pub(super) no_past: Option<NoPast>,
}

/// Pieces of a course, and the gaps between them from time to time.
type Drawn = (Vec<Vec<Point>>, Vec<(f64, f64)>);

/// The series.
pub(super) struct Line {
    key: SeriesKey,
    measure: Option<Measure>,
    decimals: Cell<usize>,
    field: RefCell<FieldSeries>,
    past: RefCell<Option<Past>>,
    no_past: Cell<Option<NoPast>>,
    is_asking: Cell<bool>,
    answered_ms: Cell<f64>,
    answers: Cell<u32>,
    /// Past and present, joined.
    course: RefCell<Vec<Point>>,
    /// What they were joined of.
    joined: Cell<Option<Sources>>,
}

/// What a course is made of: as long as it is the same, so is the course.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sources {
    /// Of the topic: how many messages came, and when the last one did.
    heard: Option<(u64, f64)>,
    answers: u32,
    ahead_ms: f64,
}

impl Line {
    pub(super) fn new(key: &SeriesKey) -> Self {
        let path = if key.field.is_empty() { &key.topic } else { &key.field };
        Self {
            key: key.clone(),
            measure: Measure::of_level(path.rsplit('/').next().unwrap_or_default()),
            decimals: Cell::new(0),
            field: RefCell::default(),
            past: RefCell::default(),
            no_past: Cell::new(None),
            is_asking: Cell::new(false),
            answered_ms: Cell::new(f64::MIN),
            answers: Cell::new(0),
            course: RefCell::default(),
            joined: Cell::default(),
        }
    }

    pub(super) fn unit(&self) -> &'static str {
        self.measure.map_or("", Measure::unit)
    }

    /// What its scale reaches over at least, in its unit.
    pub(super) fn least_span(&self) -> f64 {
        self.measure.map_or(0.0, Measure::least_span)
    }

    /// Whether the server's answer is there, whatever it is.
    pub(super) fn has_past(&self) -> bool {
        self.past.borrow().is_some() || self.no_past.get().is_some()
    }

    /// What it is called on a picture.
    pub(super) fn caption(&self) -> String {
        let unit = if self.unit().is_empty() { String::new() } else { format!(" [{}]", self.unit()) };
        format!("{} {}{unit}", self.key.topic, self.key.field)
    }

    /// Takes in what was heard, and tells whether there was something new; the page's clock is so far behind the broker's.
    pub(super) fn gather(&self, topics: &Topics, ahead_ms: f64) -> bool {
        let topic = topics.find(&self.key.topic).map(|id| topics.topic(id));
        let heard = topic.map(|topic| (topic.count(), topic.at_ms()));
        let sources = Some(Sources { heard, answers: self.answers.get(), ahead_ms });
        if self.joined.replace(sources) == sources {
            return false;
        }
        let mut field = self.field.borrow_mut();
        let series = topic.map(|topic| match topic.series() {
            Some(series) if self.key.field.is_empty() => {
                self.decimals.set(self.decimals.get().max(payload::decimals(topic.payload()).min(6)));
                series
            }
            Some(_) | None => field.follow(topic, &self.key.field, &births::of(topics, topic.name())),
        });
        let heard: Vec<Point> = series
            .map(|series| {
                series.iter().map(|point| Point { at_ms: point.at_ms + ahead_ms, ..point }).collect()
            })
            .unwrap_or_default();
        let course = course::join(self.past.borrow().as_ref(), &heard);
        self.decimals
            .set(course.iter().map(|point| decimals(point.value)).fold(self.decimals.get(), usize::max));
        self.course.replace(course);
        true
    }

    /// What of it lies between two times.
    pub(super) fn drawn(&self, from_ms: f64, to_ms: f64) -> Drawn {
        let course = self.course.borrow();
        let piece_ms = self.past.borrow().as_ref().map_or(0.0, |past| past.piece_ms);
        let gap_ms = course::gap_ms(&course, piece_ms);
        let is_switch = course::is_switch(&course);
        let pieces = course::pieces(&course, gap_ms);
        let gaps = pieces
            .windows(2)
            .filter_map(|pair| Some((course.get(pair[0].end - 1)?.at_ms, course.get(pair[1].start)?.at_ms)))
            .filter(|&(gap_from, gap_to)| gap_to > from_ms && gap_from < to_ms)
            .collect();
        let drawn = pieces
            .into_iter()
            .filter_map(|piece| course.get(piece))
            .map(|piece| course::clipped(piece, from_ms, to_ms, is_switch))
            .filter(|piece| !piece.is_empty())
            .map(|piece| if is_switch { course::stepped(&piece) } else { piece })
            .collect();
        (drawn, gaps)
    }

    pub(super) fn readout(&self, topics: &Topics, from_ms: f64, to_ms: f64) -> LineReadout {
        let (pieces, gaps) = self.drawn(from_ms, to_ms);
        let low_high = pieces
            .iter()
            .flatten()
            .map(|point| (point.value, point.value))
            .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)));
        let course = self.course.borrow();
        let shown = course.iter().filter(|point| (from_ms..=to_ms).contains(&point.at_ms)).count();
        let past = self.past.borrow();
        LineReadout {
            key: self.key.clone(),
            unit: self.unit(),
            decimals: self.decimals.get(),
            latest: course.last().map(|point| point.value),
            is_live: topics.find(&self.key.topic).is_some_and(|id| topics.is_live(id)),
            low_high,
            mean: course::mean(&pieces),
            points: shown,
            values: past.as_ref().filter(|past| past.is_folded()).map(|past| past.count),
            gaps: (gaps.len(), gaps.iter().map(|(from, to)| to - from).fold(0.0, f64::max)),
            no_past: self.no_past.get(),
        }
    }

    /// The shown point that is nearest to a time.
    pub(super) fn nearest(&self, at_ms: f64, from_ms: f64, to_ms: f64) -> Option<Point> {
        course::nearest(&self.course.borrow(), at_ms, from_ms, to_ms)
    }

    /// Past and present, joined.
    pub(super) fn course(&self) -> Ref<'_, Vec<Point>> {
        self.course.borrow()
    }

    pub(super) fn export(&self, from_ms: f64, to_ms: f64) -> ExportSeries {
        let course = self.course.borrow();
        ExportSeries {
            topic: self.key.topic.clone(),
            field: self.key.field.clone(),
            unit: self.unit().to_owned(),
            points: course.iter().filter(|it| (from_ms..=to_ms).contains(&it.at_ms)).copied().collect(),
        }
    }

    /// What the server is to be asked now, if anything; the answer must be handed back.
    pub(super) fn poll_question(&self, viewport: Viewport, now_ms: f64, width: f64) -> Option<Question> {
        if self.is_asking.get() {
            return None;
        }
        let (from_ms, to_ms) = viewport.range(now_ms);
        let span_ms = to_ms - from_ms;
        let since_ms = now_ms - self.answered_ms.get();
        let is_wanted = match (&*self.past.borrow(), self.no_past.get()) {
            (_, Some(_)) => since_ms >= RETRY_MS,
            (None, None) => true,
            (Some(past), None) => {
                let is_inside =
                    past.from_ms <= from_ms.max(0.0) && (viewport.is_live() || to_ms <= past.to_ms);
                let piece_ms = span_ms * (1.0 + 2.0 * MARGIN) / (points(width) / 4.0);
                let is_coarse = past.is_folded() && past.piece_ms > piece_ms * 2.0;
                // The second answer is the first that knows what was given again when the page was opened.
                let refresh_ms = match self.answers.get() {
                    1 => REFRESH_MIN_MS,
                    _ => (span_ms / 100.0).clamp(REFRESH_MIN_MS, REFRESH_MAX_MS),
                };
                let is_old = viewport.is_live() && since_ms >= refresh_ms;
                !is_inside || is_coarse || is_old
            }
        };
        is_wanted.then(|| {
            self.is_asking.set(true);
            let end_ms = to_ms + span_ms * MARGIN;
            Question {
                topic: self.key.topic.clone(),
                field: self.key.field.clone(),
                from_ms: (from_ms - span_ms * MARGIN).max(0.0),
                to_ms: (end_ms < now_ms).then_some(end_ms),
                points: points(width) as u32,
                is_known: self.past.borrow().is_some(),
            }
        })
    }

    /// Takes the answer.
    pub(super) fn handle_answer(&self, answer: Result<Past, NoPast>, now_ms: f64) {
        self.is_asking.set(false);
        self.answered_ms.set(now_ms);
        self.answers.set(self.answers.get().saturating_add(1));
        match answer {
            Ok(past) => {
                self.no_past.set(None);
                self.past.replace(Some(past));
            }
            // What was known of another part of time stays, but it is told that this one is not there.
            Err(why) => self.no_past.set(Some(why)),
        }
    }
}

/// Points for a chart of so many CSS pixels: the extremes of about each pixel.
fn points(width: f64) -> f64 {
    let (least, most) = POINTS_BOUNDS;
    (width * 4.0 * (1.0 + 2.0 * MARGIN) / 1.5).round().clamp(least, most)
}

/// Digits after the decimal point that a value needs, three at most: what a floating-point number has behind them is
/// mostly the format's and not the device's.
fn decimals(value: f64) -> usize {
    let is_enough = |scale: f64| (value * scale - (value * scale).round()).abs() < 1e-6 * scale;
    [1.0, 10.0, 100.0].into_iter().position(is_enough).unwrap_or(3)
}
