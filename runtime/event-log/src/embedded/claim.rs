//! How a consumer claims entries: first those that are pending from before, then new ones.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::group::is_current_session;
use super::ids::{limit as row_limit, unpack, unsigned};
use crate::consumer::Consumer;
use crate::entry::{field, now};
use crate::error::LogError;
use crate::{Delivery, EVENT_FIELD, Position, fields};

/// An entry to claim, whose fields are not decoded yet.
struct ClaimRow {
    stream: Arc<str>,
    id: i64,
    lane: String,
    attempts: u32,
    due: u64,
    /// `None` if the entry was removed from its stream.
    fields: Option<Vec<u8>>,
}

/// Whether a claim would return entries, or an error.
pub(super) fn has_unclaimed(
    connection: &Connection,
    consumer: &Consumer,
) -> rusqlite::Result<bool> {
    if !is_current_session(connection, consumer)? {
        return Ok(true);
    }
    let pending = connection
        .prepare_cached(
            "SELECT 1 FROM socar_log_pending WHERE reads = ?1 AND consumer = ?2 AND taken = 0",
        )?
        .exists([&consumer.group, &consumer.name])?;
    if pending {
        return Ok(true);
    }
    let mut unread = connection.prepare_cached(
        "SELECT 1 FROM socar_log_entry WHERE stream = ?2 AND id > (
             SELECT cursor FROM socar_log_group WHERE stream = ?2 AND name = ?1)",
    )?;
    for stream in consumer.streams() {
        if unread.exists(params![consumer.group, stream])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Claims the next entries, at most `limit` of each stream.
pub(super) fn claim(
    connection: &Connection,
    consumer: &Consumer,
    limit: usize,
) -> Result<Vec<Delivery>, LogError> {
    if !is_current_session(connection, consumer)? {
        return Err(consumer.evicted());
    }
    let mut claimed = Vec::new();
    let pending = pending(connection, consumer, limit)?;
    let more_may_be_pending = pending.len() == limit;
    for row in pending {
        claimed.extend(claim_again(connection, consumer, row)?);
    }
    // New entries may belong to lanes whose older entries are still to be claimed again.
    if more_may_be_pending {
        return Ok(claimed);
    }
    for stream in consumer.streams() {
        for row in read_new(connection, consumer, stream, limit)? {
            add_pending(connection, consumer, &row)?;
            claimed.push(delivery(row)?);
        }
    }
    Ok(claimed)
}

/// The entries that were pending before this session subscribed and that it has not claimed yet.
fn pending(
    connection: &Connection,
    consumer: &Consumer,
    limit: usize,
) -> rusqlite::Result<Vec<ClaimRow>> {
    connection
        .prepare_cached(
            "SELECT p.stream, p.id, p.lane, p.attempts, p.due, e.fields
             FROM socar_log_pending p
             LEFT JOIN socar_log_entry e ON e.stream = p.stream AND e.id = p.id
             WHERE p.reads = ?1 AND p.consumer = ?2 AND p.taken = 0
             ORDER BY p.stream, p.id LIMIT ?3",
        )?
        .query_map(
            params![consumer.group, consumer.name, row_limit(limit)],
            |row| claim_row(consumer, row),
        )?
        .collect()
}

/// Claims a pending entry. An entry that was removed from its stream is acknowledged instead.
fn claim_again(
    connection: &Connection,
    consumer: &Consumer,
    row: ClaimRow,
) -> Result<Option<Delivery>, LogError> {
    let statement = if row.fields.is_some() {
        "UPDATE socar_log_pending SET taken = 1 WHERE reads = ?1 AND stream = ?2 AND id = ?3"
    } else {
        "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3"
    };
    connection
        .prepare_cached(statement)?
        .execute(params![consumer.group, row.stream, row.id])?;
    row.fields.is_some().then(|| delivery(row)).transpose()
}

/// Reads the next entries of a stream, and moves the cursor of the group past them.
fn read_new(
    connection: &Connection,
    consumer: &Consumer,
    stream: &Arc<str>,
    limit: usize,
) -> rusqlite::Result<Vec<ClaimRow>> {
    let new: Vec<ClaimRow> = connection
        .prepare_cached(
            "SELECT e.stream, e.id, e.lane, 0, 0, e.fields FROM socar_log_entry e
             WHERE e.stream = ?2 AND e.id > (SELECT cursor FROM socar_log_group
                                             WHERE stream = ?2 AND name = ?1)
             ORDER BY e.id LIMIT ?3",
        )?
        .query_map(params![consumer.group, stream, row_limit(limit)], |row| {
            claim_row(consumer, row)
        })?
        .collect::<rusqlite::Result<_>>()?;
    if let Some(last) = new.last() {
        connection
            .prepare_cached(
                "UPDATE socar_log_group SET cursor = ?3 WHERE stream = ?2 AND name = ?1",
            )?
            .execute(params![consumer.group, stream, last.id])?;
    }
    Ok(new)
}

fn add_pending(
    connection: &Connection,
    consumer: &Consumer,
    row: &ClaimRow,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO socar_log_pending (reads, stream, id, lane, consumer, taken)
             VALUES (?1, ?2, ?3, ?4, ?5, 1)",
        )?
        .execute(params![
            consumer.group,
            row.stream,
            row.id,
            row.lane,
            consumer.name,
        ])
        .map(drop)
}

fn claim_row(consumer: &Consumer, row: &Row<'_>) -> rusqlite::Result<ClaimRow> {
    Ok(ClaimRow {
        stream: consumer.stream(row.get_ref(0)?.as_str()?),
        id: row.get(1)?,
        lane: row.get(2)?,
        attempts: row.get(3)?,
        due: unsigned(row.get(4)?),
        fields: row.get(5)?,
    })
}

fn delivery(row: ClaimRow) -> Result<Delivery, LogError> {
    let fields = row.fields.and_then(fields::decode);
    let fields = fields.ok_or_else(|| LogError::Damaged(row.stream.to_string()))?;
    Ok(Delivery {
        position: Position {
            stream: row.stream,
            id: unpack(row.id),
        },
        lane: row.lane.into(),
        attempts: row.attempts,
        due_in: Duration::from_millis(row.due.saturating_sub(now())),
        event: field(&fields, EVENT_FIELD).cloned(),
    })
}
