//! The services of a running platform: listeners, health checks, deliveries, sweeps and maintenance.
//!
//! Each is a task that ends at one shared cancellation token. A service that ends earlier ends the platform.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use event_log::delivery::{Acknowledgements, DeliveryEngine, DeliverySettings};
use parking_lot::Mutex;
use storage::database::Database;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::file_changes::FileChanges;
use super::loader::Loader;
use super::lost_writes::LostWrites;
use super::maintenance;
use super::readiness::ReadinessChecks;
use super::reload::{MAX_RETIRING, Reloader, StartDeliveries};
use super::resources::Resources;
use super::state_dir::LockedStateDir;
use crate::admin::metrics::MetricSources;
use crate::admin::reload::ReloadRequest;
use crate::admin::{self, AdminService};
use crate::backends::Backends;
use crate::changes::{ChangeFeeds, ChangeSource};
use crate::cli::UpOptions;
use crate::descriptors;
use crate::generation::CurrentGeneration;
use crate::health::{Health, HeartbeatSource};
use crate::link::TransitionPublisher;
use crate::link::registry::LinkRegistry;
use crate::operator_resources::OperatorResources;
use crate::otlp::SpanExport;
use crate::read_model_history::ReadModelHistory;
use crate::read_model_state::ForeignReadModels;
use crate::rebuild::Rebuilds;
use crate::runtimes::DedicatedRuntime;
use crate::signals::ReloadSignals;
use crate::trigger::events::Reactions;
use crate::trigger::http::answer_budget::AnswerBudget;
use crate::trigger::http::capacity::ConnectionCapacity;
use crate::trigger::http::client_limits::ClientLimits;
use crate::trigger::http::connections::ConnectionTracker;
use crate::trigger::http::origins::ReadableBy;
use crate::trigger::http::request_log::{AccessLog, RequestLog};
use crate::trigger::http::request_metrics::RequestMetrics;
use crate::trigger::http::{self, Server, rejections};

/// How long copying the write-ahead logs into their files may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

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
    state_dir: LockedStateDir,
    database: Arc<Database>,
    /// Sends the spans of the last requests when everything else has ended.
    spans: Option<SpanExport>,
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
        hangups: ReloadSignals,
    ) -> anyhow::Result<Self> {
        let app = &resources.config.app;
        let mut services = Self {
            health: Health::new(&app.name, &app.version),
            current,
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
            _runtimes: [resources.io, resources.events],
            state_dir: resources.state_dir,
            database: resources.backends.database.clone(),
            spans: None,
        };
        for warning in resources.backends.warnings().await {
            warn!("{warning}");
        }
        if let Some(identity) = &resources.identity {
            identity.prepare().await;
        }
        let is_local = resources.address.ip().to_canonical().is_loopback();
        let readable_by = match resources.identity.is_none() && is_local {
            true => ReadableBy::EveryPage,
            false => ReadableBy::AllowedOrigins,
        };
        let acknowledgements = Acknowledgements::default();
        let changes = ChangeFeeds::new(
            ChangeSource {
                log: resources.backends.log.clone(),
                host: resources.backends.host.clone(),
                acknowledgements: acknowledgements.clone(),
            },
            services.event_runtime(),
            services.stop.clone(),
        );
        let connections = services.connection_tracker(resources.descriptor_limit)?;
        services.start_maintenance(&resources.backends);
        if let Some(lease) = resources.lease {
            services.spawn(|stop| lease.hold(stop));
        }
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
            connections: connections.clone(),
            changes: changes.clone(),
        };
        let rebuilds = Rebuilds::new(sources.log.clone(), services.current.clone());
        let admin = services.admin_routes(
            rebuilds.clone(),
            resources
                .admin
                .announcing(sources.log.clone(), resources.backends.host.clone()),
            sources,
            reload_requests,
            resources.fault_injector,
            match &resources.backends.redis {
                Some(_) => None,
                None => Some(resources.backends.database.clone()),
            },
        );
        let admin = Arc::new(admin);
        let has_identity = resources.identity.is_some();
        let has_operations = has_identity || is_local;
        let server = Server {
            current: services.current.clone(),
            health: services.health.clone(),
            identity: resources.identity,
            client_limits: (readable_by != ReadableBy::EveryPage).then(ClientLimits::default),
            readable_by,
            log: RequestLog::new(access_log(options)),
            metrics: RequestMetrics::default(),
            answers: AnswerBudget::default(),
            changes: changes.clone(),
            operations: has_operations.then(|| admin.clone() as Arc<dyn OperatorResources>),
        };
        let io = services.io_runtime();
        let listener = resources.listener;
        services.spawn_on(&io, |stop| {
            http::serve(Arc::new(server), connections, listener, stop)
        });
        let listener = resources.admin_listener;
        services.spawn_on(&io, |stop| {
            admin::listener::serve(AdminService::new(admin), listener, stop)
        });
        let foreign = ForeignReadModels::default();
        let history = Arc::new(ReadModelHistory::new(
            resources.backends.log.clone(),
            acknowledgements.clone(),
            resources.backends.host.clone(),
            services.current.clone(),
            rebuilds,
            foreign.clone(),
        ));
        history.check_at_start().await;
        services
            .start_health_checks(&resources.backends, foreign)
            .await;
        let lost_writes = LostWrites::new(
            resources.backends.database.clone(),
            resources.backends.log.clone(),
            history.clone(),
            services.current.clone(),
        );
        services.spawn(|stop| history.watch(stop));
        let reloader = Reloader {
            options: options.clone(),
            config: resources.config,
            loader: Arc::new(Mutex::new(loader)),
            start_deliveries: start_deliveries(
                resources.backends,
                services.current.clone(),
                acknowledgements,
            ),
            lost_writes,
            has_identity,
            feeds: changes,
            current: services.current.clone(),
            health: services.health.clone(),
            state_dir: services.state_dir.path.clone(),
            retiring: Arc::new(Semaphore::new(MAX_RETIRING)),
            changes: FileChanges::of(watched_files(options)),
            hangups,
        };
        let events = services.event_runtime();
        services.spawn_on(&events, |stop| reloader.run(reload_receiver, stop));
        Ok(services)
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

    /// Sends the last spans with this exporter, when the services have ended.
    #[must_use]
    pub fn exporting(mut self, spans: Option<SpanExport>) -> Self {
        self.spans = spans;
        self
    }

    /// Leaves all data in the files of the stores and databases, and sends the last spans, after the drain.
    ///
    /// # Errors
    /// When the last writes could not be committed.
    pub async fn close(mut self) -> anyhow::Result<()> {
        let spans = self.spans.take();
        let sent = async {
            if let Some(spans) = spans {
                spans.finish().await;
            }
        };
        let (closed, ()) = tokio::join!(self.close_databases(), sent);
        closed
    }

    async fn close_databases(&self) -> anyhow::Result<()> {
        let stores = self.current.get().stores.clone();
        let database = self.database.clone();
        let closing = tokio::task::spawn_blocking(move || {
            let committed = database.close().context("the last writes are lost");
            committed.and(stores.close())
        });
        match tokio::time::timeout(CLOSE_TIMEOUT, closing).await {
            Ok(closed) => Ok(closed??),
            Err(_) => {
                warn!("the write-ahead logs were not copied into their databases in time");
                Ok(())
            }
        }
    }

    fn connection_tracker(
        &self,
        descriptors: Option<usize>,
    ) -> anyhow::Result<Arc<ConnectionTracker>> {
        let wanted = self.current.get().listener.connections;
        let open = descriptors::open_count();
        let capacity = ConnectionCapacity::within(descriptors, open, wanted)?;
        rejections::register_metrics();
        Ok(ConnectionTracker::new(capacity))
    }

    async fn start_health_checks(&mut self, backends: &Backends, foreign: ForeignReadModels) {
        let health = self.health.clone();
        self.spawn(|stop| health.send_heartbeats(HeartbeatSource::Requests, stop));
        let (health, events) = (self.health.clone(), self.event_runtime());
        self.spawn_on(&events, |stop| {
            health.send_heartbeats(HeartbeatSource::Events, stop)
        });
        let health = self.health.clone();
        let mut checks = ReadinessChecks::new(self.current.clone(), backends, foreign);
        health.report(checks.results().await);
        self.spawn(|stop| checks.watch(health, stop));
    }

    fn start_maintenance(&mut self, backends: &Backends) {
        let current = self.current.clone();
        self.spawn(|stop| maintenance::maintain_pools(current, stop));
        let (log, current) = (backends.log.clone(), self.current.clone());
        self.spawn(|stop| maintenance::enforce_retention(log, current, stop));
        let (log, current) = (backends.log.clone(), self.current.clone());
        self.spawn(|stop| maintenance::redrive_dead_letters(log, current, stop));
    }

    fn admin_routes(
        &self,
        rebuilds: Arc<Rebuilds>,
        admin: admin::Admin,
        sources: MetricSources,
        reload_requests: mpsc::Sender<ReloadRequest>,
        fault_injector: Option<Arc<crate::fault_injection::FaultInjector>>,
        embedded: Option<Arc<Database>>,
    ) -> admin::Admin {
        let letters = admin::dead_letters::LetterLog {
            log: sources.log.clone(),
            database: embedded,
        };
        admin
            .with(admin::dead_letters::routes(letters))
            .with(admin::breakers::routes(sources.links.clone()))
            .with(admin::metrics::routes(sources))
            .with(admin::rebuild::routes(rebuilds))
            .with(admin::reload::routes(reload_requests))
            .with(admin::instances::routes(self.current.clone()))
            .with(admin::stores::routes(self.current.clone()))
            .with(admin::chaos::routes(admin::chaos::FaultInjection {
                injector: fault_injector,
                current: self.current.clone(),
            }))
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

fn access_log(options: &UpOptions) -> AccessLog {
    match options.access_log {
        true => AccessLog::On,
        false => AccessLog::Off,
    }
}

/// The files whose changes make the host reload.
fn watched_files(options: &UpOptions) -> Vec<PathBuf> {
    match options.reload_on_change {
        true => options.configuration_files(),
        false => Vec::new(),
    }
}

/// Starts the delivery of events to the current generation, for any subscriptions.
fn start_deliveries(
    backends: Backends,
    current: CurrentGeneration,
    acknowledgements: Acknowledgements,
) -> StartDeliveries {
    let Backends { log, host, .. } = backends;
    Box::new(move |subscriptions| {
        let settings = DeliverySettings {
            drain_timeout: current.get().drain_time(),
            acknowledgements: Some(acknowledgements.clone()),
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
