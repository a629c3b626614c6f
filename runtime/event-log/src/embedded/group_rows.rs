//! The statements on the rows of groups: positions and sessions.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::cursor::{RecordScope, StreamCursor};
use super::groups::LogMemory;
use super::ids::{pack, stored, unsigned};
use super::pending_rows::record;
use crate::consumer::{Consumer, redrive_stream};
use crate::{Continuity, Progress};

/// The progress of a group on one stream, as the database holds it.
pub(super) struct GroupRow {
    pub group: String,
    pub position: i64,
    /// The number of pending entries with a row.
    pub recorded: u64,
    pub seen: Option<u64>,
    /// The time at which a consumer last read the stream.
    pub read: Option<u64>,
}

/// Makes this session the only consumer of the group.
pub(super) fn add_consumer(
    connection: &Connection,
    consumer: &Consumer,
    seen: u64,
) -> rusqlite::Result<()> {
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
    connection.execute(
        "INSERT INTO socar_log_session (reads, name, session, seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET session = ?3, seen = ?4",
        params![
            consumer.group,
            consumer.name,
            consumer.session,
            stored(seen)
        ],
    )?;
    note_read(connection, consumer, stored(seen))
}

/// Records that a consumer read its streams at this time.
fn note_read(connection: &Connection, consumer: &Consumer, seen: i64) -> rusqlite::Result<()> {
    let mut note = connection.prepare_cached(
        "INSERT INTO socar_log_read (stream, name, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET seen = excluded.seen",
    )?;
    for stream in consumer.streams() {
        note.execute(params![stream, consumer.group, seen])?;
    }
    Ok(())
}

/// Whether the latest consumer of the group has left it. A negative time says so.
pub(super) fn has_left(connection: &Connection, group: &str) -> rusqlite::Result<bool> {
    let latest: Option<i64> = connection.query_row(
        "SELECT max(seen) FROM socar_log_session WHERE reads = ?1",
        [group],
        |row| row.get(0),
    )?;
    Ok(latest.is_some_and(|seen| seen < 0))
}

/// The cursors of the group, with its pending entries.
pub(super) fn load(
    connection: &Connection,
    consumer: &Consumer,
) -> rusqlite::Result<Vec<StreamCursor>> {
    let mut position = connection
        .prepare_cached("SELECT cursor FROM socar_log_group WHERE stream = ?1 AND name = ?2")?;
    let mut pending = connection.prepare_cached(
        "SELECT id, lane, attempts, due FROM socar_log_pending WHERE reads = ?1 AND stream = ?2",
    )?;
    let mut cursors = Vec::new();
    for stream in consumer.streams() {
        let read = position.query_row(params![stream, consumer.group], |row| row.get(0))?;
        let mut cursor = StreamCursor::stored(stream.clone(), read);
        let mut rows = pending.query(params![consumer.group, stream])?;
        while let Some(row) = rows.next()? {
            let lane: String = row.get(1)?;
            let due = unsigned(row.get(3)?);
            cursor.add_recorded(row.get(0)?, lane.into(), row.get(2)?, due);
        }
        cursors.push(cursor);
    }
    Ok(cursors)
}

/// Writes the positions that have changed. Idle groups cost no statement.
pub(super) fn write_positions(
    connection: &Connection,
    memory: &mut LogMemory,
) -> rusqlite::Result<()> {
    let mut moved = Vec::new();
    for (name, group) in &mut memory.groups {
        for cursor in &mut group.cursors {
            record(connection, &group.consumer, cursor, RecordScope::Late)?;
            cursor.forget_skips();
            if let Some(position) = cursor.unwritten_position() {
                moved.push((name.clone(), cursor.stream.clone(), position));
            }
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    let rows = moved
        .iter()
        .map(|(group, stream, position)| json!([**stream, group, position]));
    connection
        .prepare_cached(
            "UPDATE socar_log_group SET cursor = moved.cursor
             FROM (SELECT value ->> 0 AS stream, value ->> 1 AS name, value ->> 2 AS cursor
                   FROM json_each(?1)) AS moved
             WHERE socar_log_group.stream = moved.stream AND socar_log_group.name = moved.name",
        )?
        .execute([serde_json::Value::from_iter(rows).to_string()])?;
    for (group, stream, position) in moved {
        let group = memory.groups.get_mut(&group);
        if let Some(cursor) = group.and_then(|group| group.cursor_mut(&stream)) {
            cursor.written(position);
        }
    }
    Ok(())
}

/// See [`crate::EventLog::resume`].
pub(super) fn resume(
    connection: &Connection,
    stream: &str,
    group: &str,
    kept: Progress,
) -> rusqlite::Result<Continuity> {
    let (claimed, acknowledged) = (pack(kept.claimed), pack(kept.acknowledged));
    let position: Option<i64> = connection
        .query_row(
            "SELECT cursor FROM socar_log_group WHERE stream = ?1 AND name = ?2",
            [stream, group],
            |row| row.get(0),
        )
        .optional()?;
    let newest: Option<i64> = connection.query_row(
        "SELECT max(id) FROM socar_log_entry WHERE stream = ?1 AND id <= ?2",
        params![stream, claimed],
        |row| row.get(0),
    )?;
    if newest != Some(claimed) {
        let is_trimmed = newest.is_none() && position == Some(acknowledged);
        return Ok(match is_trimmed {
            true => Continuity::Intact,
            false => Continuity::Broken,
        });
    }
    if position.is_none_or(|position| position <= acknowledged) {
        return Ok(Continuity::Intact);
    }
    connection.execute(
        "UPDATE socar_log_group SET cursor = ?3 WHERE stream = ?1 AND name = ?2",
        params![stream, group, acknowledged],
    )?;
    Ok(Continuity::Rewound)
}

/// Records when a consumer was alive; a negative time is the time at which it left.
pub(super) fn write_seen(
    connection: &Connection,
    consumer: &Consumer,
    seen: i64,
) -> rusqlite::Result<()> {
    let updated = connection
        .prepare_cached(
            "UPDATE socar_log_session SET seen = ?4
             WHERE reads = ?1 AND name = ?2 AND session = ?3",
        )?
        .execute(params![
            consumer.group,
            consumer.name,
            consumer.session,
            seen
        ])?;
    match updated {
        0 => Ok(()),
        _ => note_read(connection, consumer, seen.saturating_abs()),
    }
}

/// Whether a recorded time is after `now`: it is of a clock that was set back since.
pub(super) fn is_ahead(connection: &Connection, now: u64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM socar_log_session WHERE abs(seen) > ?1
             UNION ALL SELECT 1 FROM socar_log_read WHERE seen > ?1",
        )?
        .exists([stored(now)])
}

/// Makes each recorded time that is after `now` the present one: the silence of its group counts from now on.
pub(super) fn correct_times(connection: &Connection, now: u64) -> rusqlite::Result<()> {
    for statement in [
        "UPDATE socar_log_session SET seen = sign(seen) * ?1 WHERE abs(seen) > ?1",
        "UPDATE socar_log_read SET seen = ?1 WHERE seen > ?1",
    ] {
        connection.execute(statement, [stored(now)])?;
    }
    Ok(())
}

/// Deletes a group on these streams, and all of it if it reads no other. Returns whether all of it was deleted.
pub(super) fn delete(
    connection: &Connection,
    group: &str,
    streams: &[Arc<str>],
) -> rusqlite::Result<bool> {
    let redriven = redrive_stream(group);
    for stream in streams.iter().filter(|stream| ***stream != *redriven) {
        delete_on(connection, group, stream)?;
    }
    let is_kept = connection
        .prepare_cached("SELECT 1 FROM socar_log_group WHERE name = ?1 AND stream <> ?2")?
        .exists([group, &redriven])?;
    if is_kept {
        return Ok(false);
    }
    delete_on(connection, group, &redriven)?;
    connection.execute("DELETE FROM socar_log_session WHERE reads = ?1", [group])?;
    // Only this group reads its redriven letters.
    connection.execute("DELETE FROM socar_log_entry WHERE stream = ?1", [redriven])?;
    Ok(true)
}

fn delete_on(connection: &Connection, group: &str, stream: &str) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM socar_log_group WHERE name = ?1 AND stream = ?2",
        "DELETE FROM socar_log_pending WHERE reads = ?1 AND stream = ?2",
        "DELETE FROM socar_log_read WHERE name = ?1 AND stream = ?2",
    ] {
        connection.execute(statement, params![group, stream])?;
    }
    Ok(())
}

/// Whether any group reads the stream.
pub(super) fn is_read(connection: &Connection, stream: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM socar_log_group WHERE stream = ?1")?
        .exists([stream])
}

/// All groups of a stream.
pub(super) fn list(connection: &Connection, stream: &str) -> rusqlite::Result<Vec<GroupRow>> {
    connection
        .prepare_cached(
            "SELECT name, cursor,
                 (SELECT count(*) FROM socar_log_pending p
                  WHERE p.reads = g.name AND p.stream = g.stream),
                 (SELECT max(abs(seen)) FROM socar_log_session c WHERE c.reads = g.name),
                 (SELECT seen FROM socar_log_read r WHERE r.stream = g.stream AND r.name = g.name)
             FROM socar_log_group g WHERE stream = ?1 ORDER BY name",
        )?
        .query_map([stream], |row| {
            Ok(GroupRow {
                group: row.get(0)?,
                position: row.get(1)?,
                recorded: unsigned(row.get(2)?),
                seen: row.get::<_, Option<i64>>(3)?.map(unsigned),
                read: row.get::<_, Option<i64>>(4)?.map(unsigned),
            })
        })?
        .collect()
}
