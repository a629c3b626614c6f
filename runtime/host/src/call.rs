//! What travels with one call through any number of components: how long it may still take, how deep it is
//! nested, and whom it belongs to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use resilience::Priority;

use crate::body::AbortFlag;
use crate::trace::{REQUEST_ID, TRACEPARENT, Trace};
use storage::database::{CommitWatermark, Database, DatabaseError};

/// How many components may call one another before it must be a loop.
pub const MAX_DEPTH: u32 = 16;

/// One call, as seen by the component that handles it.
#[derive(Clone, Debug)]
pub struct Call {
    /// When the answer must be there.
    pub deadline: Instant,
    /// How many calls stand between the outside world and this one.
    pub depth: u32,
    /// Whom it belongs to.
    pub trace: Trace,
    /// The components that stand between the outside world and this one, the one that makes the call last.
    callers: Vec<Arc<str>>,
    /// What it and all that it causes write to the embedded database, from the first component on that could.
    watermark: Arc<OnceLock<CommitWatermark>>,
    /// Who goes first when not everybody can.
    pub priority: Priority,
    /// How long it, and all that it causes, has waited for somebody outside of the platform.
    external_wait: Arc<AtomicU64>,
    /// What becomes of the guest that works on it.
    pub abort_flag: AbortFlag,
}

/// Time that a call waits for somebody outside of the platform, until it is dropped.
pub struct ExternalWait<'a> {
    call: &'a Call,
    since: Instant,
}

impl Call {
    /// A call from outside, which may take this long.
    pub fn incoming(trace: Trace, timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            depth: 0,
            trace,
            callers: Vec::new(),
            watermark: Arc::default(),
            priority: Priority::default(),
            external_wait: Arc::default(),
            abort_flag: AbortFlag::default(),
        }
    }

    /// From now on the call may read and write this database.
    pub fn track_writes(&self, database: &Arc<Database>) {
        self.watermark
            .get_or_init(|| CommitWatermark::from_now(database));
    }

    /// Returns when a crash cannot undo what the call has seen and written. Whatever leaves this process on its behalf
    /// waits for that: an answer, a request to another host, a write to another store.
    ///
    /// # Errors
    /// If some of it may have been lost.
    pub async fn wait_durable(&self) -> Result<(), DatabaseError> {
        match self.watermark.get() {
            Some(watermark) => watermark.wait_durable().await,
            None => Ok(()),
        }
    }

    /// The call that a component makes while it handles this one: it inherits what is left of the time.
    pub fn nested(&self) -> Self {
        Self {
            deadline: self.deadline,
            depth: self.depth + 1,
            trace: self.trace.clone(),
            callers: self.callers.clone(),
            watermark: self.watermark.clone(),
            priority: self.priority,
            external_wait: self.external_wait.clone(),
            abort_flag: AbortFlag::default(),
        }
    }

    /// The same call, handed to another guest than before.
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

    /// The component that makes it, if one does.
    pub fn caller(&self) -> Option<&str> {
        self.callers.last().map(|caller| &**caller)
    }

    /// Whether this component makes it, or is waiting for the one that does.
    pub fn has_caller(&self, component: &str) -> bool {
        self.callers.iter().any(|caller| &**caller == component)
    }

    /// From now on it waits for somebody outside: no sign of load here, however long it takes.
    pub fn begin_external_wait(&self) -> ExternalWait<'_> {
        ExternalWait {
            call: self,
            since: Instant::now(),
        }
    }

    /// How long it has done so until now.
    pub fn external_wait(&self) -> Duration {
        Duration::from_nanos(self.external_wait.load(Ordering::Relaxed))
    }

    /// The same call with at least this priority: the calls that a high-priority call makes have its priority too.
    pub fn with_min_priority(mut self, priority: Priority) -> Self {
        self.priority = self.priority.max(priority);
        self
    }

    /// The same call, but never longer than this component may take.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.deadline = self.deadline.min(Instant::now() + timeout);
        self
    }

    /// Gives a request its trace headers, unless the guest that sends it has set its own.
    pub fn set_trace_headers(&self, headers: &mut HeaderMap) {
        set_if_absent(headers, TRACEPARENT, &self.trace.parent);
        set_if_absent(headers, REQUEST_ID, &self.trace.request_id);
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
    async fn an_answer_waits_for_what_a_callee_wrote() {
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
    fn what_a_nested_call_waits_for_outside_its_caller_waits_for_too() {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(1));
        let nested = call.nested();
        let wait = Duration::from_millis(2);
        let waiting = nested.begin_external_wait();
        std::thread::sleep(wait);
        drop(waiting);
        assert!(call.external_wait() >= wait);
    }

    #[test]
    fn a_call_knows_everybody_who_waits_for_it() {
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
