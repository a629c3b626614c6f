//! The statements on the entries of a stream.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::ids::{LastId, limit as row_limit, milliseconds_ago, pack, unpack, unsigned};
use super::tail::LogEntry;
use crate::entry::{Entry, EntryId, Fields};
use crate::error::LogError;
use crate::fields;

/// The number of entries that one call of [`trim`] removes; bounds the time that other calls wait for it.
const TRIM_BATCH: u32 = 1000;

/// An entry whose fields are not decoded yet.
pub(super) struct EntryRow {
    id: EntryId,
    fields: Vec<u8>,
}

impl EntryRow {
    pub fn decode(self, stream: &str) -> Result<Entry, LogError> {
        let fields = fields::decode(self.fields);
        let fields = fields.ok_or_else(|| LogError::Damaged(stream.to_owned()))?;
        Ok(Entry {
            id: self.id,
            fields,
        })
    }
}

/// Appends an entry. Its id is larger than the ids of all entries, of all cursors and of what this process gave out,
/// so ids grow after removals and when the clock is set back.
pub(super) fn insert(
    connection: &Connection,
    last_id: &LastId,
    stream: &str,
    lane: &str,
    fields: &Fields,
) -> rusqlite::Result<EntryId> {
    let id = connection
        .prepare_cached(
            "INSERT INTO socar_log_entry (stream, id, lane, fields) VALUES (?1, max(?2,
                 coalesce((SELECT max(id) + 1 FROM socar_log_entry WHERE stream = ?1), 0),
                 coalesce((SELECT max(cursor) + 1 FROM socar_log_group WHERE stream = ?1), 0)
             ), ?3, ?4) RETURNING id",
        )?
        .query_row(
            params![stream, last_id.next(), lane, fields::encode(fields)],
            |row| row.get(0),
        )?;
    last_id.record(id);
    Ok(unpack(id))
}

/// The first entries of a stream after an id.
pub(super) fn after(
    connection: &Connection,
    stream: &str,
    id: i64,
    limit: usize,
) -> Result<Vec<LogEntry>, LogError> {
    let mut next = connection.prepare_cached(
        "SELECT id, fields FROM socar_log_entry WHERE stream = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = next.query(params![stream, id, row_limit(limit)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(LogEntry::decode(stream, row.get(0)?, row.get(1)?)?);
    }
    Ok(entries)
}

/// One entry of a stream, if it is there.
pub(super) fn at(
    connection: &Connection,
    stream: &str,
    id: i64,
) -> Result<Option<LogEntry>, LogError> {
    let fields = connection
        .prepare_cached("SELECT fields FROM socar_log_entry WHERE stream = ?1 AND id = ?2")?
        .query_row(params![stream, id], |row| row.get(0))
        .optional()?;
    fields
        .map(|fields| LogEntry::decode(stream, id, fields))
        .transpose()
}

/// The largest number of entries that are counted: all other calls wait meanwhile, some ten milliseconds.
const MAX_COUNTED: u32 = 20_000;

/// The number of entries of a stream after an id, up to [`MAX_COUNTED`].
pub(super) fn count_after(connection: &Connection, stream: &str, id: i64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM
                 (SELECT 1 FROM socar_log_entry WHERE stream = ?1 AND id > ?2 LIMIT ?3)",
        )?
        .query_row(params![stream, id, MAX_COUNTED], |row| {
            row.get(0).map(unsigned)
        })
}

pub(super) fn range(
    connection: &Connection,
    stream: &str,
    from: EntryId,
    to: EntryId,
    limit: usize,
) -> rusqlite::Result<Vec<EntryRow>> {
    connection
        .prepare_cached(
            "SELECT id, fields FROM socar_log_entry WHERE stream = ?1 AND id BETWEEN ?2 AND ?3
             ORDER BY id LIMIT ?4",
        )?
        .query_map(
            params![stream, pack(from), pack(to), row_limit(limit)],
            |row| {
                Ok(EntryRow {
                    id: unpack(row.get(0)?),
                    fields: row.get(1)?,
                })
            },
        )?
        .collect()
}

/// The ids of the newest entries up to an id, from the newest to the oldest.
pub(super) fn newest_ids(
    connection: &Connection,
    stream: &str,
    up_to: EntryId,
    limit: usize,
) -> rusqlite::Result<Vec<EntryId>> {
    connection
        .prepare_cached(
            "SELECT id FROM socar_log_entry WHERE stream = ?1 AND id <= ?2
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![stream, pack(up_to), row_limit(limit)], |row| {
            row.get(0).map(unpack)
        })?
        .collect()
}

pub(super) fn length(connection: &Connection, stream: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM socar_log_entry WHERE stream = ?1")?
        .query_row([stream], |row| row.get(0).map(unsigned))
}

/// Removes an entry, and returns whether it was there.
pub(super) fn remove(connection: &Connection, stream: &str, id: EntryId) -> rusqlite::Result<bool> {
    let rows = connection
        .prepare_cached("DELETE FROM socar_log_entry WHERE stream = ?1 AND id = ?2")?
        .execute(params![stream, pack(id)])?;
    Ok(rows == 1)
}

/// Removes entries that every group has acknowledged and that are older than `min_age`, or not newer than `old`. Marks the
/// stream, and returns their number. Its statements belong into one transaction.
pub(super) fn trim(
    connection: &Connection,
    stream: &str,
    min_age: Duration,
    old: Option<EntryId>,
) -> rusqlite::Result<u64> {
    let Some(newest) = newest_to_trim(connection, stream, min_age, old)? else {
        return Ok(0);
    };
    connection
        .prepare_cached(
            "INSERT INTO socar_log_trimmed (stream, up_to) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET up_to = max(up_to, excluded.up_to)",
        )?
        .execute(params![stream, newest])?;
    let removed = connection
        .prepare_cached("DELETE FROM socar_log_entry WHERE stream = ?1 AND id <= ?2")?
        .execute(params![stream, newest])?;
    Ok(removed as u64)
}

/// The newest of the entries that one call of [`trim`] removes.
fn newest_to_trim(
    connection: &Connection,
    stream: &str,
    min_age: Duration,
    old: Option<EntryId>,
) -> rusqlite::Result<Option<i64>> {
    let milliseconds = unsigned(milliseconds_ago(min_age));
    let after_old = old.map_or(0, |old| pack(old).saturating_add(1));
    let before = pack(EntryId::new(milliseconds, 0)).max(after_old);
    connection
        .prepare_cached(
            "SELECT max(id) FROM (
                 SELECT id FROM socar_log_entry WHERE stream = ?1 AND id < min(?2,
                     coalesce((SELECT min(cursor) + 1 FROM socar_log_group
                               WHERE stream = ?1), 0),
                     coalesce((SELECT min(id) FROM socar_log_pending
                               WHERE stream = ?1), ?2))
                 ORDER BY id LIMIT ?3)",
        )?
        .query_row(params![stream, before, TRIM_BATCH], |row| row.get(0))
}

/// The newest entry that [`trim`] has removed from the stream.
pub(super) fn trimmed_up_to(
    connection: &Connection,
    stream: &str,
) -> rusqlite::Result<Option<EntryId>> {
    let up_to: Option<i64> = connection
        .prepare_cached("SELECT up_to FROM socar_log_trimmed WHERE stream = ?1")?
        .query_row([stream], |row| row.get(0))
        .optional()?;
    Ok(up_to.map(unpack))
}

/// The identity of the log, which is `new` if it has none yet.
pub(super) fn history(connection: &Connection, new: &str) -> rusqlite::Result<String> {
    connection.execute(
        "INSERT INTO socar_log_history (one, id) VALUES (1, ?1) ON CONFLICT DO NOTHING",
        [new],
    )?;
    connection.query_row("SELECT id FROM socar_log_history", [], |row| row.get(0))
}
