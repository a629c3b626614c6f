//! `SIGHUP`, `socar reload` and a changed file: the next generation of the application takes over without a failed call.
//!
//! Every step that can fail comes first: the manifest is read, the components are compiled, linked, compared with the
//! manifest and started once. A failure leaves the running generation unchanged and is reported. Then the new
//! generation takes over by one assignment. Calls in progress end in the generation in which they began.
//!
//! The layers below the components do not change in a running host: its address, its state directory, its event log and
//! the backends of the stores. A manifest or a runtime configuration that changes them is refused. Both generations
//! share the open stores.

use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::app_config::AppConfig;
use super::file_changes::FileChanges;
use super::first_sweep::first_sweep;
use super::loader::{GenerationFiles, Loader};
use super::lost_writes::LostWrites;
use super::{check_start, fill_pools};
use crate::admin::reload::{ReloadReport, ReloadRequest};
use crate::changes::ChangeFeeds;
use crate::cli::UpOptions;
use crate::generation::{CurrentGeneration, Generation};
use crate::health::Health;
use crate::memory;
use crate::signals::ReloadSignals;
use crate::trigger::events;
use crate::trigger::sweep::Sweeps;
use config::runtime_config::RuntimeConfig;
use event_log::delivery::{DeliveryEngine, Subscription};

/// How long a replaced generation is kept after the deadline of its last call.
const RETIREMENT_MARGIN: Duration = Duration::from_secs(1);

/// How often a replaced generation is checked for calls.
const RETIREMENT_INTERVAL: Duration = Duration::from_millis(100);

/// The number of replaced generations that may still have calls in progress.
pub const MAX_RETIRING: usize = 32;

/// Starts the delivery of events for these subscriptions.
pub type StartDeliveries = Box<dyn Fn(Vec<Subscription>) -> DeliveryEngine + Send + Sync>;

/// Replaces the running generation on request.
pub struct Reloader {
    /// The options of the start.
    pub options: UpOptions,
    /// The configuration of the running generation.
    pub config: Arc<AppConfig>,
    /// Loads components.
    pub loader: Arc<Mutex<Loader>>,
    /// The generation that receives new calls.
    pub current: CurrentGeneration,
    /// Reports the name and version of the application.
    pub health: Health,
    /// The signals that request a reload.
    pub hangups: ReloadSignals,
    /// The files whose changes request a reload.
    pub changes: FileChanges,
    /// The state directory.
    pub state_dir: PathBuf,
    /// One permit for each replaced generation that may still have calls.
    pub retiring: Arc<Semaphore>,
    /// Starts deliveries.
    pub start_deliveries: StartDeliveries,
    /// Lost writes, after which the background tasks start again.
    pub lost_writes: LostWrites,
    /// Whether the host verifies access tokens.
    pub has_identity: bool,
    /// The changes that clients listen for.
    pub feeds: ChangeFeeds,
}

/// The background tasks of one generation.
struct GenerationTasks {
    subscriptions: Vec<Subscription>,
    deliveries: DeliveryEngine,
    sweeps: Sweeps,
}

/// The settings that a reload cannot change.
struct FixedSettings {
    log_address: Option<String>,
    runtime: RuntimeConfig,
    dotenv_files: Vec<PathBuf>,
}

// === impl Reloader ===

impl Reloader {
    /// Reloads at every request until `stop`, and then ends the background tasks.
    ///
    /// # Errors
    /// Never; the type is that of every background task of the platform.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut tasks = self.start_tasks();
        loop {
            let request = tokio::select! {
                () = stop.cancelled() => break,
                () = self.lost_writes.noticed() => {
                    tasks = self.recover(tasks, &mut requests, &stop).await;
                    continue;
                }
                () = self.hangups.received() => None,
                () = self.changes.changed() => None,
                Some(request) = requests.recv() => Some(request),
            };
            let loaded = {
                let loading = self.load();
                tokio::pin!(loading);
                loop {
                    tokio::select! {
                        () = stop.cancelled() => break None,
                        loaded = &mut loading => break Some(loaded),
                        () = self.lost_writes.noticed() => {
                            tasks = self.recover(tasks, &mut requests, &stop).await;
                        }
                    }
                }
            };
            let Some(loaded) = loaded else {
                break;
            };
            let outcome = match loaded {
                Ok((config, next, permit)) => {
                    let report = self.take_over(config, next, permit);
                    tasks = self.renew(tasks).await;
                    Ok(report)
                }
                Err(error) => Err(refused(&error)),
            };
            if let Some(request) = request {
                // The operator may have disconnected.
                let _ = request.send(outcome);
            }
        }
        tokio::join!(tasks.deliveries.stop(), tasks.sweeps.stop());
        Ok(())
    }

    /// Loads and checks the next generation; nothing of the running one changes.
    async fn load(&self) -> anyhow::Result<(AppConfig, Generation, OwnedSemaphorePermit)> {
        let permit = self.retiring.clone().try_acquire_owned();
        let permit = permit.with_context(|| {
            format!("{MAX_RETIRING} replaced versions still finish their calls: try again when they have ended")
        })?;
        let number = self.current.get().number + 1;
        let options = self.options.clone();
        let loader = self.loader.clone();
        let fixed = FixedSettings::of(&self.config);
        let has_identity = self.has_identity;
        check_files(&options, &self.config)?;
        let config = AppConfig::read(options).await?;
        // Compilation occupies a processor for seconds and must not delay requests.
        let loading = tokio::task::spawn_blocking(move || {
            config.app.check_sources()?;
            if has_identity {
                config.app.check_identity_verifier()?;
            }
            fixed.check(&config)?;
            let generation = loader.lock().load(&config, number)?;
            anyhow::Ok((config, generation))
        });
        let (config, generation) = loading.await.context("loading panicked")??;
        check_start(&generation).await?;
        fill_pools(&generation).await?;
        first_sweep(&config.app, &generation.components).await?;
        Ok((config, generation, permit))
    }

    /// Makes the next generation current. No step of it can fail.
    fn take_over(
        &mut self,
        config: AppConfig,
        next: Generation,
        permit: OwnedSemaphorePermit,
    ) -> ReloadReport {
        let next = Arc::new(next);
        let report = ReloadReport {
            generation: next.number,
            components: next.components.keys().cloned().collect(),
        };
        self.health.rename(&config.app.name, &config.app.version);
        self.config = Arc::new(config);
        self.feeds.keep(&next.changes);
        let last = self.current.replace(next);
        let files = GenerationFiles::new(&self.state_dir, last.number);
        tokio::spawn(retire(last, files, permit));
        info!(generation = report.generation, "reloaded");
        report
    }

    fn start_tasks(&self) -> GenerationTasks {
        let subscriptions = events::subscriptions(&self.config.app);
        GenerationTasks {
            deliveries: (self.start_deliveries)(subscriptions.clone()),
            sweeps: Sweeps::start(&self.config.app, &self.current.get().components),
            subscriptions,
        }
    }

    /// Ends the background tasks at once, and starts them again when lost writes are forgotten: an event that was handled may
    /// have lost its effects, so it must not be acknowledged. Requests for a reload are refused meanwhile: a new version makes
    /// its first sweep before it takes over.
    async fn recover(
        &self,
        old: GenerationTasks,
        requests: &mut mpsc::Receiver<ReloadRequest>,
        stop: &CancellationToken,
    ) -> GenerationTasks {
        drop(old.deliveries);
        // Their writes are refused, so they end soon.
        old.sweeps.stop().await;
        let recovery = self.lost_writes.recover(stop);
        tokio::pin!(recovery);
        loop {
            tokio::select! {
                () = &mut recovery => return self.start_tasks(),
                Some(request) = requests.recv() => {
                    let error = anyhow!("earlier writes are lost, and the host waits until its files can be written: see /readyz?verbose");
                    let _ = request.send(Err(refused(&error)));
                }
            }
        }
    }

    /// Restarts the sweeps. Deliveries with unchanged subscriptions continue: they call the current components.
    async fn renew(&self, old: GenerationTasks) -> GenerationTasks {
        old.sweeps.stop().await;
        if old.subscriptions == events::subscriptions(&self.config.app) {
            return GenerationTasks {
                sweeps: Sweeps::start(&self.config.app, &self.current.get().components),
                ..old
            };
        }
        old.deliveries.stop().await;
        self.start_tasks()
    }
}

fn refused(error: &anyhow::Error) -> String {
    let reason = format!("{error:#}");
    warn!(
        reason,
        "reload refused, the running generation is unchanged"
    );
    reason
}

// === impl FixedSettings ===

impl FixedSettings {
    fn of(config: &AppConfig) -> Self {
        Self {
            log_address: config.app.redis_address.clone(),
            runtime: config.runtime.clone(),
            dotenv_files: config.dotenv_files.clone(),
        }
    }

    fn check(&self, next: &AppConfig) -> anyhow::Result<()> {
        if next.app.redis_address != self.log_address {
            bail!(
                "{}: `application.trigger.redis.address` has changed, and a running host cannot change its event log: restart it",
                next.app.manifest.display()
            );
        }
        let has_runtime = next.runtime.file.is_some();
        let runtime = self.runtime.file.iter().filter(|_| !has_runtime);
        let dotenv = self.dotenv_files.iter().filter(|file| !file.exists());
        // Without its file, a variable has its default: payments would no longer be asked of the gateway.
        if let Some(gone) = runtime.chain(dotenv).next() {
            bail!(
                "{} was read before and is gone: restore it, or restart the host to run without it",
                gone.display()
            );
        }
        if !next.runtime.keeps_stores_of(&self.runtime) {
            bail!(
                "the runtime configuration has other stores, and a running host cannot change them: restart it"
            );
        }
        Ok(())
    }
}

/// Checks that every file gives again what it gave at the start.
fn check_files(options: &UpOptions, config: &AppConfig) -> anyhow::Result<()> {
    let files = options.configuration_files();
    for file in files.iter().chain(&config.dotenv_files) {
        let kind = file.metadata().map(|it| it.file_type());
        if kind.is_ok_and(|it| it.is_fifo() || it.is_socket()) {
            bail!(
                "{} is a pipe, which can be read only once: restart the host to read it again",
                file.display()
            );
        }
    }
    Ok(())
}

/// Keeps a replaced generation until its last call has ended, at the latest by its deadline.
async fn retire(
    generation: Arc<Generation>,
    files: GenerationFiles,
    _permit: OwnedSemaphorePermit,
) {
    let components = || generation.all_components();
    components().for_each(|component| component.retire());
    let deadline = Instant::now() + generation.drain_time() + RETIREMENT_MARGIN;
    // A request whose body is still being received has its route already.
    let is_used = || {
        let has_instances = components().any(|component| component.stats().alive > 0);
        Arc::strong_count(&generation) > 1 || (has_instances && Instant::now() < deadline)
    };
    while is_used() {
        tokio::time::sleep(RETIREMENT_INTERVAL).await;
        components().for_each(|component| component.evict_idle());
    }
    let number = generation.number;
    drop(generation);
    if let Err(error) = files.remove() {
        debug!(%error, "cannot remove the files of a replaced generation");
    }
    memory::give_back();
    debug!(generation = number, "generation retired");
}
