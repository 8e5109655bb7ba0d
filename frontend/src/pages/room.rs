//! A room that follows its topics.

use std::rc::Rc;

use yew::prelude::*;

use crate::catalogue::Catalogue;
use crate::components::Symbol;
use crate::hooks::{use_day, use_hub, use_locale, use_topic, use_watch};
use crate::route::Route;
use crate::services::locale::Locale;
use crate::state::command::Command;
use crate::state::course;
use crate::state::measure::Measure;
use crate::state::panel::{Room, Widget, WidgetKind, readable};
use crate::state::payload;
use crate::state::spark::Spark;
use crate::state::topics::Topics;
use crate::widgets::{CatalogueRef, Lamp, LampLook, RoomCard, Tile};

/// Points that were heard behind the past which the broker told: ten minutes of one a second, after which it is asked again.
const HEARD_POINTS: usize = 600;

/// Props of [`LiveRoom`].
#[derive(Clone, PartialEq, Properties)]
pub(super) struct LiveRoomProps {
    /// The room.
    pub room: Room,
}

/// The room.
#[component]
pub(super) fn LiveRoom(props: &LiveRoomProps) -> Html {
    let room = &props.room;
    let locale = use_locale();
    let lit = use_watch(room.clone(), |hub, room| {
        let topics = hub.topics();
        room.widgets.iter().filter(|widget| widget.kind == WidgetKind::Lamp).any(|widget| {
            payload::switch(topics.topic(widget.id).payload()).is_some_and(|(on, _)| on)
                && topics.is_live(widget.id)
        })
    });
    let online: Rc<str> = format!("{}/online", room.prefix).into();
    let away = use_watch(online, |hub, online| is_off(&hub.topics(), online));
    let is_alone = room.title().is_none();
    let (lamps, tiles): (Vec<&Widget>, Vec<&Widget>) =
        room.widgets.iter().partition(|widget| widget.kind == WidgetKind::Lamp);
    html! {
        <RoomCard prefix={room.prefix.to_string()} {lit}
            title={room.title().unwrap_or_else(|| locale.catalogue().alone.to_owned())}
            subtitle={room.ambiguous.then(|| AttrValue::from(room.prefix.to_string()))}
            note={away.then(|| AttrValue::from(locale.catalogue().device_offline))}
            lamps={html! {
                <>{for lamps.iter().map(|widget| html! { <LiveLamp key={widget.topic.to_string()} widget={(*widget).clone()} /> })}</>
            }}
            tiles={html! {
                <>{for tiles.iter().map(|widget| html! { <LiveTile key={widget.topic.to_string()} widget={(*widget).clone()} {is_alone} /> })}</>
            }}
            tile_count={tiles.len()} />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct WidgetProps {
    widget: Widget,
}

#[component]
fn LiveLamp(props: &WidgetProps) -> Html {
    let widget = &props.widget;
    let hub = use_hub();
    let locale = use_locale();
    let look = use_watch(widget.clone(), |hub, widget| {
        let topics = hub.topics();
        let away = is_off(&topics, &format!("{}/online", widget.topic));
        LampLook {
            on: payload::switch(topics.topic(widget.id).payload()).map(|(on, _)| on),
            command: hub.command(widget.id),
            live: topics.is_live(widget.id),
            reachable: !away,
        }
    });
    let online = use_watch((), |hub, ()| hub.link().is_online());
    let on_tap = {
        let id = widget.id;
        Callback::from(move |()| hub.tap(id))
    };
    let text = locale.catalogue();
    html! {
        <Lamp topic={widget.topic.to_string()} name={lamp_name(text, widget.level())} {look}
            enabled={online && !matches!(look.command, Command::Pending { .. })}
            text={CatalogueRef(text)} {on_tap} />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TileProps {
    widget: Widget,
    /// Whether it stands among others that it has nothing to do with.
    is_alone: bool,
}

#[component]
fn LiveTile(props: &TileProps) -> Html {
    let widget = &props.widget;
    let hub = use_hub();
    let locale = use_locale();
    let mark = use_topic(Rc::clone(&widget.topic));
    let is_sensor = matches!(widget.kind, WidgetKind::Sensor(_));
    let past = use_day(is_sensor.then(|| Rc::clone(&widget.topic)));
    let text = locale.catalogue();
    let topics = hub.topics();
    let topic = topics.topic(widget.id);
    let live = mark.is_some_and(|mark| mark.live);
    let away = use_watch(format!("{}/online", widget.prefix()), |hub, online| is_off(&hub.topics(), online));
    let stale_note = match (live, away && props.is_alone) {
        (false, _) => Some(AttrValue::from(text.last_known)),
        (true, true) => Some(AttrValue::from(text.device_offline)),
        (true, false) => None,
    };
    let least = match widget.kind {
        WidgetKind::Sensor(Some(measure)) => measure.least_span(),
        WidgetKind::Sensor(None) | WidgetKind::Contact | WidgetKind::Lamp => 0.0,
    };
    let piece_ms = past.as_ref().map_or(0.0, |past| past.piece_ms);
    let spark = topic.series().and_then(|series| {
        Spark::of(&course::join(past.as_deref(), &series.tail(HEARD_POINTS)), piece_ms, least)
    });
    let name = widget.topic.to_string();
    let (symbol, unit, tint, value, route) = match widget.kind {
        WidgetKind::Sensor(measure) => (
            Symbol::of_measure(measure),
            measure.map_or("", Measure::unit),
            tint(measure),
            reading(&locale, topic.payload()),
            Route::Chart(Some(name.clone()), String::new()),
        ),
        WidgetKind::Contact | WidgetKind::Lamp => {
            let open = topic.payload().eq_ignore_ascii_case(b"open");
            (
                if open { Symbol::DoorOpen } else { Symbol::Door },
                "",
                if open { "open" } else { "closed" },
                if open { text.open } else { text.closed }.to_owned(),
                Route::Topic(name.clone()),
            )
        }
    };
    html! {
        <Tile topic={name} href={route.href()} {symbol} label={label(text, widget, props.is_alone)} {value} {unit} {stale_note} {spark} {tint} />
    }
}

/// Whether a topic says no.
fn is_off(topics: &Topics, topic: &str) -> bool {
    topics
        .find(topic)
        .is_some_and(|id| payload::switch(topics.topic(id).payload()).is_some_and(|(on, _)| !on))
}

/// What a tile is called. Among others that it has nothing to do with it is called by what it belongs to; a measure that is known
/// tells the rest by its unit.
fn label(text: &Catalogue, widget: &Widget, is_alone: bool) -> String {
    let name = match widget.kind {
        WidgetKind::Sensor(Some(_)) if is_alone => return widget.of(),
        WidgetKind::Sensor(Some(measure)) => measure_name(text, measure, widget.level()),
        WidgetKind::Sensor(None) | WidgetKind::Contact | WidgetKind::Lamp => readable(widget.level()),
    };
    if is_alone { format!("{} · {name}", widget.of()) } else { name }
}

/// A number in the person's language, with as many decimals as were sent.
fn reading(locale: &Locale, payload: &[u8]) -> String {
    match payload::number(payload) {
        Some(value) => locale.number(value, payload::glance_decimals(payload, value)),
        None => "–".to_owned(),
    }
}

fn lamp_name(text: &Catalogue, level: &str) -> String {
    if matches!(level, "lamp" | "lampe" | "light" | "licht") { text.lamp.to_owned() } else { readable(level) }
}

/// The measure in the person's language, or the device's own words where it says more (`outdoor_temperature`).
pub(super) fn measure_name(text: &Catalogue, measure: Measure, level: &str) -> String {
    if level.contains(['_', '-', ' ']) {
        return readable(level);
    }
    match measure {
        Measure::Temperature => text.temperature,
        Measure::Humidity => text.humidity,
        Measure::Power => text.power,
        Measure::Energy => text.energy,
        Measure::Speed => text.speed,
        Measure::Pressure => text.pressure,
        Measure::CarbonDioxide => text.carbon_dioxide,
        Measure::Illuminance => text.illuminance,
        Measure::Battery => text.battery,
        Measure::Voltage => text.voltage,
        Measure::Current => text.current,
    }
    .to_owned()
}

const fn tint(measure: Option<Measure>) -> &'static str {
    match measure {
        Some(Measure::Temperature) => "warm",
        Some(Measure::Humidity | Measure::CarbonDioxide | Measure::Pressure) => "cool",
        Some(Measure::Power | Measure::Voltage | Measure::Current | Measure::Illuminance) => "bright",
        Some(Measure::Energy | Measure::Battery) => "green",
        Some(Measure::Speed) | None => "plain",
    }
}
