//! Which rows of a long list are on the screen, and where they stand.

use std::ops::Range;

/// Rows drawn above and below what is visible, so that a flick does not show a gap.
pub const OVERSCAN: usize = 6;

/// The tallest element that all browsers lay out exactly; a longer list is scrolled in proportion.
const HEIGHT_MAX: f64 = 15_000_000.0;

/// The rows to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Their indices.
    pub rows: Range<usize>,
    /// Where the first of them stands in the scrolled element, in CSS pixels.
    pub top: f64,
}

/// How tall the scrolled element is, in CSS pixels.
pub fn scrolled_height(row_height: f64, count: usize) -> f64 {
    (row_height * count as f64).min(HEIGHT_MAX)
}

impl Window {
    /// The rows within `height` pixels from `scroll_top`, and `around` on either side.
    pub fn at(scroll_top: f64, height: f64, row_height: f64, count: usize, around: usize) -> Self {
        if row_height <= 0.0 || count == 0 {
            return Self { rows: 0..0, top: 0.0 };
        }
        let whole = row_height * count as f64;
        let scrolled = scrolled_height(row_height, count);
        // A position that is negative (rubber band) or past the end is held at the ends.
        let scroll_top = scroll_top.clamp(0.0, (scrolled - height).max(0.0));
        let position = if whole > scrolled && scrolled > height {
            scroll_top * (whole - height) / (scrolled - height)
        } else {
            scroll_top
        };
        let visible = (height.max(0.0) / row_height).ceil() as usize + 1;
        let first = ((position / row_height) as usize).saturating_sub(around).min(count);
        let end = ((position / row_height) as usize + visible + around).min(count);
        Self { rows: first..end, top: scroll_top + (first as f64 * row_height - position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_the_screen_is_drawn() {
        assert_eq!(Window::at(0.0, 500.0, 50.0, 100_000, OVERSCAN), Window { rows: 0..17, top: 0.0 });
        assert_eq!(Window::at(5000.0, 500.0, 50.0, 100_000, OVERSCAN), Window { rows: 94..117, top: 4700.0 });
        assert_eq!(Window::at(4_999_500.0, 500.0, 50.0, 100_000, OVERSCAN).rows, 99_984..100_000);
    }

    #[test]
    fn odd_positions_and_sizes_are_held_at_the_ends() {
        assert_eq!(Window::at(-80.0, 500.0, 50.0, 3, OVERSCAN).rows, 0..3);
        assert_eq!(Window::at(9e9, 500.0, 50.0, 3, OVERSCAN).rows, 0..3);
        assert_eq!(Window::at(0.0, 500.0, 50.0, 0, OVERSCAN).rows, 0..0);
        assert_eq!(Window::at(0.0, 500.0, 0.0, 9, OVERSCAN).rows, 0..0);
    }

    #[test]
    fn a_list_taller_than_a_browser_lays_out_still_reaches_its_last_row() {
        let count = 1_000_000;
        let bottom = scrolled_height(50.0, count) - 500.0;
        let window = Window::at(bottom, 500.0, 50.0, count, OVERSCAN);
        assert_eq!(window.rows.end, count);
        let last_row_bottom = window.top + window.rows.len() as f64 * 50.0;
        assert!((last_row_bottom - HEIGHT_MAX).abs() < 0.01, "{last_row_bottom}");
    }
}
