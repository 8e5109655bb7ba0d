//! One page a file: each composes hooks, components and widgets.

mod about;
mod chart;
mod chart_figures;
mod connection_files;
mod connection_form;
mod connection_row;
mod connections;
mod home;
mod missing;
mod palette;
mod parts_notice;
mod pin_button;
mod pins;
mod publish;
mod remote_rows;
mod retained;
mod room;
mod subscribe;
mod talk_sections;
mod topic;
mod topic_facts;
mod topic_rows;
mod topics;
mod unheard;

pub use about::AboutPage;
pub use chart::ChartPage;
pub use connections::ConnectionsPage;
pub use home::HomePage;
pub use missing::MissingPage;
pub use palette::Palette;
pub use publish::PublishPage;
pub use retained::RetainedPage;
pub use subscribe::SubscribePage;
pub use topic::TopicPage;
pub use topics::TopicsPage;
