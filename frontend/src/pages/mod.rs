//! One page a file: each composes hooks, components and widgets.

mod about;
mod chart;
mod chart_figures;
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

use hearth_api::{Info, ListenerKind};

use crate::services::document;
use crate::state::address::{host_name, port};

/// The port that clients use when nothing is said.
const MQTT_PORT: u16 = 1883;

/// A command that publishes something to this broker, for people to try.
fn example_command(info: Option<&Info>) -> String {
    let href = document::href();
    let host = host_name(&href);
    let host = if host.is_empty() { "localhost" } else { host };
    let listeners = info.map(|info| info.listeners.as_slice()).unwrap_or_default();
    // A unix socket has no port, and no page is on its machine for sure.
    let port_of = |kind| {
        listeners.iter().filter(|listener| listener.kind == kind).find_map(|listener| port(&listener.address))
    };
    let port = match port_of(ListenerKind::Mqtt).or_else(|| port_of(ListenerKind::One)) {
        None | Some(MQTT_PORT) => String::new(),
        Some(port) => format!(" -p {port}"),
    };
    format!("mosquitto_pub -h {host}{port} -t home/kitchen/temperature -m 21.5 -r")
}
