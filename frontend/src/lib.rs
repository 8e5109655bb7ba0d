//! Hearth's web app: a panel and topic explorer that speaks MQTT over WebSocket to the broker that served it.
//!
//! Imports point one way: `state` and `catalogue` know no web API and are tested natively; `services` do I/O,
//! `hooks` subscribe to them, `pages` compose hooks, components and widgets; components and widgets do no I/O.

pub mod catalogue;
pub mod route;
pub mod state;

#[cfg(target_arch = "wasm32")]
pub mod app;
#[cfg(target_arch = "wasm32")]
pub mod components;
#[cfg(target_arch = "wasm32")]
pub mod hooks;
#[cfg(target_arch = "wasm32")]
pub mod later;
#[cfg(target_arch = "wasm32")]
pub mod pages;
#[cfg(target_arch = "wasm32")]
pub mod services;
#[cfg(target_arch = "wasm32")]
pub mod widgets;
