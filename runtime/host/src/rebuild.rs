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

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::body::full;
use crate::generation::CurrentGeneration;
use crate::ingress::Ingress;
use crate::trace::TRACEPARENT;
use crate::trace::Trace;
use event_log::{EVENT_FIELD, EntryId, EventLog};

/// Number of log entries per read.
const PAGE: usize = 200;

/// Maximum length in bytes of one list of events: a component accepts bodies of at most 64 KiB.
const MAX_LIST_BYTES: usize = 48 * 1024;

/// Maximum number of attempts per step.
const ATTEMPTS: u32 = 10;

/// Delay before a step is retried.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// A component that can rebuild its read model.
#[async_trait]
pub trait RebuildTarget: Send + Sync + 'static {
    /// Performs one step, and returns its status and JSON body.
    ///
    /// `path` is relative to `/internal/rebuild`. Transport failures are reported as a server error status.
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value);

    /// Returns the maximum time that a call may still read the old state: the deadline of the component.
    fn read_deadline(&self) -> Duration;
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
                    let error = format!("{error:#}");
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

type Update<'t> = &'t (dyn Fn(&dyn Fn(&mut Progress)) + Sync);

async fn rebuild(
    log: &dyn EventLog,
    source: &RebuildSource,
    update: Update<'_>,
) -> anyhow::Result<Value> {
    step(source, "", String::new()).await?;
    for stream in &source.streams {
        replay(log, source, stream, update).await?;
    }
    let mut body = String::new();
    loop {
        let page = step(source, "/state", body).await?;
        let asked = page["taken"].as_u64().unwrap_or_default();
        update(&|progress| progress.asked += asked);
        match &page["next"] {
            Value::Null => break,
            next => body = next.to_string(),
        }
    }
    // This step is not repeated: after a lost response there is no rebuild left to finish.
    match source
        .component
        .step(Method::POST, "/finish", String::new())
        .await
    {
        (status, result) if status.is_success() => Ok(result),
        (status, problem) => bail!("/finish: {}", describe(status, &problem)),
    }
}

/// Replays all entries that a stream contains at this time.
async fn replay(
    log: &dyn EventLog,
    source: &RebuildSource,
    stream: &str,
    update: Update<'_>,
) -> anyhow::Result<()> {
    let mut from = EntryId::MIN;
    loop {
        let page = read(log, stream, from).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        from = last.id.next();
        let mut list = String::new();
        let mut count = 0;
        for event in page.iter().filter_map(|entry| entry.field(EVENT_FIELD)) {
            // An entry that is not JSON is not an event; its delivery has made it a dead letter.
            let Ok(event) = serde_json::from_slice::<Value>(event) else {
                continue;
            };
            let event = event.to_string();
            if !list.is_empty() && list.len() + event.len() > MAX_LIST_BYTES {
                step(source, "/events", format!("[{list}]")).await?;
                list.clear();
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&event);
            count += 1;
        }
        if !list.is_empty() {
            step(source, "/events", format!("[{list}]")).await?;
        }
        update(&|progress| progress.events += count);
    }
}

async fn read(
    log: &dyn EventLog,
    stream: &str,
    from: EntryId,
) -> anyhow::Result<Vec<event_log::Entry>> {
    let mut attempts = 1;
    loop {
        match log.range(stream, from, EntryId::MAX, PAGE).await {
            Ok(page) => return Ok(page),
            Err(error) if error.is_unavailable() && attempts < ATTEMPTS => attempts += 1,
            Err(error) => return Err(error).context(format!("cannot read `{stream}`")),
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Performs a step; repeats it after a server error, such as an overload or an exceeded deadline.
async fn step(source: &RebuildSource, path: &str, body: String) -> anyhow::Result<Value> {
    let mut attempts = 1;
    loop {
        let taken = source.component.step(Method::POST, path, body.clone());
        match taken.await {
            (status, answer) if status.is_success() => return Ok(answer),
            (status, _) if status.is_server_error() && attempts < ATTEMPTS => attempts += 1,
            (StatusCode::NOT_FOUND, _) => bail!("it keeps nothing that could be rebuilt"),
            (status, problem) => bail!("{path}: {}", describe(status, &problem)),
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn tidy(source: &RebuildSource) {
    tokio::time::sleep(source.component.read_deadline()).await;
    if let Err(error) = step(source, "/tidy", String::new()).await {
        // The next rebuild removes it.
        warn!(
            error = format!("{error:#}"),
            "the old state of the read model was not removed"
        );
    }
}

fn describe(status: StatusCode, problem: &Value) -> String {
    format!(
        "{status} {}",
        problem["detail"].as_str().unwrap_or_default()
    )
}

impl RebuildSources for CurrentGeneration {
    fn source(&self, id: &str) -> Option<RebuildSource> {
        let generation = self.get();
        let mut subscriptions = generation.subscriptions.iter();
        let subscription = subscriptions.find(|subscription| subscription.component == id)?;
        Some(RebuildSource {
            component: Arc::new(generation.components.get(id)?.clone()),
            streams: subscription.streams.clone(),
        })
    }
}

#[async_trait]
impl RebuildTarget for Ingress {
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        let trace = Trace::fresh();
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "http://{}.spin.internal/internal/rebuild{path}",
                self.component.id()
            ))
            .header(TRACEPARENT, trace.parent.clone())
            .body(full(body));
        let Ok(request) = request else {
            return (StatusCode::BAD_REQUEST, Value::Null);
        };
        // Every call starts with the lowest priority, which a rebuild keeps: requests of customers take precedence.
        let call = self.component.incoming_call(trace);
        let answer = self.clock.call(request, call).await;
        let (head, body) = answer
            .unwrap_or_else(|problem| problem.response())
            .into_parts();
        match body.collect().await {
            Ok(body) => {
                let body = serde_json::from_slice(&body.to_bytes());
                (head.status, body.unwrap_or_default())
            }
            Err(_) => (StatusCode::BAD_GATEWAY, Value::Null),
        }
    }

    fn read_deadline(&self) -> Duration {
        self.component.config().deadline
    }
}
