//! Checks passwords beside the shards: hashing one takes longer than a turn may.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hearth_broker::{AuthStep, Identity};
use hearth_protocol::ReasonCode;
use hearth_scram::Verifier;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Passwords that may wait to be checked. As many as two cores check before the clients' time to CONNECT is over: who
/// comes later would wait in vain, and is told at once to come again.
const WAITING_MAX: usize = 4096;

/// How long a password may wait: the time to CONNECT, after which nobody wants the answer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How long it is remembered that a password was right. Devices on a bad link, which come again and again, cost one
/// keyed hash each time; a stolen memory image holds no longer-lived secret for it.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Passwords that are remembered: about a mebibyte.
const REMEMBERED_MAX: usize = 16_384;

/// What is done with the answer.
pub(crate) type Reply = Box<dyn FnOnce(AuthStep) + Send>;

/// A password to be checked.
pub(crate) struct Check {
    pub(crate) verifier: Verifier,
    pub(crate) password: Bytes,
    /// Whose it is; `None` when there is no such user and the verifier is a decoy.
    pub(crate) user_name: Option<Arc<str>>,
    /// The answer if it is wrong.
    pub(crate) denied: AuthStep,
}

/// Where passwords are checked.
#[derive(Debug)]
pub(crate) struct Passwords {
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    waiting: Arc<Semaphore>,
    /// Half the cores: the shards need the others.
    workers: Arc<Semaphore>,
    remembered: Arc<Remembered>,
}

/// Passwords that were right not long ago.
#[derive(Debug)]
struct Remembered {
    key: [u8; 32],
    until_by_hash: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Passwords {
    /// Checks them as tasks of `tasks` on the runtime in which this is called.
    pub(crate) fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        let workers = available_parallelism().map_or(1, std::num::NonZero::get).div_ceil(2);
        Self {
            runtime: Handle::current(),
            tasks,
            stop,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            workers: Arc::new(Semaphore::new(workers)),
            remembered: Arc::new(Remembered { key: rand::random(), until_by_hash: Mutex::default() }),
        }
    }

    /// The answer if it is known at once; otherwise `reply` is called with it later, unless the broker stops.
    pub(crate) fn check(&self, check: Check, reply: Reply) -> Option<AuthStep> {
        let hash = check.verifier.remembrance(&self.remembered.key, &check.password);
        if let Some(user_name) = &check.user_name
            && self.remembered.knows(&hash, Instant::now())
        {
            return Some(allow(Arc::clone(user_name)));
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else { return Some(busy()) };
        let (workers, remembered) = (Arc::clone(&self.workers), Arc::clone(&self.remembered));
        let checking = async move {
            let worker = match tokio::time::timeout(WAIT_MAX, workers.acquire_owned()).await {
                Ok(Ok(worker)) => worker,
                // Nobody closes the semaphore.
                Ok(Err(_)) | Err(_) => return reply(busy()),
            };
            let checked = tokio::task::spawn_blocking(move || {
                let step = check.run(&remembered, hash);
                drop((worker, place));
                step
            });
            reply(checked.await.unwrap_or_else(|_| busy()));
        };
        let stop = self.stop.clone();
        let task = async move {
            // A stop leaves nobody who waits for the answer.
            stop.run_until_cancelled(checking).await;
        };
        self.tasks.spawn_on(task, &self.runtime);
        None
    }
}

impl Check {
    /// Takes its time, whether there is such a user or not.
    fn run(self, remembered: &Remembered, hash: [u8; 32]) -> AuthStep {
        let is_right = self.verifier.matches(&self.password);
        match self.user_name {
            Some(user_name) if is_right => {
                remembered.insert(hash, Instant::now());
                allow(user_name)
            }
            Some(_) | None => self.denied,
        }
    }
}

impl Remembered {
    fn knows(&self, hash: &[u8; 32], now: Instant) -> bool {
        let until_by_hash = self.until_by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        until_by_hash.get(hash).is_some_and(|until| *until > now)
    }

    fn insert(&self, hash: [u8; 32], now: Instant) {
        let mut until_by_hash = self.until_by_hash.lock().unwrap_or_else(PoisonError::into_inner);
        if until_by_hash.len() >= REMEMBERED_MAX {
            until_by_hash.retain(|_, until| *until > now);
        }
        if until_by_hash.len() < REMEMBERED_MAX {
            until_by_hash.insert(hash, now + REMEMBERED);
        }
    }
}

const fn allow(user_name: Arc<str>) -> AuthStep {
    AuthStep::Allow { identity: Identity { user_name: Some(user_name) }, data: None }
}

fn busy() -> AuthStep {
    let detail = format!("{WAITING_MAX} passwords wait to be checked");
    AuthStep::Deny { reason: ReasonCode::ServerBusy, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_was_right_is_remembered_for_an_hour_and_not_without_bound() {
        let remembered = Remembered { key: [0; 32], until_by_hash: Mutex::default() };
        let now = Instant::now();
        let hash = |number: u32| {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            hash
        };
        for number in 0..REMEMBERED_MAX as u32 + 10 {
            remembered.insert(hash(number), now);
        }
        assert!(remembered.knows(&hash(0), now + REMEMBERED - Duration::from_secs(1)));
        assert!(!remembered.knows(&hash(0), now + REMEMBERED), "the time is over");
        assert!(!remembered.knows(&hash(REMEMBERED_MAX as u32), now), "there was no room");
        remembered.insert(hash(u32::MAX), now + REMEMBERED);
        assert!(remembered.knows(&hash(u32::MAX), now + REMEMBERED), "what is over makes room");
        assert_eq!(remembered.until_by_hash.lock().unwrap().len(), 1);
    }
}
