//! The package for other pages: what JavaScript calls, and what tells it of messages.

pub mod routes;
pub mod subscriptions;

#[cfg(all(target_arch = "wasm32", feature = "package"))]
mod batch;
#[cfg(all(target_arch = "wasm32", feature = "package"))]
pub mod engine;
#[cfg(all(target_arch = "wasm32", feature = "package"))]
mod fields;
#[cfg(all(target_arch = "wasm32", feature = "package"))]
mod options;
#[cfg(all(target_arch = "wasm32", feature = "package"))]
mod properties;
#[cfg(all(target_arch = "wasm32", feature = "package"))]
pub mod sink;
