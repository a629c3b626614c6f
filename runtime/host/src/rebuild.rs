//! Rebuild of a read model: a component replays the event log from its first entry into a new state.
//!
//! The host does not know the read model. It drives a component through these steps, each a `POST` below
//! `/internal/rebuild`:
//!
//! 1. `/internal/rebuild`: the component creates an empty state beside the active one, and applies every new event to
//!    both.
//! 2. `/events`, with a list of events: the host reads every stream that the component subscribes to, from its first
//!    entry to its end at that time. Later events are delivered as usual.
//! 3. `/state`: the component fetches from other components the data that the log no longer contains. The host repeats
//!    the step with the returned `next` as its body until the response has no `next`.
//! 4. `/finish`: the new state becomes active. `/tidy`, after a deadline: no call can still read the old state.
//!
//! Each step is short and can be repeated, so a failed step is retried. When a rebuild fails, `DELETE` removes the new
//! state; when the host stops during a rebuild, the next rebuild removes it. The old state stays active until the end.

mod ingress;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::{info, warn};

use event_log::EventLog;
use steps::{rebuild, tidy};

/// A component that can rebuild its read model.
#[async_trait]
pub trait RebuildTarget: Send + Sync + 'static {
    /// Performs one step, and returns its status and JSON body.
    ///
    /// `path` is relative to `/internal/rebuild`. Transport failures are reported as a server error status.
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value);

    /// Returns the maximum time that a call may still read the old state: the deadline of the component.
    fn read_deadline(&self) -> Duration;

    /// Returns the damage of a database of the component, with its remedy: a rebuild writes to the same file.
    fn damage(&self) -> Option<String>;
}

/// Finds the components that can be rebuilt.
pub trait RebuildSources: Send + Sync + 'static {
    /// Returns the component with this id and its streams; `None` when it has no event subscription.
    fn source(&self, id: &str) -> Option<RebuildSource>;
}

/// Rebuilds of this host; running ones are aborted when it is dropped.
pub struct Rebuilds {
    log: Arc<dyn EventLog>,
    sources: Box<dyn RebuildSources>,
    progress: Mutex<BTreeMap<String, Progress>>,
    running: Mutex<JoinSet<()>>,
}

/// A component to rebuild, with the streams to replay.
#[derive(Clone)]
pub struct RebuildSource {
    /// The component.
    pub component: Arc<dyn RebuildTarget>,
    /// Streams that the component subscribes to.
    pub streams: Vec<String>,
}

/// Progress of a rebuild.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub state: Stage,
    /// Number of events replayed from the log.
    pub events: u64,
    /// Number of records fetched from other components.
    pub asked: u64,
    /// Response of the component to `/finish`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Reason of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Stage of a rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The rebuild is running.
    #[default]
    Running,
    /// The new state is active.
    Done,
    /// The rebuild failed; the old state is active.
    Failed,
}

/// Reason why a rebuild was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    #[error("no component of this name is woken by events")]
    Unknown,
    #[error("it is being rebuilt already")]
    UnderWay,
}

// === impl Rebuilds ===

impl Rebuilds {
    /// Creates the registry without a running rebuild.
    pub fn new(log: Arc<dyn EventLog>, sources: impl RebuildSources) -> Arc<Self> {
        Arc::new(Self {
            log,
            sources: Box::new(sources),
            progress: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// Starts to rebuild the read model of a component.
    ///
    /// # Errors
    /// When no component with event subscriptions has this id, or its rebuild is already running.
    pub fn begin(self: &Arc<Self>, id: &str) -> Result<(), NotBegun> {
        let source = self.sources.source(id).ok_or(NotBegun::Unknown)?;
        let mut progress = self.progress.lock();
        if progress
            .get(id)
            .is_some_and(|known| known.state == Stage::Running)
        {
            return Err(NotBegun::UnderWay);
        }
        progress.insert(id.to_owned(), Progress::default());
        let (rebuilds, id) = (Arc::downgrade(self), id.to_owned());
        let log = self.log.clone();
        self.running.lock().spawn(async move {
            let update = |change: &dyn Fn(&mut Progress)| {
                if let Some(rebuilds) = rebuilds.upgrade()
                    && let Some(progress) = rebuilds.progress.lock().get_mut(&id)
                {
                    change(progress);
                }
            };
            info!(component = id, "rebuild started");
            match rebuild(&*log, &source, &update).await {
                Ok(result) => {
                    info!(component = id, %result, "rebuild finished");
                    update(&|progress| {
                        progress.state = Stage::Done;
                        progress.result = result.clone();
                    });
                    tidy(&source).await;
                }
                Err(error) => {
                    let damage = source.component.damage();
                    let damage = damage.map(|damage| format!("; {damage}"));
                    let error = format!("{error:#}{}", damage.unwrap_or_default());
                    warn!(component = id, error, "rebuild failed");
                    source
                        .component
                        .step(Method::DELETE, "", String::new())
                        .await;
                    update(&|progress| {
                        progress.state = Stage::Failed;
                        progress.error = Some(error.clone());
                    });
                }
            }
        });
        Ok(())
    }

    /// Returns the progress of the last rebuild of a component.
    pub fn progress(&self, id: &str) -> Option<Progress> {
        self.progress.lock().get(id).cloned()
    }
}
