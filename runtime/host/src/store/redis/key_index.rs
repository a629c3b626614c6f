//! The index of a listed store: the set of its keys, beside them on the server.
//!
//! The stores of all labels share one database of the server, which can only list all of its keys. A store therefore has an
//! index from its first listing on, to which every write adds its key; a store that is never listed has none. Deleted keys
//! stay in it until the next listing.
//!
//! A key can be missing in the index if it was written before the first listing, or by a host of an earlier version. Each listing
//! therefore also examines some further keys of the database, and the index is used when all keys were examined once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Script, cmd};
use tokio::sync::{Mutex, OnceCell};

use super::SCAN_COUNT;
use crate::store::StoreError;
use storage::redis_client::RedisClient;

/// Returns the keys from the second on that exist, and removes the others from the index, which is the first key.
static EXISTING: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local existing = {}
         for i = 2, #KEYS do
             if redis.call('EXISTS', KEYS[i]) == 1 then
                 existing[#existing + 1] = KEYS[i]
             else
                 redis.call('SREM', KEYS[1], KEYS[i])
             end
         end
         return existing",
    )
});

/// The member of an index that is there from the first listing on. Like [`COMPLETE`] it has no prefix of a store, as keys have.
const LISTED: &str = "listed";

/// The member of an index that contains every key.
const COMPLETE: &str = "complete";

/// The pages of the database that one listing examines until the index is complete; afterwards it examines one.
const EXAMINED_PAGES: usize = 10;

/// The index of one store.
pub(super) struct KeyIndex {
    key: String,
    /// Whether writes keep the index. Set once it is known whether the store was ever listed.
    is_kept: OnceCell<AtomicBool>,
    /// Whether this process has seen that the index contains every key.
    is_complete: AtomicBool,
    /// Where the next listing continues to examine the database.
    examined: Mutex<u64>,
}

impl KeyIndex {
    /// The index of the store with this label.
    pub(super) fn new(label: &str) -> Self {
        Self {
            key: format!("socar.keys:{label}"),
            is_kept: OnceCell::new(),
            is_complete: AtomicBool::new(false),
            examined: Mutex::default(),
        }
    }

    /// The key of the index.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the store was listed before, so that writes must keep the index.
    pub(super) async fn is_kept(&self, client: &RedisClient) -> Result<bool, StoreError> {
        let known = self.is_kept.get_or_try_init(async || {
            let exists: bool = client.query(cmd("EXISTS").arg(&self.key)).await?;
            Ok::<_, StoreError>(AtomicBool::new(exists))
        });
        Ok(known.await?.load(Ordering::Acquire))
    }

    /// Sets the keys to the values. Both commands travel together and are no transaction: an entry that a crash keeps from
    /// the index is found as one that was written without it.
    pub(super) async fn write(
        &self,
        client: &RedisClient,
        keys: &[String],
        values: &[&[u8]],
    ) -> Result<(), StoreError> {
        let mut write = cmd("MSET");
        for (key, value) in keys.iter().zip(values) {
            write.arg(key).arg(*value);
        }
        let mut note = cmd("SADD");
        note.arg(&self.key).arg(keys);
        Ok(client.pipeline(&[write, note]).await?)
    }

    /// Adds keys.
    pub(super) async fn add(&self, client: &RedisClient, keys: &[&str]) -> Result<(), StoreError> {
        Ok(client.query(cmd("SADD").arg(&self.key).arg(keys)).await?)
    }

    /// Begins a listing of the keys with this pattern: returns whether the index contains all of them.
    pub(super) async fn begin_listing(
        &self,
        client: &RedisClient,
        pattern: &str,
    ) -> Result<bool, StoreError> {
        if !self.is_kept(client).await? {
            self.add(client, &[LISTED]).await?;
            if let Some(is_kept) = self.is_kept.get() {
                is_kept.store(true, Ordering::Release);
            }
        }
        let is_complete = self.is_complete.load(Ordering::Acquire);
        let pages = match is_complete {
            true => 1,
            false => EXAMINED_PAGES,
        };
        self.examine(client, pattern, pages).await?;
        if is_complete {
            return Ok(true);
        }
        let complete = cmd("SISMEMBER").arg(&self.key).arg(COMPLETE).to_owned();
        let is_complete = client.query(&complete).await?;
        self.is_complete.store(is_complete, Ordering::Release);
        Ok(is_complete)
    }

    /// Adds what some further pages of the database contain of the store.
    async fn examine(
        &self,
        client: &RedisClient,
        pattern: &str,
        pages: usize,
    ) -> Result<(), StoreError> {
        let mut examined = self.examined.lock().await;
        for _ in 0..pages {
            let (next, found) = scan_page(client, *examined, pattern).await?;
            if !found.is_empty() {
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                self.add(client, &found).await?;
            }
            *examined = next;
            if next == 0 {
                return match self.is_complete.load(Ordering::Acquire) {
                    true => Ok(()),
                    false => self.add(client, &[COMPLETE]).await,
                };
            }
        }
        Ok(())
    }

    /// One page of the keys in the index that exist, and the cursor of the next page; 0 at the end.
    pub(super) async fn page(
        &self,
        client: &RedisClient,
        cursor: u64,
    ) -> Result<(u64, Vec<String>), StoreError> {
        let mut command = cmd("SSCAN");
        command
            .arg(&self.key)
            .arg(cursor)
            .arg("COUNT")
            .arg(SCAN_COUNT);
        let (next, mut keys): (u64, Vec<String>) = client.query(&command).await?;
        keys.retain(|key| key != LISTED && key != COMPLETE);
        if !keys.is_empty() {
            let mut script = EXISTING.key(&self.key);
            for key in &keys {
                script.key(key);
            }
            keys = client.invoke(&script).await?;
        }
        Ok((next, keys))
    }
}

/// One page of the strings in the database with this pattern, and the cursor of the next page; 0 at the end.
pub(super) async fn scan_page(
    client: &RedisClient,
    cursor: u64,
    pattern: &str,
) -> Result<(u64, Vec<String>), StoreError> {
    let mut command = cmd("SCAN");
    command.arg(cursor).arg(&["MATCH", pattern]);
    command
        .arg("COUNT")
        .arg(SCAN_COUNT)
        .arg(&["TYPE", "string"]);
    let (next, found): (u64, Vec<Vec<u8>>) = client.query(&command).await?;
    // A key that is not UTF-8 comes from another program; a guest cannot name it.
    let found = found.into_iter();
    let keys = found.filter_map(|key| String::from_utf8(key).ok());
    Ok((next, keys.collect()))
}
