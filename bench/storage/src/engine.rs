//! What is asked of a storage engine.

use std::path::Path;

use anyhow::Result;

/// The tables of the broker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// Message by number.
    Messages,
    /// Reference by session and sequence number.
    References,
    /// Retained message by topic.
    Retained,
    /// Session by client id.
    Sessions,
}

/// Every table.
pub const TABLES: [Table; 4] = [Table::Messages, Table::References, Table::Retained, Table::Sessions];

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    Put(Table, Vec<u8>, Vec<u8>),
    Delete(Table, Vec<u8>),
}

/// Whether a batch must survive the loss of power, or of the process alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Disk,
    Process,
}

/// One engine under test.
pub trait Engine: Sized {
    const NAME: &'static str;

    /// Opens what is there, or begins anew.
    fn open(folder: &Path) -> Result<Self>;

    /// Carries out a batch whole or not at all.
    fn commit(&mut self, batch: &[Change], durability: Durability) -> Result<()>;

    /// Reads every entry of a table in the order of its keys; how many there were.
    fn scan(&mut self, table: Table, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<usize>;
}
