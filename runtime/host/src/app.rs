//! Starts the platform, runs it until a stop signal, and drains it.
//!
//! The start does first what can fail because of the user's input: the configuration, the components, the ports, the
//! state. Compilation, which takes time, comes last. A stop signal ends the start at any point. The drain is the reverse:
//! no new requests, then the requests in progress, then everything else.

mod app_config;
mod file_changes;
mod first_sweep;
mod loader;
mod lost_writes;
mod maintenance;
mod readiness;
mod reload;
mod resources;
mod services;
mod state_dir;

use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tracing::{info, warn};

use crate::cli::UpOptions;
use crate::generation::{CurrentGeneration, Generation};
use crate::link::TransitionSender;
use crate::link::registry::LinkRegistry;
use crate::memory;
use crate::otlp::{self, ServiceName};
use crate::signals::{ReloadSignals, StopSignals};
use first_sweep::first_sweep;
use loader::Loader;
use resources::Resources;
use services::Services;

/// The number of the generation that is started.
const FIRST_GENERATION: u64 = 1;

/// How much longer than its slowest call the platform may take to stop.
const DRAIN_MARGIN: Duration = Duration::from_secs(1);

/// Runs the application until a stop signal.
///
/// # Errors
/// When it cannot start, or a part of it ends by itself; the message has the remedy.
pub async fn up(options: &UpOptions) -> anyhow::Result<()> {
    // Process 1 of a container has no default handlers, so signals are handled before anything that takes time.
    let mut signals = StopSignals::listen()?;
    let hangups = ReloadSignals::listen()?;
    for flag in options.ignored.given() {
        warn!("{flag} has no effect here and is ignored");
    }
    memory::return_free_memory_early();
    let services = tokio::select! {
        started = start(options, hangups) => started?,
        () = signals.received() => {
            info!("stopped before the host served requests");
            return Ok(());
        }
    };
    run(services, signals, options.drain).await
}

/// Starts everything, and announces the address.
async fn start(options: &UpOptions, hangups: ReloadSignals) -> anyhow::Result<Services> {
    let resources = Resources::open(options).await?;
    let address = resources.address;
    let app = &resources.config.app;
    let service = ServiceName {
        name: &app.name,
        version: &app.version,
    };
    let spans = otlp::start(service, options.trace_stores)?;
    let (transitions, publisher) = TransitionSender::new();
    let links = LinkRegistry::new(transitions);
    let mut loader = Loader::new(&resources, links.clone());
    // Compilation occupies this thread for seconds, in which no signal would be seen.
    let config = resources.config.clone();
    let loading = tokio::task::spawn_blocking(move || {
        let first = loader.load(&config, FIRST_GENERATION)?;
        anyhow::Ok((first, loader))
    });
    let (first, loader) = loading.await.context("loading panicked")??;
    check_start(&first).await?;
    fill_pools(&first).await?;
    first_sweep(&resources.config.app, &first.components).await?;
    let current = CurrentGeneration::new(first);
    let starting = Services::start(
        options, resources, loader, current, links, publisher, hangups,
    );
    let services = starting.await?.exporting(spans);
    services.health.start_serving();
    announce(address);
    Ok(services)
}

/// Returns after a stop signal, or after a service that ended by itself, once the services are drained.
async fn run(
    mut services: Services,
    mut signals: StopSignals,
    drain: Duration,
) -> anyhow::Result<()> {
    let ending = tokio::select! {
        () = signals.received() => Ok(()),
        error = services.ended_early() => Err(error),
    };
    services.health.stop_serving();
    if ending.is_ok() && !drain.is_zero() {
        info!(?drain, "stopping: not ready, still serving");
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            () = signals.received() => {}
        }
    }
    info!("stopping: no new requests, finishing those in progress");
    let timeout = services.current.get().drain_time() + DRAIN_MARGIN;
    tokio::select! {
        () = services.drain() => {}
        () = tokio::time::sleep(timeout) => warn!("some work did not finish in time"),
        () = signals.received() => warn!("second stop signal: stopping at once"),
    }
    ending.and(services.close().await)
}

/// Starts one instance of every component, to check that it can be done.
async fn check_start(generation: &Generation) -> anyhow::Result<()> {
    for component in generation.all_components() {
        let started = component.check_start().await;
        started.with_context(|| format!("component `{}` does not start", component.id()))?;
    }
    Ok(())
}

/// Fills the instance pool of every component up to `instances_min`.
async fn fill_pools(generation: &Generation) -> anyhow::Result<()> {
    for component in generation.all_components() {
        let filled = component.fill_pool().await;
        filled.with_context(|| format!("component `{}` does not start", component.id()))?;
    }
    Ok(())
}

/// Prints the one line on standard output, by which the user or a script learns that the platform serves requests. A reader
/// that does not read holds up a thread of its own.
fn announce(address: SocketAddr) {
    let announcing = move || {
        let mut out = std::io::stdout().lock();
        // Without a reader there is nothing to announce to.
        let _ = writeln!(out, "Serving http://{address}").and_then(|()| out.flush());
    };
    if let Err(error) = thread::Builder::new().spawn(announcing) {
        warn!(%error, "the address cannot be printed");
    }
}
