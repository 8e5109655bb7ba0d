//! Lines over time on a canvas, drawn by plotters in the colours of the page.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters_canvas::CanvasBackend;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, CssStyleDeclaration, HtmlCanvasElement};

use super::chart_axes::{ABOVE, ABOVE_WITH_UNIT, Axis, BELOW, Pen, Side};
use crate::services::locale::Locale;
use crate::state::colour::parse_hex;
use crate::state::series::{Point, Series};

/// What is free at the right of the lines where no scale stands, in CSS pixels.
const RIGHT_MARGIN: f64 = 8.0;

/// The height of a caption, in CSS pixels.
const CAPTION_HEIGHT: f64 = 20.0;

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
    /// Its scale reaches over so much at least, so that the noise of a sensor is no drama; 0: over what its values do.
    pub least_span: f64,
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
    /// What is free at its right.
    pub right: f64,
    /// The upper end, from the canvas's.
    pub top: f64,
    /// The height.
    pub height: f64,
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

    fn draw(&self, area: &DrawingArea<CanvasBackend, Shift>) -> Result<Plot, DrawError> {
        let picture = self.picture;
        area.fill(&self.palette.ground)?;
        let (left, right) = Side::of(&picture.lines);
        let pen = self.pen();
        let has_unit = left.unit().or(right.as_ref().and_then(Side::unit)).is_some();
        let above = if has_unit { ABOVE_WITH_UNIT } else { ABOVE };
        let right_width = right.as_ref().map_or(RIGHT_MARGIN, |side| pen.side_width(side));
        // All lines are drawn by their share of the height, each by its own scale.
        let value = Axis {
            range: 0.0..1.0,
            lines: left.scale.lines().into_iter().map(|line| left.scale.share(line)).collect(),
        };
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.pixels(above + picture.captions.len() as f64 * CAPTION_HEIGHT))
            .margin_right(self.pixels(right_width))
            .margin_bottom(self.pixels(BELOW))
            .margin_left(self.pixels(pen.side_width(&left)))
            .build_cartesian_2d(Axis { range: picture.from_ms..picture.to_ms, lines: Vec::new() }, value)?;
        let (across, down) = chart.plotting_area().get_pixel_range();
        let css = |pixels: i32| f64::from(pixels) / self.size.ratio;
        let plot = Plot {
            left: css(across.start),
            width: css(across.end - across.start),
            right: right_width,
            top: css(down.start),
            height: css(down.end - down.start),
        };
        self.draw_gaps(plot);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_axes()
            .light_line_style(TRANSPARENT)
            .bold_line_style(self.palette.grid.stroke_width(self.pixels(1.0)))
            .draw()?;
        self.draw_lines(&mut chart, &left, right.as_ref())?;
        self.draw_cursor(plot, &left, right.as_ref());
        let pen = self.pen();
        pen.label_side(&left, plot, true);
        if let Some(side) = &right {
            pen.label_side(side, plot, false);
        }
        pen.label_times(picture.from_ms, picture.to_ms, plot);
        self.draw_captions();
        self.draw_selection(plot);
        area.present()?;
        Ok(plot)
    }

    fn pen(&self) -> Pen<'_> {
        Pen::new(&self.context, self.size.ratio, self.locale, &css_colour(self.palette.label, 1.0))
    }

    fn draw_lines(
        &self,
        chart: &mut ChartContext<'_, CanvasBackend, Cartesian2d<Axis, Axis>>,
        left: &Side,
        right: Option<&Side>,
    ) -> Result<(), DrawError> {
        for line in &self.picture.lines {
            let side = side_of(line, left, right);
            let colour = self.palette.lines[line.place % LINES_MAX];
            for piece in &line.pieces {
                let points = Series::thinned(piece, (self.size.width * 2.0) as usize);
                let course = || points.iter().map(|point| (point.at_ms, side.scale.share(point.value)));
                if self.picture.lines.len() == 1 {
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
        Ok(())
    }

    fn set_dash(&self, dashes: &[f64]) {
        let dashes: js_sys::Array =
            dashes.iter().map(|css| JsValue::from_f64(css * self.size.ratio)).collect();
        // Refused only for what is no number.
        let _ = self.context.set_line_dash(&dashes);
    }

    /// Shades the time that a single line knows nothing of.
    fn draw_gaps(&self, plot: Plot) {
        let [line] = self.picture.lines.as_slice() else { return };
        let share = |at_ms: f64| {
            ((at_ms - self.picture.from_ms) / (self.picture.to_ms - self.picture.from_ms)).clamp(0.0, 1.0)
        };
        self.context.set_fill_style_str(&css_colour(self.palette.grid, 0.45));
        for &(from_ms, to_ms) in &line.gaps {
            self.fill_share(plot, share(from_ms), share(to_ms));
        }
    }

    fn draw_selection(&self, plot: Plot) {
        if let Some((one, other)) = self.picture.selection {
            self.context.set_fill_style_str(&css_colour(self.palette.lines[0], 0.18));
            self.fill_share(plot, one.min(other), one.max(other));
        }
    }

    /// A thin line down where values are read, and a dot on each point that is read.
    fn draw_cursor(&self, plot: Plot, left: &Side, right: Option<&Side>) {
        let Some(cursor) = &self.picture.cursor else { return };
        let (context, ratio) = (&self.context, self.size.ratio);
        let span_ms = self.picture.to_ms - self.picture.from_ms;
        let across = |at_ms: f64| (plot.left + plot.width * (at_ms - self.picture.from_ms) / span_ms) * ratio;
        let (top, height) = (plot.top * ratio, plot.height * ratio);
        context.set_fill_style_str(&css_colour(self.palette.label, 0.6));
        context.fill_rect(across(cursor.at_ms), top, ratio, height);
        for (line, point) in self.picture.lines.iter().zip(&cursor.points) {
            let Some(point) = point else { continue };
            let y = top + height * (1.0 - side_of(line, left, right).scale.share(point.value));
            context.set_fill_style_str(&css_colour(self.palette.lines[line.place % LINES_MAX], 1.0));
            context.begin_path();
            // Refused only for a radius below zero.
            let _ = context.arc(across(point.at_ms), y, 4.5 * ratio, 0.0, std::f64::consts::TAU);
            context.fill();
        }
    }

    fn fill_share(&self, plot: Plot, from: f64, to: f64) {
        let ratio = self.size.ratio;
        let (left, width) = ((plot.left + plot.width * from) * ratio, plot.width * (to - from) * ratio);
        self.context.fill_rect(left, plot.top * ratio, width, plot.height * ratio);
    }

    fn draw_captions(&self) {
        let context = &self.context;
        context.set_font(&format!("600 {}px system-ui", self.pixels(13.5)));
        context.set_text_align("left");
        context.set_text_baseline("middle");
        for (index, (caption, line)) in self.picture.captions.iter().zip(&self.picture.lines).enumerate() {
            let y = f64::from(self.pixels(16.0 + index as f64 * CAPTION_HEIGHT));
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

fn side_of<'a>(line: &PictureLine, left: &'a Side, right: Option<&'a Side>) -> &'a Side {
    right.filter(|_| !left.has(&line.unit)).unwrap_or(left)
}
