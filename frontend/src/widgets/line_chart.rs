//! A line over time on a canvas, drawn by plotters in the colours of the page.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters_canvas::CanvasBackend;
use web_sys::{CssStyleDeclaration, HtmlCanvasElement};
use yew::prelude::*;

use crate::state::colour::parse_hex;
use crate::state::series::{Point, Series};
use crate::state::ticks::{Scale, time_ticks};

/// How wide a character of a label is, in CSS pixels: digits and separators of a system font at this size.
const CHAR_WIDTH: f64 = 7.4;

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    /// In the order of time.
    pub points: Vec<Point>,
    /// The left end, in milliseconds since 1970.
    pub from_ms: f64,
    /// The right end.
    pub to_ms: f64,
}

/// Props of [`LineChart`].
#[derive(Clone, PartialEq, Properties)]
pub struct LineChartProps {
    /// What is drawn.
    pub data: ChartData,
    /// Writes a time on the axis.
    pub time_label: Callback<f64, String>,
    /// Writes a value with so many decimals on the axis.
    pub value_label: Callback<(f64, usize), String>,
    /// The topic, for tests.
    pub topic: AttrValue,
    /// What a person who cannot see it should know.
    pub name: AttrValue,
    /// Changes when the colours or the size of the page do.
    pub look: AttrValue,
}

/// The chart.
#[component]
pub fn LineChart(props: &LineChartProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with(props.clone(), move |props| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                draw(&canvas, props);
            }
        });
    }
    html! {
        <canvas class="chart__canvas" ref={canvas} role="img" aria-label={&props.name} data-testid="chart"
            data-topic={&props.topic} data-points={props.data.points.len().to_string()}></canvas>
    }
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
    line: RGBColor,
    grid: RGBColor,
    label: RGBColor,
}

impl Palette {
    fn of(style: &CssStyleDeclaration) -> Self {
        let colour = |name: &str| {
            let value = style.get_property_value(name).unwrap_or_default();
            let (r, g, b) = parse_hex(&value).unwrap_or((128, 128, 128));
            RGBColor(r, g, b)
        };
        Self { line: colour("--chart-line"), grid: colour("--chart-grid"), label: colour("--chart-label") }
    }
}

fn draw(canvas: &HtmlCanvasElement, props: &LineChartProps) {
    let Some(window) = web_sys::window() else { return };
    let Some(style) = window.get_computed_style(canvas).ok().flatten() else { return };
    let rect = canvas.get_bounding_client_rect();
    if rect.width() < 40.0 || rect.height() < 40.0 {
        return;
    }
    // plotters knows canvas pixels only; on a dense screen a CSS pixel is several of them.
    let ratio = window.device_pixel_ratio().clamp(1.0, 4.0);
    canvas.set_width((rect.width() * ratio).round() as u32);
    canvas.set_height((rect.height() * ratio).round() as u32);
    let Some(backend) = CanvasBackend::with_canvas_object(canvas.clone()) else { return };
    let area = backend.into_drawing_area();
    let sketch = Sketch { props, ratio, width: rect.width(), palette: Palette::of(&style) };
    // A canvas that has lost its context draws nothing; the numbers stand beside it in text.
    let _ = sketch.draw(&area);
}

struct Sketch<'a> {
    props: &'a LineChartProps,
    ratio: f64,
    width: f64,
    palette: Palette,
}

type Drawn = Result<(), DrawingAreaErrorKind<<CanvasBackend as DrawingBackend>::ErrorType>>;

impl Sketch<'_> {
    fn pixels(&self, css: f64) -> u32 {
        (css * self.ratio).round() as u32
    }

    fn draw(&self, area: &DrawingArea<CanvasBackend, Shift>) -> Drawn {
        let data = &self.props.data;
        let points = Series::thinned(&data.points, self.width as usize);
        let (low, high) = bounds(&points);
        let scale = Scale::around(low, high, 5);
        let time_chars = self.props.time_label.emit(data.to_ms).chars().count() as f64;
        let columns = ((self.width / (time_chars * CHAR_WIDTH + 28.0)) as usize).clamp(2, 10);
        let offset_ms = -js_sys::Date::new(&data.to_ms.into()).get_timezone_offset() * 60_000.0;
        let time = Axis {
            range: data.from_ms..data.to_ms,
            lines: time_ticks(data.from_ms, data.to_ms, columns, offset_ms),
        };
        let value = Axis { range: scale.low..scale.high, lines: scale.lines() };
        let decimals = scale.decimals();
        let longest = [scale.low, scale.high]
            .map(|value| self.props.value_label.emit((value, decimals)).chars().count());
        let label_width = longest.into_iter().max().unwrap_or_default() as f64 * CHAR_WIDTH + 12.0;
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.pixels(14.0))
            .margin_right(self.pixels(time_chars * CHAR_WIDTH / 2.0))
            .x_label_area_size(self.pixels(30.0))
            .y_label_area_size(self.pixels(label_width))
            .build_cartesian_2d(time, value)?;
        let font = ("system-ui", f64::from(self.pixels(12.5))).into_font().color(&self.palette.label);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(self.palette.grid.stroke_width(self.pixels(1.0)))
            .axis_style(TRANSPARENT)
            .set_all_tick_mark_size(0)
            .label_style(font)
            .x_label_formatter(&|at_ms| self.props.time_label.emit(*at_ms))
            .y_label_formatter(&|value| self.props.value_label.emit((*value, decimals)))
            .draw()?;
        let line = self.palette.line;
        let course = || points.iter().map(|point| (point.at_ms, point.value));
        chart.draw_series(AreaSeries::new(course(), scale.low, line.mix(0.14)))?;
        chart.draw_series(LineSeries::new(course(), line.stroke_width(self.pixels(2.0))))?;
        if let Some(last) = points.last() {
            let dot = Circle::new((last.at_ms, last.value), self.pixels(4.0), line.filled());
            chart.draw_series(std::iter::once(dot))?;
        }
        area.present()
    }
}

fn bounds(points: &[Point]) -> (f64, f64) {
    points
        .iter()
        .map(|point| point.value)
        .fold(None, |bounds: Option<(f64, f64)>, value| {
            let (low, high) = bounds.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
        .unwrap_or((0.0, 1.0))
}
