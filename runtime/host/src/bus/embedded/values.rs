//! The strings and sets of `SET` and `SADD`, in two tables of the embedded file.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};

use super::super::BusError;
use storage::database::{Database, DatabaseError};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS socar_bus_string (
    key     BLOB PRIMARY KEY NOT NULL,
    value   BLOB NOT NULL,
    expires INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS socar_bus_member (
    key    BLOB NOT NULL,
    member BLOB NOT NULL,
    PRIMARY KEY (key, member)
) WITHOUT ROWID;
";

/// The two tables. Every method is one transaction.
pub(super) struct ValueTables {
    database: Arc<Database>,
}

/// The condition of a `SET`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SetCondition {
    Always,
    IfAbsent,
    IfPresent,
}

impl ValueTables {
    pub fn open(database: Arc<Database>) -> Result<Self, DatabaseError> {
        database.create_schema(SCHEMA)?;
        Ok(Self { database })
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, BusError> {
        self.database
            .transaction(|connection| match string(connection, key)? {
                None if is_set(connection, key)? => Err(BusError::Type),
                found => Ok(found),
            })
    }

    /// Writes the string if the condition holds, and returns whether it does.
    pub fn set(
        &self,
        key: &[u8],
        value: &[u8],
        condition: SetCondition,
        time_to_live: Option<Duration>,
    ) -> Result<bool, BusError> {
        self.database.transaction(|connection| {
            let present = exists(connection, key)?;
            let holds = match condition {
                SetCondition::Always => true,
                SetCondition::IfAbsent => !present,
                SetCondition::IfPresent => present,
            };
            if holds {
                remove(connection, key)?;
                connection
                    .prepare_cached("INSERT INTO socar_bus_string VALUES (?1, ?2, ?3)")?
                    .execute(params![
                        key,
                        value,
                        time_to_live.map(|time_to_live| now() + milliseconds(time_to_live))
                    ])?;
            }
            Ok(holds)
        })
    }

    /// Adds to a decimal number, and returns the sum. An absent number is 0.
    pub fn add(&self, key: &[u8], delta: i64) -> Result<i64, BusError> {
        self.database.transaction(|connection| {
            let present = string(connection, key)?;
            if present.is_none() && is_set(connection, key)? {
                return Err(BusError::Type);
            }
            let number = present.map_or(Some(0), |digits| {
                std::str::from_utf8(&digits).ok()?.parse().ok()
            });
            let sum = number.and_then(|number: i64| number.checked_add(delta));
            let sum = sum.ok_or_else(|| {
                BusError::Refused("ERR value is not an integer or out of range".to_owned())
            })?;
            connection
                .prepare_cached(
                    "INSERT INTO socar_bus_string (key, value) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET value = ?2",
                )?
                .execute(params![key, sum.to_string().into_bytes()])?;
            Ok(sum)
        })
    }

    pub fn delete(&self, keys: &[Vec<u8>]) -> Result<i64, BusError> {
        self.database.transaction(|connection| {
            let mut count = 0;
            for key in keys {
                count += i64::from(exists(connection, key)?);
                remove(connection, key)?;
            }
            Ok(count)
        })
    }

    pub fn exists(&self, key: &[u8]) -> Result<bool, BusError> {
        self.database
            .transaction(|connection| Ok(exists(connection, key)?))
    }

    pub fn members(&self, key: &[u8]) -> Result<Vec<Vec<u8>>, BusError> {
        self.database.transaction(|connection| {
            check_no_string(connection, key)?;
            let members = connection
                .prepare_cached("SELECT member FROM socar_bus_member WHERE key = ?1")?
                .query_map([key], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(members)
        })
    }

    pub fn add_members(&self, key: &[u8], members: &[Vec<u8>]) -> Result<i64, BusError> {
        let statement = "INSERT INTO socar_bus_member VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.each_member(statement, key, members)
    }

    pub fn remove_members(&self, key: &[u8], members: &[Vec<u8>]) -> Result<i64, BusError> {
        let statement = "DELETE FROM socar_bus_member WHERE key = ?1 AND member = ?2";
        self.each_member(statement, key, members)
    }

    /// CommandResult how many members the statement changed.
    fn each_member(
        &self,
        statement: &str,
        key: &[u8],
        members: &[Vec<u8>],
    ) -> Result<i64, BusError> {
        self.database.transaction(|connection| {
            check_no_string(connection, key)?;
            let mut statement = connection.prepare_cached(statement)?;
            let mut changed = 0;
            for member in members {
                changed += statement.execute([key, member])?;
            }
            Ok(i64::try_from(changed).unwrap_or(i64::MAX))
        })
    }
}

/// The string of a key. An expired string is removed.
fn string(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>, Option<i64>)> = connection
        .prepare_cached("SELECT value, expires FROM socar_bus_string WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((_, Some(expires))) if expires <= now() => remove(connection, key).map(|()| None),
        found => Ok(found.map(|(value, _)| value)),
    }
}

fn is_set(connection: &Connection, key: &[u8]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM socar_bus_member WHERE key = ?1")?
        .exists([key])
}

fn exists(connection: &Connection, key: &[u8]) -> rusqlite::Result<bool> {
    Ok(string(connection, key)?.is_some() || is_set(connection, key)?)
}

fn check_no_string(connection: &Connection, key: &[u8]) -> Result<(), BusError> {
    match string(connection, key)? {
        None => Ok(()),
        Some(_) => Err(BusError::Type),
    }
}

fn remove(connection: &Connection, key: &[u8]) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM socar_bus_string WHERE key = ?1",
        "DELETE FROM socar_bus_member WHERE key = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([key])?;
    }
    Ok(())
}

fn now() -> i64 {
    milliseconds(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// Milliseconds, at most half of the largest number, so that the sum of two does not overflow.
fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 2)
}
