//! A running broker inside this process.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::routing::{MethodRouter, any};
use hearth_api::{ListenerKind, StoreState};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::auth::{self, Authenticator, Credentials, Passwords, Policies, Policy, UsersError, UsersFile};
use crate::config::{AllowedOrigins, Config, Kind, ListenAddress};
use crate::demo;
use crate::engine::{Engine, Shards, Sides};
use crate::figures::Instruments;
use crate::history::{self, History};
use crate::http::{self, Past, Status};
use crate::listener::websocket::{self, Gate};
use crate::listener::{
    BindError, Bound, Door, Entrance, HttpService, LOCAL_HEADER, Listeners, Porter, Service,
};
use crate::store::{DataFolder, Durability, StoreError};
use crate::system_topics;

/// A broker that serves its listeners until it is stopped.
#[derive(Debug)]
pub struct Server {
    listening: Vec<Listening>,
    shards: Shards,
    /// The thread that writes values, where they are kept.
    history_writer: Option<history::Writer>,
    tasks: TaskTracker,
    stop: CancellationToken,
    reload: Arc<Notify>,
    /// A server that is dropped ends as well, but nobody waits for it.
    _stop_when_dropped: DropGuard,
}

/// A listener that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// What it serves.
    pub kind: Kind,
    /// Where; never port 0.
    pub address: ListenAddress,
}

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Who the users are cannot be found out.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// What outlives the process has no place.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A shard cannot be had.
    #[error(
        "cannot start the threads that serve clients: {0}; allow more threads and open files, or set fewer shards"
    )]
    Shards(#[source] io::Error),
}

/// What the listeners lead to.
struct Entrances {
    mqtt: Entrance,
    http: Entrance,
    ws: Entrance,
    one: Entrance,
}

impl Entrances {
    fn new(door: &Door, status: Status<Engine>, past: Past, metrics: MethodRouter, config: &Config) -> Self {
        let gate = |origins: &AllowedOrigins| Gate::new(door.clone(), origins.clone());
        let mqtt = any(websocket::upgrade).with_state(gate(&config.http_allowed_origins));
        let places = Arc::new(Semaphore::new(config.door.http_connections_max.min(Semaphore::MAX_PERMITS)));
        let service = |router| HttpService::new(router, Arc::clone(&places), door.clone());
        let app = service(http::router(mqtt, status, past, metrics, &config.web_brokers));
        let websockets = service(websocket::router(gate(&config.ws_allowed_origins)));
        let proxies = Arc::new(config.trusted_proxies.clone());
        let entrance = |kind, service| {
            let has_proxies = config.proxy_listeners.contains(&kind);
            Entrance::new(door.clone(), service, has_proxies.then(|| Arc::clone(&proxies)))
        };
        Self {
            mqtt: entrance(Kind::Mqtt, Service::Mqtt),
            http: entrance(Kind::Http, Service::Http(app.clone())),
            ws: entrance(Kind::Ws, Service::Http(websockets)),
            one: entrance(Kind::One, Service::One(app)),
        }
    }

    fn of(&self, kind: Kind) -> &Entrance {
        match kind {
            Kind::Mqtt => &self.mqtt,
            Kind::Http => &self.http,
            Kind::Ws => &self.ws,
            Kind::One => &self.one,
        }
    }
}

impl Server {
    /// Starts a broker; every listener is ready when this returns. To be called inside of a tokio runtime,
    /// which serves the listeners; the shards have threads of their own.
    ///
    /// # Errors
    /// The users cannot be read, or a listener or a shard cannot be had; then nothing is left running.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let users_file = config.users_file();
        let users = users_file.read()?;
        let policies = Policies::new(Policy { users, anonymous: config.auth_anonymous });
        let mut bound = Vec::new();
        for kind in Kind::ALL {
            for address in config.addresses(kind) {
                bound.push(Bound::bind(kind, address, config).await?);
            }
        }
        let limits = config.limits.clone();
        let count = NonZeroU16::new(config.shards).unwrap_or(NonZeroU16::MIN);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let passwords = Passwords::new(tasks.clone(), stop.clone());
        let authenticator = Authenticator::new(policies.clone(), Arc::new(passwords));
        let store = match config.durability {
            Durability::Fsync | Durability::Os => {
                Some(DataFolder::new(&config.data).open(config.durability)?)
            }
            Durability::None => None,
        };
        // The folder is this process's while there is a store.
        let is_kept = store.is_some() && config.history.is_on();
        let history =
            is_kept.then(|| History::start(&config.data, &config.history, usize::from(config.shards)));
        let (history, history_writer) = history.transpose()?.unzip();
        let options = config.options();
        let tree = config.tree.enabled.then_some(&config.tree);
        let sides = Sides { store, history: history.as_ref(), tree };
        let shards = Engine::start(count, limits, options, policies.clone(), &authenticator, sides);
        let shards = shards.map_err(StartError::Shards)?;
        let listening: Vec<_> = bound.iter().map(Listening::of).collect();
        let admission = Admission::new(config.door.clone());
        let door = Door::new(shards.engine().clone(), Arc::clone(&admission), tasks.clone(), stop.clone());
        let status = Status::new(
            shards.engine().clone(),
            Arc::clone(&admission),
            listening.iter().map(hearth_api::Listener::from).collect(),
            stop.clone(),
        );
        let past = Past { history: history.clone(), policies: policies.clone() };
        let instruments =
            Instruments { engine: shards.engine().clone(), admission, history, started: Instant::now() };
        let metrics = http::metrics(instruments.clone(), policies.clone());
        let entrances = Entrances::new(&door, status, past, metrics, config);
        let _stop_when_dropped = stop.clone().drop_guard();
        let reload = Arc::new(Notify::new());
        let server = Self { listening, shards, history_writer, tasks, stop, reload, _stop_when_dropped };
        server.watch_users(users_file, &policies);
        for (number, bound) in bound.into_iter().enumerate() {
            server.open(number, bound.listeners, entrances.of(bound.kind));
        }
        if config.sys_interval_seconds > 0 {
            let period = Duration::from_secs(u64::from(config.sys_interval_seconds));
            server.tasks.spawn(system_topics::run(instruments, period, server.stop.clone()));
        }
        if config.demo {
            server.start_demo(config, &policies.admit_own("$demo"));
        }
        Ok(server)
    }

    /// Lets connections in. Where the sockets of a listener are fewer than the shards, listeners are given to different ones.
    fn open(&self, number: usize, listeners: Listeners, entrance: &Entrance) {
        match listeners {
            Listeners::Runtime(acceptor) => {
                self.tasks.spawn(entrance.clone().serve(acceptor));
            }
            Listeners::Shards(lookouts) => {
                for (shard, lookout) in (number..).zip(lookouts) {
                    self.shards.engine().listen(shard, Porter::new(lookout, entrance.clone()));
                }
            }
        }
    }

    fn watch_users(&self, file: UsersFile, policies: &Policies) {
        let engine = self.shards.engine().clone();
        let (asked, stop) = (Arc::clone(&self.reload), self.stop.clone());
        self.tasks.spawn(auth::watch(file, policies.clone(), asked, stop, move || engine.access_changed()));
    }

    /// Reads the users anew, soon. If they cannot be read, those from before stay and the log says why.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    fn start_demo(&self, config: &Config, credentials: &Credentials) {
        let found =
            [Kind::Mqtt, Kind::One].into_iter().find_map(|kind| Some((kind, self.tcp_address(kind)?)));
        let address = found.map(|(_, address)| demo::reachable(address));
        let is_taken_for_proxy = found.is_some_and(|(kind, _)| config.proxy_listeners.contains(&kind))
            && config.trusted_proxies.trusts(address);
        let greeting = if is_taken_for_proxy { LOCAL_HEADER } else { &[] };
        demo::spawn(address, greeting, credentials, &self.tasks, &self.stop);
    }

    /// The first address of TCP where a kind is served.
    fn tcp_address(&self, kind: Kind) -> Option<SocketAddr> {
        self.listening.iter().filter(|listening| listening.kind == kind).find_map(|it| it.address.tcp())
    }

    /// The listeners, in the order of the settings.
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// Stops: no new connections, clients are told, what is written goes out, all threads and tasks end.
    /// Takes a few seconds at most.
    pub async fn stop(self) {
        self.stop.cancel();
        self.shards.stop().await;
        if let Some(writer) = self.history_writer {
            writer.stop().await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Listening {
    fn of(bound: &Bound) -> Self {
        Self { kind: bound.kind, address: bound.address.clone() }
    }
}

impl From<&Listening> for hearth_api::Listener {
    fn from(listening: &Listening) -> Self {
        let kind = match listening.kind {
            Kind::Mqtt => ListenerKind::Mqtt,
            Kind::Http => ListenerKind::Http,
            Kind::Ws => ListenerKind::Ws,
            Kind::One => ListenerKind::One,
        };
        Self { kind, address: listening.address.to_string() }
    }
}

impl http::Shards for Engine {
    fn count(&self) -> u16 {
        u16::try_from(self.shard_count()).unwrap_or(u16::MAX)
    }

    fn connections(&self) -> u64 {
        Engine::connections(self) as u64
    }

    fn store(&self) -> StoreState {
        Engine::store_state(self)
    }

    async fn answers(&self, patience: Duration) -> Vec<bool> {
        self.probe(patience).await
    }
}

#[cfg(test)]
mod tests;
