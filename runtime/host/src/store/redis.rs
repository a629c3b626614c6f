//! A store on a Redis server, in the key layout of stock Spin: one Redis string per key.
//!
//! Without a prefix the keys are those of Spin, so that both hosts can share them; all labels on one address are then
//! one keyspace, as in Spin. With `--redis-url` alone, each label is a prefix. A counter is stored in ASCII, as `INCRBY`
//! stores it.

use std::sync::Arc;
use std::sync::LazyLock;

use async_trait::async_trait;
use redis::{Script, ServerErrorKind, cmd};

use super::{KeyPage, KeyValue, StoreError};
use storage::redis_client::{RedisClient, RedisClientError};

/// Writes ARGV[2] if the value of the key is ARGV[1]. With one argument, writes it if the key has no value.
static COMPARE_AND_SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local present = redis.call('GET', KEYS[1])
         if #ARGV == 1 then
             if present then return 0 end
             redis.call('SET', KEYS[1], ARGV[1])
             return 1
         end
         if present ~= ARGV[1] then return 0 end
         redis.call('SET', KEYS[1], ARGV[2])
         return 1",
    )
});

/// A write that changes nothing, in a script: refused by a server that is a replica, has no memory left, or cannot write
/// its file, and for a user without the permission to write or to run scripts.
static PROBE: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('SETRANGE', KEYS[1], 0, '')"));

/// The number of keys that the server examines for one page; fewer of them may have the prefix.
const SCAN_COUNT: usize = 1000;

/// The keys under one prefix.
pub struct RedisStore {
    client: Arc<RedisClient>,
    prefix: String,
}

impl RedisStore {
    /// All keys of the database, as stock Spin sees them.
    pub fn raw(client: Arc<RedisClient>) -> Self {
        Self {
            client,
            prefix: String::new(),
        }
    }

    /// The keys `<label>:…`.
    pub fn labelled(client: Arc<RedisClient>, label: &str) -> Self {
        Self {
            client,
            prefix: format!("{label}:"),
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn keys_of(&self, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.key(key)).collect()
    }
}

#[async_trait]
impl KeyValue for RedisStore {
    fn system(&self) -> &'static str {
        "redis"
    }

    fn backend(&self) -> String {
        self.client.address().to_owned()
    }

    async fn check(&self) -> Result<(), StoreError> {
        let script = PROBE.key(self.key("socar-readiness"));
        Ok(self.client.invoke(&script).await?)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.client.query(cmd("GET").arg(self.key(key))).await?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        Ok(self
            .client
            .query(cmd("SET").arg(self.key(key)).arg(value))
            .await?)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Ok(self.client.query(cmd("DEL").arg(self.key(key))).await?)
    }

    async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.client.query(cmd("EXISTS").arg(self.key(key))).await?)
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<KeyPage, StoreError> {
        let mut at: u64 = match cursor {
            None => 0,
            Some(text) => text
                .parse()
                .map_err(|_| StoreError::BadCursor(text.to_owned()))?,
        };
        let pattern = format!("{}*", escape(&self.prefix));
        loop {
            let (next, found): (u64, Vec<Vec<u8>>) = self
                .client
                .query(
                    cmd("SCAN")
                        .arg(at)
                        .arg(&["MATCH", &pattern])
                        .arg("COUNT")
                        .arg(SCAN_COUNT)
                        .arg(&["TYPE", "string"]),
                )
                .await?;
            // A key that is not UTF-8 comes from another program; a guest cannot name it.
            let keys: Vec<String> = found
                .into_iter()
                .filter_map(|key| String::from_utf8(key).ok())
                .filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned))
                .collect();
            if !keys.is_empty() || next == 0 {
                let cursor = (next != 0).then(|| next.to_string());
                return Ok(KeyPage { keys, cursor });
            }
            at = next;
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
        let mut command = cmd("MSET");
        for (key, value) in pairs {
            command.arg(self.key(key)).arg(value);
        }
        Ok(self.client.query(&command).await?)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        Ok(self
            .client
            .query(cmd("DEL").arg(self.keys_of(keys)))
            .await?)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let added = self
            .client
            .query(cmd("INCRBY").arg(self.key(key)).arg(delta))
            .await;
        added.map_err(|error| match &error {
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
        })
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        let mut script = COMPARE_AND_SWAP.key(self.key(key));
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
