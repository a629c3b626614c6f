//! A store in an embedded SQLite file, in the table that stock Spin reads and writes.
//!
//! Calls run on the caller's thread (see [`storage::database`]). A counter is stored in eight bytes, little-endian, as in
//! Spin.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{KeyPage, KeyValue, StoreError};
use storage::database::{Database, DatabaseError};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (store, key)
)";

/// The number of keys of a page; bounds the time that other calls wait for it.
const PAGE_SIZE: u32 = 1000;

/// The rows of one label.
pub struct SqliteStore {
    database: Arc<Database>,
    label: String,
}

impl SqliteStore {
    /// The store of this label in that file.
    ///
    /// # Errors
    /// If the table cannot be created.
    pub fn open(database: Arc<Database>, label: &str) -> Result<Self, DatabaseError> {
        database.create_schema(SCHEMA)?;
        Ok(Self {
            database,
            label: label.to_owned(),
        })
    }

    fn read(&self, connection: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        connection
            .prepare_cached("SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2")?
            .query_row([&self.label, key], |row| {
                Ok(row.get_ref(0)?.as_bytes()?.to_vec())
            })
            .optional()
    }

    fn write(&self, connection: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (store, key) DO UPDATE SET value = ?3",
            )?
            .execute(params![self.label, key, value])
            .map(drop)
    }

    fn remove(&self, connection: &Connection, key: &str) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")?
            .execute([&self.label, key])
            .map(drop)
    }
}

#[async_trait]
impl KeyValue for SqliteStore {
    fn system(&self) -> &'static str {
        "sqlite"
    }

    fn backend(&self) -> String {
        // The address tells the files apart; a database in memory is one too.
        format!("{:p}", Arc::as_ptr(&self.database))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(self.database.check()?)
    }

    fn close(&self) -> Result<(), StoreError> {
        Ok(self.database.close()?)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .database
            .read(|connection| self.read(connection, key))?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        Ok(self
            .database
            .write(|connection| self.write(connection, key, value))?)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Ok(self
            .database
            .write(|connection| self.remove(connection, key))?)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.database.read(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2")?
                .exists([&self.label, key])
        })?)
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError> {
        let keys: Vec<String> = self.database.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT key FROM spin_key_value WHERE store = ?1 AND (?2 IS NULL OR key > ?2)
                     ORDER BY key LIMIT ?3",
                )?
                .query_map(params![self.label, cursor, PAGE_SIZE], |row| row.get(0))?
                .collect()
        })?;
        let cursor = keys
            .last()
            .filter(|_| keys.len() == PAGE_SIZE as usize)
            .cloned();
        Ok(KeyPage { keys, cursor })
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Ok(self
            .database
            .read(|connection| keys.iter().map(|key| self.read(connection, key)).collect())?)
    }

    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        self.database.transaction(|connection| {
            for (key, value) in pairs {
                self.write(connection, key, value)?;
            }
            Ok(())
        })
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        self.database.transaction(|connection| {
            for key in keys {
                self.remove(connection, key)?;
            }
            Ok(())
        })
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        if delta == 0
            && let Some(bytes) = self.get(key).await?
        {
            // Adding 0 reads a counter, and needs no write transaction.
            return counter(key, bytes);
        }
        self.database.read_and_write(|connection| {
            let present = match self.read(connection, key)? {
                None => None,
                Some(bytes) => Some(counter(key, bytes)?),
            };
            let sum = present
                .unwrap_or(0)
                .checked_add(delta)
                .ok_or_else(|| StoreError::Overflow(key.to_owned()))?;
            self.write(connection, key, &sum.to_le_bytes())?;
            Ok(sum)
        })
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let rows = self.database.write(|connection| match expected {
            Some(expected) => connection
                .prepare_cached(
                    "UPDATE spin_key_value SET value = ?4
                     WHERE store = ?1 AND key = ?2 AND value = ?3",
                )?
                .execute(params![self.label, key, expected, new]),
            None => connection
                .prepare_cached(
                    "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (store, key) DO NOTHING",
                )?
                .execute(params![self.label, key, new]),
        })?;
        Ok(rows == 1)
    }
}

fn counter(key: &str, bytes: Vec<u8>) -> Result<i64, StoreError> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| StoreError::NotACounter(key.to_owned()))?;
    Ok(i64::from_le_bytes(bytes))
}
