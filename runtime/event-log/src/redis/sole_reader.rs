//! Reading without scripts: how the only consumer of a group gets its events.
//!
//! A heartbeat that finds no other consumer makes this one the *sole* consumer. It then reads with a blocking
//! `XREADGROUP`, keeps lanes and order in its memory, and acknowledges with `XACK`: an event that goes well costs two
//! commands, and an idle group none but the renewal of the read and of the heartbeat.
//!
//! Two facts make this as safe as the scripts. The read includes the *fence*, a stream that belongs to the session: an
//! eviction removes the fence, and the server then refuses the read, however late it arrives. A consumer that joins the
//! group appends to the fence, and waits: the sole consumer sees the entry at once, tells the server the owners of its
//! lanes, and continues with scripts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, cmd};
use tokio::sync::RwLock;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::read_pace::ReadPace;
use super::reply::{EntryReply, entry_id};
use crate::consumer::redrive_stream;
use crate::entry::Routing;
use crate::{Consumer, Delivery, LogError, Position, READ_INTERVAL, entry::event};
use storage::redis_client::{RESPONSE_TIMEOUT, RedisClient, RedisClientError};
use storage::work::{CountedCommand, count_command};

/// The longest time that the server holds a read. It is shorter than the time from the last heartbeat of a host that
/// stops responding until its eviction: no read of such a host is answered after its eviction.
const MAX_BLOCK: Duration = Duration::from_secs(5);

/// The sole consumers of this process, by group.
#[derive(Default)]
pub(super) struct SoleReaders(Mutex<HashMap<String, Arc<SoleReader>>>);

/// A consumer that reads without scripts.
pub(super) struct SoleReader {
    consumer: Consumer,
    pub consumer_timeout: Duration,
    /// Whether scripts may still have entries for it.
    pub has_inbox: AtomicBool,
    /// The entries that it has read and not acknowledged; the server has no owner of their lanes.
    read: Mutex<HashSet<Position>>,
    /// Held by acknowledgements, and exclusively while the server is told the owners.
    pub acknowledging: RwLock<()>,
    reading: tokio::sync::Mutex<Reading>,
    /// Whether it has looked at its read since the last heartbeat.
    has_looked: AtomicBool,
    /// When the server was last told that it reads its streams.
    confirmed: Mutex<Instant>,
}

/// The connection of a reader, and its read in flight.
#[derive(Default)]
struct Reading {
    pace: ReadPace,
    connection: Option<MultiplexedConnection>,
    in_flight: Option<BoxFuture<'static, RedisResult<Option<ReadReply>>>>,
}

type ReadReply = Vec<(String, Vec<EntryReply>)>;

/// What a read has brought.
#[derive(Default)]
pub(super) struct ReadEntries {
    pub deliveries: Vec<Delivery>,
    /// Entries that the group does not handle.
    pub others: Vec<Position>,
    /// Whether another consumer has joined the group.
    pub has_company: bool,
}

// === impl SoleReaders ===

impl SoleReaders {
    /// The reader of this session of the consumer, if it is the sole consumer.
    pub fn of(&self, consumer: &Consumer) -> Option<Arc<SoleReader>> {
        let readers = self.0.lock();
        let reader = readers.get(&consumer.group)?;
        let is_current = reader.consumer.is_same_session(consumer);
        is_current.then(|| reader.clone())
    }

    pub fn of_group(&self, group: &str) -> Option<Arc<SoleReader>> {
        self.0.lock().get(group).cloned()
    }

    /// The sessions of all sole consumers of this name.
    pub fn sessions(&self, name: &str) -> impl Iterator<Item = String> {
        let readers = self.0.lock();
        let of_name = readers.values().filter(|it| it.consumer.name == name);
        let sessions: Vec<_> = of_name.map(|it| it.consumer.session.clone()).collect();
        sessions.into_iter()
    }

    pub fn begin(&self, consumer: &Consumer, consumer_timeout: Duration) {
        let reader = SoleReader {
            consumer: consumer.clone(),
            consumer_timeout,
            has_inbox: AtomicBool::new(true),
            read: Mutex::default(),
            acknowledging: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            has_looked: AtomicBool::new(true),
            confirmed: Mutex::new(Instant::now()),
        };
        let mut readers = self.0.lock();
        readers.insert(consumer.group.clone(), Arc::new(reader));
    }

    /// Ends the reader of the group, if it belongs to this consumer. Its read in flight ends with its connection.
    pub fn end(&self, consumer: &Consumer) {
        let mut readers = self.0.lock();
        let reader = readers.get(&consumer.group);
        if reader.is_some_and(|reader| reader.consumer.name == consumer.name) {
            readers.remove(&consumer.group);
        }
    }

    /// Ends the reader of a group that was deleted on these streams, if it reads one of them.
    pub fn end_group(&self, group: &str, streams: &[Arc<str>]) {
        let mut readers = self.0.lock();
        let reader = readers.get(group);
        if reader.is_some_and(|reader| reader.consumer.reads_any(streams)) {
            readers.remove(group);
        }
    }
}

// === impl SoleReader ===

impl SoleReader {
    /// Takes those of the positions that can be acknowledged without a script, because it has read them itself.
    pub fn take_read(&self, positions: &[Position]) -> (Vec<Position>, Vec<Position>) {
        let mut read = self.read.lock();
        let positions = positions.iter().cloned();
        positions.partition(|position| read.remove(position))
    }

    /// Makes scripts acknowledge the entry: it has a record of failures on the server.
    pub fn forget(&self, position: &Position) {
        self.read.lock().remove(position);
    }

    /// Reads new entries; waits up to `wait` for them. A read that is in flight then continues, and its entries are for
    /// the next call.
    ///
    /// # Errors
    /// [`LogError::Evicted`] if the fence is gone.
    pub async fn read(
        &self,
        client: &RedisClient,
        limit: usize,
        wait: Duration,
    ) -> Result<ReadEntries, LogError> {
        let deadline = Instant::now() + wait;
        let mut reading = self.reading.lock().await;
        self.has_looked.store(true, Ordering::Release);
        loop {
            let mut read = match reading.in_flight.take() {
                Some(read) => read,
                None if wait.is_zero() => return self.read_at_once(client, limit).await,
                None => self.start(&mut reading, client, limit).await?,
            };
            let Ok(reply) = timeout_at(deadline, &mut read).await else {
                reading.in_flight = Some(read);
                return Ok(ReadEntries::default());
            };
            match reply {
                Ok(Some(streams)) => return self.entries(streams),
                Ok(None) => {}
                Err(error) => {
                    reading.connection = None;
                    return Err(self.failure(client.error(error)));
                }
            }
        }
    }

    async fn read_at_once(
        &self,
        client: &RedisClient,
        limit: usize,
    ) -> Result<ReadEntries, LogError> {
        let read = client.query(&self.command(limit, None)).await;
        let streams: Option<ReadReply> = read.map_err(|error| self.failure(error))?;
        self.entries(streams.unwrap_or_default())
    }

    /// The error of a read. If the fence was removed, or a stream with its groups, a subscription makes both anew.
    fn failure(&self, error: RedisClientError) -> LogError {
        match error.code() {
            Some("NOGROUP" | "UNBLOCKED") => self.consumer.evicted(),
            _ => error.into(),
        }
    }

    async fn start(
        &self,
        reading: &mut Reading,
        client: &RedisClient,
        limit: usize,
    ) -> Result<BoxFuture<'static, RedisResult<Option<ReadReply>>>, LogError> {
        let block = MAX_BLOCK.min(self.consumer_timeout / 2);
        let mut connection = match &reading.connection {
            Some(connection) => connection.clone(),
            None => reading
                .connection
                .insert(client.dedicated(block + RESPONSE_TIMEOUT).await?)
                .clone(),
        };
        let read = self.command(limit, Some(block));
        let now = Instant::now();
        let start = reading.pace.next_start(now);
        Ok(Box::pin(async move {
            if start > now {
                sleep_until(start).await;
            }
            count_command(CountedCommand::Plain);
            read.query_async(&mut connection).await
        }))
    }

    fn command(&self, limit: usize, block: Option<Duration>) -> Cmd {
        let Consumer { group, name, .. } = &self.consumer;
        let mut read = cmd("XREADGROUP");
        read.arg(&["GROUP", group, name]);
        read.arg("COUNT").arg(limit.max(1));
        if let Some(block) = block {
            read.arg("BLOCK").arg(super::milliseconds(block).max(1));
        }
        read.arg("STREAMS");
        for stream in self.consumer.streams() {
            read.arg(&**stream);
        }
        read.arg(self.fence());
        for _ in 0..=self.consumer.streams().len() {
            read.arg(">");
        }
        read
    }

    fn fence(&self) -> String {
        let Consumer {
            group,
            name,
            session,
            ..
        } = &self.consumer;
        format!("socar.log:{group}:fence:{name}:{session}")
    }

    fn entries(&self, streams: ReadReply) -> Result<ReadEntries, LogError> {
        let mut found = ReadEntries::default();
        let fence = self.fence();
        let redriven = redrive_stream(&self.consumer.group);
        for (stream, entries) in streams {
            if stream == fence {
                found.has_company = true;
                continue;
            }
            let name = self.consumer.stream(&stream);
            for (id, fields) in entries {
                let position = Position {
                    stream: name.clone(),
                    id: entry_id(&stream, &id)?,
                };
                let fields = fields.into_iter();
                let fields = fields.map(|(name, value)| (name.0, value.into())).collect();
                let routing = Routing::of(&stream, &fields);
                if !self.consumer.handles(routing.event_type.as_deref()) {
                    found.others.push(position);
                    continue;
                }
                // A script removes a redriven letter with its acknowledgement.
                if stream != redriven {
                    self.read.lock().insert(position.clone());
                }
                found.deliveries.push(Delivery {
                    position,
                    lane: routing.lane,
                    attempts: 0,
                    due_in: Duration::ZERO,
                    event: event(&fields),
                });
            }
        }
        Ok(found)
    }

    /// Whether it has looked at its read since the last call, and so knows whether another consumer has joined.
    pub fn take_look(&self) -> bool {
        self.has_looked.swap(false, Ordering::AcqRel)
    }

    /// Whether the server is to be told again that it reads its streams: its heartbeats do not name them.
    pub fn must_confirm(&self) -> bool {
        self.confirmed.lock().elapsed() >= READ_INTERVAL
    }

    pub fn note_confirmed(&self) {
        *self.confirmed.lock() = Instant::now();
    }

    pub fn note_inbox(&self, left: usize) {
        self.has_inbox.store(left > 0, Ordering::Release);
    }
}
