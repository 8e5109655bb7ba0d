//! An MQTT broker shard without I/O: sessions, routing, retained messages, wills.
//!
//! Bytes and a time go into a [`Shard`]; bytes for connections and [`Effect`]s come out. Shards of one broker
//! share a [`Shared`], which no step of the delivery to a live subscriber writes to.

mod access;
mod authentication;
mod connection;
mod delivery;
mod dropped;
mod durable;
mod effect;
mod encoding;
mod faults;
#[cfg(feature = "generate")]
pub mod generate;
mod held;
mod ids;
mod interest;
mod limits;
mod message;
mod options;
mod output;
mod queue;
mod refusal;
mod replay;
mod retained;
mod router;
mod session;
mod sessions;
mod shard;
mod shared;
mod sparkplug;
mod stats;
mod system;
mod tally;
mod tap;
mod tape;
mod under_way;
mod view;

pub use access::{Access, Admission, AllowAll, Decision, Identity, Subject};
pub use authentication::{AuthRequest, AuthStep, Evidence, Exchange};
pub use connection::{Peer, Transport};
pub use dropped::{ClientDrops, DropCounts};
pub use durable::{Amount, BadRow, Batch, Change, ExactlyOnce, Image, Inventory, Report, RowBytes};
pub use durable::{SessionReport, ShardImage, SubscriptionReport, Table, Value, WillReport};
pub use effect::{Assigned, Awaited, Closer, Consignment, DropReason, Effect, EndReason, Event, Forward};
pub use held::Pressure;
pub use ids::{ConnectionId, ShardCount, ShardId};
pub use limits::{Limit, Limits};
pub use message::Message;
pub use options::{Options, Redirect};
pub use output::{Output, Sending};
pub use retained::Cursor as RetainedCursor;
pub use shard::{Shard, Told, ViewChange, ViewId, Viewing};
pub use shared::Shared;
pub use stats::{ReasonCounts, Stats};
pub use tally::{Sighting, Tally, TallySlot};
pub use tap::Tap;
pub use view::{Among, From, Order, Slice, View};
