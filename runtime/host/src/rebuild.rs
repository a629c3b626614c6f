//! Rebuilding a read model: the log is told again, from its first entry, to a component that makes its state anew.
//!
//! The host knows nothing of what is rebuilt. It takes a component that offers it through a few steps, all of them
//! `POST` below `/internal/rebuild`:
//!
//! 1. `/internal/rebuild`: the component begins an empty state beside the one that answers, and tells both every event
//!    from here on.
//! 2. `/events`, with a list of events: the host reads every stream that wakes the component from the beginning to
//!    where it ends by then. What is added later comes as always.
//! 3. `/state`: the component asks the others for what the log does not tell any more. It is called with what it called
//!    `next` before, until there is no `next`.
//! 4. `/finish`: the new state answers. `/tidy`, after a deadline: nobody can still be reading the old one.
//!
//! Each step is short and can be repeated, so one that fails is tried again. If a rebuild is given up, `DELETE`
//! forgets the new state; if the host dies meanwhile, the next rebuild does. The old state answers until the end.

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

use crate::generation::CurrentGeneration;
use crate::ingress::Ingress;
use crate::problem::full;
use crate::trace::TRACEPARENT;
use crate::trace::Trace;
use event_log::{EVENT_FIELD, EntryId, EventLog};

/// How many entries of the log are read at a time.
const PAGE: usize = 200;

/// Bytes of one list of events: a component reads no longer bodies than 64 KiB.
const LONGEST_LIST: usize = 48 * 1024;

/// How often a step is tried.
const ATTEMPTS: u32 = 10;

/// How long to wait before a step is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Who takes the steps.
#[async_trait]
pub trait Rebuilt: Send + Sync + 'static {
    /// Takes one step; answers its status and JSON.
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value);

    /// How long a call may still be reading the old state.
    fn patience(&self) -> Duration;
}

/// Finds who can be rebuilt, by name.
pub trait Sources: Send + Sync + 'static {
    /// The component of this name, if events wake it.
    fn source(&self, id: &str) -> Option<Source>;
}

/// All rebuilds of this host; those under way end with it.
pub struct Rebuilds {
    log: Arc<dyn EventLog>,
    sources: Box<dyn Sources>,
    progress: Mutex<BTreeMap<String, Progress>>,
    running: Mutex<JoinSet<()>>,
}

/// What a component is rebuilt from.
#[derive(Clone)]
pub struct Source {
    /// The component.
    pub component: Arc<dyn Rebuilt>,
    /// The streams that wake it.
    pub streams: Vec<String>,
}

/// How far a rebuild is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub state: Stage,
    /// Events that the log has told.
    pub events: u64,
    /// Things that other components were asked for.
    pub asked: u64,
    /// What the component said at the end.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Why it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Under way.
    #[default]
    Running,
    /// The new state answers.
    Done,
    /// The old state still does.
    Failed,
}

/// Why a rebuild does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    #[error("no component of this name is woken by events")]
    Unknown,
    #[error("it is being rebuilt already")]
    UnderWay,
}

// === impl Rebuilds ===

impl Rebuilds {
    /// None is under way.
    pub fn new(log: Arc<dyn EventLog>, sources: impl Sources) -> Arc<Self> {
        Arc::new(Self {
            log,
            sources: Box::new(sources),
            progress: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// Begins to rebuild a component.
    ///
    /// # Errors
    /// When there is none of this name, or it is being rebuilt already.
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
            let tell = |change: &dyn Fn(&mut Progress)| {
                if let Some(rebuilds) = rebuilds.upgrade()
                    && let Some(progress) = rebuilds.progress.lock().get_mut(&id)
                {
                    change(progress);
                }
            };
            info!(component = id, "rebuild began");
            match rebuild(&*log, &source, &tell).await {
                Ok(result) => {
                    info!(component = id, %result, "rebuilt");
                    tell(&|progress| {
                        progress.state = Stage::Done;
                        progress.result = result.clone();
                    });
                    tidy(&source).await;
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(component = id, error, "rebuild given up");
                    source
                        .component
                        .step(Method::DELETE, "", String::new())
                        .await;
                    tell(&|progress| {
                        progress.state = Stage::Failed;
                        progress.error = Some(error.clone());
                    });
                }
            }
        });
        Ok(())
    }

    /// How far the last rebuild of a component is.
    pub fn progress(&self, id: &str) -> Option<Progress> {
        self.progress.lock().get(id).cloned()
    }
}

type Tell<'t> = &'t (dyn Fn(&dyn Fn(&mut Progress)) + Sync);

async fn rebuild(log: &dyn EventLog, source: &Source, tell: Tell<'_>) -> anyhow::Result<Value> {
    step(source, "", String::new()).await?;
    for stream in &source.streams {
        replay(log, source, stream, tell).await?;
    }
    let mut body = String::new();
    loop {
        let told = step(source, "/state", body).await?;
        let asked = told["taken"].as_u64().unwrap_or_default();
        tell(&|progress| progress.asked += asked);
        match &told["next"] {
            Value::Null => break,
            next => body = next.to_string(),
        }
    }
    // Not to be repeated: if only the answer is lost, there is nothing to finish any more.
    match source
        .component
        .step(Method::POST, "/finish", String::new())
        .await
    {
        (status, result) if status.is_success() => Ok(result),
        (status, problem) => bail!("/finish: {}", told(status, &problem)),
    }
}

/// Tells all entries of a stream that are there by now.
async fn replay(
    log: &dyn EventLog,
    source: &Source,
    stream: &str,
    tell: Tell<'_>,
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
            // What is no JSON is no event: it is among the dead letters, where it belongs.
            let Ok(event) = serde_json::from_slice::<Value>(event) else {
                continue;
            };
            let event = event.to_string();
            if !list.is_empty() && list.len() + event.len() > LONGEST_LIST {
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
        tell(&|progress| progress.events += count);
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
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes a step, again while the component is busy or the clock was faster.
async fn step(source: &Source, path: &str, body: String) -> anyhow::Result<Value> {
    let mut attempts = 1;
    loop {
        let taken = source.component.step(Method::POST, path, body.clone());
        match taken.await {
            (status, answer) if status.is_success() => return Ok(answer),
            (status, _) if status.is_server_error() && attempts < ATTEMPTS => attempts += 1,
            (StatusCode::NOT_FOUND, _) => bail!("it keeps nothing that could be rebuilt"),
            (status, problem) => bail!("{path}: {}", told(status, &problem)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn tidy(source: &Source) {
    tokio::time::sleep(source.component.patience()).await;
    if let Err(error) = step(source, "/tidy", String::new()).await {
        // The next rebuild does it.
        warn!(error = format!("{error:#}"), "the old state is still there");
    }
}

fn told(status: StatusCode, problem: &Value) -> String {
    format!(
        "{status} {}",
        problem["detail"].as_str().unwrap_or_default()
    )
}

impl Sources for CurrentGeneration {
    fn source(&self, id: &str) -> Option<Source> {
        let generation = self.get();
        let mut subscriptions = generation.subscriptions.iter();
        let subscription = subscriptions.find(|subscription| subscription.component == id)?;
        Some(Source {
            component: Arc::new(generation.components.get(id)?.clone()),
            streams: subscription.streams.clone(),
        })
    }
}

#[async_trait]
impl Rebuilt for Ingress {
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
        // A rebuild runs at the lowest priority, which every call starts with: requests of customers go first.
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

    fn patience(&self) -> Duration {
        self.component.config().deadline
    }
}
