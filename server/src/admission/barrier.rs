//! What a connection can fail at before it reaches a shard.

use hearth_protocol::ReasonCode;

/// A bound or a rule of the door; each stands for a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// It did not say in time who it is.
    ConnectTime,
    /// So many have not said who they are that it has to wait.
    HalfOpen,
    /// There are as many clients of its address as there may be.
    ConnectionsPerAddress,
    /// Connections come too fast.
    ConnectRate,
    /// Connections come too fast from its address.
    ConnectRatePerAddress,
    /// They come from more addresses than can be remembered.
    Addresses,
    /// There are as many HTTP connections as there may be.
    HttpConnections,
    /// The head of a request did not come in time.
    HttpHeadTime,
    /// A response was not taken in time.
    HttpWriteTime,
    /// It comes through a proxy that did not say for whom, or not in the words of the PROXY protocol.
    ProxyHeader,
    /// It speaks TLS, which is not served.
    Tls,
}

impl Barrier {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Self::ConnectTime,
        Self::HalfOpen,
        Self::ConnectionsPerAddress,
        Self::ConnectRate,
        Self::ConnectRatePerAddress,
        Self::Addresses,
        Self::HttpConnections,
        Self::HttpHeadTime,
        Self::HttpWriteTime,
        Self::ProxyHeader,
        Self::Tls,
    ];

    pub(super) const fn as_index(self) -> usize {
        self as usize
    }

    /// The setting that it stands for.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::ConnectTime => "limits.connect_seconds_max",
            Self::HalfOpen => "limits.half_open_max",
            Self::ConnectionsPerAddress => "limits.connections_per_address_max",
            Self::ConnectRate => "limits.connects_per_second_max",
            Self::ConnectRatePerAddress => "limits.connects_per_second_per_address_max",
            Self::Addresses => "limits.addresses_max",
            Self::HttpConnections => "limits.http_connections_max",
            Self::HttpHeadTime => "limits.http_head_seconds_max",
            Self::HttpWriteTime => "limits.http_write_seconds_max",
            Self::ProxyHeader => "proxy_protocol.trusted",
            Self::Tls => "one.listen",
        }
    }

    /// What became of the connection, for the log.
    pub(super) const fn outcome(self) -> &'static str {
        match self {
            Self::HalfOpen => "connections wait to be let in",
            Self::Tls => {
                "a connection speaks TLS, which Hearth does not serve yet: let it connect without TLS"
            }
            Self::ConnectTime
            | Self::ConnectionsPerAddress
            | Self::ConnectRate
            | Self::ConnectRatePerAddress
            | Self::Addresses
            | Self::HttpConnections
            | Self::HttpHeadTime
            | Self::HttpWriteTime
            | Self::ProxyHeader => "a connection was turned away",
        }
    }

    /// What CONNACK says of it, where a CONNECT can be answered at all.
    pub(crate) const fn reason(self) -> ReasonCode {
        match self {
            Self::ConnectionsPerAddress => ReasonCode::QuotaExceeded,
            Self::ConnectRate | Self::ConnectRatePerAddress => ReasonCode::ConnectionRateExceeded,
            Self::ConnectTime
            | Self::HalfOpen
            | Self::Addresses
            | Self::HttpConnections
            | Self::HttpHeadTime
            | Self::HttpWriteTime
            | Self::ProxyHeader
            | Self::Tls => ReasonCode::ServerBusy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    #[test]
    fn every_barrier_stands_for_a_setting_and_has_its_own_number() {
        for (index, barrier) in Barrier::ALL.into_iter().enumerate() {
            assert_eq!(barrier.as_index(), index);
            assert!(Setting::by_key(barrier.setting()).is_some(), "{}", barrier.setting());
            assert!(barrier.reason().connect_return_code().is_some_and(|code| code != 0));
        }
    }
}
