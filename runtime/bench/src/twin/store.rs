//! The database of the twin: one writer, which commits the commands that have arrived together, and readers.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::Context as _;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::tables;

/// The largest number of commands in one transaction.
const COMMANDS_AT_ONCE: usize = 128;

/// The number of prepared statements that a connection keeps.
const CACHED_STATEMENTS: usize = 64;

/// A command; it returns what reports its result after the commit.
type Command = Box<dyn FnOnce(&Connection) -> rusqlite::Result<Report> + Send>;
type Report = Box<dyn FnOnce() + Send>;

/// The writer thread, and the path for readers.
#[derive(Clone)]
pub struct Store {
    writer: mpsc::Sender<Command>,
    path: PathBuf,
}

// === impl Store ===

impl Store {
    /// Creates the tables in a new file, and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("twin.db");
        let connection = connect(&path)?;
        connection.execute_batch(tables::SCHEMA)?;
        let (writer, commands) = mpsc::channel();
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write(&connection, &commands))?;
        Ok(Self { writer, path })
    }

    /// Opens a connection for reading.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn reader(&self) -> anyhow::Result<Connection> {
        connect(&self.path)
    }

    /// Runs a command, and returns its result after the commit.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn write<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (report, committed) = oneshot::channel();
        let command: Command = Box::new(move |connection| {
            let result = command(connection)?;
            Ok(Box::new(move || {
                // A client that has gone does not wait for the result.
                let _ = report.send(result);
            }))
        });
        let sent = self.writer.send(command);
        sent.ok().context("the writer has ended")?;
        committed.await.context("the command failed")
    }
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)
        .with_context(|| format!("cannot open the database {}", path.display()))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

/// Runs commands in groups until all senders are gone, and the events of each group in the next one.
fn write(connection: &Connection, commands: &mpsc::Receiver<Command>) {
    let mut has_events = false;
    loop {
        let first = match has_events {
            true => commands.try_recv().ok(),
            false => match commands.recv() {
                Ok(command) => Some(command),
                Err(mpsc::RecvError) => return,
            },
        };
        let group = first
            .into_iter()
            .chain(commands.try_iter().take(COMMANDS_AT_ONCE));
        let committed = commit(connection, group);
        has_events = committed.unwrap_or(false);
    }
}

/// Commits a group of commands, and the next events.
fn commit(connection: &Connection, group: impl Iterator<Item = Command>) -> rusqlite::Result<bool> {
    let transaction = connection.unchecked_transaction()?;
    let mut reports = Vec::new();
    let mut has_events = tables::handle_events(&transaction)?;
    for command in group {
        reports.push(command(&transaction)?);
        has_events = true;
    }
    transaction.commit()?;
    for report in reports {
        report();
    }
    Ok(has_events)
}
