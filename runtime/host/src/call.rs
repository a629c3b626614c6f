//! A call: what travels with it through any number of components, such as its deadline, its depth, its priority and its
//! trace.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use resilience::Priority;

use crate::availability::Availability;
use crate::body::AbortFlag;
use crate::principal::CallPrincipal;
use crate::span::Span;
use crate::trace::{TRACEPARENT, Trace};
use storage::database::{CommitWatermark, Database, DatabaseError, FencedCall};

/// The deepest nesting of calls between components. A deeper one must be a loop.
pub const MAX_DEPTH: u32 = 16;

/// One call, as seen by the component that handles it.
#[derive(Clone, Debug)]
pub struct Call {
    /// When the response must be complete.
    pub deadline: Instant,
    /// The number of calls between the client and this one.
    pub depth: u32,
    /// The request that it belongs to.
    pub trace: Trace,
    /// On whose behalf it is made.
    pub principal: CallPrincipal,
    /// The components on the path from the client to this call; the last one makes the call.
    callers: Vec<Arc<str>>,
    /// The writes of the call and its nested calls to the embedded database, from the first component on that may
    /// write.
    watermark: Arc<OnceLock<CommitWatermark>>,
    /// Tells the database that the call is in progress. An idle instance that keeps its last call has none.
    in_progress: CallInProgress,
    /// The writes of the call and its nested calls to databases of components.
    component_writes: Arc<ComponentWrites>,
    /// The priority for admission.
    pub priority: Priority,
    /// How long the call and its nested calls have waited for remote hosts, in nanoseconds.
    external_wait: Arc<AtomicU64>,
    /// Set when the guest that handles the call fails.
    pub abort_flag: AbortFlag,
    /// What the call and its nested calls needed and did not reach.
    pub availability: Availability,
}

/// The writes of a call to the databases of components.
#[derive(Debug, Default)]
struct ComponentWrites {
    /// Whether a component on the path of the call has a database.
    are_possible: AtomicBool,
    /// The point before the first write, by the path of the database.
    begun: Mutex<BTreeMap<PathBuf, CommitWatermark>>,
}

/// Tells the database that a call is in progress ([`WriteFence`](storage::database::WriteFence)); the default tells nothing.
#[derive(Clone, Debug, Default)]
pub struct CallInProgress(Arc<OnceLock<FencedCall>>);

/// A wait of a call for a remote host. It ends when it is dropped.
pub struct ExternalWait<'a> {
    call: &'a Call,
    since: Instant,
}

impl Call {
    /// A call that no component makes, with this timeout, on behalf of the platform.
    pub fn incoming(trace: Trace, timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            depth: 0,
            trace,
            principal: CallPrincipal::default(),
            callers: Vec::new(),
            watermark: Arc::default(),
            in_progress: CallInProgress::default(),
            component_writes: Arc::default(),
            priority: Priority::default(),
            external_wait: Arc::default(),
            abort_flag: AbortFlag::default(),
            availability: Availability::default(),
        }
    }

    /// The call may read and write this database from now on.
    pub fn track_writes(&self, database: &Arc<Database>) {
        self.in_progress.0.get_or_init(|| database.fence().call());
        self.watermark
            .get_or_init(|| CommitWatermark::from_now(database));
    }

    /// What tells the database that the call is in progress while it exists.
    pub fn in_progress(&self) -> CallInProgress {
        self.in_progress.clone()
    }

    /// The call as an instance keeps it, also after its end.
    pub fn for_instance(mut self) -> Self {
        self.in_progress = CallInProgress::default();
        self
    }

    /// Returns when a crash cannot undo what the call has read and written. Everything that leaves the process on
    /// behalf of the call waits for that: a response, a request to a remote host, a write to another store.
    ///
    /// # Errors
    /// When a write may have been lost.
    pub async fn wait_durable(&self) -> Result<(), DatabaseError> {
        self.wait_state_durable().await?;
        self.wait_component_writes(None).await
    }

    /// Returns when a crash cannot undo what the call has read and written, except for its writes to the database of a
    /// component at `path`: a later write to that database cannot outlive them.
    ///
    /// # Errors
    /// When a write may have been lost.
    pub async fn wait_durable_except(&self, path: &Path) -> Result<(), DatabaseError> {
        self.wait_state_durable().await?;
        self.wait_component_writes(Some(path)).await
    }

    async fn wait_state_durable(&self) -> Result<(), DatabaseError> {
        match self.watermark.get() {
            Some(watermark) => watermark.wait_durable().await,
            None => Ok(()),
        }
    }

    /// Returns when a crash cannot undo what the call has written to the databases of components, except for the one at this
    /// path.
    ///
    /// # Errors
    /// When a write may have been lost.
    pub async fn wait_component_writes(&self, except: Option<&Path>) -> Result<(), DatabaseError> {
        let pending: Vec<CommitWatermark> = {
            let writes = self.component_writes.begun.lock();
            let pending = writes
                .iter()
                .filter(|(path, _)| Some(path.as_path()) != except);
            pending.map(|(_, watermark)| watermark.clone()).collect()
        };
        for watermark in pending {
            watermark.wait_durable().await?;
        }
        Ok(())
    }

    /// The call writes to the database of a component at `path`; `watermark` is before its first write.
    pub fn note_component_write(&self, path: &Path, watermark: impl FnOnce() -> CommitWatermark) {
        let mut writes = self.component_writes.begun.lock();
        if !writes.contains_key(path) {
            writes.insert(path.to_owned(), watermark());
        }
    }

    /// The call may write to the database of a component from now on.
    pub fn expect_component_writes(&self) {
        self.component_writes
            .are_possible
            .store(true, Ordering::Relaxed);
    }

    /// Whether a component on the path of the call may write to the embedded database or to one of its own.
    pub fn may_write(&self) -> bool {
        self.watermark.get().is_some() || self.component_writes.are_possible.load(Ordering::Relaxed)
    }

    /// The call that a component makes while it handles this one. It inherits the deadline.
    pub fn nested(&self) -> Self {
        Self {
            deadline: self.deadline,
            depth: self.depth + 1,
            trace: self.trace.clone(),
            principal: self.principal.clone(),
            callers: self.callers.clone(),
            watermark: self.watermark.clone(),
            in_progress: self.in_progress.clone(),
            component_writes: self.component_writes.clone(),
            priority: self.priority,
            external_wait: self.external_wait.clone(),
            abort_flag: AbortFlag::default(),
            availability: self.availability.clone(),
        }
    }

    /// The same call for another guest.
    #[must_use]
    pub fn with_new_abort_flag(mut self) -> Self {
        self.abort_flag = AbortFlag::default();
        self
    }

    /// The same call, made by this component.
    #[must_use]
    pub fn with_caller(mut self, component: &Arc<str>) -> Self {
        self.callers.push(component.clone());
        self
    }

    /// The same call within this span. It is borrowed if the trace continues as before.
    pub fn within(&self, span: &Span) -> Cow<'_, Self> {
        match span.inner_trace(&self.trace) {
            None => Cow::Borrowed(self),
            Some(trace) => Cow::Owned(Self {
                trace,
                ..self.clone()
            }),
        }
    }

    /// The component that makes the call, if one does.
    pub fn caller(&self) -> Option<&str> {
        self.callers.last().map(|caller| &**caller)
    }

    /// Whether this component makes the call, or waits for it.
    pub fn has_caller(&self, component: &str) -> bool {
        self.callers.iter().any(|caller| &**caller == component)
    }

    /// Starts a wait for a remote host. It does not count as load, however long it takes.
    pub fn begin_external_wait(&self) -> ExternalWait<'_> {
        ExternalWait {
            call: self,
            since: Instant::now(),
        }
    }

    /// The external wait until now.
    pub fn external_wait(&self) -> Duration {
        Duration::from_nanos(self.external_wait.load(Ordering::Relaxed))
    }

    /// The same call on behalf of this principal.
    #[must_use]
    pub fn with_principal(mut self, principal: CallPrincipal) -> Self {
        self.principal = principal;
        self
    }

    /// The same call with at least this priority: the calls that a high-priority call makes have its priority too.
    pub fn with_min_priority(mut self, priority: Priority) -> Self {
        self.priority = self.priority.max(priority);
        self
    }

    /// The same call with at most this timeout.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.deadline = self.deadline.min(Instant::now() + timeout);
        self
    }

    /// Sets the trace headers of a request, unless the guest has set its own.
    pub fn set_trace_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in self.trace.headers() {
            set_if_absent(headers, name, value);
        }
    }

    /// Sets `traceparent` of a request, whatever the guest has set.
    pub fn replace_traceparent(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.trace.parent.clone());
    }
}

impl Drop for ExternalWait<'_> {
    fn drop(&mut self) {
        let nanoseconds = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.call
            .external_wait
            .fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

fn set_if_absent(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    if let http::header::Entry::Vacant(vacant) = headers.entry(name) {
        vacant.insert(value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::REQUEST_ID;

    #[test]
    fn a_nested_call_never_outlives_its_caller() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let nested = call.nested();
        assert_eq!((nested.deadline, nested.depth), (call.deadline, 1));
        let patient = nested.clone().with_timeout(Duration::from_secs(60));
        assert_eq!(patient.deadline, call.deadline);
        assert!(nested.with_timeout(Duration::from_millis(1)).deadline < call.deadline);
    }

    #[tokio::test]
    async fn a_response_waits_for_the_writes_of_a_nested_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socar.db");
        let database = Database::open(&path).unwrap();
        database
            .create_schema("CREATE TABLE thing (id INTEGER)")
            .unwrap();
        let insert = || database.write(|it| it.execute("INSERT INTO thing VALUES (1)", []));
        let committed = || {
            let outside = rusqlite::Connection::open(&path).unwrap();
            let count = outside.query_row("SELECT count(*) FROM thing", [], |row| row.get(0));
            count.unwrap_or(0_i64)
        };
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let callee = call.nested();
        callee.track_writes(&database);
        for written in 1..=100 {
            insert().unwrap();
            call.wait_durable().await.unwrap();
            assert_eq!(committed(), written);
        }
    }

    #[test]
    fn the_external_wait_of_a_nested_call_counts_for_its_caller() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let nested = call.nested();
        let wait = Duration::from_millis(2);
        let waiting = nested.begin_external_wait();
        std::thread::sleep(wait);
        drop(waiting);
        assert!(call.external_wait() >= wait);
    }

    #[test]
    fn a_call_knows_its_callers() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        assert_eq!(call.caller(), None);
        let call = call.with_caller(&"reservation".into()).nested();
        let call = call.with_caller(&"payment".into()).nested();
        assert_eq!((call.caller(), call.depth), (Some("payment"), 2));
        assert!(call.has_caller("reservation") && call.has_caller("payment"));
        assert!(!call.has_caller("car"));
    }

    #[test]
    fn a_nested_call_keeps_the_priority_of_its_caller() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let high = Priority::from_level(2).unwrap();
        let call = call.with_min_priority(high);
        assert_eq!(
            call.nested().with_min_priority(Priority::LOWEST).priority,
            high
        );
    }

    #[test]
    fn trace_headers_of_the_guest_are_kept() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("mine"));
        call.set_trace_headers(&mut headers);
        assert_eq!(
            headers
                .get(REQUEST_ID)
                .and_then(|value| value.to_str().ok()),
            Some("mine")
        );
        assert_eq!(headers.get(TRACEPARENT), Some(&call.trace.parent));
    }
}
