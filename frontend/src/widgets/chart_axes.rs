//! The scales beside a chart's lines and the times below them, with their labels.

use std::cell::Cell;
use std::ops::Range;

use js_sys::Date;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::Ranged;
use web_sys::CanvasRenderingContext2d;

use super::line_chart::{PictureLine, Plot};
use crate::services::locale::Locale;
use crate::state::ticks::{DAY_MS, MINUTE_MS, Scale, TimeTicks, time_ticks};

/// The size of labels, in CSS pixels.
const LABEL_SIZE: f64 = 12.0;

/// Between a scale's labels and the lines, in CSS pixels.
const SIDE_GAP: f64 = 6.0;

/// Between two times at least, in CSS pixels.
const TIME_GAP: f64 = 10.0;

/// From the lowest line down to the middle of the times, in CSS pixels.
const TIME_DROP: f64 = 17.0;

/// From the highest line up to the middle of the unit, in CSS pixels.
const UNIT_RISE: f64 = 19.0;

/// The room that the times take below the lines, in CSS pixels.
pub(super) const BELOW: f64 = 26.0;

/// The room that a unit takes above the lines; without one the highest label needs some too.
pub(super) const ABOVE_WITH_UNIT: f64 = 28.0;
pub(super) const ABOVE: f64 = 10.0;

/// How long a part of time on how many pixels, in which language, has times how far apart, in milliseconds.
type Chosen = ((f64, f64, &'static str), f64);

thread_local! {
    /// What was chosen last: to try distances takes hundreds of labels, and a chart that follows the present moves all the time.
    static CHOSEN: Cell<Option<Chosen>> = const { Cell::new(None) };
}

/// An axis with its lines where we want them.
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    pub(super) lines: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let span = self.range.end - self.range.start;
        let share = if span > 0.0 { (value - self.range.start) / span } else { 0.5 };
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.lines.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// A scale for the lines of some units.
pub(super) struct Side {
    units: Vec<String>,
    pub(super) scale: Scale,
}

impl Side {
    /// The scale of the first line's unit at the left; that of all others at the right.
    pub(super) fn of(lines: &[PictureLine]) -> (Self, Option<Self>) {
        let first = lines.first().map(|line| line.unit.clone()).unwrap_or_default();
        let bounds = |is_left: bool| bounds(lines.iter().filter(|line| (line.unit == first) == is_left));
        let (low, high) = bounds(true).unwrap_or((0.0, 1.0));
        let left = Self { scale: Scale::around(low, high, 5), units: vec![first.clone()] };
        let mut units: Vec<String> = Vec::new();
        for line in lines.iter().filter(|line| line.unit != first) {
            if !units.contains(&line.unit) {
                units.push(line.unit.clone());
            }
        }
        let steps = left.scale.steps();
        let right = (!units.is_empty()).then(|| {
            let (low, high) = bounds(false).unwrap_or((0.0, 1.0));
            Self { scale: Scale::with_steps(low, high, steps), units }
        });
        (left, right)
    }

    /// Whether a line of this unit is measured by it.
    pub(super) fn has(&self, unit: &str) -> bool {
        self.units.iter().any(|own| own == unit)
    }

    /// The unit of all its lines, if they have one.
    pub(super) fn unit(&self) -> Option<&str> {
        match self.units.as_slice() {
            [unit] if !unit.is_empty() => Some(unit),
            _ => None,
        }
    }
}

/// At which side of a place a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Before,
    Over,
    Behind,
}

/// Writes on the canvas; places in CSS pixels from its upper left corner.
pub(super) struct Pen<'a> {
    context: &'a CanvasRenderingContext2d,
    ratio: f64,
    locale: &'a Locale,
}

impl<'a> Pen<'a> {
    /// A pen of one colour.
    pub(super) fn new(
        context: &'a CanvasRenderingContext2d,
        ratio: f64,
        locale: &'a Locale,
        colour: &str,
    ) -> Self {
        context.set_font(&format!("{}px system-ui", LABEL_SIZE * ratio));
        context.set_fill_style_str(colour);
        context.set_text_baseline("middle");
        Self { context, ratio, locale }
    }

    /// Without a context that takes text there are no labels; the numbers stand beside the chart.
    fn write(&self, text: &str, x: f64, y: f64, stand: Stand) {
        self.context.set_text_align(match stand {
            Stand::Before => "right",
            Stand::Over => "center",
            Stand::Behind => "left",
        });
        let _ = self.context.fill_text(text, x * self.ratio, y * self.ratio);
    }

    fn width(&self, text: &str) -> f64 {
        self.context.measure_text(text).map_or(0.0, |measured| measured.width() / self.ratio)
    }

    fn label(&self, side: &Side, value: f64) -> String {
        self.locale.number(value, side.scale.decimals())
    }

    /// The width that a scale takes: that of its widest number.
    pub(super) fn side_width(&self, side: &Side) -> f64 {
        let widths = side.scale.lines().into_iter().map(|line| self.width(&self.label(side, line)));
        widths.fold(0.0, f64::max).ceil() + SIDE_GAP
    }

    /// Labels a scale at the left or the right of the lines; its unit stands once, above.
    pub(super) fn label_side(&self, side: &Side, plot: Plot, is_left: bool) {
        let (x, stand) = if is_left {
            (plot.left - SIDE_GAP, Stand::Before)
        } else {
            (plot.left + plot.width + SIDE_GAP, Stand::Behind)
        };
        for line in side.scale.lines() {
            let y = plot.top + plot.height * (1.0 - side.scale.share(line));
            self.write(&self.label(side, line), x, y, stand);
        }
        let Some(unit) = side.unit() else { return };
        let y = plot.top - UNIT_RISE;
        let (width, right) = (self.width(unit), plot.left + plot.width);
        // A unit that is wider than its numbers stands above the lines rather than beyond the edge.
        match is_left {
            true if width > x => self.write(unit, 0.0, y, Stand::Behind),
            true => self.write(unit, x, y, Stand::Before),
            false if width > self.side_width(side) - SIDE_GAP => self.write(unit, right, y, Stand::Before),
            false => self.write(unit, x, y, Stand::Behind),
        }
    }

    /// Labels the times below the lines, as close together as they stay apart.
    pub(super) fn label_times(&self, from_ms: f64, to_ms: f64, plot: Plot) {
        let offset_ms = -Date::new(&to_ms.into()).get_timezone_offset() * MINUTE_MS;
        let px_of_ms = plot.width / (to_ms - from_ms);
        let asked = ((to_ms - from_ms).round(), plot.width, self.locale.catalogue().tag);
        let ticks = match CHOSEN.get() {
            Some((of, step_ms)) if of == asked => TimeTicks::every(step_ms, from_ms, to_ms, offset_ms),
            Some(_) | None => {
                let ticks = time_ticks(from_ms, to_ms, offset_ms, |ticks| {
                    let widths = ticks.at_ms.iter().map(|&at_ms| self.width(&self.time(ticks, at_ms)));
                    widths.fold(0.0, f64::max) + TIME_GAP <= ticks.step_ms * px_of_ms
                });
                CHOSEN.set(Some((asked, ticks.step_ms)));
                ticks
            }
        };
        for &at_ms in &ticks.at_ms {
            let (label, x) = (self.time(&ticks, at_ms), plot.left + (at_ms - from_ms) * px_of_ms);
            let half = self.width(&label) / 2.0;
            // One that the edge would cut is left out; its neighbours stand.
            if x >= half && x + half <= plot.left + plot.width + plot.right {
                self.write(&label, x, plot.top + plot.height + TIME_DROP, Stand::Over);
            }
        }
    }

    /// A time as exact as its distance to the next one needs it; where a day begins, which one.
    fn time(&self, ticks: &TimeTicks, at_ms: f64) -> String {
        let date = Date::new(&at_ms.into());
        let is_midnight = (date.get_hours(), date.get_minutes(), date.get_seconds()) == (0, 0, 0);
        match ticks.step_ms {
            step if step >= DAY_MS || is_midnight => self.locale.day(at_ms),
            step if step < MINUTE_MS => self.locale.clock_seconds(at_ms),
            _ => self.locale.clock(at_ms),
        }
    }
}

/// The lowest and the highest value of lines; each line reaches over its smallest span at least.
fn bounds<'a>(lines: impl Iterator<Item = &'a PictureLine>) -> Option<(f64, f64)> {
    let widest = |(low, high): (f64, f64), (other_low, other_high): (f64, f64)| {
        (low.min(other_low), high.max(other_high))
    };
    let bounds = lines.filter_map(|line| {
        let values = line.pieces.iter().flatten().map(|point| (point.value, point.value));
        let (low, high) = values.reduce(widest)?;
        let room = ((line.least_span - (high - low)) / 2.0).max(0.0);
        // Most that is measured never falls below zero.
        let bottom = if low < 0.0 { low - room } else { (low - room).max(0.0) };
        Some((bottom, high.max(bottom + line.least_span)))
    });
    bounds.reduce(widest)
}
