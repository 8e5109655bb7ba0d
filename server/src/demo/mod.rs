//! A small simulated home, so that a newcomer sees a living page at once.
//!
//! Its devices are ordinary MQTT clients that connect over TCP as any other: each has its own connection, says at
//! `<prefix>/online` whether it is there, by a will too, and comes back when the connection is lost. What they do is
//! computed without sockets or clocks, one file a device.

mod car;
mod climate;
mod connection;
mod device;
mod door;
mod house;
mod lamp;
mod meter;
mod sensor;
#[cfg(test)]
mod testing;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Credentials;
use crate::clock::Clock;

/// Lets the home's devices live as tasks of `tasks` until `stop`.
///
/// `address` is where an MQTT listener of this broker can be reached; without one nothing can live, and a warning says
/// so. Each connection begins with `greeting`.
pub(crate) fn spawn(
    address: Option<SocketAddr>,
    greeting: &'static [u8],
    credentials: &Credentials,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let Some(address) = address else {
        tracing::warn!(
            "the simulated home needs a listener for MQTT over TCP: give --mqtt or --one an address, or leave --demo out"
        );
        return;
    };
    let clock = Clock::start();
    for device in house::devices(day_second(), rand::random()) {
        tasks.spawn(connection::run(device, address, greeting, credentials.clone(), clock, stop.clone()));
    }
}

/// Where a client of this machine reaches a listener.
pub(crate) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listener.port())
}

/// The second of the day, in UTC. A clock before 1970 is no reason not to simulate.
fn day_second() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() % 86_400.0
}

#[cfg(test)]
mod tests;
