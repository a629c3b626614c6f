//! What groups do to the tables: each function is one transaction of its caller.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::entry::{field, now};
use super::super::{
    Consumer, Delivery, EVENT_FIELD, GroupState, LogError, Position, fields, redrive_stream,
};
use super::{pack, remove, unpack, unsigned};

/// A row of the inbox or of a stream, before its blob is read.
struct EntryRow {
    stream: Arc<str>,
    id: i64,
    lane: String,
    attempts: u32,
    due: u64,
    blob: Option<Vec<u8>>,
}

pub(super) fn subscribe(connection: &Connection, consumer: &Consumer) -> Result<(), LogError> {
    for stream in consumer.streams() {
        connection.execute(
            "INSERT INTO socar_log_group (stream, name, cursor) VALUES (?1, ?2, 0)
             ON CONFLICT DO NOTHING",
            params![stream, consumer.group],
        )?;
    }
    record_heartbeat(connection, consumer)?;
    connection.execute(
        "UPDATE socar_log_pending SET taken = 0 WHERE reads = ?1 AND consumer = ?2",
        [&consumer.group, &consumer.name],
    )?;
    Ok(())
}

/// Whether taking would bring anything, or an error.
pub(super) fn has_unclaimed(
    connection: &Connection,
    consumer: &Consumer,
) -> rusqlite::Result<bool> {
    if !is_current_session(connection, consumer)? {
        return Ok(true);
    }
    let inherited = connection
        .prepare_cached(
            "SELECT 1 FROM socar_log_pending WHERE reads = ?1 AND consumer = ?2 AND taken = 0",
        )?
        .exists([&consumer.group, &consumer.name])?;
    if inherited {
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

/// The deliveries, and whether any entry was handed to another consumer.
pub(super) fn claim(
    connection: &Connection,
    consumer: &Consumer,
    limit: usize,
) -> Result<(Vec<Delivery>, bool), LogError> {
    if !is_current_session(connection, consumer)? {
        return Err(consumer.evicted());
    }
    let mut taken = Vec::new();
    let inherited = inbox(connection, consumer, limit)?;
    let more_may_follow = inherited.len() == limit;
    for found in inherited {
        taken.extend(mark_claimed(connection, consumer, found)?);
    }
    // What is new may belong to lanes whose older entries are still in the inbox.
    if more_may_follow {
        return Ok((taken, false));
    }
    let mut reassigned = false;
    let alone = is_only_consumer(connection, consumer)?;
    for stream in consumer.streams() {
        for found in read_new(connection, consumer, stream, limit)? {
            let owner = if alone {
                None
            } else {
                lane_owner(connection, consumer, &found.lane)?
            };
            add_pending(connection, consumer, &found, owner.as_deref())?;
            match owner {
                Some(_) => reassigned = true,
                None => taken.push(delivery(found)?),
            }
        }
    }
    Ok((taken, reassigned))
}

pub(super) fn acknowledge(
    connection: &Connection,
    group: &str,
    positions: &[Position],
) -> Result<(), LogError> {
    let redriven = redrive_stream(group);
    let mut settle = connection.prepare_cached(
        "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3",
    )?;
    for position in positions {
        settle.execute(params![group, position.stream, pack(position.id)])?;
        // Nobody but this group reads its redriven letters.
        if *position.stream == *redriven {
            remove(connection, &redriven, position.id)?;
        }
    }
    Ok(())
}

pub(super) fn heartbeat(
    connection: &Connection,
    consumer: &Consumer,
    consumer_timeout: Duration,
) -> Result<usize, LogError> {
    if !is_current_session(connection, consumer)? {
        return Err(consumer.evicted());
    }
    // An idle host need not write at every heartbeat, only well before the others lose consumer_timeout.
    let alive_since = milliseconds_ago(consumer_timeout);
    if last_seen(connection, consumer)? <= milliseconds_ago(consumer_timeout / 2) {
        record_heartbeat(connection, consumer)?;
    }
    let dead: Vec<String> = connection
        .prepare_cached(
            "DELETE FROM socar_log_session WHERE reads = ?1 AND name <> ?2 AND seen < ?3
             RETURNING name",
        )?
        .query_map(params![consumer.group, consumer.name, alive_since], |row| {
            row.get(0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut inherited = 0;
    for name in dead {
        inherited += connection.execute(
            "UPDATE socar_log_pending SET consumer = ?2, taken = 0
             WHERE reads = ?1 AND consumer = ?3",
            [&consumer.group, &consumer.name, &name],
        )?;
    }
    Ok(inherited)
}

pub(super) fn delete_group(
    connection: &Connection,
    group: &str,
    streams: &[Arc<str>],
) -> Result<(), LogError> {
    for stream in streams {
        for statement in [
            "DELETE FROM socar_log_group WHERE name = ?1 AND stream = ?2",
            "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2",
        ] {
            connection.execute(statement, params![group, stream])?;
        }
    }
    connection.execute("DELETE FROM socar_log_session WHERE reads = ?1", [group])?;
    Ok(())
}

pub(super) fn states(connection: &Connection, stream: &str) -> rusqlite::Result<Vec<GroupState>> {
    connection
        .prepare_cached(
            "SELECT name,
                 (SELECT count(*) FROM socar_log_pending p
                  WHERE p.reads = g.name AND p.stream = g.stream),
                 (SELECT count(*) FROM socar_log_entry e
                  WHERE e.stream = g.stream AND e.id > g.cursor),
                 (SELECT max(abs(seen)) FROM socar_log_session c WHERE c.reads = g.name)
             FROM socar_log_group g WHERE stream = ?1 ORDER BY name",
        )?
        .query_map([stream], |row| {
            Ok(GroupState {
                group: row.get(0)?,
                pending: unsigned(row.get(1)?),
                lag: unsigned(row.get(2)?),
                seen: row.get::<_, Option<i64>>(3)?.map(unsigned),
            })
        })?
        .collect()
}

/// The lane of an entry that is pending for the group.
pub(super) fn pending_lane(
    connection: &Connection,
    group: &str,
    position: &Position,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT lane FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3",
        )?
        .query_row(params![group, position.stream, pack(position.id)], |row| {
            row.get(0)
        })
        .optional()
}

// === consumers ===

fn record_heartbeat(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<()> {
    let now = milliseconds_ago(Duration::ZERO);
    connection
        .prepare_cached(
            "INSERT INTO socar_log_session (reads, name, session, seen) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET session = ?3, seen = ?4",
        )?
        .execute(params![
            consumer.group,
            consumer.name,
            consumer.session,
            now
        ])
        .map(drop)
}

fn last_seen(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT seen FROM socar_log_session WHERE reads = ?1 AND name = ?2")?
        .query_row([&consumer.group, &consumer.name], |row| row.get(0))
}

fn is_current_session(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM socar_log_session WHERE reads = ?1 AND name = ?2 AND session = ?3",
        )?
        .exists([&consumer.group, &consumer.name, &consumer.session])
}

fn is_only_consumer(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM socar_log_session WHERE reads = ?1 AND name <> ?2")?
        .exists([&consumer.group, &consumer.name])
        .map(|others| !others)
}

/// The other consumer that has entries of this lane pending.
fn lane_owner(
    connection: &Connection,
    consumer: &Consumer,
    lane: &str,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT p.consumer FROM socar_log_pending p
             JOIN socar_log_session c ON c.reads = p.reads AND c.name = p.consumer
             WHERE p.reads = ?1 AND p.lane = ?3 AND p.consumer <> ?2 LIMIT 1",
        )?
        .query_row([&consumer.group, &consumer.name, lane], |row| row.get(0))
        .optional()
}

// === taking ===

/// What is pending for this consumer and was not taken yet: inherited, handed over, or left from
/// before it subscribed anew.
fn inbox(
    connection: &Connection,
    consumer: &Consumer,
    limit: usize,
) -> rusqlite::Result<Vec<EntryRow>> {
    connection
        .prepare_cached(
            "SELECT p.stream, p.id, p.lane, p.attempts, p.due, e.fields
             FROM socar_log_pending p
             LEFT JOIN socar_log_entry e ON e.stream = p.stream AND e.id = p.id
             WHERE p.reads = ?1 AND p.consumer = ?2 AND p.taken = 0
             ORDER BY p.stream, p.id LIMIT ?3",
        )?
        .query_map(
            params![consumer.group, consumer.name, count(limit)],
            |row| found(consumer, row),
        )?
        .collect()
}

/// Marks an entry of the inbox as taken; one that somebody removed from its stream is done with.
fn mark_claimed(
    connection: &Connection,
    consumer: &Consumer,
    found: EntryRow,
) -> Result<Option<Delivery>, LogError> {
    let statement = if found.blob.is_some() {
        "UPDATE socar_log_pending SET taken = 1 WHERE reads = ?1 AND stream = ?2 AND id = ?3"
    } else {
        "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3"
    };
    connection.prepare_cached(statement)?.execute(params![
        consumer.group,
        found.stream,
        found.id
    ])?;
    found.blob.is_some().then(|| delivery(found)).transpose()
}

/// The next entries of a stream for the group, whose cursor moves past them.
fn read_new(
    connection: &Connection,
    consumer: &Consumer,
    stream: &Arc<str>,
    limit: usize,
) -> rusqlite::Result<Vec<EntryRow>> {
    let new: Vec<EntryRow> = connection
        .prepare_cached(
            "SELECT e.stream, e.id, e.lane, 0, 0, e.fields FROM socar_log_entry e
             WHERE e.stream = ?2 AND e.id > (SELECT cursor FROM socar_log_group
                                             WHERE stream = ?2 AND name = ?1)
             ORDER BY e.id LIMIT ?3",
        )?
        .query_map(params![consumer.group, stream, count(limit)], |row| {
            found(consumer, row)
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

/// Makes an entry pending: taken by this consumer, or in the inbox of the one that has its lane.
fn add_pending(
    connection: &Connection,
    consumer: &Consumer,
    found: &EntryRow,
    owner: Option<&str>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO socar_log_pending (reads, stream, id, lane, consumer, taken)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            consumer.group,
            found.stream,
            found.id,
            found.lane,
            owner.unwrap_or(&consumer.name),
            owner.is_none(),
        ])
        .map(drop)
}

fn found(consumer: &Consumer, row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        stream: consumer.stream(row.get_ref(0)?.as_str()?),
        id: row.get(1)?,
        lane: row.get(2)?,
        attempts: row.get(3)?,
        due: unsigned(row.get(4)?),
        blob: row.get(5)?,
    })
}

fn delivery(found: EntryRow) -> Result<Delivery, LogError> {
    let fields = found.blob.and_then(fields::decode);
    let fields = fields.ok_or_else(|| LogError::Damaged(found.stream.to_string()))?;
    Ok(Delivery {
        position: Position {
            stream: found.stream,
            id: unpack(found.id),
        },
        lane: found.lane.into(),
        attempts: found.attempts,
        due_in: Duration::from_millis(found.due.saturating_sub(now())),
        event: field(&fields, EVENT_FIELD).cloned(),
    })
}

fn milliseconds_ago(ago: Duration) -> i64 {
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    i64::try_from(now().saturating_sub(ago)).unwrap_or(i64::MAX)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
