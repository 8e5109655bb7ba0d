//! What a chart shows and how it got there: the series, the part of time, what was fetched; drawn outside of the virtual
//! DOM, as often as something changed and a person can see it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo::timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlCanvasElement;

use super::chart_line::{Line, LineReadout, SeriesKey};
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::services::pace::Pace;
use crate::services::past::{self, NoPast};
use crate::services::{clock, document};
use crate::state::course;
use crate::state::export::ExportSeries;
use crate::state::series::Point;
use crate::state::signal::{Signal, Subscription};
use crate::state::viewport::Viewport;
use crate::widgets::{CanvasSize, Picture, PictureCursor, PictureLine, Plot, paint};

/// How long a chart that somebody moves waits before it asks the server anew, in milliseconds.
const ASK_AFTER_MS: u32 = 120;

/// The longest time between two pictures of a chart that follows the present, in milliseconds: what is told in text has seconds.
const PAINT_WITHIN_MS: f64 = 1_000.0;

/// A picture is drawn anew when time has moved it by so much, in CSS pixels.
const MOVED_PX: f64 = 0.5;

/// The size of an exported picture, in CSS pixels.
const EXPORT_SIZE: CanvasSize = CanvasSize { width: 1200.0, height: 600.0, ratio: 2.0 };

/// A clock that differs by less than this from the broker's is the same, in milliseconds: the way takes its time too.
const AHEAD_MIN_MS: f64 = 1_000.0;

/// What is told in text beside the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Readout {
    /// Of each series.
    pub(super) lines: Vec<LineReadout>,
    /// The left end to the second, in milliseconds since 1970.
    pub(super) from_ms: f64,
    /// The right end.
    pub(super) to_ms: f64,
    /// Whether it follows the clock.
    pub(super) is_live: bool,
    /// The part of time that is shown.
    pub(super) viewport: Viewport,
    /// What is read at the cursor, if there is one.
    pub(super) cursor: Option<CursorReadout>,
}

/// What is read at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CursorReadout {
    /// The nearest point of each series, where one is shown.
    pub(super) points: Vec<Option<Point>>,
    /// Whether keys led there.
    pub(super) is_by_keys: bool,
}

/// Where values are read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cursor {
    /// Under a pointer or finger, at this share of the width.
    Pointer(f64),
    /// At the time of a point, in milliseconds since 1970.
    Keys(f64),
}

/// The chart.
pub(super) struct Stage {
    hub: Hub,
    locale: Locale,
    lines: Vec<Line>,
    viewport: Rc<Cell<Viewport>>,
    ahead_ms: Cell<f64>,
    canvas: RefCell<Option<HtmlCanvasElement>>,
    plot: Cell<Plot>,
    selection: Cell<Option<(f64, f64)>>,
    cursor: Cell<Option<Cursor>>,
    pace: Pace,
    painted_ms: Cell<f64>,
    painted: Signal,
    asking: RefCell<Option<Timeout>>,
    me: Weak<Self>,
}

impl Stage {
    pub(super) fn new(
        hub: Hub,
        locale: Locale,
        keys: &[SeriesKey],
        viewport: Rc<Cell<Viewport>>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            hub,
            locale,
            lines: keys.iter().map(Line::new).collect(),
            viewport,
            ahead_ms: Cell::new(0.0),
            canvas: RefCell::default(),
            plot: Cell::default(),
            selection: Cell::default(),
            cursor: Cell::default(),
            pace: Pace::default(),
            painted_ms: Cell::new(0.0),
            painted: Signal::default(),
            asking: RefCell::default(),
            me: me.clone(),
        })
    }

    /// Rings after each picture.
    pub(super) const fn painted(&self) -> &Signal {
        &self.painted
    }

    /// Calls `listener` for each frame in which something came in, and once a second.
    pub(super) fn follow(&self, listener: impl Fn() + 'static) -> Subscription {
        self.hub.frames().subscribe(listener)
    }

    /// The present by the broker's clock, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> f64 {
        clock::wall_ms() + self.ahead_ms.get()
    }

    /// The part of time that is shown.
    pub(super) fn viewport(&self) -> Viewport {
        self.viewport.get()
    }

    /// Shows another part of time.
    pub(super) fn show(&self, viewport: Viewport) {
        self.viewport.set(viewport);
        self.paint();
        self.ask_soon();
    }

    /// Shows what is being chosen by dragging, as shares of the width.
    pub(super) fn select(&self, selection: Option<(f64, f64)>) {
        self.selection.set(selection);
        self.paint();
    }

    /// Reads values at this share of the width; `None`: nowhere.
    pub(super) fn point_at(&self, share: Option<f64>) {
        let cursor = share.map(Cursor::Pointer);
        if self.cursor.replace(cursor) != cursor {
            self.paint();
        }
    }

    /// Reads values at the next point, or at the one before; the last one that is shown comes first.
    pub(super) fn step_cursor(&self, is_on: bool) {
        let (from_ms, to_ms) = self.viewport.get().range(self.now_ms());
        let next_ms = {
            let courses: Vec<_> = self.lines.iter().map(Line::course).collect();
            let courses: Vec<&[Point]> = courses.iter().map(|course| course.as_slice()).collect();
            match self.cursor_ms(from_ms, to_ms) {
                None => course::step(&courses, f64::INFINITY, false, from_ms, to_ms),
                Some(at_ms) => course::step(&courses, at_ms, is_on, from_ms, to_ms),
            }
        };
        if let Some(next_ms) = next_ms {
            self.cursor.set(Some(Cursor::Keys(next_ms)));
            self.paint();
        }
    }

    fn cursor_ms(&self, from_ms: f64, to_ms: f64) -> Option<f64> {
        match self.cursor.get()? {
            Cursor::Pointer(share) => Some(from_ms + (to_ms - from_ms) * share),
            Cursor::Keys(at_ms) => Some(at_ms).filter(|at_ms| (from_ms..=to_ms).contains(at_ms)),
        }
    }

    fn read_cursor(&self, from_ms: f64, to_ms: f64) -> Option<CursorReadout> {
        let at_ms = self.cursor_ms(from_ms, to_ms)?;
        let points = self.lines.iter().map(|line| line.nearest(at_ms, from_ms, to_ms)).collect();
        Some(CursorReadout { points, is_by_keys: matches!(self.cursor.get(), Some(Cursor::Keys(_))) })
    }

    /// The share of the width at which a place of the canvas lies, in CSS pixels from its left edge.
    pub(super) fn share(&self, x: f64) -> f64 {
        let plot = self.plot.get();
        if plot.width > 0.0 { ((x - plot.left) / plot.width).clamp(0.0, 1.0) } else { 0.5 }
    }

    /// Draws on this canvas from now on.
    pub(super) fn attach(&self, canvas: Option<HtmlCanvasElement>) {
        self.canvas.replace(canvas);
        self.paint();
        self.ask_soon();
    }

    /// Something may have come in, and time goes on.
    pub(super) fn on_frame(&self) {
        if self.pace.is_due(&self.hub) {
            if self.gather() || self.is_behind() {
                self.paint();
            }
            self.ask();
        }
    }

    /// Whether the last picture is too old to be looked at, though nothing came in.
    fn is_behind(&self) -> bool {
        let past_ms = (clock::wall_ms() - self.painted_ms.get()).abs();
        let viewport = self.viewport.get();
        let (from_ms, to_ms) = viewport.range(self.now_ms());
        let moved_px = past_ms * self.plot.get().width / (to_ms - from_ms);
        past_ms >= PAINT_WITHIN_MS || viewport.is_live() && moved_px >= MOVED_PX
    }

    /// Draws the chart.
    pub(super) fn paint(&self) {
        self.painted_ms.set(clock::wall_ms());
        self.gather();
        if let Some(canvas) = self.canvas.borrow().as_ref() {
            self.paint_on(canvas);
        }
        self.painted.ring();
    }

    fn paint_on(&self, canvas: &HtmlCanvasElement) {
        let window = document::window();
        let Some(style) = window.get_computed_style(canvas).ok().flatten() else { return };
        let rect = canvas.get_bounding_client_rect();
        // plotters knows canvas pixels only; on a dense screen a CSS pixel is several of them.
        let ratio = window.device_pixel_ratio().clamp(1.0, 4.0);
        let size = CanvasSize { width: rect.width(), height: rect.height(), ratio };
        let picture = self.picture(Vec::new());
        if let Some(plot) = paint(canvas, size, &style, &picture, &self.locale) {
            self.plot.set(plot);
        }
        self.tell(canvas, &picture);
    }

    /// Puts what was drawn beside the picture, for tests.
    fn tell(&self, canvas: &HtmlCanvasElement, picture: &Picture) {
        let points: usize = picture.lines.iter().flat_map(|line| &line.pieces).map(Vec::len).sum();
        let gaps: usize = picture.lines.iter().map(|line| line.gaps.len()).sum();
        for (name, value) in [
            ("data-points", points.to_string()),
            ("data-gaps", gaps.to_string()),
            ("data-from", picture.from_ms.round().to_string()),
            ("data-to", picture.to_ms.round().to_string()),
            ("data-live", self.viewport.get().is_live().to_string()),
            ("data-plot-width", self.plot.get().width.round().to_string()),
            ("data-past", self.lines.iter().all(Line::has_past).to_string()),
        ] {
            // Refused only for names that are no names.
            let _ = canvas.set_attribute(name, &value);
        }
    }

    /// Takes in what was heard, and tells whether there was something new.
    fn gather(&self) -> bool {
        let (topics, ahead_ms) = (self.hub.topics(), self.ahead_ms.get());
        // Each line takes in its own, whether or not another one had news.
        self.lines.iter().fold(false, |is_new, line| line.gather(&topics, ahead_ms) | is_new)
    }

    fn picture(&self, captions: Vec<String>) -> Picture {
        let (from_ms, to_ms) = self.viewport.get().range(self.now_ms());
        let lines = self
            .lines
            .iter()
            .enumerate()
            .map(|(place, line)| {
                let (pieces, gaps) = line.drawn(from_ms, to_ms);
                PictureLine {
                    place,
                    unit: line.unit().to_owned(),
                    least_span: line.least_span(),
                    pieces,
                    gaps,
                }
            })
            .collect();
        let cursor = self.cursor_ms(from_ms, to_ms).map(|at_ms| PictureCursor {
            at_ms,
            points: self.lines.iter().map(|line| line.nearest(at_ms, from_ms, to_ms)).collect(),
        });
        Picture { from_ms, to_ms, lines, captions, selection: self.selection.get(), cursor }
    }

    /// What is told in text.
    pub(super) fn readout(&self) -> Readout {
        let (from_ms, to_ms) = self.viewport.get().range(self.now_ms());
        let topics = self.hub.topics();
        Readout {
            lines: self.lines.iter().map(|line| line.readout(&topics, from_ms, to_ms)).collect(),
            from_ms: (from_ms / 1000.0).floor() * 1000.0,
            to_ms: (to_ms / 1000.0).floor() * 1000.0,
            is_live: self.viewport.get().is_live(),
            viewport: self.viewport.get(),
            cursor: self.read_cursor(from_ms, to_ms),
        }
    }

    /// What the chart shows, for files.
    pub(super) fn export(&self) -> Vec<ExportSeries> {
        let (from_ms, to_ms) = self.viewport.get().range(self.now_ms());
        self.lines.iter().map(|line| line.export(from_ms, to_ms)).collect()
    }

    /// Draws the chart with its legend on a canvas of its own.
    pub(super) fn export_picture(&self) -> Option<HtmlCanvasElement> {
        use wasm_bindgen::JsCast;
        let shown = self.canvas.borrow();
        let style = document::window().get_computed_style(shown.as_ref()?).ok()??;
        let canvas: HtmlCanvasElement =
            document::document().create_element("canvas").ok()?.dyn_into().ok()?;
        let captions = self.lines.iter().map(Line::caption).collect();
        paint(
            &canvas,
            EXPORT_SIZE,
            &style,
            &Picture { selection: None, cursor: None, ..self.picture(captions) },
            &self.locale,
        )?;
        Some(canvas)
    }

    fn ask_soon(&self) {
        let me = self.me.clone();
        self.asking.replace(Some(Timeout::new(ASK_AFTER_MS, move || {
            if let Some(stage) = me.upgrade() {
                stage.ask();
            }
        })));
    }

    /// Asks the server for what is shown and not known.
    fn ask(&self) {
        // Only the broker that served the page can be asked.
        if !self.hub.is_own() {
            for line in &self.lines {
                line.handle_answer(Err(NoPast::Absent), self.now_ms());
            }
            return;
        }
        // Without a connection there is no answer either.
        if !self.hub.link().is_online() {
            return;
        }
        let (now_ms, viewport) = (self.now_ms(), self.viewport.get());
        let width = self.plot.get().width;
        for (index, line) in self.lines.iter().enumerate() {
            let Some(question) = line.poll_question(viewport, now_ms, width) else { continue };
            let me = self.me.clone();
            spawn_local(async move {
                let answer = past::ask(question).await;
                if let Some(stage) = me.upgrade() {
                    let ahead_ms = match &answer {
                        Ok(answer) => answer.ahead_ms,
                        Err(_) => past::ahead_ms(),
                    };
                    if let Some(ahead_ms) = ahead_ms {
                        let ahead_ms = if ahead_ms.abs() < AHEAD_MIN_MS { 0.0 } else { ahead_ms };
                        if (ahead_ms - stage.ahead_ms.get()).abs() >= AHEAD_MIN_MS {
                            stage.ahead_ms.set(ahead_ms);
                        }
                    }
                    if let Some(line) = stage.lines.get(index) {
                        line.handle_answer(answer.map(|answer| answer.past), stage.now_ms());
                    }
                    stage.paint();
                    // Who moved on meanwhile needs something else.
                    stage.ask_soon();
                }
            });
        }
    }
}
