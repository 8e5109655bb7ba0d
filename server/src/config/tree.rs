//! How much the live tree holds.

/// Each is a setting of the same name under `tree`; the table of settings has the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Topics in it.
    pub topics_max: u32,
    /// Bytes of the index.
    pub bytes_max: u64,
    /// Bytes of the beginning of each topic's last payload.
    pub preview_bytes_max: u16,
}

impl Default for TreeConfig {
    fn default() -> Self {
        Self { enabled: true, topics_max: 1_000_000, bytes_max: 256 << 20, preview_bytes_max: 128 }
    }
}
