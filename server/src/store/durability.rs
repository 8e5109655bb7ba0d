//! What an acknowledgement promises.

use std::fmt;

/// What has happened to a message when it is acknowledged, if somebody needs it later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk: it survives the loss of power.
    #[default]
    Fsync,
    /// The operating system has it: it survives the end of the process, but not that of the system.
    Os,
    /// It is in memory: nothing survives the process.
    None,
}

impl Durability {
    /// Every one, the safest first.
    pub const ALL: [Self; 3] = [Self::Fsync, Self::Os, Self::None];

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|durability| durability.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no durability; write fsync, os or none"))
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fsync => "fsync",
            Self::Os => "os",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_by_its_name() {
        for durability in Durability::ALL {
            assert_eq!(Durability::parse(&durability.to_string()), Ok(durability));
        }
        assert_eq!(
            Durability::parse("always").unwrap_err(),
            "`always` is no durability; write fsync, os or none"
        );
    }
}
