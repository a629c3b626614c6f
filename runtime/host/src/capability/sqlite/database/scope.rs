//! What a statement leaves in its connection, beside the database itself.

/// What a statement touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatementScope {
    /// It reads rows. The next statement of the session may run on another connection.
    Reading,
    /// It writes rows or the schema. The next statement of the session may run on another connection.
    Writing,
    /// It reads or writes rows.
    Rows,
    /// It reads or changes the state of the connection, such as a transaction, a setting, a temporary table or the last row
    /// id.
    Connection,
}

/// The statements that begin with these words touch rows and the schema, and nothing else.
const ROW_STATEMENTS: [(&str, StatementScope); 10] = [
    ("SELECT", StatementScope::Reading),
    ("VALUES", StatementScope::Reading),
    ("WITH", StatementScope::Rows),
    ("INSERT", StatementScope::Writing),
    ("REPLACE", StatementScope::Writing),
    ("UPDATE", StatementScope::Writing),
    ("DELETE", StatementScope::Writing),
    ("CREATE", StatementScope::Writing),
    ("DROP", StatementScope::Writing),
    ("ALTER", StatementScope::Writing),
];

/// Functions, names and clauses of the state of a connection. A text or an identifier that contains one costs a connection,
/// and changes no result.
const CONNECTION_WORDS: [&[u8]; 5] = [
    b"last_insert_rowid",
    b"changes",
    b"temp",
    b"pragma",
    b"rollback",
];

// === impl StatementScope ===

impl StatementScope {
    /// The scope of a statement, from its text. In doubt, it is the connection.
    pub fn of(statement: &str) -> Self {
        let statement = statement.trim_start();
        let end = statement.find(|c: char| !c.is_ascii_alphabetic());
        let first = &statement[..end.unwrap_or(statement.len())];
        let of_rows = ROW_STATEMENTS
            .iter()
            .find(|(word, _)| first.eq_ignore_ascii_case(word));
        match of_rows {
            Some((_, scope)) if !mentions_connection(statement.as_bytes()) => *scope,
            _ => Self::Connection,
        }
    }
}

fn mentions_connection(statement: &[u8]) -> bool {
    let begins_with = |text: &[u8], word: &[u8]| {
        text.get(..word.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    (0..statement.len()).any(|start| {
        let rest = &statement[start..];
        matches!(rest[0] | 0x20, b'l' | b'c' | b't' | b'p' | b'r')
            && CONNECTION_WORDS.iter().any(|word| begins_with(rest, word))
    })
}

#[cfg(test)]
mod tests {
    use super::StatementScope::{Connection, Reading, Rows, Writing};
    use super::*;

    #[test]
    fn rows_are_read_and_written_without_a_connection() {
        for (statement, scope) in [
            ("SELECT 1", Reading),
            ("VALUES (1)", Reading),
            (" \n insert INTO t VALUES (?1) RETURNING 1", Writing),
            ("UPDATE t SET a = 1", Writing),
            ("DELETE FROM t", Writing),
            ("CREATE TABLE t (a)", Writing),
            ("DROP INDEX i", Writing),
            ("WITH n AS (SELECT 1) SELECT * FROM n", Rows),
        ] {
            assert_eq!(StatementScope::of(statement), scope, "{statement}");
        }
    }

    #[test]
    fn what_needs_the_state_of_a_connection_keeps_one() {
        for statement in [
            "BEGIN",
            "COMMIT",
            "SAVEPOINT one",
            "PRAGMA foreign_keys = off",
            "CREATE TEMP TABLE t (a)",
            "ATTACH ':memory:' AS other",
            "SELECT last_insert_rowid()",
            "SELECT Changes()",
            "SELECT total_changes()",
            "INSERT INTO temp.t VALUES (1)",
            "SELECT * FROM pragma_table_info('t')",
            "INSERT OR ROLLBACK INTO t VALUES (1)",
            "-- a comment\nSELECT 1",
            "",
            "만",
        ] {
            assert_eq!(StatementScope::of(statement), Connection, "{statement}");
        }
    }
}
