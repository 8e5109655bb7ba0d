//! Lines over time on a canvas, drawn by plotters in the colours of the page.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters_canvas::CanvasBackend;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, CssStyleDeclaration, HtmlCanvasElement};

use crate::services::locale::Locale;
use crate::state::colour::parse_hex;
use crate::state::series::{Point, Series};
use crate::state::ticks::{Scale, time_ticks};

/// How wide a character of a label is, in CSS pixels: digits and separators of a system font at this size.
const CHAR_WIDTH: f64 = 7.4;

/// The size of labels, in CSS pixels.
const LABEL_SIZE: f64 = 12.5;

/// The colours of lines by their place.
const COLOURS: [&str; 6] =
    ["--chart-line", "--tint-cool", "--tint-green", "--tint-bright", "--tint-plain", "--bad"];

/// The dashes of lines by their place, in CSS pixels: who does not see colours tells lines apart by them.
pub const DASHES: [&[f64]; 6] =
    [&[], &[8.0, 4.0], &[2.0, 3.0], &[10.0, 3.0, 2.0, 3.0], &[14.0, 6.0], &[4.0, 4.0]];

/// Lines that can be told apart.
pub const LINES_MAX: usize = COLOURS.len();

/// A line of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureLine {
    /// Its place, which has a colour and a dash; below [`LINES_MAX`].
    pub place: usize,
    /// The symbol of its unit; lines of one unit share a scale.
    pub unit: String,
    /// Points without gaps between them, inside the shown part of time.
    pub pieces: Vec<Vec<Point>>,
    /// Where it has a gap, in milliseconds since 1970.
    pub gaps: Vec<(f64, f64)>,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The left end, in milliseconds since 1970.
    pub from_ms: f64,
    /// The right end.
    pub to_ms: f64,
    /// The lines.
    pub lines: Vec<PictureLine>,
    /// Stands above the chart, a line each with the name of a line; empty on the page, where a legend is beside it.
    pub captions: Vec<String>,
    /// What is being chosen by dragging, as shares of the width.
    pub selection: Option<(f64, f64)>,
    /// Where values are read, if somewhere.
    pub cursor: Option<PictureCursor>,
}

/// Where values are read.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureCursor {
    /// The time, in milliseconds since 1970.
    pub at_ms: f64,
    /// The points that are read, one of each line at most.
    pub points: Vec<Option<Point>>,
}

/// Where the lines are on the canvas, in CSS pixels from its left edge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plot {
    /// The left end.
    pub left: f64,
    /// The width.
    pub width: f64,
}

/// A size in CSS pixels, and how many pixels of the canvas one has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CanvasSize {
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
    /// Pixels of the canvas in one of CSS.
    pub ratio: f64,
}

/// Draws a picture onto a canvas; `None` where the canvas is too small or has lost its context.
pub fn paint(
    canvas: &HtmlCanvasElement,
    size: CanvasSize,
    style: &CssStyleDeclaration,
    picture: &Picture,
    locale: &Locale,
) -> Option<Plot> {
    if size.width < 40.0 || size.height < 40.0 {
        return None;
    }
    let (width, height) =
        ((size.width * size.ratio).round() as u32, (size.height * size.ratio).round() as u32);
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d").ok()??.dyn_into::<CanvasRenderingContext2d>().ok()?;
    let backend = CanvasBackend::with_canvas_object(canvas.clone())?;
    let sketch = Sketch { picture, size, palette: Palette::of(style), locale, context };
    sketch.draw(&backend.into_drawing_area()).ok()
}

/// An axis with its lines where we want them.
struct Axis {
    range: Range<f64>,
    lines: Vec<f64>,
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

struct Palette {
    lines: [RGBColor; LINES_MAX],
    grid: RGBColor,
    label: RGBColor,
    ground: RGBColor,
}

impl Palette {
    fn of(style: &CssStyleDeclaration) -> Self {
        let colour = |name: &str| {
            let value = style.get_property_value(name).unwrap_or_default();
            let (r, g, b) = parse_hex(&value).unwrap_or((128, 128, 128));
            RGBColor(r, g, b)
        };
        Self {
            lines: COLOURS.map(colour),
            grid: colour("--chart-grid"),
            label: colour("--chart-label"),
            ground: colour("--surface"),
        }
    }
}

/// A scale for the lines of some units.
struct Side {
    units: Vec<String>,
    scale: Scale,
}

impl Side {
    fn label(&self, locale: &Locale, line: f64) -> String {
        let number = locale.number(line, self.scale.decimals());
        match self.units.as_slice() {
            [unit] if !unit.is_empty() => format!("{number}\u{202f}{unit}"),
            _ => number,
        }
    }

    fn label_width(&self, locale: &Locale) -> f64 {
        let longest = [self.scale.low, self.scale.high].map(|line| self.label(locale, line).chars().count());
        longest.into_iter().max().unwrap_or_default() as f64 * CHAR_WIDTH + 12.0
    }
}

struct Sketch<'a> {
    picture: &'a Picture,
    size: CanvasSize,
    palette: Palette,
    locale: &'a Locale,
    context: CanvasRenderingContext2d,
}

type DrawError = DrawingAreaErrorKind<<CanvasBackend as DrawingBackend>::ErrorType>;

impl Sketch<'_> {
    fn pixels(&self, css: f64) -> u32 {
        (css * self.size.ratio).round() as u32
    }

    /// The scale of the first unit at the left; that of all others at the right.
    fn sides(&self) -> (Side, Option<Side>) {
        let lines = &self.picture.lines;
        let first = lines.first().map(|line| line.unit.clone()).unwrap_or_default();
        let bounds = |is_left: bool| bounds(lines.iter().filter(|line| (line.unit == first) == is_left));
        let (low, high) = bounds(true).unwrap_or((0.0, 1.0));
        let left = Side { scale: Scale::around(low, high, 5), units: vec![first.clone()] };
        let mut units: Vec<String> = Vec::new();
        for line in lines.iter().filter(|line| line.unit != first) {
            if !units.contains(&line.unit) {
                units.push(line.unit.clone());
            }
        }
        let steps = left.scale.steps();
        let right = (!units.is_empty()).then(|| {
            let (low, high) = bounds(false).unwrap_or((0.0, 1.0));
            Side { scale: Scale::with_steps(low, high, steps), units }
        });
        (left, right)
    }

    fn draw(&self, area: &DrawingArea<CanvasBackend, Shift>) -> Result<Plot, DrawError> {
        let picture = self.picture;
        area.fill(&self.palette.ground)?;
        let (left, right) = self.sides();
        let longest = time_label(self.locale, picture, picture.to_ms).chars().count() as f64;
        let columns = ((self.size.width / (longest * CHAR_WIDTH + 28.0)) as usize).clamp(2, 10);
        let offset_ms = -js_sys::Date::new(&picture.to_ms.into()).get_timezone_offset() * 60_000.0;
        // A label at the left end would lie on the lowest one of the other axis.
        let first_ms = picture.from_ms
            + (picture.to_ms - picture.from_ms) * (longest * CHAR_WIDTH / 2.0 / self.size.width);
        let mut lines = time_ticks(picture.from_ms, picture.to_ms, columns, offset_ms);
        lines.retain(|tick| *tick >= first_ms);
        let time = Axis { range: picture.from_ms..picture.to_ms, lines };
        // All lines are drawn by their share of the height, each by its own scale.
        let value = Axis {
            range: 0.0..1.0,
            lines: left.scale.lines().into_iter().map(|line| left.scale.share(line)).collect(),
        };
        let right_width =
            right.as_ref().map_or(longest * CHAR_WIDTH / 2.0, |side| side.label_width(self.locale));
        let top = 14.0 + picture.captions.len() as f64 * 20.0;
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.pixels(top))
            .margin_right(self.pixels(right_width))
            .x_label_area_size(self.pixels(30.0))
            .y_label_area_size(self.pixels(left.label_width(self.locale)))
            .build_cartesian_2d(time, value)?;
        let (across, down) = chart.plotting_area().get_pixel_range();
        let plot = Plot {
            left: f64::from(across.start) / self.size.ratio,
            width: f64::from(across.end - across.start) / self.size.ratio,
        };
        self.draw_gaps(plot, &down);
        let font = ("system-ui", f64::from(self.pixels(LABEL_SIZE))).into_font().color(&self.palette.label);
        let unscaled = |share: f64| left.scale.low + share * (left.scale.high - left.scale.low);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(self.palette.grid.stroke_width(self.pixels(1.0)))
            .axis_style(TRANSPARENT)
            .set_all_tick_mark_size(0)
            .label_style(font)
            .x_label_formatter(&|at_ms| time_label(self.locale, picture, *at_ms))
            .y_label_formatter(&|share| left.label(self.locale, unscaled(*share)))
            .draw()?;
        for line in &picture.lines {
            let side = right.as_ref().filter(|_| line.unit != left.units[0]).unwrap_or(&left);
            let colour = self.palette.lines[line.place % LINES_MAX];
            for piece in &line.pieces {
                let points = Series::thinned(piece, (self.size.width * 2.0) as usize);
                let course = || points.iter().map(|point| (point.at_ms, side.scale.share(point.value)));
                if picture.lines.len() == 1 {
                    chart.draw_series(AreaSeries::new(course(), 0.0, colour.mix(0.12)))?;
                }
                self.set_dash(DASHES[line.place % LINES_MAX]);
                chart.draw_series(LineSeries::new(course(), colour.stroke_width(self.pixels(2.0))))?;
                self.set_dash(&[]);
                if let [point] = piece.as_slice() {
                    let at = (point.at_ms, side.scale.share(point.value));
                    chart.draw_series(std::iter::once(Circle::new(at, self.pixels(2.5), colour.filled())))?;
                }
            }
        }
        self.draw_cursor(plot, &down, &left, right.as_ref());
        if let Some(side) = &right {
            self.label_right(side, plot, &down);
        }
        self.draw_captions();
        self.draw_selection(plot, &down);
        area.present()?;
        Ok(plot)
    }

    fn set_dash(&self, dashes: &[f64]) {
        let dashes: js_sys::Array =
            dashes.iter().map(|css| JsValue::from_f64(css * self.size.ratio)).collect();
        // Refused only for what is no number.
        let _ = self.context.set_line_dash(&dashes);
    }

    /// Shades the time that a single line knows nothing of.
    fn draw_gaps(&self, plot: Plot, down: &Range<i32>) {
        let [line] = self.picture.lines.as_slice() else { return };
        let share = |at_ms: f64| {
            ((at_ms - self.picture.from_ms) / (self.picture.to_ms - self.picture.from_ms)).clamp(0.0, 1.0)
        };
        self.context.set_fill_style_str(&css_colour(self.palette.grid, 0.45));
        for &(from_ms, to_ms) in &line.gaps {
            self.fill_share(plot, down, share(from_ms), share(to_ms));
        }
    }

    fn draw_selection(&self, plot: Plot, down: &Range<i32>) {
        if let Some((one, other)) = self.picture.selection {
            self.context.set_fill_style_str(&css_colour(self.palette.lines[0], 0.18));
            self.fill_share(plot, down, one.min(other), one.max(other));
        }
    }

    /// A thin line down where values are read, and a dot on each point that is read.
    fn draw_cursor(&self, plot: Plot, down: &Range<i32>, left: &Side, right: Option<&Side>) {
        let Some(cursor) = &self.picture.cursor else { return };
        let (context, ratio) = (&self.context, self.size.ratio);
        let span_ms = self.picture.to_ms - self.picture.from_ms;
        let across = |at_ms: f64| (plot.left + plot.width * (at_ms - self.picture.from_ms) / span_ms) * ratio;
        let height = f64::from(down.end - down.start);
        context.set_fill_style_str(&css_colour(self.palette.label, 0.6));
        context.fill_rect(across(cursor.at_ms), f64::from(down.start), ratio, height);
        for (line, point) in self.picture.lines.iter().zip(&cursor.points) {
            let Some(point) = point else { continue };
            let side = right.filter(|_| line.unit != left.units[0]).unwrap_or(left);
            let y = f64::from(down.end) - side.scale.share(point.value) * height;
            context.set_fill_style_str(&css_colour(self.palette.lines[line.place % LINES_MAX], 1.0));
            context.begin_path();
            // Refused only for a radius below zero.
            let _ = context.arc(across(point.at_ms), y, 4.5 * ratio, 0.0, std::f64::consts::TAU);
            context.fill();
        }
    }

    fn fill_share(&self, plot: Plot, down: &Range<i32>, from: f64, to: f64) {
        let ratio = self.size.ratio;
        let (left, width) = ((plot.left + plot.width * from) * ratio, plot.width * (to - from) * ratio);
        self.context.fill_rect(left, f64::from(down.start), width, f64::from(down.end - down.start));
    }

    fn label_right(&self, side: &Side, plot: Plot, down: &Range<i32>) {
        let context = &self.context;
        context.set_font(&format!("{}px system-ui", self.pixels(LABEL_SIZE)));
        context.set_fill_style_str(&css_colour(self.palette.label, 1.0));
        context.set_text_align("left");
        context.set_text_baseline("middle");
        let x = (plot.left + plot.width + 8.0) * self.size.ratio;
        for line in side.scale.lines() {
            let y = f64::from(down.end) - side.scale.share(line) * f64::from(down.end - down.start);
            // Without a context that takes text there are no labels; the numbers stand beside the chart.
            let _ = context.fill_text(&side.label(self.locale, line), x, y);
        }
    }

    fn draw_captions(&self) {
        let context = &self.context;
        context.set_font(&format!("600 {}px system-ui", self.pixels(13.5)));
        context.set_text_align("left");
        context.set_text_baseline("middle");
        for (index, (caption, line)) in self.picture.captions.iter().zip(&self.picture.lines).enumerate() {
            let y = f64::from(self.pixels(16.0 + index as f64 * 20.0));
            let colour = css_colour(self.palette.lines[line.place % LINES_MAX], 1.0);
            context.set_stroke_style_str(&colour);
            context.set_line_width(f64::from(self.pixels(2.0)));
            self.set_dash(DASHES[line.place % LINES_MAX]);
            context.begin_path();
            context.move_to(f64::from(self.pixels(12.0)), y);
            context.line_to(f64::from(self.pixels(44.0)), y);
            context.stroke();
            self.set_dash(&[]);
            context.set_fill_style_str(&css_colour(self.palette.label, 1.0));
            let _ = context.fill_text(caption, f64::from(self.pixels(52.0)), y);
        }
    }
}

fn css_colour(colour: RGBColor, opacity: f64) -> String {
    format!("rgba({}, {}, {}, {opacity})", colour.0, colour.1, colour.2)
}

/// A time on the axis, as exact as the shown part of time needs it.
fn time_label(locale: &Locale, picture: &Picture, at_ms: f64) -> String {
    let span_ms = picture.to_ms - picture.from_ms;
    match span_ms {
        span if span <= 900e3 => locale.clock_seconds(at_ms),
        span if span <= 100_000e3 => locale.clock(at_ms),
        span if span <= 4.0 * 86_400e3 => locale.day_clock(at_ms),
        _ => locale.day(at_ms),
    }
}

fn bounds<'a>(lines: impl Iterator<Item = &'a PictureLine>) -> Option<(f64, f64)> {
    lines
        .flat_map(|line| line.pieces.iter().flatten())
        .map(|point| (point.value, point.value))
        .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
}
