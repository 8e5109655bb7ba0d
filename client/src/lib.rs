//! MQTT in a browser: `hearth-protocol`'s client over a WebSocket, without a view. The web app uses it, and the package
//! for other pages is made of it.

pub mod link;
pub mod package;

#[cfg(target_arch = "wasm32")]
pub mod clock;
#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
pub mod socket;
