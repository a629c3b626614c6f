//! Where a guest's database is, and how its connections are opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use storage::statement_memory;
use storage::work::{CountedDatabase, count_statements};

/// The number of prepared statements that a connection keeps.
const CACHED_STATEMENTS: usize = 64;

/// The largest database in memory, in pages of 4 KiB: 64 MiB.
const MAX_IN_MEMORY_PAGES: u32 = 16_384;

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
        statement_memory::install();
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
        if let Self::Memory { .. } = self {
            connection.pragma_update(None, "max_page_count", MAX_IN_MEMORY_PAGES)?;
        }
        let rights = self.rights();
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            rights.authorize(context)
        }))?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        count_statements(&connection, CountedDatabase::Component);
        Ok(connection)
    }

    /// Opens a connection for a session. SQLite does not copy the log into the file if it is the last one to be closed: only
    /// the maintenance of the log knows whether the log is whole.
    ///
    /// # Errors
    /// The error of SQLite.
    pub(super) fn connect_session(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect()?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    }

    fn rights(&self) -> SqlRights {
        match self {
            Self::File {
                attachment: FileAttachment::Allowed,
                ..
            } => SqlRights::AllFiles,
            Self::File { .. } => SqlRights::OwnFile,
            Self::Memory { .. } => SqlRights::OwnMemory,
        }
    }
}

/// What a guest's SQL may do beside everything in its own database. Settings of the process are never its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SqlRights {
    /// Nothing else.
    OwnFile,
    /// Nothing else, and the database keeps its bound.
    OwnMemory,
    /// It may attach other files.
    AllFiles,
}

// === impl SqlRights ===

impl SqlRights {
    fn authorize(self, context: AuthContext<'_>) -> Authorization {
        let is_allowed = match context.action {
            AuthAction::Attach {
                filename: "" | ":memory:",
            } => true,
            AuthAction::Attach { .. } => self == Self::AllFiles,
            AuthAction::Pragma { pragma_name, .. } => self.allows_setting(pragma_name),
            _ => true,
        };
        match is_allowed {
            true => Authorization::Allow,
            false => Authorization::Deny,
        }
    }

    fn allows_setting(self, name: &str) -> bool {
        match name.to_ascii_lowercase().as_str() {
            "temp_store_directory"
            | "data_store_directory"
            | "soft_heap_limit"
            | "hard_heap_limit" => false,
            "journal_mode" => self == Self::AllFiles,
            "max_page_count" => self != Self::OwnMemory,
            _ => true,
        }
    }
}
