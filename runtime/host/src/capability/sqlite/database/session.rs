//! A connection as a guest sees it.

mod latest_write;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;
use storage::database::BatchedWriter;
use storage::statement_memory::MemoryAllowance;

use self::latest_write::LatestWrite;
use super::GuestDatabase;
use super::scope::StatementScope;
use super::statement::{STAYED_BUSY, StatementError, StatementResult, is_reading, run};
use crate::call::Call;
use crate::capability::bindings::spin::sqlite::sqlite::{Error, Value};

/// The longest time between two attempts at a busy database.
const MAX_BUSY_WAIT: Duration = Duration::from_millis(20);

/// A connection of one guest.
pub struct DatabaseSession {
    database: Arc<GuestDatabase>,
    own: Mutex<Option<OwnConnection>>,
    latest: Arc<LatestWrite>,
}

/// The connection of one session, which returns to the database when the session is dropped.
struct OwnConnection {
    connection: Connection,
    memory: MemoryAllowance,
    /// Whether statements have left something in the connection, such as a setting or a temporary table.
    is_changed: bool,
}

/// A statement and the time that it has.
#[derive(Clone, Copy)]
struct Statement<'a> {
    text: &'a str,
    parameters: &'a [Value],
    deadline: Instant,
    /// The call that waits for the writes of the statement before it responds.
    call: Option<&'a Call>,
}

// === impl DatabaseSession ===

impl DatabaseSession {
    pub(super) fn new(database: Arc<GuestDatabase>, own: Option<Connection>) -> Self {
        let own = own.map(|connection| OwnConnection {
            connection,
            memory: MemoryAllowance::of(&database.memory),
            is_changed: false,
        });
        Self {
            database,
            own: Mutex::new(own),
            latest: Arc::default(),
        }
    }

    /// The path of the database, which identifies it.
    pub fn path(&self) -> &Path {
        self.database.location.path()
    }

    /// Runs one statement with its parameters bound. A crash can undo its writes until `call` has waited for them.
    ///
    /// # Errors
    /// The error of SQLite, or [`Error::Io`] if the deadline comes first.
    pub async fn execute(
        &self,
        statement: &str,
        parameters: &[Value],
        deadline: Instant,
        call: Option<&Call>,
    ) -> Result<StatementResult, Error> {
        let statement = Statement {
            text: statement,
            parameters,
            deadline,
            call,
        };
        let mut pause = Duration::from_millis(1);
        loop {
            match self.attempt(statement).await {
                Ok(answer) => return Ok(answer),
                Err(StatementError::Refused(error) | StatementError::Failed(error)) => {
                    if matches!(error, Error::DatabaseFull) {
                        self.database.note_room(false);
                    }
                    return Err(error);
                }
                Err(StatementError::Damaged(error)) => {
                    self.database.note_damage();
                    return Err(error);
                }
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
        self.latest.rowid()
    }

    /// How many rows the latest statement changed.
    pub fn changes(&self) -> u64 {
        self.latest.changes()
    }

    async fn attempt(&self, statement: Statement<'_>) -> Result<StatementResult, StatementError> {
        let Some(writer) = &self.database.writer else {
            return self.run_on_own(statement).await;
        };
        if self.own.lock().is_none() {
            match StatementScope::of(statement.text) {
                StatementScope::Reading => return self.read(statement, writer).await,
                StatementScope::Writing => return self.write(statement, writer).await,
                StatementScope::Rows => {
                    return match self.is_reading(statement, writer).await? {
                        true => self.read(statement, writer).await,
                        false => self.write(statement, writer).await,
                    };
                }
                StatementScope::Connection => {
                    self.commit_batch(writer, statement.deadline).await?;
                    self.keep_connection()?;
                }
            }
        }
        self.run_on_own(statement).await
    }

    /// Whether a statement reads only. The tables that it names may be in the open batch.
    async fn is_reading(
        &self,
        statement: Statement<'_>,
        writer: &BatchedWriter,
    ) -> Result<bool, StatementError> {
        self.commit_batch(writer, statement.deadline).await?;
        self.with_reader(|reader| is_reading(reader, statement.text))
    }

    /// Reads on a connection that does not write, after the writes that others may know of.
    async fn read(
        &self,
        statement: Statement<'_>,
        writer: &BatchedWriter,
    ) -> Result<StatementResult, StatementError> {
        self.commit_batch(writer, statement.deadline).await?;
        self.with_reader(|reader| statement.run_on(reader))
    }

    /// Commits the writes that others may know of. A write in progress is waited for without a thread.
    async fn commit_batch(
        &self,
        writer: &BatchedWriter,
        deadline: Instant,
    ) -> Result<(), StatementError> {
        if writer.has_uncommitted_writes() {
            let _turn = self.turn(deadline).await?;
            writer.commit()?;
        }
        Ok(())
    }

    async fn write(
        &self,
        statement: Statement<'_>,
        writer: &BatchedWriter,
    ) -> Result<StatementResult, StatementError> {
        let _turn = self.turn(statement.deadline).await?;
        if let Some(call) = statement.call {
            call.note_component_write(self.path(), || writer.watermark());
        }
        writer.write(|connection| {
            let before = connection.total_changes();
            let mut memory = MemoryAllowance::of(&self.database.memory);
            let result = memory.during(|| statement.run_on(connection))?;
            self.latest.note(connection, before);
            Ok(result)
        })
    }

    fn with_reader<A>(
        &self,
        act: impl FnOnce(&Connection) -> Result<A, StatementError>,
    ) -> Result<A, StatementError> {
        let reader = self.database.connection();
        let reader = reader.map_err(StatementError::Failed)?;
        let mut memory = MemoryAllowance::of(&self.database.memory);
        let result = memory.during(|| act(&reader));
        self.database.return_connection(reader);
        result
    }

    /// Gives the session a connection of its own, in the state that its statements so far would have left.
    fn keep_connection(&self) -> Result<(), StatementError> {
        let connection = self.database.connection();
        let connection = connection.map_err(StatementError::Failed)?;
        LatestWrite::restore(&self.latest, &connection)?;
        *self.own.lock() = Some(OwnConnection {
            connection,
            memory: MemoryAllowance::of(&self.database.memory),
            is_changed: true,
        });
        Ok(())
    }

    async fn run_on_own(
        &self,
        statement: Statement<'_>,
    ) -> Result<StatementResult, StatementError> {
        let (is_reading, is_in_transaction) = self.with_own(|connection| {
            let is_reading = is_reading(connection, statement.text)?;
            Ok((is_reading, !connection.is_autocommit()))
        })?;
        if StatementScope::of(statement.text) == StatementScope::Connection {
            self.note_changed_connection();
        }
        // Inside a transaction the connection may hold the write lock already; waiting for a turn could be a deadlock.
        let waits_for_turn = !is_reading && !is_in_transaction;
        let _turn = match (&self.database.writer, waits_for_turn) {
            (Some(writer), true) => {
                let turn = self.turn(statement.deadline).await?;
                writer.commit()?;
                Some(turn)
            }
            (None, true) => Some(self.turn(statement.deadline).await?),
            (Some(writer), false) => {
                self.commit_batch(writer, statement.deadline).await?;
                None
            }
            (None, false) => None,
        };
        self.with_own(|connection| {
            if !is_reading {
                self.latest.note_own_write();
            }
            let before = connection.total_changes();
            let result = statement.run_on(connection)?;
            if !is_reading {
                self.latest.note(connection, before);
            }
            if !is_reading && connection.is_autocommit() && self.database.writer.is_none() {
                self.database.note_room(true);
            }
            Ok(result)
        })
    }

    fn note_changed_connection(&self) {
        if let Some(own) = &mut *self.own.lock() {
            own.is_changed = true;
        }
    }

    /// Waits until no other session writes.
    async fn turn(
        &self,
        deadline: Instant,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, StatementError> {
        let turn = tokio::time::timeout_at(deadline.into(), self.database.writing.lock());
        turn.await.map_err(|_| StatementError::Busy)
    }

    fn with_own<A>(
        &self,
        act: impl FnOnce(&Connection) -> Result<A, StatementError>,
    ) -> Result<A, StatementError> {
        match &mut *self.own.lock() {
            Some(own) => own.memory.during(|| act(&own.connection)),
            None => Err(StatementError::Failed(Error::InvalidConnection)),
        }
    }
}

impl Drop for DatabaseSession {
    fn drop(&mut self) {
        if let Some(own) = self.own.get_mut().take()
            && !own.is_changed
        {
            self.database.return_connection(own.connection);
        }
    }
}

// === impl Statement ===

impl Statement<'_> {
    fn run_on(self, connection: &Connection) -> Result<StatementResult, StatementError> {
        run(connection, self.text, self.parameters, self.deadline)
    }
}
