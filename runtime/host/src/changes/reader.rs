//! What a component has acknowledged in the log, as changes for its listeners, and from which positions they are complete.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use event_log::{Entry, EntryId, EventLog, LogError};
use serde_json::Value;

use super::position::LogPosition;
use super::visibility::{self, SharedMessage};
use super::{ChangeRoute, ChangeSource, message};

/// The number of ids that are read at a time, to find a horizon. Other calls to the log wait meanwhile.
const IDS_AT_A_TIME: usize = 1_000;

/// Reads the changes of one component.
pub(super) struct ChangeReader {
    log: Arc<dyn EventLog>,
    group: String,
    /// In the order of their names.
    streams: Vec<Arc<str>>,
    route: ChangeRoute,
}

/// An event of the log that is a change for the listeners.
struct Change {
    /// The index of the stream.
    stream: usize,
    id: EntryId,
    event_type: String,
    event: Bytes,
    /// What every user may see of it.
    public: Option<Value>,
    /// The customer whom it belongs to.
    owner: Option<Arc<str>>,
}

// === impl ChangeReader ===

impl ChangeReader {
    pub fn new(route: &ChangeRoute, source: &ChangeSource) -> Self {
        let mut streams = route.subscription.streams.clone();
        streams.sort();
        streams.dedup();
        Self {
            log: source.log.clone(),
            group: route.subscription.group(&source.host),
            streams: streams.into_iter().map(Arc::from).collect(),
            route: route.clone(),
        }
    }

    /// The consumer group of the component.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The identity of the log's history.
    pub async fn history(&self) -> Result<String, LogError> {
        self.log.history().await
    }

    /// The position up to which the component has acknowledged everything.
    pub async fn newest(&self) -> Result<LogPosition, LogError> {
        let since = milliseconds_now();
        let history = self.history().await?;
        let from = vec![EntryId::MIN; self.streams.len()];
        let ids = self.acknowledged(&from).await?;
        Ok(LogPosition::new(&history, ids, since))
    }

    /// The position of a listener that comes back, which has this text; `now` is that of the other listeners. `None` if it
    /// belongs to another log, if later entries were removed, or if this log does not reach it.
    pub async fn resumed(
        &self,
        text: &str,
        now: &LogPosition,
    ) -> Result<Option<LogPosition>, LogError> {
        let history = self.history().await?;
        let Some(position) = LogPosition::read(text, &history, self.streams.len()) else {
            return Ok(None);
        };
        for (index, stream) in self.streams.iter().enumerate() {
            if !self
                .is_complete_after(stream, index, &position, now)
                .await?
            {
                return Ok(None);
            }
        }
        Ok(Some(position))
    }

    /// The messages of the next changes up to these ids, in the order of the log: at most `limit`, or one of each stream.
    /// Moves the position past them.
    pub async fn advance(
        &self,
        position: &mut LogPosition,
        up_to: &[EntryId],
        limit: usize,
    ) -> Result<Vec<SharedMessage>, LogError> {
        let behind = position.ids.iter().zip(up_to);
        let behind = behind.filter(|(id, up_to)| id < up_to).count();
        let limit = (limit / behind.max(1)).max(1);
        let mut entries = Vec::new();
        // Later entries than the last of a full page wait for the rest of its stream. The other streams are read up to
        // there only, so that little is read that the next call reads again.
        let mut complete = EntryId::MAX;
        for (stream, after) in position.ids.iter().enumerate() {
            let up_to = up_to[stream].min(complete);
            let of_stream = self.entries(stream, *after, up_to, limit).await?;
            if let Some(last) = of_stream.last().filter(|_| of_stream.len() == limit) {
                complete = last.id;
            }
            entries.push(of_stream);
        }
        for of_stream in &mut entries {
            let count = of_stream.partition_point(|entry| entry.id <= complete);
            of_stream.truncate(count);
        }
        let streams = entries.iter().enumerate();
        let changes = streams.flat_map(|(stream, of_stream)| {
            let of_stream = of_stream.iter();
            of_stream.filter_map(move |entry| self.change(stream, entry))
        });
        let mut changes: Vec<_> = changes.collect();
        changes.sort_by_key(|change| (change.id, change.stream));
        let messages = changes.iter().map(|change| {
            position.ids[change.stream] = change.id;
            change.message(position)
        });
        let messages = messages.collect();
        // Past the entries that are no changes, too.
        for (stream, id) in position.ids.iter_mut().enumerate() {
            let until = match entries[stream].last() {
                _ if complete == EntryId::MAX => up_to[stream],
                Some(last) => last.id,
                None => continue,
            };
            *id = until.max(*id);
        }
        Ok(messages)
    }

    /// The newest event that a listener must know to miss at most `max_missed` of those up to these ids. `None` if there
    /// are not more.
    pub async fn horizon(
        &self,
        up_to: &[EntryId],
        max_missed: usize,
    ) -> Result<Option<EntryId>, LogError> {
        let mut newest = Vec::new();
        for (stream, up_to) in self.streams.iter().zip(up_to) {
            let (mut up_to, before) = (*up_to, newest.len());
            while newest.len() - before <= max_missed {
                let ids = self.log.newest_ids(stream, up_to, IDS_AT_A_TIME).await?;
                let Some(oldest) = ids.last() else { break };
                up_to = oldest.previous();
                newest.extend(ids);
                // The log on this host answers without a wait.
                tokio::task::yield_now().await;
            }
        }
        newest.sort_unstable_by(|one, other| other.cmp(one));
        Ok(newest.get(max_missed).copied())
    }

    /// Whether a listener with this position misses an event that is not newer than the horizon. `now` is the position of
    /// the other listeners, which may still wait for an older event.
    pub async fn is_before(
        &self,
        horizon: EntryId,
        position: &LogPosition,
        now: &LogPosition,
    ) -> Result<bool, LogError> {
        for (stream, after) in position.ids.iter().enumerate() {
            let up_to = now.ids[stream].min(horizon);
            if !self.entries(stream, *after, up_to, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The ids up to which the group has acknowledged its streams: never less than these.
    ///
    /// While the first entry of a stream is not acknowledged, the log returns the id before it. As the id of no entry, it
    /// would look later as if its entry had been removed, so that the stream is at its beginning instead, or at the newest
    /// entry that was removed.
    pub async fn acknowledged(&self, at_least: &[EntryId]) -> Result<Vec<EntryId>, LogError> {
        let mut ids = Vec::new();
        for (stream, at_least) in self.streams.iter().zip(at_least) {
            let up_to = self.log.acknowledged_up_to(stream, &self.group).await?;
            let up_to = up_to.unwrap_or(EntryId::MIN).max(*at_least);
            let is_first = *at_least == EntryId::MIN && up_to != EntryId::MIN;
            let is_before_all = is_first && {
                let oldest = self.oldest(stream, EntryId::MAX).await?;
                oldest.is_some_and(|oldest| up_to < oldest)
            };
            ids.push(match is_before_all {
                true => self.trimmed_up_to(stream).await?,
                false => up_to,
            });
        }
        Ok(ids)
    }

    /// The oldest entry of a stream, if it is not newer than this.
    async fn oldest(&self, stream: &str, up_to: EntryId) -> Result<Option<EntryId>, LogError> {
        let oldest = self.log.range(stream, EntryId::MIN, up_to, 1).await?;
        Ok(oldest.first().map(|entry| entry.id))
    }

    /// The newest entry of a stream that retention has removed; [`EntryId::MIN`] if it has removed none.
    async fn trimmed_up_to(&self, stream: &str) -> Result<EntryId, LogError> {
        let trimmed = self.log.trimmed_up_to(stream).await?;
        Ok(trimmed.unwrap_or(EntryId::MIN))
    }

    /// The first entries after an id, up to another one.
    async fn entries(
        &self,
        stream: usize,
        after: EntryId,
        up_to: EntryId,
        limit: usize,
    ) -> Result<Vec<Entry>, LogError> {
        if up_to <= after {
            return Ok(Vec::new());
        }
        let name = &self.streams[stream];
        self.log.range(name, after.next(), up_to, limit).await
    }

    /// The change in an entry. Nothing listens for an event without a type, or of one that the component does not handle.
    fn change(&self, stream: usize, entry: &Entry) -> Option<Change> {
        let event = entry.event()?;
        let content: Value = serde_json::from_slice(&event).ok()?;
        let event_type = message::event_type(&content)?.to_owned();
        let handled = self.route.subscription.event_types.as_ref();
        let is_handled = handled.is_none_or(|types| types.contains(&event_type));
        is_handled.then_some(Change {
            stream,
            id: entry.id,
            public: visibility::public_form(&content, &self.route.public),
            owner: visibility::owner(&content),
            event_type,
            event,
        })
    }

    /// Whether a stream, whose entries up to `trimmed` may be removed, ends before an id: the log was restored from a backup,
    /// and has lost what the client knows.
    async fn ends_before(
        &self,
        stream: &str,
        id: EntryId,
        trimmed: EntryId,
    ) -> Result<bool, LogError> {
        let later = self.log.range(stream, id, EntryId::MAX, 1).await?;
        Ok(later.is_empty() && trimmed < id)
    }

    /// Whether the log has the entry of this position, and no entry of a stream was removed that is newer.
    async fn is_complete_after(
        &self,
        stream: &str,
        index: usize,
        position: &LogPosition,
        now: &LogPosition,
    ) -> Result<bool, LogError> {
        let (id, newest) = (position.ids[index], now.ids[index]);
        let trimmed = self.trimmed_up_to(stream).await?;
        if trimmed > id {
            return Ok(false);
        }
        // A host of an earlier version removes entries without a mark.
        if id == EntryId::MIN {
            let is_empty =
                newest == EntryId::MIN && self.oldest(stream, EntryId::MAX).await?.is_none();
            return Ok(is_empty || self.is_complete_since(position.since, &now.ids));
        }
        if id > newest && self.ends_before(stream, id, trimmed).await? {
            return Ok(false);
        }
        if id == trimmed || newest != EntryId::MIN && id >= newest {
            return Ok(true);
        }
        // The oldest entries are removed first, so an entry that is not newer shows that none after it was.
        Ok(self.oldest(stream, id).await?.is_some())
    }

    /// Whether no entry was removed from a stream of which none had been acknowledged at this time. `newest` are ids of the
    /// log: they are never earlier than the clock was when it was read last, also after it was set back.
    ///
    /// Only acknowledged entries that are older than the retention are removed. One that was removed had therefore waited
    /// for its acknowledgement for half of the retention, or the time is longer ago than the other half.
    fn is_complete_since(&self, since: u64, newest: &[EntryId]) -> bool {
        let Some(retention) = self.route.retention else {
            return true;
        };
        let newest = newest.iter().map(|id| id.milliseconds).max().unwrap_or(0);
        let age = milliseconds_now().max(newest).saturating_sub(since);
        Duration::from_millis(age) < retention / 2
    }
}

/// The time, in milliseconds since 1970.
pub(super) fn milliseconds_now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |time| {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    })
}

// === impl Change ===

impl Change {
    /// The message of the change. `position` is the one after it.
    fn message(&self, position: &LogPosition) -> SharedMessage {
        let written = |event: &[u8]| message::change(position, &self.event_type, event);
        let public = self.public.as_ref();
        let public = public.map(|event| written(event.to_string().as_bytes()));
        SharedMessage::of_event(written(&self.event), public, self.owner.clone())
    }
}
