//! The work that this process gave to its backends since its start: statements of SQLite, and commands to Redis.
//!
//! The counts are free of noise, so a test can bound the work that one request causes.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

/// The executed statements by database.
static STATE_STATEMENTS: AtomicU64 = AtomicU64::new(0);
static COMPONENT_STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// The sent commands by kind.
static PLAIN_COMMANDS: AtomicU64 = AtomicU64::new(0);
static SCRIPTS: AtomicU64 = AtomicU64::new(0);

/// The databases whose statements are counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedDatabase {
    /// The embedded file: key-value stores, event log and bus.
    State,
    /// The databases that components open themselves.
    Component,
}

/// The commands to Redis that are counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedCommand {
    Plain,
    /// A script, whatever the number of commands that it executes on the server.
    Script,
}

/// Counts the statements of this connection from now on. Statements inside of triggers do not count.
pub fn count_statements(connection: &Connection, database: CountedDatabase) {
    let count: fn(TraceEvent<'_>) = match database {
        CountedDatabase::State => |event| count(&event, &STATE_STATEMENTS),
        CountedDatabase::Component => |event| count(&event, &COMPONENT_STATEMENTS),
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count));
}

/// The number of statements that were executed on this kind of database.
pub fn statements(database: CountedDatabase) -> u64 {
    match database {
        CountedDatabase::State => STATE_STATEMENTS.load(Ordering::Relaxed),
        CountedDatabase::Component => COMPONENT_STATEMENTS.load(Ordering::Relaxed),
    }
}

/// Counts a command that is sent to a Redis server.
pub fn count_command(command: CountedCommand) {
    count_commands(command, 1);
}

/// Counts several commands that are sent together.
pub fn count_commands(command: CountedCommand, number: usize) {
    let counter = match command {
        CountedCommand::Plain => &PLAIN_COMMANDS,
        CountedCommand::Script => &SCRIPTS,
    };
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// The number of commands of this kind that were sent to Redis servers.
pub fn commands(command: CountedCommand) -> u64 {
    match command {
        CountedCommand::Plain => PLAIN_COMMANDS.load(Ordering::Relaxed),
        CountedCommand::Script => SCRIPTS.load(Ordering::Relaxed),
    }
}

fn count(event: &TraceEvent<'_>, counter: &AtomicU64) {
    // SQLite reports the statements of a trigger as comments.
    if let TraceEvent::Stmt(_, text) = event
        && !text.starts_with("--")
    {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement_memory;

    #[test]
    fn each_execution_of_a_statement_counts_and_a_trigger_does_not() {
        statement_memory::install();
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (x);
                 CREATE TABLE b (x);
                 CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO b VALUES (NEW.x); END;",
            )
            .unwrap();
        count_statements(&connection, CountedDatabase::Component);
        let before = statements(CountedDatabase::Component);
        for number in 0..3 {
            connection
                .prepare_cached("INSERT INTO a VALUES (?1)")
                .unwrap()
                .execute([number])
                .unwrap();
        }
        assert_eq!(statements(CountedDatabase::Component) - before, 3);
    }
}
