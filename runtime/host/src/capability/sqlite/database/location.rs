//! Where a guest's database is, and how its connections are opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use storage::work::{CountedDatabase, count_statements};

/// The number of prepared statements that a connection keeps.
const CACHED_STATEMENTS: usize = 64;

/// The location of a database.
pub(super) enum DatabaseLocation {
    File {
        path: PathBuf,
        attachment: FileAttachment,
    },
    /// The database exists as long as the connection that is kept here.
    Memory {
        uri: String,
        _alive: Mutex<Connection>,
    },
}

/// Whether SQL may attach other files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileAttachment {
    /// `ATTACH` of a file fails.
    Denied,
    /// `ATTACH` may name any file.
    Allowed,
}

// === impl DatabaseLocation ===

impl DatabaseLocation {
    /// The path of the file; a name without a file for a database in memory.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } => path,
            Self::Memory { uri, .. } => Path::new(uri),
        }
    }

    /// Opens a connection with the settings of every guest's database.
    ///
    /// # Errors
    /// The error of SQLite.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = match self {
            Self::File { path, .. } => Connection::open(path)?,
            Self::Memory { uri, .. } => Connection::open(uri)?,
        };
        connection.busy_timeout(Duration::from_secs(1))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        // The maintenance thread checkpoints the log; SQLite then truncates the log to this size.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", 1 << 20)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // Without QPSG, SQLite plans a statement again whenever its parameters change, which is at every call.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        if !matches!(
            self,
            Self::File {
                attachment: FileAttachment::Allowed,
                ..
            }
        ) {
            connection.authorizer(Some(authorize))?;
        }
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        count_statements(&connection, CountedDatabase::Component);
        Ok(connection)
    }
}

/// Allows a guest's SQL everything in its own database, and no access to other files.
fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach {
            filename: "" | ":memory:",
        } => Authorization::Allow,
        AuthAction::Attach { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } => match pragma_name.to_ascii_lowercase().as_str() {
            "journal_mode" | "temp_store_directory" | "data_store_directory" => Authorization::Deny,
            _ => Authorization::Allow,
        },
        _ => Authorization::Allow,
    }
}
