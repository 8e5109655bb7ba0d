//! The store on a disk that tears, reorders, loses and forgets what is written, and flips bits in what is left.

mod crashes;
mod hostile_disk;
mod vfs;
