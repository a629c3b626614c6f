//! The one place where everything is put together, started, and stopped again.
//!
//! Starting follows the order in which things can go wrong for the person who starts it: what he wrote (manifest,
//! configuration), what he built (components), what he asked for (the port), what is there (state), and only then what
//! takes time (compiling). Stopping is the reverse: no new calls, then the ones in flight, then the rest.

mod stores;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};
use wasmtime::Engine;
use wasmtime::component::{Component as Code, Linker};

use crate::capability::outbound_http::{Exits, Neighbours};
use crate::capability::outbound_redis::Servers;
use crate::capability::{self, Grants, State};
use crate::cli::Up;
use crate::client::Client;
use crate::component::{Component, Limits};
use crate::component_build;
use crate::database::Database;
use crate::engine::{self, Room};
use crate::health::Health;
use crate::instance::messages::Shelf;
use crate::instance::{Factory, IDLE};
use crate::manifest::{self, App, Environment, Overrides};
use crate::remote::Remote;
use crate::runtime_config::RuntimeConfig;
use crate::trigger::http::{self, Server};
use crate::trigger::sweep;
use stores::Stores;

/// The components of the application by id.
pub type Components = BTreeMap<String, Arc<Component>>;

/// The longest body of a request from outside.
const LONGEST_BODY: u64 = 1 << 20;

/// Instances beyond those that are in a call: ones that finish their last call, or start before another is dropped.
const SPARE: u32 = 8;

/// What an application needs before its components can be loaded.
struct Plan {
    app: App,
    config: RuntimeConfig,
    state: PathBuf,
}

/// Runs the application until it is told to stop.
///
/// # Errors
/// When it cannot start; the message says what to change.
pub async fn up(options: &Up) -> anyhow::Result<()> {
    for flag in options.ignored.given() {
        warn!("{flag} has no meaning here and is ignored");
    }
    let plan = plan(options)?;
    let listener = http::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let components = load(&plan, options)?;

    let (stop, stopped) = watch::channel(false);
    let health = Health::new(&plan.app.name, &plan.app.version);
    let server = Server { routes: plan.app.routes.clone(), components: components.clone(), health: health.clone() };
    let drain = drain_time(&components);
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    tasks.spawn(http::serve(Arc::new(server), listener, stopped.clone(), drain));
    for component in &plan.app.components {
        if let (Some(period), Some(swept)) = (component.policy.sweep, components.get(component.id.as_str())) {
            tasks.spawn(sweep::sweep(swept.clone(), period, stopped.clone()));
        }
    }
    tasks.spawn(tidy(components, stopped));

    let mut signals = Signals::listen()?;
    health.set_ready(true);
    announce(address);
    let ending = tokio::select! {
        () = signals.stop() => Ok(()),
        Some(ended) = tasks.join_next() => Err(premature(ended)),
    };
    health.set_ready(false);
    info!("stopping: no new requests, finishing those in flight");
    let _ = stop.send(true);
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        () = tokio::time::sleep(drain + Duration::from_secs(1)) => warn!("some work did not finish in time"),
        () = signals.stop() => warn!("told to stop again, not waiting any longer"),
    }
    ending
}

fn plan(options: &Up) -> anyhow::Result<Plan> {
    let config = RuntimeConfig::load(options.runtime_config_file.as_deref())?;
    let overrides = Overrides {
        variables: options.variables.clone(),
        providers: config.variables_providers.clone(),
        environment: Environment::of_this_process(),
        components: options.components.clone(),
    };
    let app = App::load(&options.from, &overrides)?;
    if options.build {
        component_build::build(&app)?;
    }
    app.check_sources()?;
    let state = options.state_dir.clone().or_else(|| config.state_dir.clone());
    let state = std::path::absolute(state.unwrap_or_else(|| app.root.join(".socar")))?;
    std::fs::create_dir_all(&state).with_context(|| format!("cannot keep state in {}", state.display()))?;
    Ok(Plan { app, config, state })
}

/// Compiles (or finds compiled) every component and gives it what the manifest grants.
fn load(plan: &Plan, options: &Up) -> anyhow::Result<Components> {
    let memory = options.max_instance_memory.or(plan.config.max_instance_memory);
    let engine = engine::start(room(&plan.app, memory), &plan.state.join("cache"))?;
    let linker = capability::linker(&engine)?;
    let codes = compile(&engine, &plan.app)?;

    let embedded = Database::open(&plan.state.join("socar.db"))?;
    let redis = options.redis_url.as_deref().map(Remote::new).transpose()?;
    let mut stores = Stores::new(&plan.config, &plan.state, embedded, redis);
    let neighbours = Neighbours::default();
    let client = Client::default();
    let mut components = Components::new();
    for (component, code) in plan.app.components.iter().zip(&codes) {
        let exits = Exits {
            allowed: component.allowed_outbound_hosts.clone(),
            neighbours: neighbours.clone(),
            client: client.clone(),
        };
        let grants = grants(component, &mut stores, exits, &plan.state, memory)?;
        let ready = prepare(&engine, &linker, code, component, &plan.app, Arc::new(grants))?;
        components.insert(component.id.to_string(), Arc::new(ready));
    }
    neighbours.introduce(components.values());
    Ok(components)
}

fn room(app: &App, memory: Option<usize>) -> Room {
    let instances = app.components.iter().map(|component| {
        let policy = &component.policy;
        let calls = policy.concurrency + policy.delivery_concurrency;
        u32::try_from(calls).unwrap_or(u32::MAX / 64).saturating_add(SPARE)
    });
    let largest = app.components.iter().map(|component| component.policy.memory).max();
    Room { instances: instances.sum(), memory: memory.or(largest).unwrap_or_default() }
}

/// All at once: a first start is mostly waiting for the compiler.
fn compile(engine: &Engine, app: &App) -> anyhow::Result<Vec<Code>> {
    std::thread::scope(|scope| {
        let compilations: Vec<_> = app
            .components
            .iter()
            .map(|component| scope.spawn(|| Code::from_file(engine, &component.source)))
            .collect();
        app.components
            .iter()
            .zip(compilations)
            .map(|(component, compilation)| {
                let compiled = compilation.join().map_err(|_| anyhow::anyhow!("the compiler panicked"))?;
                compiled.map_err(anyhow::Error::from).with_context(|| {
                    let source = component.source.display();
                    format!("component `{}`: {source} is no component that can be run here", component.id)
                })
            })
            .collect()
    })
}

fn grants(
    component: &manifest::Component,
    stores: &mut Stores<'_>,
    exits: Exits,
    state: &Path,
    memory: Option<usize>,
) -> anyhow::Result<Grants> {
    let key_value_stores = component.key_value_stores.iter();
    let databases = component.sqlite_databases.iter();
    Ok(Grants {
        component: component.id.as_str().into(),
        variables: component.variables.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        environment: component.environment.clone().into_iter().collect(),
        files: files(component, state)?,
        key_value_stores: key_value_stores
            .map(|label| Ok((label.clone(), stores.key_value(label)?)))
            .collect::<anyhow::Result<_>>()?,
        databases: databases
            .map(|label| Ok((label.clone(), stores.database(label)?)))
            .collect::<anyhow::Result<_>>()?,
        exits,
        redis: Servers,
        memory: memory.unwrap_or(component.policy.memory),
    })
}

/// Copies what the component may read to a directory of its own, so that it sees that and nothing beside it.
fn files(component: &manifest::Component, state: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    if component.files.is_empty() {
        return Ok(Vec::new());
    }
    let directory = state.join("files").join(component.id.as_str());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot copy the files of component `{}`", component.id))?;
    component.files.copy_into(&directory)?;
    Ok(vec![(directory, "/".to_owned())])
}

fn prepare(
    engine: &Engine,
    linker: &Linker<State>,
    code: &Code,
    component: &manifest::Component,
    app: &App,
    grants: Arc<Grants>,
) -> anyhow::Result<Component> {
    let handles = world::check(engine, code, component, app)?;
    let instance = linker.instantiate_pre(code).map_err(anyhow::Error::from).with_context(|| {
        format!("component `{}` needs something that this host does not offer", component.id)
    })?;
    let requests = match handles.requests {
        true => Some(Factory::new(engine.clone(), grants.clone(), instance.clone())?),
        false => None,
    };
    let messages = match handles.messages {
        true => Some(Shelf::new(engine.clone(), grants, instance)?),
        false => None,
    };
    let policy = &component.policy;
    let limits = Limits {
        deadline: policy.deadline,
        concurrency: policy.concurrency,
        queue: policy.queue,
        body: LONGEST_BODY,
    };
    Ok(Component::new(component.id.as_str().into(), limits, requests, messages))
}

/// As long as the slowest call may take.
fn drain_time(components: &Components) -> Duration {
    components.values().map(|component| component.limits().deadline).max().unwrap_or_default()
}

async fn tidy(components: Components, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(IDLE / 2) => components.values().for_each(|component| component.tidy()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// The one line on standard output: whoever started the platform waits for it.
fn announce(address: SocketAddr) {
    let mut out = std::io::stdout().lock();
    // Nobody reads it? Then nobody waits for it either.
    let _ = writeln!(out, "Serving http://{address}").and_then(|()| out.flush());
}

/// The ways to be told to stop: SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The error for a part of the platform that ended before it was told to.
fn premature(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("a part of the platform stopped by itself"),
        Ok(Err(error)) => error,
        Err(panicked) => anyhow::Error::new(panicked).context("a part of the platform panicked"),
    }
}
