//! How components follow what changes.

mod use_app;
mod use_day;
mod use_follow;
mod use_link;
mod use_media;
mod use_outlook;
mod use_route;
mod use_search;
mod use_shortcuts;
mod use_topic;
mod use_watch;

pub use use_app::{App, use_app, use_hub, use_locale};
pub use use_day::use_day;
pub use use_follow::use_follow;
pub use use_link::{use_link, use_link_of, use_trouble};
pub use use_media::use_media;
pub use use_outlook::{use_outlook, use_outlook_links};
pub use use_route::use_route;
pub use use_search::{Search, use_search};
pub use use_shortcuts::{FILTER_ID, use_shortcuts};
pub use use_topic::{TopicMark, use_topic};
pub use use_watch::{use_watch, use_watch_of};
