//! What listens, and how a connection gets from there to its shard.

mod accept;
mod bound;
pub(crate) mod client_id;
mod door;
mod entrance;
mod farewell;
mod first_byte;
mod handshake;
mod http;
mod http_socket;
mod lookout;
mod porter;
mod proxy_header;
#[cfg(unix)]
mod socket_file;
pub(crate) mod websocket;

pub use bound::BindError;
pub(crate) use bound::{Bound, Listeners};
pub(crate) use door::{Caller, Door, Standing};
pub(crate) use entrance::{Entrance, Service};
pub(crate) use http::HttpService;
pub(crate) use porter::{Knock, Porter, Visit};
pub(crate) use proxy_header::LOCAL_HEADER;
