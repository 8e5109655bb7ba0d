//! The live tree: all topics in an index, shown to those who subscribe below `$hearth`.
//!
//! Each shard counts what comes of each topic (`hearth_broker::Tally`); one thread takes that now and then into the index and
//! shows each client what it looks at and may read. docs/tree.md has what is shown.

mod desk;
mod index;
mod keeper;
mod lens;
mod node;
mod painter;
mod walk;
mod watch;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;

pub(crate) use desk::{Desk, TreeCounts};
pub(crate) use keeper::{Keeper, Surroundings, Tree};
