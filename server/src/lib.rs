//! The Hearth server: listeners, shards, web app and settings.

pub mod config;
