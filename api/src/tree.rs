//! What the live tree shows: the payloads of messages below `$hearth`.

use serde::{Deserialize, Serialize};

/// The payload of `$hearth/window/…`: a part of what is directly below a branch. Each message is whole: what was there before means
/// nothing any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeWindow {
    /// The branch; without it, the whole tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The place of the first row among all, from 0.
    pub from: u32,
    /// How many rows there are in all.
    pub total: u32,
    /// What the branch itself has.
    #[serde(flatten)]
    pub node: TreeNode,
    /// Each with its `name`.
    pub rows: Vec<TreeRow>,
}

/// The payload of `$hearth/find/…`: a part of the topics that answer a search. Each message is whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeFound {
    /// The words that were searched for.
    pub words: String,
    /// The place of the first row among all, from 0.
    pub from: u32,
    /// How many topics answer.
    pub total: u32,
    /// Each with its `topic`.
    pub rows: Vec<TreeRow>,
}

/// One branch or topic among others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeRow {
    /// In a window: the level by which it is named, which may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a search: the whole name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What it has.
    #[serde(flatten)]
    pub node: TreeNode,
}

/// What a branch or topic has; the payload of `$hearth/tree/…`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Branches and topics directly below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub children: u32,
    /// Topics at and below it.
    #[serde(default)]
    pub topics: u32,
    /// Messages at and below it since the broker has started.
    #[serde(default)]
    pub messages: u64,
    /// Messages a second at and below it, of about the last ten seconds.
    #[serde(default)]
    pub rate: f64,
    /// When the last of them came, in milliseconds since 1970, to a tenth of a second; not there before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What it has as a topic, if it is one.
    #[serde(flatten)]
    pub value: Option<TreeValue>,
}

/// The last message of a topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeValue {
    /// Bytes of the payload.
    pub bytes: u64,
    /// How the payload begins, where that is text: all of it when it has as many bytes as `bytes` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The same in base64, where it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Whether a message is retained here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retained: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
