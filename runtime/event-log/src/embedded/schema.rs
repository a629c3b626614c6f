//! The tables of the event log.
//!
//! `socar_log_entry` holds the entries of all streams, `socar_log_group` the cursor of each group on each stream,
//! `socar_log_session` the consumers, and `socar_log_pending` entries up to the cursor that are not acknowledged, with
//! their failed attempts ([`super::cursor`]). `socar_log_read` holds the time at which a consumer of a group last read a
//! stream; a group of an earlier version gets the time of its latest heartbeat. `socar_log_history` holds the identity of the log,
//! `socar_log_trimmed` the newest entry of each stream that retention has removed. The columns `name` and `reads` hold the name of a group, `seen` milliseconds since 1970.

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS socar_log_entry (
    stream TEXT NOT NULL,
    id     INTEGER NOT NULL,
    lane   TEXT NOT NULL,
    fields BLOB NOT NULL,
    PRIMARY KEY (stream, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_group (
    stream TEXT NOT NULL,
    name   TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_session (
    reads   TEXT NOT NULL,
    name    TEXT NOT NULL,
    session TEXT NOT NULL,
    seen    INTEGER NOT NULL,
    PRIMARY KEY (reads, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_read (
    stream TEXT NOT NULL,
    name   TEXT NOT NULL,
    seen   INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;
INSERT INTO socar_log_read (stream, name, seen)
    SELECT g.stream, g.name, max(abs(s.seen))
    FROM socar_log_group g JOIN socar_log_session s ON s.reads = g.name
    WHERE true GROUP BY g.stream, g.name
    ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS socar_log_pending (
    reads    TEXT NOT NULL,
    stream   TEXT NOT NULL,
    id       INTEGER NOT NULL,
    lane     TEXT NOT NULL,
    consumer TEXT NOT NULL,
    taken    INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due      INTEGER NOT NULL DEFAULT 0,
    error    TEXT,
    PRIMARY KEY (reads, stream, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_trimmed (
    stream TEXT PRIMARY KEY,
    up_to  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_log_history (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
);
";
