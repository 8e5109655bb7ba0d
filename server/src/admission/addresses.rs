//! What is remembered of each address: its connections, and how fast they came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;

use super::barrier::Barrier;
use super::pace::Pace;
use crate::config::DoorLimits;

/// How often entries without connections are looked for at most, in nanoseconds. Their buckets are full again after a
/// second.
const SWEEP_EVERY: u64 = 1_000_000_000;

/// Who is taken for one and the same: an IPv4 address, or a /64 of IPv6, which is what one customer gets and may
/// change inside of as it likes. In eight bytes, since each connection holds one: the networks below 0:1::/32, in whose
/// place IPv4 stands, are nobody's (RFC 4291, 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(NonZeroU64);

impl Source {
    /// `None` for those that are bound by the totals alone: this machine, where whoever could exhaust a bound has
    /// better ways, and where each proxy, bridge and test comes from; and unix sockets.
    pub(super) fn of(address: Option<SocketAddr>) -> Option<Self> {
        let ip = address?.ip().to_canonical();
        if ip.is_loopback() {
            return None;
        }
        let number = match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            // The upper half is the network.
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
        };
        Some(Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)))
    }
}

/// Bounded: an entry without connections lasts until its bucket is full again and somebody needs the room.
#[derive(Debug)]
pub(super) struct AddressTable {
    /// The standard library's map: its hash has a random key, so that nobody can choose addresses that collide.
    seen: HashMap<Source, Seen>,
    addresses_max: usize,
    connections_max: u32,
    pace: Pace,
    swept_at: u64,
}

#[derive(Debug, Default)]
struct Seen {
    connections: u32,
    full_at: u64,
}

impl AddressTable {
    pub(super) fn new(limits: &DoorLimits) -> Self {
        Self {
            seen: HashMap::new(),
            addresses_max: limits.addresses_max,
            connections_max: limits.connections_per_address_max,
            pace: Pace::per_second(limits.connects_per_second_per_address_max),
            swept_at: 0,
        }
    }

    pub(super) fn arrive(&mut self, source: Source, now: u64) -> Result<(), Barrier> {
        let pace = self.pace;
        let seen = self.entry(source, now)?;
        match pace.next(seen.full_at, now) {
            Some(full_at) => {
                seen.full_at = full_at;
                Ok(())
            }
            None => Err(Barrier::ConnectRatePerAddress),
        }
    }

    pub(super) fn enter(&mut self, source: Source, now: u64) -> Result<(), Barrier> {
        let max = self.connections_max;
        let seen = self.entry(source, now)?;
        if seen.connections >= max {
            return Err(Barrier::ConnectionsPerAddress);
        }
        seen.connections += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self, source: Source, now: u64) {
        if let Entry::Occupied(mut entry) = self.seen.entry(source) {
            let seen = entry.get_mut();
            seen.connections = seen.connections.saturating_sub(1);
            if seen.is_idle(now) {
                entry.remove();
            }
        }
    }

    fn entry(&mut self, source: Source, now: u64) -> Result<&mut Seen, Barrier> {
        if self.seen.len() >= self.addresses_max && !self.seen.contains_key(&source) {
            self.sweep(now);
            if self.seen.len() >= self.addresses_max {
                return Err(Barrier::Addresses);
            }
        }
        Ok(self.seen.entry(source).or_default())
    }

    /// Forgets who is not here and may come at any pace. At most once a second, so that a full table costs each
    /// arrival no walk through all of it.
    fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept_at) < SWEEP_EVERY {
            return;
        }
        self.swept_at = now;
        self.seen.retain(|_, seen| !seen.is_idle(now));
        // Never below what comes at once in a storm.
        self.seen.shrink_to(self.addresses_max / 16);
    }
}

impl Seen {
    fn is_idle(&self, now: u64) -> bool {
        self.connections == 0 && self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn table(addresses_max: usize) -> AddressTable {
        AddressTable {
            seen: HashMap::new(),
            addresses_max,
            connections_max: 2,
            pace: Pace::per_second(1),
            swept_at: 0,
        }
    }

    fn source(number: u8) -> Source {
        Source::of(Some(SocketAddr::from(([192, 0, 2, number], 1)))).unwrap()
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_bound_and_room_comes_back() {
        let mut table = table(3);
        let start = 10 * SECOND;
        for number in 0..3 {
            table.arrive(source(number), start).unwrap();
        }
        assert_eq!(table.arrive(source(3), start), Err(Barrier::Addresses));
        assert_eq!(table.seen.len(), 3);
        assert_eq!(
            table.arrive(source(0), start),
            Err(Barrier::ConnectRatePerAddress),
            "who is known is known"
        );
        table.enter(source(0), start).unwrap();
        let later = start + 2 * SECOND;
        table.arrive(source(3), later).unwrap();
        assert_eq!(table.seen.len(), 2, "the one with a connection, and the new one");
    }

    #[test]
    fn an_entry_goes_with_its_last_connection() {
        let mut table = table(3);
        table.enter(source(0), 0).unwrap();
        table.enter(source(0), 0).unwrap();
        assert_eq!(table.enter(source(0), 0), Err(Barrier::ConnectionsPerAddress));
        table.leave(source(0), SECOND);
        assert_eq!(table.seen.len(), 1);
        table.leave(source(0), SECOND);
        assert_eq!(table.seen.len(), 0);
    }

    #[test]
    fn leaving_does_not_forget_how_fast_somebody_came() {
        let mut table = table(3);
        table.arrive(source(0), 0).unwrap();
        table.enter(source(0), 0).unwrap();
        table.leave(source(0), SECOND / 2);
        assert_eq!(table.arrive(source(0), SECOND / 2), Err(Barrier::ConnectRatePerAddress));
        table.arrive(source(0), SECOND).unwrap();
    }
}
