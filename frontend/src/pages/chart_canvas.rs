//! The canvas of a chart, and the gestures and keys that move it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlCanvasElement, HtmlElement, KeyboardEvent, PointerEvent, ResizeObserver, WheelEvent};
use yew::prelude::*;

use super::chart_stage::Stage;
use crate::services::document;
use crate::state::viewport::Viewport;

/// The id of the sentence that says which keys there are.
pub(super) const KEYS_ID: &str = "chart-keys";

/// What a step of zooming shows of what was shown before.
const ZOOM_STEP: f64 = 0.5;

/// What a step of panning moves by, as a share of the width.
const PAN_STEP: f64 = 0.25;

/// A mouse that moved less than this share of the width chose no range.
const SELECTION_MIN: f64 = 0.01;

/// How much a wheel that turned by so many pixels zooms: by half for about 350.
const WHEEL_ZOOM: f64 = 0.002;

/// A step that a key or a button asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    ZoomIn,
    ZoomOut,
    Earlier,
    Later,
}

impl Step {
    fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "+" | "=" => Self::ZoomIn,
            "-" | "−" => Self::ZoomOut,
            "ArrowLeft" => Self::Earlier,
            "ArrowRight" => Self::Later,
            _ => return None,
        })
    }

    /// The part of time that is shown after it.
    pub(super) fn of(self, viewport: Viewport, now_ms: f64) -> Viewport {
        match self {
            Self::ZoomIn => viewport.zoomed(ZOOM_STEP, None, now_ms),
            Self::ZoomOut => viewport.zoomed(1.0 / ZOOM_STEP, None, now_ms),
            Self::Earlier => viewport.panned(-PAN_STEP, now_ms),
            Self::Later => viewport.panned(PAN_STEP, now_ms),
        }
    }
}

/// Props of [`ChartCanvas`].
#[derive(Clone, Properties)]
pub(super) struct ChartCanvasProps {
    /// The chart.
    pub(super) stage: Rc<Stage>,
    /// The topic of its first series, for tests.
    pub(super) topic: AttrValue,
    /// What a person who cannot see it should know.
    pub(super) name: AttrValue,
    /// Hears that the part of time at the beginning is wanted again.
    pub(super) on_reset: Callback<()>,
}

impl PartialEq for ChartCanvasProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.stage, &other.stage)
            && (&self.name, &self.topic, &self.on_reset) == (&other.name, &other.topic, &other.on_reset)
    }
}

/// The canvas.
#[component]
pub(super) fn ChartCanvas(props: &ChartCanvasProps) -> Html {
    let frame = use_node_ref();
    let canvas = use_node_ref();
    let key = (StageRef(Rc::clone(&props.stage)), props.on_reset.clone());
    {
        let (frame, canvas) = (frame.clone(), canvas.clone());
        use_effect_with(key, move |(StageRef(stage), on_reset)| {
            stage.attach(canvas.cast::<HtmlCanvasElement>());
            let frame = frame.cast::<HtmlElement>();
            let listeners = frame.as_ref().map(|frame| listen(frame, stage, on_reset));
            let look = frame.as_ref().and_then(|frame| Look::watch(frame, stage));
            let stage = Rc::clone(stage);
            move || {
                drop((listeners, look));
                stage.attach(None);
            }
        });
    }
    html! {
        <div class="chart__stage" ref={frame} tabindex="0" role="group" aria-label={&props.name}
            aria-describedby={KEYS_ID} data-testid="chart-stage">
            <canvas class="chart__canvas" ref={canvas} role="img" aria-label={&props.name} data-testid="chart"
                data-topic={&props.topic}></canvas>
        </div>
    }
}

#[derive(Clone)]
struct StageRef(Rc<Stage>);

impl PartialEq for StageRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Draws a chart anew as soon as its size or the colours of the system change.
struct Look {
    resized: ResizeObserver,
    _on_resize: Closure<dyn FnMut()>,
    _colours: Option<EventListener>,
}

impl Look {
    fn watch(frame: &HtmlElement, stage: &Rc<Stage>) -> Option<Self> {
        let (sized, coloured) = (Rc::downgrade(stage), Rc::downgrade(stage));
        let paint = |stage: &Weak<Stage>| {
            if let Some(stage) = stage.upgrade() {
                stage.paint();
            }
        };
        let on_resize = Closure::<dyn FnMut()>::new(move || paint(&sized));
        let resized = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok()?;
        resized.observe(frame);
        let dark = document::window().match_media("(prefers-color-scheme: dark)").ok().flatten();
        let colours = dark.map(|dark| EventListener::new(&dark, "change", move |_| paint(&coloured)));
        Some(Self { resized, _on_resize: on_resize, _colours: colours })
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.resized.disconnect();
    }
}

/// What the fingers and the mouse are doing.
#[derive(Default)]
enum Drag {
    #[default]
    None,
    /// A mouse chooses a range that began at this share of the width.
    Selecting(f64),
    /// Moving: the part of time from which it began, and the share of the width.
    Panning(Viewport, f64),
    /// Two fingers hold two times.
    Pinching([f64; 2]),
}

struct Gestures {
    stage: Rc<Stage>,
    frame: HtmlElement,
    pointers: RefCell<Vec<(i32, f64)>>,
    drag: RefCell<Drag>,
}

fn listen(frame: &HtmlElement, stage: &Rc<Stage>, on_reset: &Callback<()>) -> Vec<EventListener> {
    let gestures = Rc::new(Gestures {
        stage: Rc::clone(stage),
        frame: frame.clone(),
        pointers: RefCell::default(),
        drag: RefCell::default(),
    });
    let pointer = |name: &'static str, handle: fn(&Gestures, &PointerEvent)| {
        let gestures = Rc::clone(&gestures);
        EventListener::new(frame, name, move |event| {
            if let Some(event) = event.dyn_ref::<PointerEvent>() {
                handle(&gestures, event);
            }
        })
    };
    let active = EventListenerOptions::enable_prevent_default;
    let wheel = {
        let gestures = Rc::clone(&gestures);
        EventListener::new_with_options(frame, "wheel", active(), move |event| {
            if let Some(event) = event.dyn_ref::<WheelEvent>() {
                gestures.on_wheel(event);
            }
        })
    };
    let keys = {
        let (gestures, on_reset) = (Rc::clone(&gestures), on_reset.clone());
        EventListener::new_with_options(frame, "keydown", active(), move |event| {
            if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
                gestures.on_key(event, &on_reset);
            }
        })
    };
    let reset = on_reset.clone();
    vec![
        pointer("pointerdown", Gestures::on_down),
        pointer("pointermove", Gestures::on_move),
        pointer("pointerup", Gestures::on_up),
        pointer("pointercancel", Gestures::on_cancel),
        pointer("pointerleave", Gestures::on_leave),
        EventListener::new(frame, "dblclick", move |_| reset.emit(())),
        wheel,
        keys,
    ]
}

impl Gestures {
    fn share(&self, x: i32) -> f64 {
        self.stage.share(f64::from(x) - self.frame.get_bounding_client_rect().left())
    }

    fn time(&self, share: f64) -> f64 {
        let (from_ms, to_ms) = self.stage.viewport().range(self.stage.now_ms());
        from_ms + (to_ms - from_ms) * share
    }

    fn on_wheel(&self, event: &WheelEvent) {
        event.prevent_default();
        let (stage, at) = (&self.stage, self.share(event.client_x()));
        let now_ms = stage.now_ms();
        let viewport = if event.delta_x().abs() > event.delta_y().abs() || event.shift_key() {
            let by = if event.delta_x() == 0.0 { event.delta_y() } else { event.delta_x() };
            stage.viewport().panned(by * WHEEL_ZOOM / 2.0, now_ms)
        } else {
            stage.viewport().zoomed((event.delta_y() * WHEEL_ZOOM).exp(), Some(at), now_ms)
        };
        stage.show(viewport);
    }

    fn on_key(&self, event: &KeyboardEvent, on_reset: &Callback<()>) {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        let is_on = match event.key().as_str() {
            "ArrowRight" if event.shift_key() => Some(true),
            "ArrowLeft" if event.shift_key() => Some(false),
            _ => None,
        };
        if let Some(is_on) = is_on {
            event.prevent_default();
            self.stage.step_cursor(is_on);
        } else if event.key() == "Escape" {
            self.stage.point_at(None);
        } else if let Some(step) = Step::of_key(&event.key()) {
            event.prevent_default();
            self.stage.show(step.of(self.stage.viewport(), self.stage.now_ms()));
        } else if event.key() == "0" {
            on_reset.emit(());
        }
    }

    fn on_down(&self, event: &PointerEvent) {
        if event.button() > 1 {
            return;
        }
        let at = self.share(event.client_x());
        // Without it a pointer that leaves the chart is lost; a browser that refuses it loses it.
        let _ = self.frame.set_pointer_capture(event.pointer_id());
        let mut pointers = self.pointers.borrow_mut();
        pointers.retain(|(id, _)| *id != event.pointer_id());
        pointers.push((event.pointer_id(), at));
        self.stage.select(None);
        self.stage.point_at((pointers.len() < 2).then_some(at));
        let drag = match pointers.as_slice() {
            [(_, one), (_, other)] => Drag::Pinching([self.time(*one), self.time(*other)]),
            [_] if event.pointer_type() == "mouse" && event.button() == 0 && !event.shift_key() => {
                Drag::Selecting(at)
            }
            [_] => Drag::Panning(self.stage.viewport(), at),
            _ => Drag::None,
        };
        self.drag.replace(drag);
    }

    fn on_move(&self, event: &PointerEvent) {
        let at = self.share(event.client_x());
        let shares: Vec<f64> = {
            let mut pointers = self.pointers.borrow_mut();
            if let Some(own) = pointers.iter_mut().find(|(id, _)| *id == event.pointer_id()) {
                own.1 = at;
            }
            pointers.iter().map(|(_, share)| *share).collect()
        };
        self.stage.point_at((shares.len() < 2).then_some(at));
        let now_ms = self.stage.now_ms();
        match &*self.drag.borrow() {
            Drag::None => {}
            Drag::Selecting(from) => self.stage.select(Some((*from, at))),
            Drag::Panning(viewport, from) => self.stage.show(viewport.panned(from - at, now_ms)),
            Drag::Pinching([one_ms, other_ms]) => {
                if let [one, other] = shares.as_slice()
                    && let Some(viewport) = Viewport::held([(*one_ms, *one), (*other_ms, *other)], now_ms)
                {
                    self.stage.show(viewport);
                }
            }
        }
    }

    fn on_up(&self, event: &PointerEvent) {
        let at = self.share(event.client_x());
        if let Drag::Selecting(from) = self.end(event) {
            self.stage.select(None);
            if (at - from).abs() >= SELECTION_MIN {
                let now_ms = self.stage.now_ms();
                self.stage.show(Viewport::between(self.time(from), self.time(at), now_ms));
            }
        }
    }

    /// Where a finger was, what it read stays to be read.
    fn on_leave(&self, event: &PointerEvent) {
        if event.pointer_type() == "mouse" {
            self.stage.point_at(None);
        }
    }

    fn on_cancel(&self, event: &PointerEvent) {
        self.end(event);
        self.stage.select(None);
    }

    /// A finger or the mouse is gone; one that stays does nothing more.
    fn end(&self, event: &PointerEvent) -> Drag {
        self.pointers.borrow_mut().retain(|(id, _)| *id != event.pointer_id());
        self.drag.take()
    }
}
