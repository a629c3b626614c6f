//! One database of a guest and its connections.
//!
//! A statement runs on the caller's thread. [`super::statement_watchdog`] replaces that thread in the runtime when the
//! statement takes long. SQLite never blocks a thread: writers take turns through an asynchronous lock, and a statement
//! is tried again while another connection's transaction makes the database busy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql};

use super::checkpoint::GuestCheckpointPolicy;
use super::statement_watchdog::{STEPS_PER_CHECK, StatementWatchdog};
use storage::file_identity::FileIdentity;
use storage::wal::WalMaintenance;
use storage::work::{CountedDatabase, count_statements};

use crate::capability::bindings::spin::sqlite::sqlite::{Error, RowResult, Value};

/// The largest number of idle connections that a database keeps.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// The number of prepared statements that a connection keeps.
const CACHED_STATEMENTS: usize = 64;

/// The largest result of one statement, in bytes.
const MAX_RESULT_BYTES: usize = 64 << 20;

/// The longest time between two attempts at a busy database.
const MAX_BUSY_WAIT: Duration = Duration::from_millis(20);

/// The error of a statement for which the database was busy until the deadline.
const STAYED_BUSY: &str = "the database stayed busy";

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

/// The location of a database.
enum DatabaseLocation {
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

/// A connection of one guest; it returns to the database when it is dropped.
pub struct DatabaseSession {
    database: Arc<GuestDatabase>,
    connection: Mutex<Option<Connection>>,
}

/// The result of a statement.
pub struct StatementResult {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowResult>,
    /// The size of the rows, in bytes.
    pub bytes: usize,
}

/// Why one attempt at a statement has no result.
enum StatementError {
    Busy,
    Failed(Error),
}

// === impl StatementResult ===

impl StatementResult {
    /// The texts in the first column.
    pub fn first_column(self) -> Vec<String> {
        let rows = self.rows.into_iter();
        let texts = rows.filter_map(|row| match row.values.into_iter().next() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        });
        texts.collect()
    }
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

// === impl DatabaseLocation ===

impl DatabaseLocation {
    fn connect(&self) -> rusqlite::Result<Connection> {
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

fn run(
    connection: &Connection,
    statement: &str,
    parameters: &[Value],
    deadline: Instant,
) -> Result<StatementResult, StatementError> {
    let mut watchdog = StatementWatchdog::begin(deadline);
    connection.progress_handler(STEPS_PER_CHECK, Some(move || watchdog.must_interrupt()))?;
    let done = execute(connection, statement, parameters);
    // Dropping the watchdog ends the share of CPU time that it holds.
    connection.progress_handler(0, None::<fn() -> bool>)?;
    done
}

fn execute(
    connection: &Connection,
    statement: &str,
    parameters: &[Value],
) -> Result<StatementResult, StatementError> {
    let mut statement = connection.prepare_cached(statement)?;
    let columns: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut found = statement.query(rusqlite::params_from_iter(
        parameters.iter().map(BoundValue),
    ))?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            let value = row.get_ref(index)?;
            bytes += size_of::<Value>() + length(value);
            values.push(owned_value(value));
        }
        if bytes > MAX_RESULT_BYTES {
            let reason = format!("the answer is longer than {MAX_RESULT_BYTES} bytes");
            return Err(StatementError::Failed(Error::Io(reason)));
        }
        rows.push(RowResult { values });
    }
    Ok(StatementResult {
        columns,
        rows,
        bytes,
    })
}

fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

fn owned_value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Whether the same statement may succeed later.
pub fn is_unavailable(error: &Error) -> bool {
    match error {
        Error::DatabaseFull => true,
        Error::Io(reason) => reason == STAYED_BUSY,
        _ => false,
    }
}

fn sqlite_error(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::DatabaseFull,
        Some(ErrorCode::OperationInterrupted) => Error::Io("the deadline came first".to_owned()),
        _ => Error::Io(error.to_string()),
    }
}

impl From<rusqlite::Error> for StatementError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Failed(sqlite_error(&error)),
        }
    }
}

/// A guest's value as a parameter of a statement.
struct BoundValue<'a>(&'a Value);

impl ToSql for BoundValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests;
