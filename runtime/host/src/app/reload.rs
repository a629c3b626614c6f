//! `SIGHUP` and `socar reload`: the next version of the application takes over without a failed call.
//!
//! First everything is done that can go wrong: the manifest is read, the components are compiled, linked, compared with
//! the manifest and started once. Whatever is wrong leaves the running version as it is, and says why. Then the new
//! generation takes over with one assignment. Calls that have begun end where they began, in the old one.
//!
//! What lies below the components does not change in a running host: its address, its state directory, its event log
//! and the stores behind the labels. A manifest or a runtime configuration that wants that is refused. Stores that are
//! open are shared by both generations.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Blueprint;
use super::first_sweep::first_sweep;
use super::loader::Workshop;
use crate::admin::reload::{ReloadReport, ReloadRequest};
use crate::cli::UpOptions;
use crate::generation::{CurrentGeneration, Generation};
use crate::health::Health;
use crate::memory;
use crate::trigger::events;
use crate::trigger::sweep::Sweeps;
use event_log::delivery::{DeliveryEngine, Subscription};

/// How long a generation that was replaced outlives the last of its calls.
const GRACE: Duration = Duration::from_secs(1);

/// Starts the event deliveries that subscriptions ask for.
pub type Deliver = Box<dyn Fn(Vec<Subscription>) -> DeliveryEngine + Send + Sync>;

/// Owns what changes when the application does.
pub struct Reloader {
    /// What the host was started with.
    pub options: UpOptions,
    /// What runs now, as it was written.
    pub blueprint: Blueprint,
    /// Makes components.
    pub workshop: Arc<parking_lot::Mutex<Workshop>>,
    /// Where the next generation takes over.
    pub current: CurrentGeneration,
    /// Tells the name of the application.
    pub health: Health,
    /// Starts deliveries.
    pub deliver: Deliver,
}

/// What runs in the background on behalf of one generation.
struct Chores {
    subscriptions: Vec<Subscription>,
    deliveries: DeliveryEngine,
    sweeps: Sweeps,
}

// === impl Reloader ===

impl Reloader {
    /// Reloads whenever it is asked to, until told to stop; then finishes what runs in the background.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut hangups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let mut chores = self.start_chores();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => break,
                Some(()) = hangups.recv() => None,
                Some(request) = requests.recv() => Some(request),
            };
            let loaded = tokio::select! {
                () = stop.cancelled() => break,
                loaded = self.load() => loaded,
            };
            let outcome = match loaded {
                Ok((blueprint, next)) => {
                    let report = self.take_over(blueprint, next);
                    chores = self.renew(chores).await;
                    Ok(report)
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    warn!(reason, "reload refused, everything runs on as before");
                    Err(reason)
                }
            };
            if let Some(request) = request {
                // An operator who left does not want to know.
                let _ = request.send(outcome);
            }
        }
        tokio::join!(chores.deliveries.stop(), chores.sweeps.stop());
        Ok(())
    }

    /// Everything that can go wrong.
    async fn load(&self) -> anyhow::Result<(Blueprint, Generation)> {
        let number = self.current.get().number + 1;
        let options = self.options.clone();
        let workshop = self.workshop.clone();
        let written = (
            self.blueprint.app.redis_address.clone(),
            self.blueprint.config.clone(),
        );
        // Compiling takes a processor for a while; those that serve are not to notice.
        let loading = tokio::task::spawn_blocking(move || {
            let blueprint = Blueprint::read(&options, false)?;
            if blueprint.app.redis_address != written.0 {
                bail!(
                    "{}: `application.trigger.redis.address` has changed, and the event log cannot while the platform runs: start it anew",
                    blueprint.app.manifest.display()
                );
            }
            if !blueprint.config.keeps_stores_of(&written.1) {
                bail!(
                    "the runtime configuration has other stores, and they cannot change while the platform runs: start it anew"
                );
            }
            let generation = workshop.lock().load(&blueprint, number)?;
            anyhow::Ok((blueprint, generation))
        });
        let (blueprint, generation) = loading.await.context("loading panicked")??;
        for component in generation.components.values() {
            let rehearsed = component.check_start().await;
            rehearsed.with_context(|| format!("component `{}` does not start", component.id()))?;
        }
        super::stock(&generation.components).await?;
        first_sweep(&blueprint.app, &generation.components).await?;
        Ok((blueprint, generation))
    }

    /// Nothing here can fail.
    fn take_over(&mut self, blueprint: Blueprint, next: Generation) -> ReloadReport {
        let next = Arc::new(next);
        let report = ReloadReport {
            generation: next.number,
            components: next.components.keys().cloned().collect(),
        };
        self.health
            .rename(&blueprint.app.name, &blueprint.app.version);
        self.blueprint = blueprint;
        let last = self.current.replace(next);
        tokio::spawn(retire(last, self.workshop.clone()));
        info!(generation = report.generation, "reloaded");
        report
    }

    fn start_chores(&self) -> Chores {
        let subscriptions = events::subscriptions(&self.blueprint.app);
        Chores {
            deliveries: (self.deliver)(subscriptions.clone()),
            sweeps: Sweeps::start(&self.blueprint.app, &self.current.get().components),
            subscriptions,
        }
    }

    /// Deliveries go on if they would be the same: they find the new components by themselves.
    async fn renew(&self, old: Chores) -> Chores {
        old.sweeps.stop().await;
        if old.subscriptions == events::subscriptions(&self.blueprint.app) {
            return Chores {
                sweeps: Sweeps::start(&self.blueprint.app, &self.current.get().components),
                ..old
            };
        }
        old.deliveries.stop().await;
        self.start_chores()
    }
}

/// Keeps a generation that was replaced until its last call must have ended, whichever way.
async fn retire(generation: Arc<Generation>, workshop: Arc<parking_lot::Mutex<Workshop>>) {
    let components = generation.components.values();
    components.for_each(|component| component.retire());
    tokio::time::sleep(generation.drain_time() + GRACE).await;
    // A request that is still being received has its route already.
    while Arc::strong_count(&generation) > 1 {
        tokio::time::sleep(GRACE).await;
    }
    let components = generation.components.values();
    components.for_each(|component| component.evict_idle());
    let number = generation.number;
    drop(generation);
    if let Err(error) = workshop.lock().clear(number) {
        debug!(%error, "the files of an old generation are still there");
    }
    memory::give_back();
    debug!(generation = number, "retired");
}
