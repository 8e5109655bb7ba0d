//! What talks to the browser and to the broker.

pub use hearth_client::clock;

mod client_options;
pub mod connection;
pub mod document;
pub mod file;
pub mod hub;
pub mod info;
pub mod locale;
pub mod part;
pub mod preferences;
pub mod publisher;
pub mod subscriber;
