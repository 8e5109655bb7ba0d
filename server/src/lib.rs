//! The Hearth server: listeners, shards, web app and settings.

mod admission;
mod assets;
mod auth;
pub mod cli;
mod client_link;
mod clock;
pub mod config;
mod demo;
mod engine;
mod faults;
mod figures;
mod frames;
#[cfg(test)]
mod fuzz;
mod histogram;
mod history;
mod http;
mod inspection_text;
mod listener;
mod metrics;
mod own_process;
mod run;
mod server;
mod shard_driver;
mod shutdown;
mod socket;
mod store;
mod store_command;
mod system_topics;
mod tree;
mod user_command;

pub use auth::{Anonymous, UsersError, UsersFile};
pub use config::Kind;
#[cfg(feature = "faults")]
pub use faults::Fault;
pub use listener::BindError;
pub use run::run;
pub use server::{Listening, Server, StartError};
pub use store::SnapshotError;
pub use store_command::StoreAction;
pub use user_command::{UserAction, UserError};
