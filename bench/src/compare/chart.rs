//! Bars of several brokers for several rows, as a picture.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor, TextStyle};

/// What is drawn.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// A row each: its name, and of every series a figure, if there is one.
    pub(super) groups: Vec<(String, Vec<Option<f64>>)>,
    /// The names of the series.
    pub(super) series: Vec<String>,
    /// Digits of the figures behind the point.
    pub(super) digits: usize,
}

const WIDTH: u32 = 820;
const LABELS: i32 = 230;
/// Room for the figure behind the longest bar.
const FIGURES: i32 = 90;
const BAR: i32 = 11;
const GAP: i32 = 12;
const HEAD: i32 = 58;
const FOOT: i32 = 10;
const INK: RGBColor = RGBColor(40, 44, 52);
const LINE: RGBColor = RGBColor(222, 226, 232);
/// Told apart by those who see few colours too; the first is Hearth's.
const COLOURS: [RGBColor; 7] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(150, 150, 150),
    RGBColor(190, 170, 40),
];

/// The scale of the bars: each step of ten is as wide as the other, since the slowest takes a hundred times what the fastest does.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    /// Powers of ten where it begins and ends.
    low: f64,
    high: f64,
}

impl Chart {
    /// As SVG.
    pub(super) fn svg(&self) -> Result<String> {
        let bars: i32 = self.groups.iter().map(|(_, figures)| bars(figures)).sum();
        let groups = i32::try_from(self.groups.len())?;
        let height = HEAD + bars * BAR + groups * GAP + FOOT;
        let mut text = String::new();
        {
            let area =
                SVGBackend::with_string(&mut text, (WIDTH, u32::try_from(height)?)).into_drawing_area();
            self.draw(&area, height).map_err(|error| anyhow!("the chart cannot be drawn: {error}"))?;
        }
        Ok(text)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, height: i32) -> Result<(), Failure<B>> {
        area.fill(&WHITE)?;
        let figures = || self.groups.iter().flat_map(|(_, figures)| figures).flatten().copied();
        let scale = Scale::of(figures());
        area.draw(&Text::new(self.title.as_str(), (10, 8), style(15)))?;
        self.draw_legend(area)?;
        scale.draw(area, height)?;
        let mut top = HEAD;
        for (name, figures) in &self.groups {
            let middle = top + bars(figures) * BAR / 2;
            let right = style(12).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(name.as_str(), (LABELS - 8, middle), right))?;
            for (place, figure) in figures.iter().enumerate() {
                let Some(figure) = figure else { continue };
                let end = scale.place(*figure);
                let colour = COLOURS[place % COLOURS.len()].filled();
                area.draw(&Rectangle::new([(LABELS, top + 1), (end, top + BAR - 1)], colour))?;
                let left = style(10).pos(Pos::new(HPos::Left, VPos::Center));
                let shown = crate::table::shown(*figure, self.digits);
                area.draw(&Text::new(shown, (end + 4, top + BAR / 2), left))?;
                top += BAR;
            }
            top += GAP;
        }
        area.present()
    }

    fn draw_legend<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Failure<B>> {
        let mut left = 10;
        for (name, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            area.draw(&Rectangle::new([(left, 33), (left + 10, 43)], colour.filled()))?;
            area.draw(&Text::new(name.as_str(), (left + 14, 32), style(12)))?;
            // A letter is about 7 wide; nothing here knows the font of whoever looks.
            left += 34 + 7 * i32::try_from(name.chars().count()).unwrap_or(0);
        }
        Ok(())
    }
}

/// Why a backend did not draw.
type Failure<B> = plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;

impl Scale {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let (low, high) = figures
            .filter(|figure| *figure > 0.0)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| {
                (figure.min(low), figure.max(high))
            });
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        // The shortest bar can be seen.
        let low = (low.log10() - 0.2).floor();
        Self { low, high: high.log10().max(low + 1.0) }
    }

    /// Where a bar of this figure ends.
    #[expect(clippy::cast_possible_truncation, reason = "within the width of a picture")]
    fn place(self, figure: f64) -> i32 {
        let width = f64::from(WIDTH) - f64::from(LABELS + FIGURES);
        let part = (figure.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        LABELS + (part.clamp(0.0, 1.0) * width).round() as i32
    }

    fn draw<B: DrawingBackend>(self, area: &DrawingArea<B, Shift>, height: i32) -> Result<(), Failure<B>> {
        let mut power = self.low;
        while power <= self.high {
            let place = self.place(10_f64.powf(power));
            let ends = [(place, HEAD - 4), (place + 1, height - FOOT)];
            area.draw(&Rectangle::new(ends, LINE.filled()))?;
            power += 1.0;
        }
        Ok(())
    }
}

fn bars(figures: &[Option<f64>]) -> i32 {
    i32::try_from(figures.iter().flatten().count()).unwrap_or(i32::MAX)
}

fn style(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_bar_and_a_number() {
        let chart = Chart {
            title: "Messages a second".to_owned(),
            groups: vec![
                ("pairs".to_owned(), vec![Some(1_000_000.0), Some(20_000.0)]),
                ("fan-in".to_owned(), vec![Some(5.0), None]),
            ],
            series: vec!["Hearth".to_owned(), "Mosquitto".to_owned()],
            digits: 0,
        };
        let svg = chart.svg().unwrap();
        for text in
            ["Messages a second", "pairs", "fan-in", "Hearth", "Mosquitto", "1,000,000", "20,000", "\n5\n"]
        {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn a_bar_ten_times_as_long_is_one_step_further() {
        let scale = Scale::of([3.0, 40.0, 3000.0].into_iter());
        assert!((scale.low - 0.0).abs() < 1e-9);
        let steps = [1.0, 10.0, 100.0, 1000.0].map(|figure| scale.place(figure));
        let widths: Vec<i32> = steps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(widths.iter().all(|width| (width - widths[0]).abs() <= 1), "{widths:?}");
        assert_eq!(Scale::of(std::iter::empty()), Scale { low: 0.0, high: 1.0 });
    }
}
