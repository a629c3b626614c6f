//! The services of a running platform: listeners, health checks, deliveries, sweeps and maintenance.
//!
//! Each is a task that ends at one shared cancellation token. A service that ends earlier ends the platform.

use std::sync::Arc;

use event_log::delivery::{DeliveryEngine, DeliverySettings};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::loader::Loader;
use super::maintenance;
use super::reload::{Reloader, StartDeliveries};
use super::resources::Resources;
use super::state_dir::LockedStateDir;
use crate::admin;
use crate::admin::metrics::MetricSources;
use crate::admin::reload::ReloadRequest;
use crate::backends::Backends;
use crate::cli::UpOptions;
use crate::generation::CurrentGeneration;
use crate::health::{Health, HeartbeatSource};
use crate::link::TransitionPublisher;
use crate::link::registry::LinkRegistry;
use crate::rebuild::Rebuilds;
use crate::runtimes::DedicatedRuntime;
use crate::trigger::events::Reactions;
use crate::trigger::http::{self, Server};

/// The running services.
pub struct Services {
    /// The generation that receives new calls.
    pub current: CurrentGeneration,
    /// The health of the platform.
    pub health: Health,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    /// Dropped after the tasks, which run on them.
    _runtimes: [DedicatedRuntime; 2],
    _state_dir: LockedStateDir,
}

// === impl Services ===

impl Services {
    /// Starts every service; the health is not ready yet.
    pub async fn start(
        options: &UpOptions,
        resources: Resources,
        loader: Loader,
        current: CurrentGeneration,
        links: LinkRegistry,
        publisher: TransitionPublisher,
    ) -> Self {
        let app = &resources.config.app;
        let mut services = Self {
            health: Health::new(&app.name, &app.version),
            current,
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
            _runtimes: [resources.io, resources.events],
            _state_dir: resources.state_dir,
        };
        for warning in resources.backends.warnings().await {
            warn!("{warning}");
        }
        services.start_listener(resources.listener);
        services.start_health_checks(&resources.backends);
        services.start_maintenance(&resources.backends);
        let log = resources.backends.log.clone();
        let host = resources.backends.host.clone();
        services.spawn(|stop| publisher.write(log, host, stop));
        services.spawn(|stop| resources.recorder.clone().maintain(stop));
        let (reload_requests, reload_receiver) = mpsc::channel(1);
        let sources = MetricSources {
            recorder: resources.recorder,
            current: services.current.clone(),
            links,
            log: resources.backends.log.clone(),
            shown: Arc::default(),
        };
        let admin = services.admin_routes(
            resources.admin,
            sources,
            reload_requests,
            resources.fault_injector,
        );
        let io = services.io_runtime();
        let listener = resources.admin_listener;
        services.spawn_on(&io, |stop| {
            admin::listener::serve(Arc::new(admin), listener, stop)
        });
        let reloader = Reloader {
            options: options.clone(),
            config: resources.config,
            loader: Arc::new(Mutex::new(loader)),
            start_deliveries: start_deliveries(resources.backends, services.current.clone()),
            current: services.current.clone(),
            health: services.health.clone(),
        };
        let events = services.event_runtime();
        services.spawn_on(&events, |stop| reloader.run(reload_receiver, stop));
        services
    }

    /// Returns when a service ends by itself, with the cause.
    pub async fn ended_early(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(ended) => early_end(ended),
            None => std::future::pending().await,
        }
    }

    /// Stops every service and returns when all have ended.
    pub async fn drain(&mut self) {
        self.health.stop_serving();
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn start_listener(&mut self, listener: tokio::net::TcpListener) {
        let server = Arc::new(Server {
            current: self.current.clone(),
            health: self.health.clone(),
        });
        let io = self.io_runtime();
        self.spawn_on(&io, |stop| http::serve(server, listener, stop));
    }

    fn start_health_checks(&mut self, backends: &Backends) {
        let health = self.health.clone();
        self.spawn(|stop| health.send_heartbeats(HeartbeatSource::Requests, stop));
        let (health, events) = (self.health.clone(), self.event_runtime());
        self.spawn_on(&events, |stop| {
            health.send_heartbeats(HeartbeatSource::Events, stop)
        });
        let health = self.health.clone();
        match backends.redis.clone() {
            Some(redis) => self.spawn(|stop| health.watch_redis(redis, stop)),
            None => {
                let database = backends.database.clone();
                self.spawn(|stop| health.watch_database(database, stop));
            }
        }
    }

    fn start_maintenance(&mut self, backends: &Backends) {
        let current = self.current.clone();
        self.spawn(|stop| maintenance::maintain_pools(current, stop));
        let (log, current) = (backends.log.clone(), self.current.clone());
        self.spawn(|stop| maintenance::enforce_retention(log, current, stop));
    }

    fn admin_routes(
        &self,
        admin: admin::Admin,
        sources: MetricSources,
        reload_requests: mpsc::Sender<ReloadRequest>,
        fault_injector: Option<Arc<crate::fault_injection::FaultInjector>>,
    ) -> admin::Admin {
        let log = sources.log.clone();
        let rebuilds = Rebuilds::new(log.clone(), self.current.clone());
        admin
            .with(admin::dead_letters::routes(log))
            .with(admin::breakers::routes(sources.links.clone()))
            .with(admin::metrics::routes(sources))
            .with(admin::rebuild::routes(rebuilds))
            .with(admin::reload::routes(reload_requests))
            .with(admin::instances::routes(self.current.clone()))
            .with(admin::chaos::routes(fault_injector))
    }

    fn spawn<F>(&mut self, service: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tasks.spawn(service(self.stop.clone()));
    }

    fn spawn_on<F>(&mut self, runtime: &Handle, service: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tasks.spawn_on(service(self.stop.clone()), runtime);
    }

    fn io_runtime(&self) -> Handle {
        let [io, _] = &self._runtimes;
        io.handle().tokio().clone()
    }

    fn event_runtime(&self) -> Handle {
        let [_, events] = &self._runtimes;
        events.handle().tokio().clone()
    }
}

/// Starts the delivery of events to the current generation, for any subscriptions.
fn start_deliveries(backends: Backends, current: CurrentGeneration) -> StartDeliveries {
    let Backends { log, host, .. } = backends;
    Box::new(move |subscriptions| {
        let settings = DeliverySettings {
            drain_timeout: current.get().drain_time(),
            ..DeliverySettings::default()
        };
        let reactions = Arc::new(Reactions(current.clone()));
        DeliveryEngine::start(log.clone(), reactions, &host, subscriptions, settings)
    })
}

/// The error for a service that ended before the platform stopped.
fn early_end(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a service of the platform ended by itself"),
        Ok(Err(error)) => error,
        Err(panicked) => anyhow::Error::new(panicked).context("a service of the platform panicked"),
    }
}
