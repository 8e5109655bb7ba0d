//! The connection to the broker as a person sees it.

use std::time::Duration;

use hearth_protocol::{ReasonCode, Time};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The WebSocket could not be opened or broke off.
    Lost,
    /// The broker said nothing for longer than the keep-alive allows.
    Silent,
    /// The broker said goodbye with this reason.
    Closed(ReasonCode),
    /// One side broke the rules of MQTT; what a developer needs to know.
    Protocol(String),
}

/// The state of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// An attempt is under way.
    #[default]
    Connecting,
    /// The broker accepted the connection.
    Online {
        /// Of the last PINGREQ, once one was answered.
        round_trip: Option<Duration>,
    },
    /// The page has slept; whether the connection still stands is being asked.
    Checking,
    /// Not connected; the next attempt is due at `retry_at`.
    Waiting {
        /// What ended the last attempt or connection.
        cause: Cause,
        /// When the next attempt begins.
        retry_at: Time,
    },
    /// The broker refused; it is asked again at `retry_at`, since refusals can pass.
    Refused {
        /// The broker's reason.
        reason: ReasonCode,
        /// When the next attempt begins.
        retry_at: Time,
    },
    /// This side ended the connection, and there is no next attempt by itself.
    Closed,
}

impl Link {
    /// Whether messages come and go.
    pub const fn is_online(&self) -> bool {
        matches!(self, Self::Online { .. })
    }

    /// The word for style sheets and tests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Connecting | Self::Checking => "connecting",
            Self::Online { .. } => "online",
            Self::Waiting { .. } => "waiting",
            Self::Refused { .. } => "refused",
            Self::Closed => "closed",
        }
    }

    /// Whole seconds until the next attempt, rounded up.
    pub fn retry_in_s(&self, now: Time) -> Option<u64> {
        match self {
            Self::Waiting { retry_at, .. } | Self::Refused { retry_at, .. } => {
                Some(retry_at.saturating_since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
            }
            Self::Connecting | Self::Checking | Self::Online { .. } | Self::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_told_in_whole_seconds() {
        let link = Link::Waiting { cause: Cause::Lost, retry_at: Time::from_millis(5200) };
        assert_eq!(link.retry_in_s(Time::from_millis(3000)), Some(3));
        assert_eq!(link.retry_in_s(Time::from_millis(9000)), Some(0));
        assert_eq!(Link::Connecting.retry_in_s(Time::ZERO), None);
    }
}
