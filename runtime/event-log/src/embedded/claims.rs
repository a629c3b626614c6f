//! How a consumer claims entries: from memory, or from the database after a start or when it is behind.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::{Instant, timeout_at};

use super::group_rows::GroupRow;
use super::groups::{claim_each, delivery};
use super::ids::unpack;
use super::{EmbeddedLog, entries};
use crate::entry::now;
use crate::{Consumer, Delivery, GroupState, LogError, Position};
use storage::database::CommitWatermark;

/// Entries that were claimed, and pending ones that are no longer in their streams.
#[derive(Default)]
struct Claimed {
    deliveries: Vec<Delivery>,
    removed: Vec<Position>,
}

impl EmbeddedLog {
    /// Claims at once, or after each append until `wait` has passed.
    pub(super) async fn claim_or_wait(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let watermark = CommitWatermark::from_now(&self.database);
            let claimed = self.claim_now(consumer, limit)?;
            if !claimed.is_empty() {
                watermark.wait_durable().await?;
                return Ok(claimed);
            }
            let appended = self.positions.lock().of(consumer)?.0.appended.clone();
            // A notification between the claim and the wait is kept.
            if timeout_at(deadline, appended.notified()).await.is_err() {
                return Ok(claimed);
            }
        }
    }

    fn claim_now(&self, consumer: &Consumer, limit: usize) -> Result<Vec<Delivery>, LogError> {
        let (claimed, has_skipped) = {
            let mut memory = self.positions.lock();
            let (group, tails) = memory.of(consumer)?;
            let claimed = group.claim_from(tails, limit);
            (claimed, group.has_skipped())
        };
        if has_skipped {
            self.positions.note_change();
        }
        match claimed {
            Some(claimed) => Ok(claimed),
            None => self.claim_from_database(consumer, limit),
        }
    }

    fn claim_from_database(
        &self,
        consumer: &Consumer,
        limit: usize,
    ) -> Result<Vec<Delivery>, LogError> {
        let claimed = self.database.read(|connection| {
            let again = self.claim_again(connection, consumer, limit);
            Ok(again.and_then(|mut again| {
                // New entries may belong to lanes whose older entries are still to be claimed again.
                if again.deliveries.len() < limit {
                    let new = self.claim_new(connection, consumer, limit)?;
                    again.deliveries.extend(new);
                }
                Ok(again)
            }))
        });
        let Claimed {
            deliveries,
            removed,
        } = claimed??;
        self.acknowledge_pending(&consumer.group, &removed)?;
        Ok(deliveries)
    }

    /// Claims pending entries that this session has not claimed yet.
    fn claim_again(
        &self,
        connection: &Connection,
        consumer: &Consumer,
        limit: usize,
    ) -> Result<Claimed, LogError> {
        let mut memory = self.positions.lock();
        let (group, _) = memory.of(consumer)?;
        let mut claimed = Claimed::default();
        while claimed.deliveries.len() < limit
            && let Some((index, id)) = group.claim_again.front().copied()
        {
            let stream = group.cursors[index].stream.clone();
            let entry = entries::at(connection, &stream, id)?;
            let _ = group.claim_again.pop_front();
            // An entry that was acknowledged meanwhile is not pending.
            let Some(pending) = group.cursors[index].pending(id) else {
                continue;
            };
            match entry.filter(|entry| consumer.handles(entry.event_type.as_deref())) {
                Some(entry) => claimed.deliveries.push(delivery(stream, &entry, pending)),
                None => claimed.removed.push(Position {
                    stream,
                    id: unpack(id),
                }),
            }
        }
        Ok(claimed)
    }

    /// Claims the next entries of each stream, at most `limit` of each.
    fn claim_new(
        &self,
        connection: &Connection,
        consumer: &Consumer,
        limit: usize,
    ) -> Result<Vec<Delivery>, LogError> {
        let mut memory = self.positions.lock();
        let (group, tails) = memory.of(consumer)?;
        let mut claimed = Vec::new();
        for cursor in &mut group.cursors {
            let before = claimed.len();
            loop {
                let read = cursor.read();
                let tail = tails.entry(cursor.stream.clone()).or_default();
                if let Some(new) = tail.after(read) {
                    claim_each(
                        consumer,
                        cursor,
                        new,
                        limit - (claimed.len() - before),
                        &mut claimed,
                    );
                    break;
                }
                let new = entries::after(connection, &cursor.stream, read, limit)?;
                let rest = limit - (claimed.len() - before);
                claim_each(consumer, cursor, new.iter(), rest, &mut claimed);
                if new.len() < limit {
                    tail.note_end(new.last().map_or(read, |last| last.id));
                }
                if claimed.len() - before >= limit {
                    break;
                }
            }
        }
        Ok(claimed)
    }

    /// The progress of a group. The memory is newer than the row.
    pub(super) fn state(
        &self,
        connection: &Connection,
        stream: &str,
        row: GroupRow,
    ) -> rusqlite::Result<GroupState> {
        let known_lag = self.positions.lock().lag(stream, &row.group);
        let subscribed = {
            let memory = self.positions.lock();
            let group = memory.groups.get(&row.group);
            group.and_then(|group| {
                let cursor = group.cursor(stream)?;
                Some((cursor.read(), cursor.pending_count() as u64, group.seen))
            })
        };
        let (read, pending, seen, read_at) = match subscribed {
            Some((read, pending, seen)) => (read, pending, Some(seen), Some(seen)),
            None => (row.position, row.recorded, row.seen, row.read),
        };
        let since = |time: u64| Duration::from_millis(now().saturating_sub(time));
        Ok(GroupState {
            group: row.group,
            pending,
            lag: match known_lag {
                Some(lag) => lag,
                None => entries::count_after(connection, stream, read)?,
            },
            silence: seen.map(since),
            unread: read_at.map(since),
        })
    }
}
