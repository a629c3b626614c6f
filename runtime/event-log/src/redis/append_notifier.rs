//! Wakes waiting consumers: one blocking `XREAD` for all consumers of this host.
//!
//! The task reads no entries; it reports that there may be new ones. A consumer claims, and waits for the next report if
//! it got nothing. The task asks the server only while a consumer waits, so a busy host does not pay for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd, pipe};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use storage::redis_client::{RESPONSE_TIMEOUT, RedisClient, RedisClientError};
use storage::work::{CountedCommand, count_commands};

/// The stream that reports entries which were assigned to another consumer.
const WAKE: &str = "socar.log:wake";

/// The longest time that the server holds an `XREAD`; a stream that is added meanwhile is read after it.
const BLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// The time between two attempts to reach the server.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// Reports new entries to waiting consumers.
pub(super) struct AppendNotifier {
    shared: Arc<NotifierState>,
    /// Started with the first consumer.
    task: Mutex<Option<AbortHandle>>,
}

struct NotifierState {
    client: Arc<RedisClient>,
    /// The newest entry of each stream that was reported; `None` before the first look.
    streams: Mutex<BTreeMap<Arc<str>, Option<String>>>,
    /// The number of waiting consumers.
    waiting: AtomicUsize,
    waiter_added: Notify,
    appended: Notify,
}

/// Counts a consumer that waits.
struct WaiterGuard<'s>(&'s NotifierState);

// === impl AppendNotifier ===

impl AppendNotifier {
    pub fn new(client: Arc<RedisClient>) -> Self {
        let streams = BTreeMap::from([(Arc::from(WAKE), None)]);
        Self {
            shared: Arc::new(NotifierState {
                client,
                streams: Mutex::new(streams),
                waiting: AtomicUsize::new(0),
                waiter_added: Notify::new(),
                appended: Notify::new(),
            }),
            task: Mutex::new(None),
        }
    }

    /// Reports new entries of these streams from now on.
    pub fn watch(&self, streams: &[Arc<str>]) {
        let mut known = self.shared.streams.lock();
        for stream in streams {
            known.entry(stream.clone()).or_default();
        }
        drop(known);
        let mut task = self.task.lock();
        if task.is_none() {
            let shared = self.shared.clone();
            *task = Some(tokio::spawn(async move { shared.run().await }).abort_handle());
        }
    }

    /// The next report. Enabled before a claim, it is not missed between the claim and the wait.
    pub fn appended(&self) -> Notified<'_> {
        self.shared.appended.notified()
    }

    /// Waits for a report; returns `false` if the deadline comes first.
    pub async fn wait(&self, appended: impl Future<Output = ()>, deadline: Instant) -> bool {
        let _waiting = WaiterGuard::new(&self.shared);
        self.shared.waiter_added.notify_one();
        timeout_at(deadline, appended).await.is_ok()
    }
}

impl Drop for AppendNotifier {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

// === impl WaiterGuard ===

impl<'s> WaiterGuard<'s> {
    fn new(shared: &'s NotifierState) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl NotifierState ===

impl NotifierState {
    async fn run(&self) {
        loop {
            // Each subscription logs an outage of the server itself.
            if let Err(error) = self.report_appends().await {
                tracing::debug!(%error, "waiting for events failed");
            }
            tokio::time::sleep(RECONNECT_INTERVAL).await;
        }
    }

    /// Reports appended entries until the server is unavailable.
    async fn report_appends(&self) -> Result<(), RedisClientError> {
        let response_timeout = BLOCK_TIMEOUT + RESPONSE_TIMEOUT;
        let mut connection = self.client.dedicated(response_timeout).await?;
        loop {
            while self.waiting.load(Ordering::SeqCst) == 0 {
                self.waiter_added.notified().await;
            }
            let appended = self.poll(&mut connection).await;
            if appended.map_err(|error| self.client.error(error))? {
                self.appended.notify_waiters();
            }
        }
    }

    /// Whether there may be entries that were not reported.
    async fn poll(&self, connection: &mut MultiplexedConnection) -> RedisResult<bool> {
        let streams = self.streams.lock().clone();
        let known: Option<Vec<(&str, &str)>> = streams
            .iter()
            .map(|(stream, id)| Some((&**stream, id.as_deref()?)))
            .collect();
        if let Some(known) = known
            && !has_newer(connection, &known).await?
        {
            return Ok(false);
        }
        self.note_newest(connection, streams.into_keys().collect())
            .await?;
        Ok(true)
    }

    /// Notes the newest entry of each stream. The next `XREAD` waits for entries after it.
    async fn note_newest(
        &self,
        connection: &mut MultiplexedConnection,
        streams: Vec<Arc<str>>,
    ) -> RedisResult<()> {
        let mut newest = pipe();
        for stream in &streams {
            newest
                .cmd("XREVRANGE")
                .arg(&**stream)
                .arg(&["+", "-", "COUNT", "1"]);
        }
        count_commands(CountedCommand::Plain, streams.len());
        let newest: Vec<Vec<(String, Value)>> = newest.query_async(connection).await?;
        let mut known = self.streams.lock();
        for (stream, entries) in streams.into_iter().zip(newest) {
            let newest = entries.into_iter().next().map(|(id, _)| id);
            // Every entry is newer than the end of an empty stream.
            known.insert(stream, Some(newest.unwrap_or_else(|| "0-0".to_owned())));
        }
        Ok(())
    }
}

/// Waits up to [`BLOCK_TIMEOUT`] until one of the streams has an entry after the given id.
async fn has_newer(
    connection: &mut MultiplexedConnection,
    known: &[(&str, &str)],
) -> RedisResult<bool> {
    let mut read = cmd("XREAD");
    read.arg("COUNT")
        .arg(1)
        .arg("BLOCK")
        .arg(BLOCK_TIMEOUT.as_millis() as u64)
        .arg("STREAMS");
    read.arg(known.iter().map(|(stream, _)| *stream).collect::<Vec<_>>());
    read.arg(known.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    count_commands(CountedCommand::Plain, 1);
    let newer: Value = read.query_async(connection).await?;
    Ok(newer != Value::Nil)
}
