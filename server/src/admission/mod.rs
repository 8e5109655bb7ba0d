//! Who may come in now: connections paced, and counted by their addresses, before any shard sees them.
//!
//! How many there are in all is the broker's own bound, since it knows where else to send a client.

mod addresses;
mod barrier;
mod pace;
mod tally;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(crate) use barrier::Barrier;

use self::addresses::{AddressTable, Source};
use self::pace::Pace;
use self::tally::Tallies;
use crate::config::DoorLimits;

/// The book of connections, shared by all listeners and shards.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: DoorLimits,
    started: Instant,
    pace: Pace,
    /// When the next connection is due by the pace of all together, in nanoseconds since the start.
    due: AtomicU64,
    addresses: Mutex<AddressTable>,
    tallies: Tallies,
}

/// A connection in the book of its address; dropping it takes it out. Each connection from afar holds one for as long
/// as it lasts, so it is small: nothing of its own on the heap.
#[derive(Debug)]
pub(crate) struct Presence {
    admission: Arc<Admission>,
    source: Source,
}

impl Admission {
    /// An empty book.
    pub(crate) fn new(limits: DoorLimits) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            pace: Pace::per_second(limits.connects_per_second_max),
            due: AtomicU64::new(0),
            addresses: Mutex::new(AddressTable::new(&limits)),
            tallies: Tallies::default(),
            limits,
        })
    }

    /// The bounds.
    pub(crate) fn limits(&self) -> &DoorLimits {
        &self.limits
    }

    /// Counts a connection that has just been accepted against the pace of all.
    ///
    /// # Errors
    /// They come too fast.
    pub(crate) fn arrive(&self) -> Result<(), Barrier> {
        let now = self.now();
        let next = |due| self.pace.next(due, now);
        // Nothing else is published by this number.
        match self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(()),
            Err(_) => Err(Barrier::ConnectRate),
        }
    }

    /// Counts it against the pace of its address, once that is known for sure.
    ///
    /// # Errors
    /// They come too fast from there, or from more addresses than can be remembered.
    pub(crate) fn arrive_from(&self, address: Option<SocketAddr>) -> Result<(), Barrier> {
        match Source::of(address) {
            Some(source) => self.addresses().arrive(source, self.now()),
            None => Ok(()),
        }
    }

    /// Takes a client into the book of its address, where that has one.
    ///
    /// # Errors
    /// There are as many from there as there may be.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<SocketAddr>) -> Result<Option<Presence>, Barrier> {
        let Some(source) = Source::of(address) else { return Ok(None) };
        self.addresses().enter(source, self.now())?;
        Ok(Some(Presence { admission: Arc::clone(self), source }))
    }

    /// Counts what was turned away, and tells operators of it now and then.
    pub(crate) fn refuse(&self, barrier: Barrier, address: Option<SocketAddr>, client_id: Option<&str>) {
        self.tallies.add(barrier, self.started.elapsed(), address, client_id);
    }

    /// How often each barrier has turned somebody away since the start, by the name of its setting.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Barrier::ALL.into_iter().map(|barrier| (barrier.setting(), self.tallies.count(barrier)))
    }

    fn now(&self) -> u64 {
        // 584 years.
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn addresses(&self) -> MutexGuard<'_, AddressTable> {
        // Every change of the table is whole, so that a poisoned lock guards nothing broken.
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.admission.addresses().leave(self.source, self.admission.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Machine};

    fn admission(change: impl FnOnce(&mut DoorLimits)) -> Arc<Admission> {
        let mut limits =
            Config::defaults(&Machine { cores: 1, has_ipv6_loopback: false, memory_bytes: None }).door;
        change(&mut limits);
        Admission::new(limits)
    }

    fn from(ip: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(ip.parse().unwrap(), 40_000))
    }

    #[test]
    fn one_address_may_not_take_every_place() {
        let admission = admission(|limits| limits.connections_per_address_max = 2);
        let first = admission.enter(from("192.0.2.1")).unwrap();
        let _second = admission.enter(from("::ffff:192.0.2.1")).unwrap();
        assert_eq!(admission.enter(from("192.0.2.1")).unwrap_err(), Barrier::ConnectionsPerAddress);
        let _other = admission.enter(from("192.0.2.2")).unwrap();
        drop(first);
        let _third = admission.enter(from("192.0.2.1")).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let admission = admission(|limits| limits.connections_per_address_max = 1);
        let _one = admission.enter(from("2001:db8::1")).unwrap();
        assert_eq!(admission.enter(from("2001:db8::ffff:2")).unwrap_err(), Barrier::ConnectionsPerAddress);
        let _next_network = admission.enter(from("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn this_machine_and_unix_sockets_have_no_bound_of_an_address() {
        let admission = admission(|limits| {
            limits.connections_per_address_max = 1;
            limits.connects_per_second_per_address_max = 1;
        });
        for address in [from("127.0.0.1"), from("127.8.8.8"), from("::1"), from("::ffff:127.0.0.1"), None] {
            let _both = [admission.enter(address).unwrap(), admission.enter(address).unwrap()];
            for _ in 0..10 {
                admission.arrive_from(address).unwrap();
            }
        }
    }

    #[test]
    fn those_who_come_too_fast_are_told_apart_from_those_of_an_address() {
        let admission = admission(|limits| {
            limits.connects_per_second_max = 3;
            limits.connects_per_second_per_address_max = 2;
        });
        for _ in 0..3 {
            admission.arrive().unwrap();
        }
        assert_eq!(admission.arrive().unwrap_err(), Barrier::ConnectRate);
        admission.arrive_from(from("192.0.2.1")).unwrap();
        admission.arrive_from(from("192.0.2.1")).unwrap();
        assert_eq!(admission.arrive_from(from("192.0.2.1")).unwrap_err(), Barrier::ConnectRatePerAddress);
        admission.arrive_from(from("192.0.2.2")).unwrap();
    }

    #[test]
    fn every_refusal_is_counted_under_its_setting() {
        let admission = admission(|_| {});
        for _ in 0..3 {
            admission.refuse(Barrier::ConnectRate, from("192.0.2.1"), Some("lamp"));
        }
        admission.refuse(Barrier::HalfOpen, None, None);
        let counts: Vec<_> = admission.refusals().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [("limits.half_open_max", 1), ("limits.connects_per_second_max", 3)]);
    }
}
