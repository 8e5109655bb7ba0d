//! What talks to the browser and to the broker.

mod client_options;
pub mod clock;
pub mod connection;
pub mod document;
pub mod hub;
pub mod info;
pub mod locale;
pub mod preferences;
pub mod socket;
