//! Detection of writes by other connections to the same file, without a statement while nothing is written.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;
use rusqlite::Connection;

/// What the last look at the file has found.
pub(super) struct ForeignWrites {
    log: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Time and length of the write-ahead log; `None` before the first write.
    log: Option<(SystemTime, u64)>,
    /// The data version of the connection: SQLite changes it when another connection commits.
    data_version: Option<i64>,
}

impl ForeignWrites {
    /// What is written to the log at this path.
    pub fn of(log: &Path) -> Self {
        Self {
            log: log.to_owned(),
            seen: Mutex::default(),
        }
    }

    /// Whether another connection may have written since the last call with this connection. The first call reports it.
    pub fn detect(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let log = std::fs::metadata(&self.log)
            .ok()
            .and_then(|log| Some((log.modified().ok()?, log.len())));
        let mut seen = self.seen.lock();
        if seen.data_version.is_some() && seen.log == log {
            return Ok(false);
        }
        // Inside of a batch, the connection does not see other writes, and there can be none.
        if !connection.is_autocommit() {
            return Ok(false);
        }
        let data_version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        let known = seen.data_version.replace(data_version);
        seen.log = log;
        Ok(known != Some(data_version))
    }
}
