//! One connection of the list: where to, how it stands, what can be done.

use hearth_protocol::ReasonCode;
use yew::prelude::*;

use crate::catalogue::connections::ConnectionWords;
use crate::catalogue::{fill, reason};
use crate::components::{ConnectionBadge, explain};
use crate::hooks::{use_app, use_link_of, use_locale, use_watch_of};
use crate::services::connections::OWN_ID;
use crate::services::hub::Hub;
use crate::services::{document, policy};
use crate::state::link::{Cause, Link};
use crate::state::profile::{Profile, Speaks};

/// What a person wants of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Show,
    Connect,
    Edit,
    Duplicate,
    Delete,
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct OwnRowProps {
    pub on_order: Callback<(u32, Order)>,
}

/// The broker that served the page.
#[component]
pub(super) fn OwnRow(props: &OwnRowProps) -> Html {
    let app = use_app();
    let text = app.locale.catalogue();
    let words = ConnectionWords::of(text);
    let Some(own) = app.connections.get(OWN_ID) else { return Html::default() };
    let address = own.hub.connection().address().unwrap_or("–").to_owned();
    html! {
        <Card id={OWN_ID} name={text.own_broker} {address} has_will=false hub={own.hub.clone()}
            on_order={props.on_order.clone()}>
            {button(&props.on_order, OWN_ID, Order::Duplicate, words.duplicate_own, "duplicate")}
        </Card>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub(super) struct ProfileRowProps {
    pub profile: Profile,
    pub on_order: Callback<(u32, Order)>,
}

/// One that is kept.
#[component]
pub(super) fn ProfileRow(props: &ProfileRowProps) -> Html {
    let app = use_app();
    let words = ConnectionWords::of(app.locale.catalogue());
    let profile = &props.profile;
    let hub = app.connections.get(profile.id).map(|open| open.hub.clone());
    // Before version 5 a DISCONNECT has no reason.
    let has_will = profile.will.is_some() && profile.version == Speaks::V5;
    let order = |order, label, word| button(&props.on_order, profile.id, order, label, word);
    html! {
        <Card id={profile.id} name={profile.name.clone()} address={profile.address()} {has_will} {hub}
            on_order={props.on_order.clone()}>
            {order(Order::Edit, words.edit, "edit")}
            {order(Order::Duplicate, words.duplicate, "duplicate")}
            {order(Order::Delete, words.delete, "delete")}
        </Card>
    }
}

fn button(on_order: &Callback<(u32, Order)>, id: u32, order: Order, label: &'static str, word: &str) -> Html {
    html! {
        <button type="button" class="button button--quiet" onclick={on_order.reform(move |_| (id, order))}
            aria-describedby={title_id(id)} data-testid={format!("connection-{word}")}>{label}</button>
    }
}

fn title_id(id: u32) -> String {
    format!("connection-title-{id}")
}

#[derive(Clone, PartialEq, Properties)]
struct CardProps {
    id: u32,
    name: AttrValue,
    address: String,
    has_will: bool,
    hub: Option<Hub>,
    on_order: Callback<(u32, Order)>,
    /// More that can be done.
    children: Html,
}

#[component]
fn Card(props: &CardProps) -> Html {
    let app = use_app();
    let words = ConnectionWords::of(app.locale.catalogue());
    let is_shown = app.connections.shown().id == props.id;
    let id = props.id;
    html! {
        <section class="card connection-card" aria-labelledby={title_id(id)} data-testid="connection-card"
            data-name={props.name.clone()}>
            <div class="card__head">
                <h2 class="card__title" id={title_id(id)}>{&props.name}</h2>
                if is_shown {
                    <span class="badge">{words.shown}</span>
                }
            </div>
            <p class="connection-card__address">{&props.address}</p>
            if let Some(hub) = &props.hub {
                <Standing hub={hub.clone()} address={props.address.clone()} />
            } else {
                <p class="card__note" data-testid="connection-state" data-state="none">{words.not_open}</p>
            }
            <div class="actions">
                if let Some(hub) = &props.hub {
                    <Switches {id} hub={hub.clone()} has_will={props.has_will} />
                } else {
                    <button type="button" class="button button--primary" onclick={props.on_order.reform(move |_| (id, Order::Connect))}
                        aria-describedby={title_id(id)} data-testid="connection-connect">
                        {app.locale.catalogue().connect}</button>
                }
                if props.hub.is_some() && !is_shown {
                    {button(&props.on_order, id, Order::Show, words.show, "show")}
                }
                {props.children.clone()}
            </div>
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct SwitchesProps {
    id: u32,
    hub: Hub,
    has_will: bool,
}

/// Opens and ends a connection.
#[component]
fn Switches(props: &SwitchesProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let is_closed = use_watch_of(props.hub.clone(), (), |hub, ()| *hub.link() == Link::Closed);
    let act = |act: fn(&Hub)| {
        let hub = props.hub.clone();
        Callback::from(move |_: MouseEvent| act(&hub))
    };
    let title = title_id(props.id);
    if is_closed {
        return html! {
            <button type="button" class="button button--primary" onclick={act(Hub::connect)} aria-describedby={title}
                data-testid="connection-connect">{text.connect}</button>
        };
    }
    html! {
        <>
            <button type="button" class="button" onclick={act(|hub| hub.disconnect(ReasonCode::Success))}
                aria-describedby={title.clone()} data-testid="connection-disconnect">{words.disconnect}</button>
            if props.has_will {
                <button type="button" class="button" onclick={act(|hub| hub.disconnect(ReasonCode::DisconnectWithWill))}
                    aria-describedby={title} data-testid="connection-disconnect-will">{words.disconnect_with_will}</button>
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct StandingProps {
    hub: Hub,
    address: String,
}

/// How a connection stands, in words.
#[component]
fn Standing(props: &StandingProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let (link, retry_in_s) = use_link_of(props.hub.clone());
    let standing = use_watch_of(props.hub.clone(), (), |hub, ()| hub.standing());
    let is_blocked =
        use_watch_of(props.hub.clone(), props.address.clone(), |_, address| policy::is_blocked(address));
    let said = use_mut_ref(Vec::<String>::new);
    let mut notes = Vec::new();
    notes.extend(explain(&link, props.hub.is_own(), &locale));
    notes.extend(hint(&link, is_blocked, props, words).map(str::to_owned));
    if link.is_online() {
        match standing.is_resumed {
            Some(true) => notes.push(words.resumed.to_owned()),
            Some(false) => notes.push(words.new_session.to_owned()),
            None => {}
        }
        let refused = standing.refused.iter();
        notes.extend(refused.map(|(filter, code)| {
            fill(words.filter_refused, &[("filter", filter), ("reason", &reason(*code))])
        }));
    }
    // While the next attempt is under way, what was said of the last one stays: what is below it would jump under the finger.
    if link == Link::Connecting {
        notes.clone_from(&said.borrow());
    } else {
        said.borrow_mut().clone_from(&notes);
    }
    html! {
        <div class="connection-card__state" data-testid="connection-state" data-state={link.as_str()}>
            <ConnectionBadge {link} {retry_in_s} locale={locale.clone()} testid="connection-badge" />
            {for notes.into_iter().map(|note| html! { <p class="card__note">{note}</p> })}
        </div>
    }
}

/// What to do about it.
fn hint(
    link: &Link,
    is_blocked: bool,
    props: &StandingProps,
    words: &'static ConnectionWords,
) -> Option<&'static str> {
    let is_lost = matches!(link, Link::Waiting { cause: Cause::Lost, .. });
    let is_mixed = document::href().starts_with("https:") && props.address.starts_with("ws:");
    match link {
        _ if props.hub.is_own() => None,
        Link::Waiting { cause: Cause::Closed(ReasonCode::SessionTakenOver), .. } => Some(words.taken_over),
        Link::Waiting { .. } if is_lost && is_blocked => Some(words.blocked),
        Link::Waiting { .. } if is_lost && is_mixed => Some(words.mixed),
        Link::Waiting { .. } if is_lost => Some(words.lost_hint),
        Link::Refused { reason: ReasonCode::BadUserNameOrPassword | ReasonCode::NotAuthorized, .. } => {
            Some(words.login_wrong)
        }
        Link::Connecting
        | Link::Online { .. }
        | Link::Checking
        | Link::Waiting { .. }
        | Link::Refused { .. }
        | Link::Closed => None,
    }
}
