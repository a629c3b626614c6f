//! The one place where everything is put together, started, and stopped again.
//!
//! Starting follows the order in which things can go wrong for the person who starts it: what he wrote (manifest,
//! configuration), what he built (components), what he asked for (the port), what is there (state), and only then what
//! takes time (compiling). Stopping is the reverse: no new calls, then the ones in flight, then the rest.

mod first_sweep;
mod loader;
mod reload;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::metrics::MetricSources;
use crate::admin::{self, Admin};
use crate::backends::Backends;
use crate::cli::UpOptions;
use crate::component_build;
use crate::descriptors;
use crate::fault_injection::FaultInjector;
use crate::generation::{Components, CurrentGeneration};
use crate::health::{Health, Heart};
use crate::link::TransitionSender;
use crate::link::registry::LinkRegistry;
use crate::memory;
use crate::metrics::MetricsRecorder;
use crate::rebuild::Rebuilds;
use crate::runtimes::DedicatedRuntime;
use crate::signals::StopSignals;
use crate::trigger::events::Reactions;
use crate::trigger::http::{self, Server};
use config::manifest::{App, Environment, Overrides};
use config::runtime_config::RuntimeConfig;
use event_log::delivery::{DeliveryEngine, DeliverySettings};
use event_log::{EventLog, retention};
use first_sweep::first_sweep;
use loader::Workshop;
use reload::{Deliver, Reloader};

/// The number of the generation that is started.
const FIRST: u64 = 1;

/// How often idle instances are looked at that handle messages.
const TIDY: Duration = Duration::from_secs(1);

/// How often memory that is free goes back to the system, provided that nobody is served at the moment.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// What an application needs before its components can be loaded.
struct Plan {
    blueprint: Blueprint,
    state: PathBuf,
    /// The largest linear memory of any component, if the person who starts the platform has a say.
    memory: Option<usize>,
    /// GuardedBody as long as the application runs: two hosts on one state directory would take each other's events.
    _lock: File,
}

/// What somebody wrote and built: all that a reload looks at again.
pub struct Blueprint {
    app: App,
    config: RuntimeConfig,
}

/// Runs the application until it is told to stop.
///
/// # Errors
/// When it cannot start; the message says what to change.
pub async fn up(options: &UpOptions) -> anyhow::Result<()> {
    for flag in options.ignored.given() {
        warn!("{flag} has no meaning here and is ignored");
    }
    memory::return_large_blocks();
    descriptors::raise_limit();
    let admin = Admin::new(&options.admin)?;
    let plan = plan(options)?;
    let (io, event_runtime) = (DedicatedRuntime::io()?, DedicatedRuntime::events()?);
    let io_handle = io.handle();
    let listener = io_handle.scope(http::bind(options.listen)).await?;
    let address = listener.local_addr()?;
    let admin_listener = admin::AdminListener::bind(&options.admin, &plan.state);
    let admin_listener = io_handle.scope(admin_listener).await?;
    let app = &plan.blueprint.app;
    let backends = Backends::open(
        &plan.state,
        app.redis_address.as_deref(),
        options.redis_url.as_deref(),
    )?;
    let injector = options.chaos.then(Arc::<FaultInjector>::default);
    if injector.is_some() {
        warn!("started with --chaos: operators can make trouble");
    }
    let recorder = MetricsRecorder::install()?;
    let (transitions, publisher) = TransitionSender::new();
    let links = LinkRegistry::new(transitions);
    let mut workshop = Workshop::new(&plan, &backends, links.clone(), address, injector.clone());
    let first = workshop.load(&plan.blueprint, FIRST)?;
    stock(&first.components).await?;
    first_sweep(app, &first.components).await?;

    let stop = CancellationToken::new();
    let health = Health::new(&app.name, &app.version);
    let current = CurrentGeneration::new(first);
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let server = Server {
        current: current.clone(),
        health: health.clone(),
    };
    let serving = http::serve(Arc::new(server), listener, stop.clone());
    tasks.spawn_on(serving, io_handle.tokio());
    tasks.spawn(health.clone().beat(Heart::Requests, stop.clone()));
    let beating = health.clone().beat(Heart::Events, stop.clone());
    tasks.spawn_on(beating, event_runtime.handle().tokio());
    match backends.redis.clone() {
        Some(redis) => tasks.spawn(health.clone().watch(redis, stop.clone())),
        None => {
            let database = backends.database.clone();
            tasks.spawn(health.clone().watch_file(database, stop.clone()))
        }
    };
    tasks.spawn(recorder.clone().maintain(stop.clone()));
    let log = backends.log.clone();
    let host = backends.host.clone();
    tasks.spawn(publisher.write(log.clone(), host, stop.clone()));
    let sources = MetricSources {
        recorder,
        current: current.clone(),
        links: links.clone(),
        log,
        shown: Arc::default(),
    };
    for warning in backends.warnings().await {
        warn!("{warning}");
    }
    let log = backends.log.clone();
    tasks.spawn(keep_short(log, current.clone(), stop.clone()));
    let (wishes, wished) = mpsc::channel(1);
    let rebuilds = Rebuilds::new(backends.log.clone(), current.clone());
    let admin = admin
        .with(admin::dead_letters::routes(backends.log.clone()))
        .with(admin::breakers::routes(links))
        .with(admin::metrics::routes(sources))
        .with(admin::rebuild::routes(rebuilds))
        .with(admin::reload::routes(wishes))
        .with(admin::instances::routes(current.clone()))
        .with(admin::chaos::routes(injector));
    let serving = admin::listener::serve(Arc::new(admin), admin_listener, stop.clone());
    tasks.spawn_on(serving, io_handle.tokio());
    tasks.spawn(tidy(current.clone(), stop.clone()));
    let reloader = Reloader {
        options: options.clone(),
        blueprint: plan.blueprint,
        workshop: Arc::new(Mutex::new(workshop)),
        deliver: deliver(backends, current.clone()),
        current: current.clone(),
        health: health.clone(),
    };
    tasks.spawn_on(
        reloader.run(wished, stop.clone()),
        event_runtime.handle().tokio(),
    );

    let mut signals = StopSignals::listen()?;
    health.set_serving(true);
    announce(address);
    let ending = tokio::select! {
        () = signals.received() => Ok(()),
        Some(ended) = tasks.join_next() => Err(premature(ended)),
    };
    health.set_serving(false);
    info!("stopping: no new requests, finishing those in flight");
    stop.cancel();
    let drain = current.get().drain_time();
    let finish = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = finish => {}
        () = tokio::time::sleep(drain + Duration::from_secs(1)) => warn!("some work did not finish in time"),
        () = signals.received() => warn!("told to stop again, not waiting any longer"),
    }
    ending
}

/// How deliveries are started, with whatever subscriptions.
fn deliver(backends: Backends, current: CurrentGeneration) -> Deliver {
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

impl Blueprint {
    /// Reads what the options name, and builds it first if asked to.
    fn read(options: &UpOptions, build: bool) -> anyhow::Result<Self> {
        let config = RuntimeConfig::load(options.runtime_config_file.as_deref())?;
        let overrides = Overrides {
            variables: options.variables.clone(),
            providers: config.variables_providers.clone(),
            environment: Environment::of_this_process(),
            components: options.components.clone(),
        };
        let app = App::load(&options.from, &overrides)?;
        config.check_labels(&app)?;
        if build {
            component_build::build(&app)?;
        }
        app.check_sources()?;
        Ok(Self { app, config })
    }
}

fn plan(options: &UpOptions) -> anyhow::Result<Plan> {
    let blueprint = Blueprint::read(options, options.build)?;
    let Blueprint { app, config } = &blueprint;
    let state = options
        .state_dir
        .clone()
        .or_else(|| config.state_dir.clone());
    let state = std::path::absolute(state.unwrap_or_else(|| app.root.join(".socar")))?;
    std::fs::create_dir_all(&state)
        .with_context(|| format!("cannot keep state in {}", state.display()))?;
    let lock = lock(&state)?;
    let memory = options.max_instance_memory.or(config.max_instance_memory);
    Ok(Plan {
        blueprint,
        state,
        memory,
        _lock: lock,
    })
}

fn lock(state: &Path) -> anyhow::Result<File> {
    let path = state.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another socar: stop it, or keep the state elsewhere with --state-dir",
            state.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Instances that nobody needs go, and those that are to be kept and have failed are replaced. What a rush has left
/// behind goes when it is quiet again.
async fn tidy(current: CurrentGeneration, stop: CancellationToken) -> anyhow::Result<()> {
    let mut given_back = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let generation = current.get();
        for component in generation.components.values() {
            component.evict_idle();
            if let Err(error) = component.fill_pool().await {
                let (component, error) = (component.id(), format!("{error:#}"));
                warn!(component, error, "too few instances");
            }
        }
        let mut components = generation.components.values();
        let is_quiet = components.all(|component| component.stats().busy == 0);
        if is_quiet && given_back.elapsed() >= GIVE_BACK {
            tokio::task::spawn_blocking(memory::give_back).await?;
            given_back = Instant::now();
        }
    }
}

/// The event log forgets what the manifest of the day says may be forgotten.
async fn keep_short(
    log: Arc<dyn EventLog>,
    current: CurrentGeneration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let wanted = || {
        let generation = current.get();
        Some((generation.retention?, generation.streams()))
    };
    retention::enforce_until_cancelled(log, wanted, stop).await
}

async fn stock(components: &Components) -> anyhow::Result<()> {
    for component in components.values() {
        let stocked = component.fill_pool().await;
        stocked.with_context(|| format!("component `{}` does not start", component.id()))?;
    }
    Ok(())
}

/// The one line on standard output: whoever started the platform waits for it.
fn announce(address: SocketAddr) {
    let mut out = std::io::stdout().lock();
    // Nobody reads it? Then nobody waits for it either.
    let _ = writeln!(out, "Serving http://{address}").and_then(|()| out.flush());
}

/// The error for a part of the platform that ended before it was told to.
fn premature(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a part of the platform stopped by itself"),
        Ok(Err(error)) => error,
        Err(panicked) => anyhow::Error::new(panicked).context("a part of the platform panicked"),
    }
}
