//! Where the dead letters are: at the running host of a state directory, in its files, or on a Redis server.
//!
//! A running host is asked through its admin listener. It knows whether its event log is embedded or on a Redis server,
//! and no second process then writes to its database.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::Value;

use crate::admin::client::RunningHost;
use crate::cli::DeadLettersOptions;
use crate::log_location;
use event_log::dead_letters;
use event_log::{EmbeddedLog, EntryId, EventLog, RedisLog};
use storage::database::{CommitWatermark, Database};
use storage::redis_client::RedisClient;

/// Dead letters that are read at a time.
const PAGE: usize = 100;

/// The source of the dead letters.
pub enum Letters {
    /// The host that uses the state directory.
    Host(RunningHost),
    /// The files of a stopped host.
    Embedded(Arc<Database>, EmbeddedLog),
    /// The server of `--redis-url`.
    Redis(RedisLog),
}

/// What is done with one letter.
#[derive(Clone, Copy)]
pub enum LetterOperation {
    Redrive,
    Discard,
}

// === impl Letters ===

impl Letters {
    /// Finds the source that the options name.
    ///
    /// # Errors
    /// When there is no such state directory, its files cannot be opened, or the URL is invalid.
    pub fn find(options: &DeadLettersOptions) -> anyhow::Result<Self> {
        if let Some(url) = &options.redis_url {
            let redis = RedisClient::new(url).context("--redis-url")?;
            return Ok(Self::Redis(RedisLog::new(redis)));
        }
        let state = options.state.find()?;
        if let Some(host) = RunningHost::find_running(&state, &options.token)? {
            return Ok(Self::Host(host));
        }
        if let Some(address) = log_location::redis_address(&state) {
            bail!(
                "the event log of {} is on the Redis server {address}: name it with --redis-url",
                state.display()
            );
        }
        let path = state.join("socar.db");
        anyhow::ensure!(
            path.exists(),
            "{} does not exist: name the state directory of a host, or its Redis server with --redis-url",
            path.display()
        );
        let database = Database::open(&path)?;
        let log = EmbeddedLog::open(database.clone())?;
        Ok(Self::Embedded(database, log))
    }

    /// Returns all letters, oldest first.
    ///
    /// # Errors
    /// When the source fails.
    pub async fn list(&self) -> anyhow::Result<Vec<Value>> {
        let mut letters: Vec<Value> = Vec::new();
        loop {
            let last = letters.last().and_then(|letter| letter["id"].as_str());
            let page = self.page(last).await?;
            let is_last = page.len() < PAGE;
            letters.extend(page);
            if is_last {
                return Ok(letters);
            }
        }
    }

    /// Returns one letter, or `None` if it does not exist.
    ///
    /// # Errors
    /// When the source fails.
    pub async fn show(&self, id: EntryId) -> anyhow::Result<Option<Value>> {
        match self.log() {
            Some(log) => {
                let letter = dead_letters::show(log, id).await?;
                Ok(letter.map(serde_json::to_value).transpose()?)
            }
            None => self.host(Method::GET, &format!("/dead-letters/{id}")).await,
        }
    }

    /// Redrives or discards a letter; `false` if it does not exist. When it returns, the change is durable.
    ///
    /// # Errors
    /// When the source fails.
    pub async fn act(&self, operation: LetterOperation, id: EntryId) -> anyhow::Result<bool> {
        let Some(log) = self.log() else {
            let (method, path) = match operation {
                LetterOperation::Redrive => (Method::POST, format!("/dead-letters/{id}/redrive")),
                LetterOperation::Discard => (Method::DELETE, format!("/dead-letters/{id}")),
            };
            return Ok(self.host(method, &path).await?.is_some());
        };
        let writes = match self {
            Self::Embedded(database, _) => Some(CommitWatermark::from_now(database)),
            _ => None,
        };
        let is_done = match operation {
            LetterOperation::Redrive => dead_letters::redrive(log, id).await?,
            LetterOperation::Discard => dead_letters::discard(log, id).await?,
        };
        if let Some(writes) = writes {
            writes.wait_durable().await?;
        }
        Ok(is_done)
    }

    async fn page(&self, last: Option<&str>) -> anyhow::Result<Vec<Value>> {
        let Some(log) = self.log() else {
            let after = last.map(|id| format!("&after={id}")).unwrap_or_default();
            let path = format!("/dead-letters?limit={PAGE}{after}");
            let page = self.host(Method::GET, &path).await?.unwrap_or_default();
            return Ok(page["letters"].as_array().cloned().unwrap_or_default());
        };
        let after = last.map(str::parse).transpose()?;
        let page = dead_letters::list(log, after, PAGE).await?;
        page.iter()
            .map(|letter| Ok(serde_json::to_value(letter)?))
            .collect()
    }

    fn log(&self) -> Option<&dyn EventLog> {
        match self {
            Self::Host(_) => None,
            Self::Embedded(_, log) => Some(log),
            Self::Redis(log) => Some(log),
        }
    }

    /// The answer of the host; `None` if it is 404.
    async fn host(&self, method: Method, path: &str) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Host(host) => host.find_resource(method, path).await,
            _ => Ok(None),
        }
    }
}
