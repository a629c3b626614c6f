//! The statements on a group and its consumer. Each function is one transaction of its caller.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::entries;
use super::ids::{milliseconds_ago, milliseconds_from_now, pack, unsigned};
use crate::consumer::{Consumer, redrive_stream};
use crate::error::LogError;
use crate::{GroupState, Position};

/// Makes this session the only consumer of the group. It can claim again whatever an earlier one had pending.
pub(super) fn subscribe(connection: &Connection, consumer: &Consumer) -> Result<(), LogError> {
    for stream in consumer.streams() {
        connection.execute(
            "INSERT INTO socar_log_group (stream, name, cursor) VALUES (?1, ?2, 0)
             ON CONFLICT DO NOTHING",
            params![stream, consumer.group],
        )?;
    }
    connection.execute(
        "DELETE FROM socar_log_session WHERE reads = ?1 AND name <> ?2",
        [&consumer.group, &consumer.name],
    )?;
    record_heartbeat(connection, consumer)?;
    connection.execute(
        "UPDATE socar_log_pending SET consumer = ?2, taken = 0 WHERE reads = ?1",
        [&consumer.group, &consumer.name],
    )?;
    Ok(())
}

pub(super) fn acknowledge(
    connection: &Connection,
    group: &str,
    positions: &[Position],
) -> Result<(), LogError> {
    let redriven = redrive_stream(group);
    let mut acknowledge = connection.prepare_cached(
        "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2 AND id = ?3",
    )?;
    for position in positions {
        acknowledge.execute(params![group, position.stream, pack(position.id)])?;
        // Only this group reads its redriven letters.
        if *position.stream == *redriven {
            entries::remove(connection, &redriven, position.id)?;
        }
    }
    Ok(())
}

/// Returns the number of failed attempts, or `None` if the entry is not pending.
pub(super) fn record_failure(
    connection: &Connection,
    group: &str,
    position: &Position,
    error: &str,
    retry_after: Duration,
) -> rusqlite::Result<Option<u32>> {
    let due = milliseconds_from_now(retry_after);
    connection
        .prepare_cached(
            "UPDATE socar_log_pending SET attempts = attempts + 1, due = ?4, error = ?5
             WHERE reads = ?1 AND stream = ?2 AND id = ?3 RETURNING attempts",
        )?
        .query_row(
            params![group, position.stream, pack(position.id), due, error],
            |row| row.get(0),
        )
        .optional()
}

/// Records that the consumer is alive. Half of the timeout is enough, which spares an idle host most of the writes.
pub(super) fn heartbeat(
    connection: &Connection,
    consumer: &Consumer,
    consumer_timeout: Duration,
) -> Result<(), LogError> {
    if !is_current_session(connection, consumer)? {
        return Err(consumer.evicted());
    }
    let seen: i64 = connection
        .prepare_cached("SELECT seen FROM socar_log_session WHERE reads = ?1 AND name = ?2")?
        .query_row([&consumer.group, &consumer.name], |row| row.get(0))?;
    if seen <= milliseconds_ago(consumer_timeout / 2) {
        record_heartbeat(connection, consumer)?;
    }
    Ok(())
}

/// Records when the consumer ended.
pub(super) fn leave(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<()> {
    connection
        .execute(
            "UPDATE socar_log_session SET seen = ?4
             WHERE reads = ?1 AND name = ?2 AND session = ?3",
            params![
                consumer.group,
                consumer.name,
                consumer.session,
                milliseconds_ago(Duration::ZERO)
            ],
        )
        .map(drop)
}

pub(super) fn delete(
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

/// The progress of all groups of a stream. A negative `seen` is the time at which a consumer of an earlier version of
/// this program left.
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

/// The number of groups on a stream.
pub(super) fn count(connection: &Connection, stream: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT count(*) FROM socar_log_group WHERE stream = ?1")?
        .query_row([stream], |row| row.get(0))
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

pub(super) fn is_current_session(
    connection: &Connection,
    consumer: &Consumer,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM socar_log_session WHERE reads = ?1 AND name = ?2 AND session = ?3",
        )?
        .exists([&consumer.group, &consumer.name, &consumer.session])
}

fn record_heartbeat(connection: &Connection, consumer: &Consumer) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO socar_log_session (reads, name, session, seen) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET session = ?3, seen = ?4",
        )?
        .execute(params![
            consumer.group,
            consumer.name,
            consumer.session,
            milliseconds_ago(Duration::ZERO)
        ])
        .map(drop)
}
