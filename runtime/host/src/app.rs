//! Starts the platform, runs it until a stop signal, and drains it.
//!
//! The start does first what can fail because of the user's input: the configuration, the components, the ports, the
//! state. Compilation, which takes time, comes last. The drain is the reverse: no new requests, then the requests in
//! progress, then everything else.

mod app_config;
mod first_sweep;
mod loader;
mod maintenance;
mod reload;
mod resources;
mod services;
mod state_dir;

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tracing::{info, warn};

use crate::cli::UpOptions;
use crate::descriptors;
use crate::generation::{CurrentGeneration, Generation};
use crate::link::TransitionSender;
use crate::link::registry::LinkRegistry;
use crate::memory;
use crate::signals::StopSignals;
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
    for flag in options.ignored.given() {
        warn!("{flag} has no effect here and is ignored");
    }
    memory::return_large_blocks();
    descriptors::raise_limit();
    let resources = Resources::open(options).await?;
    let address = resources.address;
    let (transitions, publisher) = TransitionSender::new();
    let links = LinkRegistry::new(transitions);
    let mut loader = Loader::new(&resources, links.clone());
    let first = loader.load(&resources.config, FIRST_GENERATION)?;
    fill_pools(&first).await?;
    first_sweep(&resources.config.app, &first.components).await?;
    let current = CurrentGeneration::new(first);
    let services = Services::start(options, resources, loader, current, links, publisher).await;
    let signals = StopSignals::listen()?;
    services.health.start_serving();
    announce(address);
    run(services, signals).await
}

/// Returns after a stop signal, or after a service that ended by itself, once the services are drained.
async fn run(mut services: Services, mut signals: StopSignals) -> anyhow::Result<()> {
    let ending = tokio::select! {
        () = signals.received() => Ok(()),
        error = services.ended_early() => Err(error),
    };
    info!("stopping: no new requests, finishing those in progress");
    let timeout = services.current.get().drain_time() + DRAIN_MARGIN;
    tokio::select! {
        () = services.drain() => {}
        () = tokio::time::sleep(timeout) => warn!("some work did not finish in time"),
        () = signals.received() => warn!("second stop signal: stopping at once"),
    }
    ending
}

/// Fills the instance pool of every component up to `instances_min`.
async fn fill_pools(generation: &Generation) -> anyhow::Result<()> {
    for component in generation.all_components() {
        let filled = component.fill_pool().await;
        filled.with_context(|| format!("component `{}` does not start", component.id()))?;
    }
    Ok(())
}

/// Prints the one line on standard output, by which the user or a script learns that the platform serves requests.
fn announce(address: SocketAddr) {
    let mut out = std::io::stdout().lock();
    // Without a reader there is nothing to announce to.
    let _ = writeln!(out, "Serving http://{address}").and_then(|()| out.flush());
}
