//! The pieces that pages are made of: functions of their props, without I/O.

mod connection_badge;
mod empty;
mod field;
mod icon;
mod logo;
mod payload_view;
mod segmented;
mod shell;
mod toggle;
mod tree_view;

pub use connection_badge::{ConnectionBadge, explain};
pub use empty::Empty;
pub use field::Field;
pub use icon::{Icon, Symbol};
pub use logo::Logo;
pub use payload_view::PayloadView;
pub use segmented::{Choice, Segmented};
pub use shell::{MAIN_ID, Shell};
pub use toggle::Toggle;
pub use tree_view::TreeView;
