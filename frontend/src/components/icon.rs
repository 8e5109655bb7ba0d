//! The icons, drawn for this app: strokes on a 24 pixel grid in the colour of the text.

use yew::prelude::*;

use crate::state::measure::Measure;

/// An icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what is drawn")]
pub enum Symbol {
    Home,
    Topics,
    Publish,
    Chart,
    About,
    Brokers,
    Bulb,
    Thermometer,
    Drop,
    Bolt,
    Leaf,
    Gauge,
    Cloud,
    Sun,
    Battery,
    Door,
    DoorOpen,
    Number,
    Search,
    Close,
    Back,
    Pin,
    Check,
    Alert,
    Copy,
}

impl Symbol {
    /// The icon of a measure; of any other number where there is none.
    pub const fn of_measure(measure: Option<Measure>) -> Self {
        match measure {
            Some(Measure::Temperature) => Self::Thermometer,
            Some(Measure::Humidity) => Self::Drop,
            Some(Measure::Power | Measure::Voltage | Measure::Current) => Self::Bolt,
            Some(Measure::Energy) => Self::Leaf,
            Some(Measure::Speed | Measure::Pressure) => Self::Gauge,
            Some(Measure::CarbonDioxide) => Self::Cloud,
            Some(Measure::Illuminance) => Self::Sun,
            Some(Measure::Battery) => Self::Battery,
            None => Self::Number,
        }
    }

    /// Its strokes, as the path of an SVG.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Home => "M4 11.2 12 4.5l8 6.7M6.2 9.6V19.5h11.6V9.6M10 19.5v-5h4v5",
            Self::Topics => "M5 5.5h14M5 5.5v12.3c0 .6.4 1 1 1h3M5 12h4M12.5 12H19M12.5 18.8H19",
            Self::Publish => "M4.2 11.6 20 4.4l-5.2 15.4-3.6-6.6zM11.2 13.2 20 4.4",
            Self::Chart => "M4 4.5v14c0 .6.4 1 1 1h15M7.5 15l3.6-4.6 3.2 2.8 5-6.4",
            Self::About => "M12 3.8a8.2 8.2 0 1 0 0 16.4 8.2 8.2 0 0 0 0-16.4zM12 11.2v4.8M12 8v.1",
            Self::Brokers => "M4.5 5h15v5.5h-15zM4.5 13.5h15V19h-15zM8 7.75h.01M8 16.25h.01",
            Self::Bulb => {
                "M9.6 18.2h4.8M10.4 20.8h3.2M12 3.4a6 6 0 0 0-3.7 10.7c.8.7 1.3 1.4 1.3 2.4v1.7h4.8v-1.7c0-1 .5-1.7 \
                 1.3-2.4A6 6 0 0 0 12 3.4z"
            }
            Self::Thermometer => "M14.2 13.9V5.7a2.2 2.2 0 0 0-4.4 0v8.2a4 4 0 1 0 4.4 0zM12 9.5v7.8",
            Self::Drop => {
                "M12 3.6s6 6.2 6 10.6a6 6 0 0 1-12 0c0-4.4 6-10.6 6-10.6zM9.4 14.6a2.7 2.7 0 0 0 2.1 2.6"
            }
            Self::Bolt => "M13.2 3.4 5.8 13.6h5.4l-.6 7L18 10.4h-5.4z",
            Self::Leaf => {
                "M5 19.4C5 10.6 10 5 19.4 4.6c.2 9.4-4.4 14-10.4 14-1.7 0-3-.4-3.8-1.2M5 19.4c1.9-4.2 4.9-7.1 8.8-8.9"
            }
            Self::Gauge => "M5.2 17.6a8.4 8.4 0 1 1 13.6 0M12 13.8l3.6-4.4M12 13.8v.1",
            Self::Cloud => "M7.3 18.4a4 4 0 0 1-.5-8 5.6 5.6 0 0 1 10.7-.8 4.4 4.4 0 0 1-.6 8.8z",
            Self::Sun => {
                "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3.4v1.4M12 19.2v1.4M3.4 12h1.4M19.2 12h1.4M5.9 5.9l1 1M17.1 \
                 17.1l1 1M18.1 5.9l-1 1M6.9 17.1l-1 1"
            }
            Self::Battery => {
                "M4.4 8h12.8c.5 0 .8.3.8.8v6.4c0 .5-.3.8-.8.8H4.4c-.5 0-.8-.3-.8-.8V8.8c0-.5.3-.8.8-.8zM20.6 10.8v2.4M6.8 11v2"
            }
            Self::Door => "M6.4 20V4.8c0-.5.3-.8.8-.8h9.6c.5 0 .8.3.8.8V20M4 20h16M14.4 12.2v.1",
            Self::DoorOpen => {
                "M6.4 19.6V4.4l6 2.8v15.2zM6.4 4.4c.1-.2.4-.4.8-.4h9.6c.5 0 .8.3.8.8V20M15 20h5M4 20h1M9.8 14v.1"
            }
            Self::Number => "M9.4 4.4 7.8 19.6M16.2 4.4l-1.6 15.2M4.8 9.4h15M4.2 14.6h15",
            Self::Search => "M10.6 4.6a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l4.6 4.6",
            Self::Close => "M6.4 6.4l11.2 11.2M17.6 6.4 6.4 17.6",
            Self::Back => "M14.4 5.8 8.2 12l6.2 6.2",
            Self::Pin => "M9 4.2h6l-.7 5.6 2.9 3.2H6.8l2.9-3.2zM12 13v6.8",
            Self::Check => "M5 12.6l4.6 4.6L19 7.6",
            Self::Alert => "M12 4.4 3 19.4h18zM12 10.2v4.2M12 16.8v.1",
            Self::Copy => "M9 9h10.4v10.6H9zM5 15V4.6h10",
        }
    }
}

/// Props of [`Icon`].
#[derive(Clone, PartialEq, Properties)]
pub struct IconProps {
    /// Which one.
    pub symbol: Symbol,
}

/// An icon. It is decoration: the words stand beside it.
#[component]
pub fn Icon(props: &IconProps) -> Html {
    html! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d={props.symbol.path()} />
        </svg>
    }
}
