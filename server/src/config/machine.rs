//! What the defaults need to know of the machine.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::ListenAddress;

/// Shards that a machine gets by default at most. Each costs a thread and a ring to each other one; beyond this
/// a person who knows the load should choose.
const DEFAULT_SHARDS_MAX: usize = 32;

/// Facts of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores that the process may use, held at what makes sense as a default number of shards.
    pub cores: u16,
    /// Whether `::1` is there. Some containers and kernels have no IPv6.
    pub has_ipv6_loopback: bool,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cores: u16::try_from(cores.min(DEFAULT_SHARDS_MAX)).unwrap_or(1),
            has_ipv6_loopback: UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
        }
    }

    /// Both loopback addresses as far as they are there, so that `localhost` reaches the listener whichever it
    /// means. With port 0 only the first: two sockets would get two ports, and nobody could tell them apart.
    pub fn loopback(&self, port: u16) -> Vec<ListenAddress> {
        let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()];
        if self.has_ipv6_loopback && port != 0 {
            addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into());
        }
        addresses
    }
}
