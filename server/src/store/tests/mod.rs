//! The store on a disk that tears, reorders, loses and forgets what is written, and flips bits in what is left.

mod crashes;
mod failing_disk;
mod first_page;
pub(crate) mod hostile_disk;
pub(crate) mod hostile_way;
mod log;
mod salvage;
pub(crate) mod vfs;
