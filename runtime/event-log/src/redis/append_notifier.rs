//! AppendNotifier for entries: one blocking `XREAD` for all readers of this host.
//!
//! It consumes nothing; it only says that something may have come. A reader looks, then waits to be
//! told to look again. The task asks the server only while somebody waits, so a busy host does not
//! pay for being told what it knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Value, cmd, pipe};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use storage::redis_client::{RedisClient, RedisClientError};

/// Told about entries that were handed to another consumer.
const WAKE: &str = "socar.log:wake";

/// How long the server holds an `XREAD`; new streams are read after that at the latest.
const BLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// How soon the server is asked again after it could not be reached.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// Tells readers when to look again.
pub(super) struct AppendNotifier {
    shared: Arc<NotifierState>,
    /// Started with the first reader.
    task: Mutex<Option<AbortHandle>>,
}

struct NotifierState {
    client: Arc<RedisClient>,
    /// The newest entry of each stream that readers have been told of; `None` until first asked.
    streams: Mutex<BTreeMap<Arc<str>, Option<String>>>,
    waiting: AtomicUsize,
    waiter_added: Notify,
    appended: Notify,
}

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

    /// What comes to these streams is told from now on.
    pub fn listen(&self, streams: &[Arc<str>]) {
        let mut known = self.shared.streams.lock();
        for stream in streams {
            known.entry(stream.clone()).or_default();
        }
        drop(known);
        let mut task = self.task.lock();
        if task.is_none() {
            let shared = self.shared.clone();
            *task = Some(tokio::spawn(async move { shared.listen().await }).abort_handle());
        }
    }

    /// Enable it before looking: then nothing is missed between looking and waiting.
    pub fn appended(&self) -> Notified<'_> {
        self.shared.appended.notified()
    }

    /// Whether it is worth looking again, before the deadline.
    pub async fn wait(&self, appended: impl Future<Output = ()>, deadline: Instant) -> bool {
        let _waiting = WaiterGuard::count_in(&self.shared);
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

/// One reader that waits, counted as long as it does.
struct WaiterGuard<'s>(&'s NotifierState);

impl<'s> WaiterGuard<'s> {
    fn count_in(shared: &'s NotifierState) -> Self {
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
    async fn listen(&self) {
        loop {
            // The readers report an outage, each in its own words; here it is only waited for.
            if let Err(error) = self.connected().await {
                tracing::debug!(%error, "not listening for events");
            }
            tokio::time::sleep(RECONNECT_INTERVAL).await;
        }
    }

    async fn connected(&self) -> Result<(), RedisClientError> {
        let mut connection = self
            .client
            .dedicated(BLOCK_TIMEOUT + Duration::from_secs(3))
            .await?;
        loop {
            while self.waiting.load(Ordering::SeqCst) == 0 {
                self.waiter_added.notified().await;
            }
            let poll = self.poll(&mut connection).await;
            if poll.map_err(|error| self.client.error(error))? {
                self.appended.notify_waiters();
            }
        }
    }

    /// Whether there may be something that readers have not been told of.
    async fn poll(&self, connection: &mut MultiplexedConnection) -> redis::RedisResult<bool> {
        let streams = self.streams.lock().clone();
        let known: Option<Vec<(&str, &str)>> = streams
            .iter()
            .map(|(stream, id)| Some((&**stream, id.as_deref()?)))
            .collect();
        if let Some(known) = known {
            let mut read = cmd("XREAD");
            read.arg("COUNT")
                .arg(1)
                .arg("BLOCK_TIMEOUT")
                .arg(BLOCK_TIMEOUT.as_millis() as u64)
                .arg("STREAMS");
            read.arg(known.iter().map(|(stream, _)| *stream).collect::<Vec<_>>());
            read.arg(known.iter().map(|(_, id)| *id).collect::<Vec<_>>());
            let reply: Value = read.query_async(connection).await?;
            if reply == Value::Nil {
                return Ok(false);
            }
        }
        self.note_newest(connection, streams.into_keys().collect())
            .await?;
        Ok(true)
    }

    /// What is there now is told with the next word; `XREAD` waits for what comes after it.
    async fn note_newest(
        &self,
        connection: &mut MultiplexedConnection,
        streams: Vec<Arc<str>>,
    ) -> redis::RedisResult<()> {
        let mut newest = pipe();
        for stream in &streams {
            newest
                .cmd("XREVRANGE")
                .arg(&**stream)
                .arg(&["+", "-", "COUNT", "1"]);
        }
        let newest: Vec<Vec<(String, Value)>> = newest.query_async(connection).await?;
        let mut known = self.streams.lock();
        for (stream, entries) in streams.into_iter().zip(newest) {
            let newest = entries.into_iter().next().map(|(id, _)| id);
            // Of an empty stream, everything is new.
            known.insert(stream, Some(newest.unwrap_or_else(|| "0-0".to_owned())));
        }
        Ok(())
    }
}
