//! What stands on the panel and draws by itself; functions of their props, without I/O.

mod chart_axes;
mod lamp;
mod line_chart;
mod room;
mod row_pool;
mod scroll_area;
mod spark_line;
mod stream_list;
mod tile;
mod topic_list;

pub use lamp::{CatalogueRef, Lamp, LampLook};
pub use line_chart::{CanvasSize, DASHES, LINES_MAX, Picture, PictureCursor, PictureLine, Plot, paint};
pub use room::RoomCard;
pub use row_pool::{Place, Row, RowSource, RowWords};
pub use spark_line::SparkLine;
pub use stream_list::{StreamList, StreamRow, StreamRows, StreamSource};
pub use tile::Tile;
pub use topic_list::{Rows, TopicList};
