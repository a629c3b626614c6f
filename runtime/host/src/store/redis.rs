//! A store on a Redis server, in the key layout of stock Spin: one Redis string per key.
//!
//! Without a prefix the keys are those of Spin, so that both hosts can share them; all labels on one address are then
//! one keyspace, as in Spin. With `--redis-url` alone, each label is a prefix, and a store that is listed has an index
//! ([`key_index`]). A counter is stored in ASCII, as `INCRBY` stores it.

mod key_index;

use std::sync::Arc;
use std::sync::LazyLock;

use async_trait::async_trait;
use redis::{Script, ServerErrorKind, cmd};

use super::{KeyPage, KeyValue, StoreError};
use key_index::{KeyIndex, scan_page};
use storage::redis_client::{RedisClient, RedisClientError};

/// Writes ARGV[2] if the value of the key is ARGV[1]. With one argument, writes it if the key has no value. The second key is
/// the index, if there is one.
static COMPARE_AND_SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local present = redis.call('GET', KEYS[1])
         if #ARGV == 1 and present then return 0 end
         if #ARGV == 2 and present ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[#ARGV])
         if KEYS[2] then redis.call('SADD', KEYS[2], KEYS[1]) end
         return 1",
    )
});

/// A write that changes nothing, in a script: refused by a server that is a replica, has no memory left, or cannot write
/// its file, and for a user without the permission to write or to run scripts.
static PROBE: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('SETRANGE', KEYS[1], 0, '')"));

/// The number of keys that the server examines for one page; fewer of them may have the prefix.
const SCAN_COUNT: usize = 1000;

/// How the keys of the marks begin ([`HistoryStore`](super::HistoryStore)). No listing has them.
const MARKS: &str = "socar.marks:";

/// How the cursor of a listing of the index begins; that of a listing of the database is a number.
const INDEX_CURSOR: &str = "index:";

/// The keys under one prefix.
pub struct RedisStore {
    client: Arc<RedisClient>,
    prefix: String,
    /// Absent without a prefix: stock Spin writes the same keys, and keeps no index.
    index: Option<KeyIndex>,
}

impl RedisStore {
    /// All keys of the database, as stock Spin sees them.
    pub fn raw(client: Arc<RedisClient>) -> Self {
        Self {
            client,
            prefix: String::new(),
            index: None,
        }
    }

    /// The keys `<label>:…`.
    pub fn labelled(client: Arc<RedisClient>, label: &str) -> Self {
        Self {
            client,
            prefix: format!("{label}:"),
            index: Some(KeyIndex::new(label)),
        }
    }

    /// The key of the mark of a store that has no prefix.
    pub fn mark_key(label: &str) -> String {
        format!("{MARKS}{label}")
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn keys_of(&self, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.key(key)).collect()
    }

    /// The index, if writes must keep it.
    async fn kept_index(&self) -> Result<Option<&KeyIndex>, StoreError> {
        match &self.index {
            Some(index) if index.is_kept(&self.client).await? => Ok(Some(index)),
            _ => Ok(None),
        }
    }

    fn pattern(&self) -> String {
        format!("{}*", escape(&self.prefix))
    }

    /// The page of a listing, without the prefix of the keys.
    fn page(&self, keys: Vec<String>, cursor: Option<String>) -> KeyPage {
        let keys = keys.into_iter().filter(|key| !key.starts_with(MARKS));
        let keys = keys.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned));
        KeyPage {
            keys: keys.collect(),
            cursor,
        }
    }

    /// The page of the index at a cursor.
    async fn page_of_index(&self, index: &KeyIndex, cursor: u64) -> Result<KeyPage, StoreError> {
        let (next, keys) = index.page(&self.client, cursor).await?;
        let cursor = (next != 0).then(|| format!("{INDEX_CURSOR}{next}"));
        Ok(self.page(keys, cursor))
    }

    /// The page of the database at a cursor, or the next one that has a key of the store.
    async fn page_of_database(&self, mut cursor: u64) -> Result<KeyPage, StoreError> {
        let pattern = self.pattern();
        loop {
            let (next, keys) = scan_page(&self.client, cursor, &pattern).await?;
            if !keys.is_empty() || next == 0 {
                return Ok(self.page(keys, (next != 0).then(|| next.to_string())));
            }
            cursor = next;
        }
    }
}

#[async_trait]
impl KeyValue for RedisStore {
    fn system(&self) -> &'static str {
        "redis"
    }

    fn backend(&self) -> String {
        // The address has neither user nor database, on which it depends what may be written.
        format!("{} {:p}", self.client.address(), Arc::as_ptr(&self.client))
    }

    async fn check(&self) -> Result<(), StoreError> {
        let script = PROBE.key(self.key("socar-readiness"));
        Ok(self.client.invoke(&script).await?)
    }

    /// Refused where another program has put something else under the key of the index.
    async fn check_index(&self) -> Result<(), StoreError> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let ask = cmd("SISMEMBER").arg(index.key()).arg("").to_owned();
        let _: bool = self.client.query(&ask).await?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.client.query(cmd("GET").arg(self.key(key))).await?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let key = self.key(key);
        match self.kept_index().await? {
            Some(index) => index.write(&self.client, &[key], &[value]).await,
            None => Ok(self.client.query(cmd("SET").arg(key).arg(value)).await?),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Ok(self.client.query(cmd("DEL").arg(self.key(key))).await?)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.client.query(cmd("EXISTS").arg(self.key(key))).await?)
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError> {
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.map_err(|_| StoreError::BadCursor(text.to_owned()))
        };
        match (cursor, &self.index) {
            (None, Some(index)) => {
                let pattern = self.pattern();
                match index.begin_listing(&self.client, &pattern).await? {
                    true => self.page_of_index(index, 0).await,
                    false => self.page_of_database(0).await,
                }
            }
            (None, None) => self.page_of_database(0).await,
            (Some(text), index) => match (text.strip_prefix(INDEX_CURSOR), index) {
                (Some(text), Some(index)) => self.page_of_index(index, number(text)?).await,
                _ => self.page_of_database(number(text)?).await,
            },
        }
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self
            .client
            .query(cmd("MGET").arg(self.keys_of(keys)))
            .await?)
    }

    async fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let keys = pairs.iter().map(|(key, _)| self.key(key));
        if let Some(index) = self.kept_index().await? {
            let values: Vec<&[u8]> = pairs.iter().map(|(_, value)| value.as_slice()).collect();
            let keys: Vec<String> = keys.collect();
            return index.write(&self.client, &keys, &values).await;
        }
        let mut command = cmd("MSET");
        for (key, (_, value)) in keys.zip(pairs) {
            command.arg(key).arg(value);
        }
        Ok(self.client.query(&command).await?)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = self.keys_of(keys);
        Ok(self.client.query(cmd("DEL").arg(keys)).await?)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let index = self.kept_index().await?;
        let stored = self.key(key);
        let added = self
            .client
            .query(cmd("INCRBY").arg(&stored).arg(delta))
            .await;
        let sum = added.map_err(|error| match &error {
            RedisClientError::ErrorReply(refusal)
                if refusal.kind() == redis::ErrorKind::Server(ServerErrorKind::ResponseError) =>
            {
                if refusal
                    .detail()
                    .is_some_and(|detail| detail.contains("overflow"))
                {
                    StoreError::Overflow(key.to_owned())
                } else {
                    StoreError::NotACounter(key.to_owned())
                }
            }
            _ => error.into(),
        })?;
        if let Some(index) = index {
            index.add(&self.client, &[&stored]).await?;
        }
        Ok(sum)
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let mut script = COMPARE_AND_SWAP.key(self.key(key));
        if let Some(index) = self.kept_index().await? {
            script.key(index.key());
        }
        if let Some(expected) = expected {
            script.arg(expected);
        }
        script.arg(new);
        Ok(self.client.invoke(&script).await?)
    }
}

/// A pattern that matches only the text.
fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let special = matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-');
            special.then_some('\\').into_iter().chain([letter])
        })
        .collect()
}
