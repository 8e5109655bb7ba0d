//! What must survive the process: rows of a store, changes to them, and what waits until they are on disk.

mod carried;
mod hold;
mod image;
mod inventory;
mod journal;
mod report;
mod row;
mod value;

pub use image::{BadRow, Image};
pub use inventory::Inventory;
pub use journal::{Batch, Change, Table};
pub use report::{Amount, ExactlyOnce, Report, SessionReport, SubscriptionReport, WillReport};

pub(crate) use carried::{Carried, CarriedRow, Placement};
pub(crate) use hold::{Hold, Holds, Lane, Release};
pub use image::ShardImage;
pub(crate) use image::{Restored, RestoredDelivery, key_of};
pub(crate) use journal::{Entry, Journal};
pub use value::{RowBytes, Value};

pub(crate) use row::{OwnReference, ReferenceRow, SessionRow, SubscriptionRow};
