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
    /// Memory that the process may use; `None` where the system does not say.
    pub memory_bytes: Option<usize>,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cores: u16::try_from(cores.min(DEFAULT_SHARDS_MAX)).unwrap_or(1),
            has_ipv6_loopback: UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
            memory_bytes: memory(),
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

/// The memory of the machine, or of the part of it that a container has (Linux).
fn memory() -> Option<usize> {
    let of_container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok());
    let of_machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    of_container.chain(of_machine).min()
}

fn total(text: &str) -> Option<usize> {
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?;
    kibibytes.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_the_first_line_of_what_linux_says_of_it() {
        assert_eq!(total("MemTotal:         948304 kB\nMemFree:  1 kB\n"), Some(948_304 * 1024));
        assert_eq!(total("MemFree:  1 kB\n"), None);
    }
}
