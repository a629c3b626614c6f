//! What a running host does when a batch of writes is lost, because the disk is full for example.
//!
//! The host behaves as after a crash, but goes on serving what it has: no event is acknowledged any more whose effects may
//! be lost, and calls in progress write nothing more ([`WriteFence`](storage::database::WriteFence)), so that no half of
//! what they did stays. When they have ended, and writes are kept again, events are delivered from where the log is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::generation::CurrentGeneration;
use crate::read_model_history::ReadModelHistory;
use event_log::EventLog;
use storage::database::Database;

/// The time between two attempts to write.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// How much longer than the longest deadline calls from before the loss are waited for. A response that is sent for longer
/// than that has an older call, whose component has ended.
const CALL_MARGIN: Duration = Duration::from_secs(5);

/// Notices lost writes, and recovers.
pub struct LostWrites {
    database: Arc<Database>,
    log: Arc<dyn EventLog>,
    history: Arc<ReadModelHistory>,
    current: CurrentGeneration,
}

impl LostWrites {
    /// From now on, lost writes close the fence of the database.
    pub fn new(
        database: Arc<Database>,
        log: Arc<dyn EventLog>,
        history: Arc<ReadModelHistory>,
        current: CurrentGeneration,
    ) -> Self {
        database.fence().activate();
        Self {
            database,
            log,
            history,
            current,
        }
    }

    /// Waits until writes are lost.
    pub async fn noticed(&self) {
        self.database.fence().closed().await;
    }

    /// Waits until no call knows of the lost writes any more and writes are kept, or until `stop`. No event is delivered
    /// meanwhile.
    pub async fn recover(&self, stop: &CancellationToken) {
        warn!(
            "writes are lost: none are accepted until calls in progress have ended and the disk keeps them"
        );
        self.history.forget();
        let since = Instant::now();
        while !self.is_over(since) {
            tokio::select! {
                () = tokio::time::sleep(RETRY_INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
        self.log.forget();
        self.database.fence().open();
        self.history.check_at_start().await;
        info!("writes are accepted again");
    }

    fn is_over(&self, since: Instant) -> bool {
        let generation = self.current.get();
        // A component that is called may write until its caller's deadline, or its own.
        let longest_call = generation.drain_time() + CALL_MARGIN;
        let waits = since.elapsed() < longest_call && self.database.fence().has_earlier_calls();
        let stores = &generation.stores;
        // Damage does not heal: writes would be lost again at once.
        !waits
            && self.database.check_damage().is_ok()
            && self.database.try_commit().is_ok()
            && (stores.databases.values()).all(|database| database.try_commit().is_ok())
    }
}
