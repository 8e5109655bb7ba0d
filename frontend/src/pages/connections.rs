//! The connections: which there are, how they stand, and what is done with them.

use hearth_protocol::ReasonCode;
use web_sys::HtmlDialogElement;
use yew::prelude::*;

use super::connection_files::{ExportCard, ImportCard};
use super::connection_form::{ConnectionForm, Finished};
use super::connection_row::{Order, OwnRow, ProfileRow};
use crate::catalogue::connections::ConnectionWords;
use crate::catalogue::fill;
use crate::components::{Empty, Icon, Symbol};
use crate::hooks::{use_app, use_locale};
use crate::services::connections::{OWN_ID, Step};
use crate::services::{document, policy, preferences, profiles};
use crate::state::profile::{Draft, Profile, Profiles};

/// What the page shows.
#[derive(Clone, PartialEq)]
enum View {
    List,
    /// The form; whether it was opened for the password alone.
    Form(Box<Draft>, bool),
    Import,
    Export,
}

/// The page.
#[component]
pub fn ConnectionsPage() -> Html {
    let app = use_app();
    let view = use_state_eq(|| View::List);
    let asked = use_state_eq(|| None::<u32>);
    let is_refused = use_state_eq(|| false);
    use_effect_with((), |()| policy::watch());
    let update = use_force_update();
    let words = ConnectionWords::of(app.locale.catalogue());
    let profiles = match profiles::load() {
        Ok(profiles) => profiles,
        Err(error) => {
            let detail = super::connection_files::explain_import(&error, words);
            return broken(words, app.locale.catalogue().connections, &detail);
        }
    };
    let store = {
        let is_refused = is_refused.setter();
        Callback::from(move |profiles: Profiles| {
            is_refused.set(!profiles::save(&profiles));
            update.force_update();
        })
    };
    let on_order = on_order(&app, &profiles, &store, &view, &asked);
    let on_back = view.setter();
    let on_back = Callback::from(move |()| on_back.set(View::List));
    let content = match &*view {
        View::List => html! { <List profiles={profiles.clone()} on_order={on_order} view={view.setter()} /> },
        View::Form(draft, asks) => {
            let on_finish = on_finish(&app, &profiles, &store, &view);
            html! { <ConnectionForm draft={(**draft).clone()} asks_password={*asks} {on_finish} /> }
        }
        View::Import => {
            html! { <ImportCard profiles={profiles.clone()} on_import={store.clone()} {on_back} /> }
        }
        View::Export => html! { <ExportCard profiles={profiles.clone()} {on_back} /> },
    };
    html! {
        <>
            if *is_refused {
                <div class="notice" role="alert"><p class="notice__text">{words.storage_refused}</p></div>
            }
            {content}
            if let Some(profile) = asked.and_then(|id| profiles.get(id)) {
                <Confirm name={profile.name.clone()} on_end={
                    let (connections, asked, id) = (app.connections.clone(), asked.clone(), profile.id);
                    let (mut rest, store) = (profiles.clone(), store.clone());
                    rest.remove(id);
                    Callback::from(move |is_confirmed| {
                        if is_confirmed {
                            if let Some(open) = connections.get(id) {
                                open.hub.disconnect(ReasonCode::Success);
                            }
                            connections.dispatch(Step::Remove(id));
                            store.emit(rest.clone());
                        }
                        asked.set(None);
                    })
                } />
            }
        </>
    }
}

/// Does what is asked for in the list.
fn on_order(
    app: &crate::hooks::App,
    profiles: &Profiles,
    store: &Callback<Profiles>,
    view: &UseStateHandle<View>,
    asked: &UseStateHandle<Option<u32>>,
) -> Callback<(u32, Order)> {
    let (connections, profiles, store) = (app.connections.clone(), profiles.clone(), store.clone());
    let (view, asked) = (view.setter(), asked.setter());
    let words = ConnectionWords::of(app.locale.catalogue());
    Callback::from(move |(id, order): (u32, Order)| match order {
        Order::Show => {
            preferences::set_shown_connection(id);
            connections.dispatch(Step::Show(id));
        }
        Order::Connect => {
            let Some(profile) = profiles.get(id) else { return };
            let wants_password = profile.uses_password && profile.password.is_empty();
            if wants_password || profiles::connect(&connections, profile).is_err() {
                view.set(View::Form(Box::new(Draft::of(profile)), wants_password));
            }
        }
        Order::Edit => {
            if let Some(profile) = profiles.get(id) {
                view.set(View::Form(Box::new(Draft::of(profile)), false));
            }
        }
        Order::Duplicate => {
            let copy = match profiles.get(id) {
                Some(profile) => {
                    let mut profiles = profiles.clone();
                    let name = fill(words.copy_name, &[("name", &profile.name)]);
                    // Two with one client id would throw each other out.
                    let copy = Profile { id: 0, name, client_id: String::new(), ..profile.clone() };
                    let copy = Profile { clean_start: true, ..copy };
                    if profiles.put(copy).is_some() {
                        store.emit(profiles);
                    }
                    return;
                }
                None => Profile::default(),
            };
            let mut draft = Draft::of(&copy);
            if let Some(address) =
                connections.get(OWN_ID).and_then(|own| own.hub.connection().address().map(str::to_owned))
            {
                draft.set_text(crate::state::profile::Field::Host, address);
            }
            view.set(View::Form(Box::new(draft), false));
        }
        Order::Delete => asked.set(Some(id)),
    })
}

/// Takes what the form gives, and goes back to the list.
fn on_finish(
    app: &crate::hooks::App,
    profiles: &Profiles,
    store: &Callback<Profiles>,
    view: &UseStateHandle<View>,
) -> Callback<Finished> {
    let (connections, profiles, store) = (app.connections.clone(), profiles.clone(), store.clone());
    let view = view.setter();
    Callback::from(move |finished: Finished| {
        if let Finished::Saved { profile, connects } = finished {
            let mut profiles = profiles.clone();
            if let Some(id) = profiles.put(*profile) {
                store.emit(profiles.clone());
                // One that is open goes on with what was changed.
                if let Some(profile) = profiles.get(id).filter(|_| connects || connections.get(id).is_some())
                {
                    // The form has checked it.
                    let _checked = profiles::connect(&connections, profile);
                }
            }
        }
        view.set(View::List);
    })
}

fn broken(words: &'static ConnectionWords, title: &'static str, detail: &str) -> Html {
    html! {
        <Empty heads_page=true symbol={Symbol::Alert} title={title} text={fill(words.storage_broken, &[("detail", detail)])} />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ListProps {
    profiles: Profiles,
    on_order: Callback<(u32, Order)>,
    view: UseStateSetter<View>,
}

#[component]
fn List(props: &ListProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let go = |view: View| {
        let set = props.view.clone();
        Callback::from(move |_: MouseEvent| set.set(view.clone()))
    };
    let profiles = props.profiles.as_slice();
    html! {
        <>
            <header class="page__head">
                <h1 class="page__title">{text.connections}</h1>
                <p class="page__intro">{words.intro}</p>
            </header>
            <div class="actions">
                if props.profiles.has_room() {
                    <button type="button" class="button button--primary" data-testid="connection-add"
                        onclick={go(View::Form(Box::new(Draft::of(&Profile::default())), false))}>{words.add}</button>
                } else {
                    <p>{words.full}</p>
                }
                <button type="button" class="button" onclick={go(View::Import)} data-testid="connections-import">
                    {words.import}</button>
                if !profiles.is_empty() {
                    <button type="button" class="button" onclick={go(View::Export)} data-testid="connections-export">
                        {words.export}</button>
                }
            </div>
            <OwnRow on_order={props.on_order.clone()} />
            {for profiles.iter().map(|profile| html! {
                <ProfileRow key={profile.id} profile={profile.clone()} on_order={props.on_order.clone()} />
            })}
            if profiles.is_empty() {
                <Empty symbol={Symbol::Brokers} title={words.none_title} text={words.none_text} />
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ConfirmProps {
    name: String,
    on_end: Callback<bool>,
}

/// Asks before a profile is deleted.
#[component]
fn Confirm(props: &ConfirmProps) -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let words = ConnectionWords::of(text);
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // It fails only for a dialog that is open already.
                let _ = dialog.show_modal();
            }
        });
    }
    let end = |is_confirmed: bool| props.on_end.reform(move |_: MouseEvent| is_confirmed);
    html! {
        <dialog class="dialog" ref={dialog} aria-labelledby="delete-title" data-testid="confirm"
            oncancel={props.on_end.reform(|_| false)}>
            <h2 class="card__title" id="delete-title">{fill(words.delete_ask, &[("name", &props.name)])}</h2>
            <p class="card__note">{words.delete_text}</p>
            <div class="actions">
                <button type="button" class="button" onclick={end(false)} data-testid="confirm-cancel">{text.cancel}</button>
                <button type="button" class="button button--primary" onclick={end(true)} data-testid="confirm-delete">
                    {words.delete}</button>
            </div>
        </dialog>
    }
}

/// The way back to the list, and the title under it.
pub(super) fn head(title: &str, on_back: &Callback<()>, words: &'static ConnectionWords) -> Html {
    html! {
        <header class="page__head">
            <button type="button" class="button button--quiet back" onclick={on_back.reform(|_| ())} data-testid="connections-back">
                <Icon symbol={Symbol::Back} />{words.all}</button>
            <h1 class="page__title" id="connections-title" tabindex="-1">{title}</h1>
        </header>
    }
}

/// Moves the focus to the title of what came in the place of the list, so that nobody who cannot see it is lost.
#[hook]
pub(super) fn use_title_focus() {
    use_effect_with((), |()| document::focus("connections-title"));
}
