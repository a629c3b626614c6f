//! One database of a guest and its connections.
//!
//! A statement runs on the caller's thread. [`super::statement_watchdog`] replaces that thread in the runtime when the
//! statement takes long. SQLite never blocks a thread: writers take turns through an asynchronous lock, and a statement
//! is tried again while another connection's transaction makes the database busy.
//!
//! A database in the state directory has one writer, whose cached pages are therefore always valid, and which commits in
//! groups. A session needs a connection of its own only from the first statement on that leaves something in the
//! connection ([`scope`]), such as a transaction. Other databases may be written by another process: each of their sessions
//! has a connection from the start, and each statement is committed alone.

mod location;
mod scope;
mod session;
mod statement;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use rusqlite::Connection;
use storage::database::{BatchedWriter, DatabaseError, WriteFence};
use storage::file_identity::FileIdentity;
use storage::statement_memory::{self, MemoryPool};
use storage::wal::WalMaintenance;

use super::checkpoint::GuestCheckpointPolicy;
use crate::capability::bindings::spin::sqlite::sqlite::Error;
use location::DatabaseLocation;
use statement::sqlite_error;

pub use location::FileAttachment;
pub use session::DatabaseSession;
pub use statement::{StatementResult, is_unavailable};

/// The largest number of idle connections that a database keeps.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// The memory that the statements on a database may take together, in bytes: their values, sorts and prepared forms.
const MAX_MEMORY_BYTES: usize = 128 << 20;

/// How long a database counts as full after a statement for which there was no room, if no other one is kept. A small write
/// that only tests the disk may find room in the log.
const REFUSAL_TIME: Duration = Duration::from_secs(60);

/// One database file and the connections to it.
pub struct GuestDatabase {
    location: DatabaseLocation,
    idle: Mutex<Vec<Connection>>,
    writing: tokio::sync::Mutex<()>,
    /// What the statements of its sessions may take.
    memory: Arc<MemoryPool>,
    /// The writer of a database that no other process writes to.
    writer: Option<BatchedWriter>,
    /// A database in memory has neither a log nor a file.
    file: Option<DatabaseFile>,
}

/// The file of a database.
struct DatabaseFile {
    path: PathBuf,
    identity: Arc<FileIdentity>,
    /// Whether a statement has met damage.
    is_damaged: AtomicBool,
    /// The latest statement for which there was no room, unless a later one was kept.
    refused: Mutex<Option<Instant>>,
    /// Absent after the close.
    wal_maintenance: Mutex<Option<WalMaintenance>>,
}

// === impl GuestDatabase ===

impl GuestDatabase {
    /// Opens a file that other processes may write to, and creates it if it is missing. `attachment` says whether SQL may
    /// attach other files.
    ///
    /// # Errors
    /// When the file cannot be opened, or is no SQLite database.
    pub fn open(path: &Path, attachment: FileAttachment) -> anyhow::Result<Arc<Self>> {
        let (location, own, identity) = create(path, attachment)?;
        let policy = GuestCheckpointPolicy::new(own, None)?;
        let file = DatabaseFile::maintained(identity, policy)?;
        Ok(Self::at(location, None, Some(file)))
    }

    /// Opens a file that no other process writes to, and creates it if it is missing. Writes are committed in groups, and
    /// SQL may not attach other files.
    ///
    /// # Errors
    /// As [`GuestDatabase::open`].
    pub fn open_batched(path: &Path, fence: Arc<WriteFence>) -> anyhow::Result<Arc<Self>> {
        let (location, own, identity) = create(path, FileAttachment::Denied)?;
        let writer = BatchedWriter::start(location.connect()?, identity.clone(), fence);
        let writer = writer.context("cannot start a thread")?;
        let policy = GuestCheckpointPolicy::new(own, Some(writer.pause()))?;
        let file = DatabaseFile::maintained(identity, policy)?;
        Ok(Self::at(location, Some(writer), Some(file)))
    }

    /// Opens a database in memory that ends with the host.
    ///
    /// # Errors
    /// If SQLite has no memory for it.
    pub fn in_memory(label: &str) -> anyhow::Result<Arc<Self>> {
        let uri = format!("file:socar-{label}?mode=memory&cache=shared");
        statement_memory::install();
        let alive = Mutex::new(Connection::open(&uri)?);
        let location = DatabaseLocation::Memory { uri, _alive: alive };
        location.connect()?;
        Ok(Self::at(location, None, None))
    }

    fn at(
        location: DatabaseLocation,
        writer: Option<BatchedWriter>,
        file: Option<DatabaseFile>,
    ) -> Arc<Self> {
        Arc::new(Self {
            location,
            idle: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            memory: MemoryPool::new(MAX_MEMORY_BYTES),
            writer,
            file,
        })
    }

    /// Checks that what is written is kept: the file and its log are in their place, commits succeed, and the log is synced.
    ///
    /// # Errors
    /// The cause, if it is not.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        file.identity.check()?;
        if let Some(damage) = self.damage() {
            anyhow::bail!(damage);
        }
        if let Some(writer) = &self.writer {
            writer.check()?;
        }
        let is_recent = |refused: Instant| refused.elapsed() < REFUSAL_TIME;
        anyhow::ensure!(
            !file.refused.lock().is_some_and(is_recent),
            "there is no room for what is written to {}",
            file.path.display()
        );
        let wal_maintenance = file.wal_maintenance.lock();
        match wal_maintenance.as_ref().and_then(WalMaintenance::failure) {
            Some(failure) => anyhow::bail!(failure),
            None => Ok(()),
        }
    }

    /// The damage of the file with its remedy, if a statement or a commit has met some.
    pub fn damage(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        if self.writer.as_ref().is_some_and(BatchedWriter::is_damaged) {
            self.note_damage();
        }
        let is_damaged = file.is_damaged.load(Ordering::Relaxed);
        is_damaged.then(|| {
            format!(
                "{} is damaged: stop the host, remove the file or restore it, and start the host again; a read model is then \
                 made anew",
                file.path.display()
            )
        })
    }

    /// Commits a write that changes nothing, although a batch of writes was lost.
    ///
    /// # Errors
    /// The cause, if writes are not committed.
    pub fn try_commit(&self) -> Result<(), DatabaseError> {
        match &self.writer {
            Some(writer) => writer.try_commit(),
            None => Ok(()),
        }
    }

    /// Copies everything into the file, at the end of the process; blocks as long as that takes.
    ///
    /// # Errors
    /// If the last writes or the file are lost.
    pub fn close(&self) -> Result<(), DatabaseError> {
        let committed = match &self.writer {
            Some(writer) => writer.commit(),
            None => Ok(()),
        };
        if let Some(file) = &self.file {
            // SQLite removes the log with its last connection.
            let kept = file.identity.check();
            let wal_maintenance = file.wal_maintenance.lock().take();
            drop(wal_maintenance);
            kept?;
            file.identity.check_latest()?;
        }
        committed
    }

    /// Opens a session.
    ///
    /// # Errors
    /// The error of SQLite, if no connection can be opened.
    pub fn session(self: &Arc<Self>) -> Result<Arc<DatabaseSession>, Error> {
        let own = match self.writer {
            Some(_) => None,
            None => Some(self.connection()?),
        };
        Ok(Arc::new(DatabaseSession::new(self.clone(), own)))
    }

    /// There was room for a statement that writes, or none.
    fn note_room(&self, had_room: bool) {
        if let Some(file) = &self.file {
            *file.refused.lock() = (!had_room).then(Instant::now);
        }
    }

    /// A statement has met damage in the file.
    fn note_damage(&self) {
        if let Some(file) = &self.file
            && !file.is_damaged.swap(true, Ordering::Relaxed)
        {
            tracing::error!(database = %file.path.display(), "the file of a database is damaged");
        }
    }

    /// An idle connection, or a new one.
    fn connection(&self) -> Result<Connection, Error> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self
                .location
                .connect_session()
                .map_err(|error| sqlite_error(&error)),
        }
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

/// Creates the file, with its directory, if it is missing. The location is the path without symbolic links: later connections
/// must lead to the same file.
fn create(
    path: &Path,
    attachment: FileAttachment,
) -> anyhow::Result<(DatabaseLocation, Connection, Arc<FileIdentity>)> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let at = |path: &Path| DatabaseLocation::File {
        path: path.to_owned(),
        attachment,
    };
    let connection = at(path).connect();
    let connection = connection.with_context(|| format!("cannot open {}", path.display()))?;
    let identity = FileIdentity::of(path);
    let identity = identity.with_context(|| format!("cannot read {}", path.display()))?;
    Ok((at(identity.database()), connection, Arc::new(identity)))
}

// === impl DatabaseFile ===

impl DatabaseFile {
    /// Starts the maintenance of the log.
    fn maintained(
        identity: Arc<FileIdentity>,
        policy: GuestCheckpointPolicy,
    ) -> anyhow::Result<Self> {
        let maintenance = WalMaintenance::start(identity.clone(), policy);
        let maintenance = maintenance.context("cannot start a thread")?;
        Ok(Self {
            path: identity.database().to_owned(),
            identity,
            is_damaged: AtomicBool::new(false),
            refused: Mutex::default(),
            wal_maintenance: Mutex::new(Some(maintenance)),
        })
    }
}

#[cfg(test)]
mod tests;
