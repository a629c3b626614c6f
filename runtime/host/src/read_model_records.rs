//! What the host keeps in the file of a read model, beside its rows: the history that they belong to, and how far they have
//! come on each stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{EntryId, Progress};

use crate::capability::bindings::spin::sqlite::sqlite::Value;
use crate::capability::sqlite::SqliteError;
use crate::capability::sqlite::database::GuestDatabase;

/// The longest time that a statement may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS socar_history (history TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS socar_progress (
         stream TEXT PRIMARY KEY, claimed TEXT NOT NULL, acknowledged TEXT NOT NULL)",
];

/// A statement on a read model that failed.
#[derive(Debug, thiserror::Error)]
#[error("the read model cannot be read: {0}")]
pub struct RecordError(String);

/// The progress by stream.
pub type ProgressByStream = BTreeMap<String, Progress>;

/// The history to which the rows belong, if it is known.
///
/// # Errors
/// If the database cannot be read.
pub async fn history(database: &Arc<GuestDatabase>) -> Result<Option<String>, RecordError> {
    let exists = "SELECT name FROM sqlite_schema WHERE name = 'socar_history'";
    if texts(database, exists, &[]).await?.is_empty() {
        return Ok(None);
    }
    let mut found = texts(database, "SELECT history FROM socar_history", &[]).await?;
    Ok(found.pop())
}

/// Marks the rows as belonging to this history, with no progress yet.
///
/// # Errors
/// If the database cannot be written.
pub async fn set_history(
    databases: &[Arc<GuestDatabase>],
    history: &str,
) -> Result<(), RecordError> {
    for database in databases {
        for statement in TABLES {
            texts(database, statement, &[]).await?;
        }
        for statement in ["DELETE FROM socar_history", "DELETE FROM socar_progress"] {
            texts(database, statement, &[]).await?;
        }
        let history = [Value::Text(history.to_owned())];
        let insert = "INSERT INTO socar_history (history) VALUES (?1)";
        texts(database, insert, &history).await?;
    }
    Ok(())
}

/// How far the rows have come, from a file whose history is known. A stream without a record is missing.
///
/// # Errors
/// If the database cannot be read.
pub async fn progress(database: &Arc<GuestDatabase>) -> Result<ProgressByStream, RecordError> {
    // The table is missing in a file of an earlier version.
    texts(database, TABLES[1], &[]).await?;
    let select = "SELECT claimed || ' ' || acknowledged || ' ' || stream FROM socar_progress";
    let records = texts(database, select, &[]).await?;
    Ok(records.iter().filter_map(|text| parse(text)).collect())
}

/// Records how far the rows have come.
///
/// # Errors
/// If the database cannot be written.
pub async fn set_progress(
    databases: &[Arc<GuestDatabase>],
    progress: &ProgressByStream,
) -> Result<(), RecordError> {
    let row = |(stream, progress): (&String, &Progress)| {
        serde_json::json!([
            stream,
            progress.claimed.to_string(),
            progress.acknowledged.to_string()
        ])
    };
    let rows: serde_json::Value = progress.iter().map(row).collect();
    let insert = "INSERT OR REPLACE INTO socar_progress (stream, claimed, acknowledged)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)";
    for database in databases {
        texts(database, insert, &[Value::Text(rows.to_string())]).await?;
    }
    Ok(())
}

fn parse(record: &str) -> Option<(String, Progress)> {
    let mut parts = record.splitn(3, ' ');
    let mut id = || parts.next()?.parse::<EntryId>().ok();
    let progress = Progress {
        claimed: id()?,
        acknowledged: id()?,
    };
    Some((parts.next()?.to_owned(), progress))
}

/// The first column of the result of a statement.
async fn texts(
    database: &Arc<GuestDatabase>,
    statement: &str,
    parameters: &[Value],
) -> Result<Vec<String>, RecordError> {
    let failed = |error: SqliteError| RecordError(error.to_string());
    let session = database.session().map_err(failed)?;
    let deadline = Instant::now() + STATEMENT_TIMEOUT;
    let result = session.execute(statement, parameters, deadline, None).await;
    Ok(result.map_err(failed)?.first_column())
}
