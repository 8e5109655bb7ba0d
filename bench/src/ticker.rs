//! A clock that wakes the loop in steps far below the millisecond that epoll counts in.

#[cfg(target_os = "linux")]
pub(crate) use of_linux::Ticker;
#[cfg(not(target_os = "linux"))]
pub(crate) use of_others::Ticker;

#[cfg(target_os = "linux")]
mod of_linux {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    /// A timer of the kernel.
    #[derive(Debug)]
    pub(crate) struct Ticker(OwnedFd);

    impl Ticker {
        /// One that makes its token ready so often.
        pub(crate) fn start(step: Duration, registry: &Registry, token: Token) -> io::Result<Self> {
            let timer =
                timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            let step = Timespec::try_from(step).map_err(io::Error::other)?;
            let times = Itimerspec { it_interval: step, it_value: step };
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
            registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self(timer))
        }

        /// Takes note of a tick; the kernel sets the next one then.
        pub(crate) fn acknowledge(&self) -> io::Result<()> {
            match rustix::io::read(&self.0, &mut [0; 8]) {
                Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod of_others {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    /// None: the loop wakes every millisecond.
    #[derive(Debug)]
    pub(crate) struct Ticker;

    impl Ticker {
        /// One that never ticks.
        pub(crate) fn start(_step: Duration, _registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        /// Nothing came.
        pub(crate) fn acknowledge(&self) -> io::Result<()> {
            Ok(())
        }
    }
}
