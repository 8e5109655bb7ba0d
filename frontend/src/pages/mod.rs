//! One page a file: each composes hooks, components and widgets.

mod about;
mod chart;
mod home;
mod missing;
mod publish;
mod room;
mod topic;
mod topics;

pub use about::AboutPage;
pub use chart::ChartPage;
pub use home::HomePage;
pub use missing::MissingPage;
pub use publish::PublishPage;
pub use topic::TopicPage;
pub use topics::TopicsPage;

use crate::services::document;
use crate::state::address::host_name;

/// A command that publishes something to this broker, for people to try.
fn example_command(topic: &str, payload: &str) -> String {
    let href = document::href();
    let host = host_name(&href);
    let host = if host.is_empty() { "localhost" } else { host };
    format!("mosquitto_pub -h {host} -t {topic} -m {payload} -r")
}
