//! Settings, and what this is: versions, sizes, keys.

use hearth_api::ListenerKind;
use yew::prelude::*;

use crate::catalogue::{Catalogue, fill, palette};
use crate::components::{Choice, Logo, Segmented};
use crate::hooks::{use_app, use_hub, use_locale, use_watch};
use crate::route::Route;
use crate::services::{clock, document};
use crate::state::settings::{Language, Theme};

/// The page.
#[component]
pub fn AboutPage() -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    html! {
        <>
            <header class="page__head page__head--logo">
                <Logo />
                <div>
                    <h1 class="page__title">{"Hearth"}</h1>
                    <p class="page__intro">{text.about_text}</p>
                </div>
            </header>
            <div class="masonry">
                <Preferences />
                <Connection />
                <Broker />
                <Keys />
            </div>
        </>
    }
}

#[component]
fn Preferences() -> Html {
    let app = use_app();
    let text = app.locale.catalogue();
    let choice = |value, label: &'static str| Choice { value, label: label.into(), hint: None };
    let themes = Theme::ALL
        .map(|theme| {
            choice(
                theme.as_str(),
                match theme {
                    Theme::System => text.theme_system,
                    Theme::Light => text.theme_light,
                    Theme::Dark => text.theme_dark,
                    Theme::Contrast => text.theme_contrast,
                },
            )
        })
        .to_vec();
    let languages = Language::ALL
        .map(|language| {
            choice(
                language.as_str(),
                match language {
                    Language::System => text.language_system,
                    // A language is offered in its own words.
                    Language::English => "English",
                    Language::German => "Deutsch",
                },
            )
        })
        .to_vec();
    html! {
        <section class="card" aria-labelledby="preferences-title">
            <h2 class="card__title" id="preferences-title">{text.preferences}</h2>
            <div class="stack">
                <Segmented name="theme" legend={text.theme} choices={themes} chosen={app.theme.as_str()}
                    on_choose={app.set_theme.reform(Theme::from_word)} />
                <Segmented name="language" legend={text.language} choices={languages} chosen={app.language.as_str()}
                    on_choose={app.set_language.reform(Language::from_word)} />
            </div>
        </section>
    }
}

#[component]
fn Connection() -> Html {
    let hub = use_hub();
    let locale = use_locale();
    let text = locale.catalogue();
    let (topics, messages) = use_watch((), |hub, ()| {
        let topics = hub.topics();
        (topics.len() as u64, topics.messages())
    });
    let size = document::loaded_bytes().map(|(wire, full)| {
        let kilobytes = |bytes: f64| locale.number(bytes / 1000.0, 0);
        fill(text.app_size_value, &[("wire", &kilobytes(wire)), ("full", &kilobytes(full))])
    });
    let connection = hub.connection();
    html! {
        <section class="card" aria-labelledby="connection-title">
            <h2 class="card__title" id="connection-title">{text.this_connection}</h2>
            <dl class="facts">
                {row(text.address, "about-address", connection.address().unwrap_or("–").to_owned())}
                {row(text.protocol, "about-protocol", fill(text.protocol_value, &[("version", "5.0")]))}
                {row(text.client_id, "about-client-id", connection.client_id().to_string())}
                {row(text.topics_heard, "about-topics", locale.count(topics))}
                {row(text.messages_heard, "about-messages", locale.count(messages))}
                {row(text.app_version, "about-version", env!("CARGO_PKG_VERSION").to_owned())}
                if let Some(size) = size {
                    {row(text.app_size, "about-size", size)}
                }
            </dl>
            <div class="actions">
                <a class="button" href={Route::Connections.href()} data-testid="about-connections">{text.connections}</a>
            </div>
        </section>
    }
}

fn row(name: &'static str, testid: &'static str, value: String) -> Html {
    html! { <div class="facts__row"><dt>{name}</dt><dd data-testid={testid}>{value}</dd></div> }
}

/// What the broker says of itself; nothing when it is not a Hearth.
#[component]
fn Broker() -> Html {
    let locale = use_locale();
    let text = locale.catalogue();
    let Some(info) = use_watch((), |hub, ()| hub.info()) else { return Html::default() };
    let since_ms = clock::wall_ms() - info.uptime_seconds as f64 * 1000.0;
    html! {
        <section class="card" aria-labelledby="broker-title">
            <h2 class="card__title" id="broker-title">{text.broker}</h2>
            <dl class="facts">
                {row(text.version, "about-broker-version", info.version.clone())}
                {row(text.running_since, "about-broker-since", locale.moment(since_ms))}
                {row(text.shards, "about-broker-shards", info.shards.to_string())}
                {for info.listeners.iter().map(|listener| {
                    row(listener_name(text, listener.kind), "about-broker-listener", listener.address.clone())
                })}
            </dl>
        </section>
    }
}

const fn listener_name(text: &'static Catalogue, kind: ListenerKind) -> &'static str {
    match kind {
        ListenerKind::Mqtt => text.listener_mqtt,
        ListenerKind::Http => text.listener_http,
        ListenerKind::Ws => text.listener_ws,
        ListenerKind::One => text.listener_one,
    }
}

#[component]
fn Keys() -> Html {
    let locale = use_locale();
    let text: &Catalogue = locale.catalogue();
    let keys = [
        (&["/"][..], text.shortcut_filter),
        (&["↑", "↓"][..], text.shortcut_rows),
        (&["1", "2", "3", "4", "5"][..], text.shortcut_pages),
        (&["Ctrl", "K"][..], palette::words(text.tag).shortcut),
    ];
    html! {
        <section class="card" aria-labelledby="keys-title">
            <h2 class="card__title" id="keys-title">{text.shortcuts}</h2>
            <dl class="facts">
                {for keys.into_iter().map(|(keys, meaning)| html! {
                    <div class="facts__row">
                        <dt>{for keys.iter().map(|key| html! { <kbd class="key">{*key}</kbd> })}</dt>
                        <dd>{meaning}</dd>
                    </div>
                })}
            </dl>
        </section>
    }
}
