//! What fuzzers run: brokers and routers whose every step is checked; behind the feature `generate`.

pub use crate::router::exercise::topics;
pub use crate::shard::exercise::shards;
