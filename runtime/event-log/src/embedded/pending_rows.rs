//! The statements on the rows of pending entries.

use rusqlite::{Connection, params};

use super::cursor::{RecordScope, StreamCursor};
use super::groups::SubscribedGroup;
use super::ids::stored;
use crate::consumer::Consumer;

/// Writes a row for every pending entry of the group.
pub(super) fn record_pending(
    connection: &Connection,
    group: &mut SubscribedGroup,
) -> rusqlite::Result<()> {
    for cursor in &mut group.cursors {
        record(connection, &group.consumer, cursor, RecordScope::Everything)?;
    }
    Ok(())
}

/// Writes rows for pending entries that have none.
pub(super) fn record(
    connection: &Connection,
    consumer: &Consumer,
    cursor: &mut StreamCursor,
    scope: RecordScope,
) -> rusqlite::Result<()> {
    let mut ids = Vec::new();
    for (id, pending) in cursor.to_record(scope) {
        connection
            .prepare_cached(
                "INSERT INTO socar_log_pending
                     (reads, stream, id, lane, consumer, taken, attempts, due)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                consumer.group,
                cursor.stream,
                id,
                pending.lane,
                consumer.name,
                pending.attempts,
                stored(pending.due)
            ])?;
        ids.push(id);
    }
    cursor.recorded(&ids);
    Ok(())
}

/// Writes a failed attempt to the row of the entry.
pub(super) fn write_failure(
    connection: &Connection,
    group: &SubscribedGroup,
    (stream, id): (&str, i64),
    (lane, attempts, due): (&str, u32, u64),
    error: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO socar_log_pending
                 (reads, stream, id, lane, consumer, taken, attempts, due, error)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET attempts = ?6, due = ?7, error = ?8",
        )?
        .execute(params![
            group.consumer.group,
            stream,
            id,
            lane,
            group.consumer.name,
            attempts,
            stored(due),
            error
        ])
        .map(drop)
}

pub(super) fn remove_pending(
    connection: &Connection,
    group: &str,
    stream: &str,
    id: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3",
        )?
        .execute(params![group, stream, id])
        .map(drop)
}
