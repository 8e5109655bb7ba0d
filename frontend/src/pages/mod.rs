//! One page a file: each composes hooks, components and widgets.

mod about;
mod chart;
mod chart_canvas;
mod chart_fields;
mod chart_figures;
mod chart_line;
mod chart_panel;
mod chart_stage;
mod chart_tools;
mod home;
mod missing;
mod publish;
mod retained;
mod room;
mod topic;
mod topic_facts;
mod topic_history;
mod topic_rows;
mod topics;
mod unheard;

pub use about::AboutPage;
pub use chart::ChartPage;
pub use home::HomePage;
pub use missing::MissingPage;
pub use publish::PublishPage;
pub use retained::RetainedPage;
pub use topic::TopicPage;
pub use topics::TopicsPage;
