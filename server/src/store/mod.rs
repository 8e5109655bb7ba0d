//! What outlives the process: sessions, messages that wait, retained messages.
//!
//! The shards collect changes; one thread writes what has come together and tells them when it is on disk.

mod backup;
mod check;
mod commit_queue;
mod committer;
mod connection;
mod database;
mod durability;
mod error;
mod file_bytes;
mod first_page;
mod folder;
mod inspection;
mod log_format;
mod log_repair;
mod log_survey;
mod restoration;
mod salvage;
mod schema;
mod snapshot;
mod snapshot_error;
#[cfg(test)]
pub(crate) mod tests;
mod way;

pub(crate) use backup::{BackedUp, backup};
pub(crate) use check::{seal, unseal};
pub(crate) use commit_queue::CommitQueue;
pub(crate) use committer::{Committer, Counters, StoreCounts};
pub(crate) use connection::write_over;
pub(crate) use database::is_corrupt;
pub(crate) use durability::Durability;
pub(crate) use error::StoreError;
pub(crate) use folder::{DataFolder, OpenedStore, set_aside};
pub(crate) use inspection::inspect;
pub(crate) use log_repair::look_at_history;
pub(crate) use restoration::{Restoration, restore};
pub(crate) use schema::{Format, Kind, Owner, Step, upgrade};
pub use snapshot_error::SnapshotError;
pub(crate) use way::Way;
