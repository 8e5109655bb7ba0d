//! What every page needs: the hub, the locale and the choices behind it.

use yew::prelude::*;

use crate::services::connections::Connections;
use crate::services::hub::Hub;
use crate::services::locale::Locale;
use crate::state::settings::{Language, Theme};

/// The context of the app.
#[derive(Clone, PartialEq)]
pub struct App {
    /// State and commands of the connection that the pages show.
    pub hub: Hub,
    /// All connections that are open.
    pub connections: UseReducerHandle<Connections>,
    /// The person's language.
    pub locale: Locale,
    /// The chosen language.
    pub language: Language,
    /// The chosen theme.
    pub theme: Theme,
    /// Chooses a language.
    pub set_language: Callback<Language>,
    /// Chooses a theme.
    pub set_theme: Callback<Theme>,
}

/// The context of the app.
///
/// # Panics
/// Outside the app's provider.
#[hook]
#[expect(clippy::expect_used, reason = "the root component provides it around all others")]
pub fn use_app() -> App {
    use_context::<App>().expect("the app provides its context")
}

/// The hub.
#[hook]
pub fn use_hub() -> Hub {
    use_app().hub
}

/// The locale.
#[hook]
pub fn use_locale() -> Locale {
    use_app().locale
}
