//! Background work of a running platform: instance pools, free memory, the retention of the event log, and dead
//! letters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{EventLog, redelivery, retention};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::generation::{CurrentGeneration, Generation};
use crate::memory;

/// How often the instance pools are maintained.
const POOL_INTERVAL: Duration = Duration::from_secs(1);

/// How often free memory is returned to the operating system, while no call is in progress.
const MEMORY_INTERVAL: Duration = Duration::from_secs(10);

/// Evicts idle instances, replaces failed ones up to `instances_min`, and returns free memory to the operating system
/// while no call is in progress. Ends at `stop`.
///
/// # Errors
/// When returning memory panics.
pub async fn maintain_pools(
    current: CurrentGeneration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut returned = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(POOL_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let generation = current.get();
        adjust_pools(&generation).await;
        let mut components = generation.all_components();
        let is_idle = components.all(|component| component.stats().busy == 0);
        if is_idle && returned.elapsed() >= MEMORY_INTERVAL {
            tokio::task::spawn_blocking(memory::give_back).await?;
            returned = Instant::now();
        }
    }
}

async fn adjust_pools(generation: &Generation) {
    for component in generation.all_components() {
        component.evict_idle();
        if let Err(error) = component.fill_pool().await {
            let (component, error) = (component.id(), format!("{error:#}"));
            warn!(component, error, "fewer instances than instances_min");
        }
    }
}

/// Removes old entries and unused groups from the event log, as the manifest of the current generation says. Ends at `stop`.
///
/// # Errors
/// Never; the type is that of every background task of the platform.
pub async fn enforce_retention(
    log: Arc<dyn EventLog>,
    current: CurrentGeneration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let policy = || current.get().retention.clone();
    retention::enforce_until_cancelled(log, policy, stop).await
}

/// Delivers dead letters again, as the manifest of the current generation says. Ends at `stop`.
///
/// # Errors
/// Never; the type is that of every background task of the platform.
pub async fn redrive_dead_letters(
    log: Arc<dyn EventLog>,
    current: CurrentGeneration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    redelivery::redrive_until_cancelled(log, || current.get().redrive, stop).await
}
