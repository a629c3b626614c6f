//! One database of a guest and its connections.
//!
//! A statement runs on the caller's thread. [`super::statement_watchdog`] replaces that thread in the runtime when the
//! statement takes long. SQLite never blocks a thread: writers take turns through an asynchronous lock, and a statement
//! is tried again while another connection's transaction makes the database busy.

mod location;
mod statement;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use rusqlite::Connection;
use storage::file_identity::FileIdentity;
use storage::wal::WalMaintenance;

use super::checkpoint::GuestCheckpointPolicy;
use crate::capability::bindings::spin::sqlite::sqlite::{Error, Value};
use location::DatabaseLocation;
use statement::{STAYED_BUSY, StatementError, run, sqlite_error};

pub use location::FileAttachment;
pub use statement::{StatementResult, is_unavailable};

/// The largest number of idle connections that a database keeps.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// The longest time between two attempts at a busy database.
const MAX_BUSY_WAIT: Duration = Duration::from_millis(20);

/// One database file and the connections to it.
pub struct GuestDatabase {
    location: DatabaseLocation,
    idle: Mutex<Vec<Connection>>,
    writing: tokio::sync::Mutex<()>,
    /// A database in memory has neither a log nor a file.
    file: Option<DatabaseFile>,
}

/// The file of a database.
struct DatabaseFile {
    identity: FileIdentity,
    /// Absent after the close.
    wal_maintenance: Mutex<Option<WalMaintenance>>,
}

/// A connection of one guest; it returns to the database when it is dropped.
pub struct DatabaseSession {
    database: Arc<GuestDatabase>,
    connection: Mutex<Option<Connection>>,
}

// === impl GuestDatabase ===

impl GuestDatabase {
    /// Opens the file, and creates it if it is missing. `attachment` says whether SQL may attach other files.
    ///
    /// # Errors
    /// When the file cannot be opened, or is no SQLite database.
    pub fn open(path: &Path, attachment: FileAttachment) -> anyhow::Result<Arc<Self>> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let location = DatabaseLocation::File {
            path: path.to_owned(),
            attachment,
        };
        let first = location
            .connect()
            .with_context(|| format!("cannot open {}", path.display()))?;
        let policy = GuestCheckpointPolicy(location.connect()?);
        let maintenance = WalMaintenance::start(path, policy).context("cannot start a thread")?;
        let identity = FileIdentity::of(path);
        let identity = identity.with_context(|| format!("cannot read {}", path.display()))?;
        let file = DatabaseFile {
            identity,
            wal_maintenance: Mutex::new(Some(maintenance)),
        };
        Ok(Self::at(location, first, Some(file)))
    }

    /// Opens a database in memory that ends with the host.
    ///
    /// # Errors
    /// If SQLite has no memory for it.
    pub fn in_memory(label: &str) -> anyhow::Result<Arc<Self>> {
        let uri = format!("file:socar-{label}?mode=memory&cache=shared");
        let alive = Mutex::new(Connection::open(&uri)?);
        let location = DatabaseLocation::Memory { uri, _alive: alive };
        let first = location.connect()?;
        Ok(Self::at(location, first, None))
    }

    fn at(location: DatabaseLocation, first: Connection, file: Option<DatabaseFile>) -> Arc<Self> {
        let idle = Mutex::new(vec![first]);
        Arc::new(Self {
            location,
            idle,
            writing: tokio::sync::Mutex::default(),
            file,
        })
    }

    /// Checks that what is written is kept: the file is in its place, and its log is synced.
    ///
    /// # Errors
    /// The cause, if it is not.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        file.identity.check()?;
        let wal_maintenance = file.wal_maintenance.lock();
        match wal_maintenance.as_ref().and_then(WalMaintenance::failure) {
            Some(failure) => anyhow::bail!(failure),
            None => Ok(()),
        }
    }

    /// Copies everything into the file, at the end of the process; blocks as long as that takes.
    pub fn close(&self) {
        if let Some(file) = &self.file {
            let wal_maintenance = file.wal_maintenance.lock().take();
            drop(wal_maintenance);
        }
    }

    /// An idle connection, or a new one.
    ///
    /// # Errors
    /// The error of SQLite, if no connection can be opened.
    pub fn session(self: &Arc<Self>) -> Result<Arc<DatabaseSession>, Error> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self
                .location
                .connect()
                .map_err(|error| sqlite_error(&error))?,
        };
        Ok(Arc::new(DatabaseSession {
            database: self.clone(),
            connection: Mutex::new(Some(connection)),
        }))
    }

    fn return_connection(&self, connection: Connection) {
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE_CONNECTIONS {
            idle.push(connection);
        }
    }
}

// === impl DatabaseSession ===

impl DatabaseSession {
    /// Runs one statement with its parameters bound.
    ///
    /// # Errors
    /// The error of SQLite, or [`Error::Io`] if the deadline comes first.
    pub async fn execute(
        &self,
        statement: &str,
        parameters: &[Value],
        deadline: Instant,
    ) -> Result<StatementResult, Error> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.attempt(statement, parameters, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(StatementError::Failed(error)) => return Err(error),
                Err(StatementError::Busy) if Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_BUSY_WAIT);
                }
                Err(StatementError::Busy) => {
                    return Err(Error::Io(STAYED_BUSY.to_owned()));
                }
            }
        }
    }

    /// The rowid of the latest insert.
    pub fn last_insert_rowid(&self) -> i64 {
        self.connection
            .lock()
            .as_ref()
            .map_or(0, Connection::last_insert_rowid)
    }

    /// How many rows the latest statement changed.
    pub fn changes(&self) -> u64 {
        self.connection
            .lock()
            .as_ref()
            .map_or(0, Connection::changes)
    }

    async fn attempt(
        &self,
        statement: &str,
        parameters: &[Value],
        deadline: Instant,
    ) -> Result<StatementResult, StatementError> {
        // Inside a transaction the connection may hold the write lock already; waiting for a turn could be a deadlock.
        let takes_turn = self.with(|connection| {
            Ok(connection.is_autocommit() && !connection.prepare_cached(statement)?.readonly())
        })?;
        let _turn = match takes_turn {
            true => {
                let turn = tokio::time::timeout_at(deadline.into(), self.database.writing.lock());
                Some(turn.await.map_err(|_| StatementError::Busy)?)
            }
            false => None,
        };
        self.with(|connection| run(connection, statement, parameters, deadline))
    }

    fn with<A>(
        &self,
        act: impl FnOnce(&Connection) -> Result<A, StatementError>,
    ) -> Result<A, StatementError> {
        match &*self.connection.lock() {
            Some(connection) => act(connection),
            None => Err(StatementError::Failed(Error::InvalidConnection)),
        }
    }
}

impl Drop for DatabaseSession {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.get_mut().take() {
            self.database.return_connection(connection);
        }
    }
}

#[cfg(test)]
mod tests;
