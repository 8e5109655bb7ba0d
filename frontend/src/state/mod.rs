//! What the app knows and how it decides; no web API is in reach here, so that all of it is tested natively.

pub use hearth_client::link;

pub mod address;
pub mod births;
pub mod cbor;
pub mod colour;
pub mod command;
pub mod extent;
pub mod field_series;
pub mod history;
pub mod interest;
pub mod janitor;
pub mod json;
pub mod listing;
pub mod measure;
pub mod message_pack;
pub mod outcome;
pub mod panel;
pub mod payload;
pub mod pins;
pub mod profile;
pub mod query;
pub mod rate;
pub mod remote_tree;
pub mod retained;
pub mod series;
pub mod settings;
pub mod signal;
pub mod spark;
pub mod sparkplug;
pub mod ticks;
pub mod topic_tree;
pub mod topics;
pub mod tree;
pub mod view;
pub mod window;
