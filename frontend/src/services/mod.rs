//! What talks to the browser and to the broker.

pub use hearth_client::clock;

pub mod connection;
pub mod connections;
pub mod days;
pub mod document;
pub mod download;
pub mod file;
pub mod hub;
pub mod info;
mod intake;
pub mod locale;
pub mod pace;
pub mod part;
pub mod past;
pub mod policy;
pub mod preferences;
pub mod profiles;
pub mod publisher;
pub mod subscriber;
pub mod terms;
