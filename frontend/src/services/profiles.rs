//! The profiles of this browser: read from its storage, written there without what must not be kept, and connected with.

use std::cell::RefCell;

use hashbrown::HashMap;
use hearth_protocol::ReasonCode;
use hearth_protocol::packet::Disconnect;
use yew::prelude::*;

use super::connections::{Connections, Open, Step};
use super::hub::Hub;
use super::preferences;
use super::terms::{Terms, draw_id, last_farewell};
use crate::state::profile::{self, Fault, Field, ImportError, Profile, Profiles};

thread_local! {
    /// Passwords that were typed and are not kept, by the id of their profile: gone with the page.
    static PASSWORDS: RefCell<HashMap<u32, String>> = RefCell::default();
}

/// The profiles, with the passwords that this load of the page knows.
///
/// # Errors
/// What stands in the storage is not what [`save`] wrote.
pub fn load() -> Result<Profiles, ImportError> {
    let document = preferences::connections();
    if document.is_empty() {
        return Ok(Profiles::default());
    }
    let mut profiles = profile::import(&document)?.profiles;
    PASSWORDS.with_borrow(|passwords| {
        for profile in &mut profiles {
            if let Some(password) = passwords.get(&profile.id).filter(|_| !profile.keep_password) {
                profile.password.clone_from(password);
            }
        }
    });
    Ok(Profiles::of(profiles))
}

/// Stores the profiles; `false` when the browser does not take them, so that they are gone with the page.
pub fn save(profiles: &Profiles) -> bool {
    PASSWORDS.with_borrow_mut(|passwords| {
        passwords.clear();
        let typed = profiles.as_slice().iter().filter(|profile| !profile.password.is_empty());
        passwords.extend(typed.map(|profile| (profile.id, profile.password.clone())));
    });
    let stored: Vec<Profile> = profiles.as_slice().iter().map(profile::storable).collect();
    preferences::set_connections(&profile::export(&stored))
}

/// Connects with a profile; one that is connected with it already ends before.
///
/// # Errors
/// What is wrong with the profile.
pub fn connect(
    connections: &UseReducerHandle<Connections>,
    profile: &Profile,
) -> Result<(), Vec<(Field, Fault)>> {
    let plan = profile.plan(&draw_id())?;
    if let Some(open) = connections.get(profile.id) {
        open.hub.disconnect(ReasonCode::Success);
    }
    // Nobody can come back to a session under an id that was drawn for this load of the page.
    let farewell = match profile.client_id.is_empty() {
        true => last_farewell(),
        false => Disconnect::new(ReasonCode::Success),
    };
    let terms = Terms {
        address: Some(plan.address),
        options: plan.options,
        filters: plan.filters,
        farewell,
        is_own: false,
    };
    let open = Open { id: profile.id, name: profile.name.clone().into(), hub: Hub::start(terms) };
    connections.dispatch(Step::Put(open));
    Ok(())
}

/// Opens the connections that are to be open whenever the page is, as far as nothing has to be asked before.
pub fn connect_at_start(connections: &UseReducerHandle<Connections>) {
    // The page of the connections shows what is wrong with the storage.
    let Ok(profiles) = load() else { return };
    let shown = preferences::shown_connection();
    for profile in profiles.as_slice().iter().filter(|profile| profile.connect_at_start) {
        let wants_password = profile.uses_password && profile.password.is_empty();
        if !wants_password && connect(connections, profile).is_ok() && profile.id == shown {
            connections.dispatch(Step::Show(shown));
        }
    }
}
