//! A room's card: its name, its lamps, its values.

use yew::prelude::*;

/// Props of [`RoomCard`].
#[derive(Clone, PartialEq, Properties)]
pub struct RoomCardProps {
    /// The topic levels that the room stands for.
    pub prefix: AttrValue,
    /// Its name.
    pub title: AttrValue,
    /// Tells it from another of the same name.
    pub subtitle: Option<AttrValue>,
    /// Whether a lamp is on in it.
    pub lit: bool,
    /// What is wrong with it.
    pub note: Option<AttrValue>,
    /// Its lamps.
    pub lamps: Html,
    /// Its values.
    pub tiles: Html,
    /// How many values there are.
    pub tile_count: usize,
}

/// A room.
#[component]
pub fn RoomCard(props: &RoomCardProps) -> Html {
    let heading = format!("room-{}", props.prefix);
    let class = classes!("tiles", (props.tile_count == 1).then_some("tiles--single"));
    html! {
        <section class={classes!("room", props.lit.then_some("room--lit"))} aria-labelledby={heading.clone()}
            data-testid="room" data-room={&props.prefix}>
            <header class="room__head">
                <h2 class="room__title" id={heading}>{&props.title}</h2>
                if let Some(subtitle) = &props.subtitle {
                    <span class="room__subtitle">{subtitle}</span>
                }
                if let Some(note) = &props.note {
                    <span class="badge badge--warn">{note}</span>
                }
            </header>
            {props.lamps.clone()}
            if props.tile_count > 0 {
                <div {class}>{props.tiles.clone()}</div>
            }
        </section>
    }
}
