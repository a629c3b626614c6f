//! Shared backends of all components: the embedded database, the Redis server of `--redis-url`, and the event log.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::bus::Bus;
use crate::trace::Trace;
use config::runtime_config::{KeyValueStore, RuntimeConfig};
use event_log::{EmbeddedLog, EventLog, RedisLog};
use storage::database::Database;
use storage::redis_client::RedisClient;

/// Time limit for reading the configuration of the Redis server, because the start waits for it.
const WARNINGS_TIMEOUT: Duration = Duration::from_secs(1);

/// State shared by all components.
pub struct Backends {
    /// The embedded database file.
    pub database: Arc<Database>,
    /// Client of the server of `--redis-url`.
    pub redis: Option<Arc<RedisClient>>,
    /// The event log, embedded or on Redis.
    pub log: Arc<dyn EventLog>,
    /// Backend of the `spin:redis` interface.
    pub bus: Arc<Bus>,
    /// Name of this host among the hosts that share the event log.
    pub host: String,
    /// The same event log when it is on Redis.
    redis_log: Option<Arc<RedisLog>>,
}

impl Backends {
    /// Opens the backends in the state directory. A connection to a Redis server is opened on first use.
    ///
    /// # Errors
    /// When the state directory cannot be used, or a Redis URL is not valid.
    pub fn open(
        state: &Path,
        address: Option<&str>,
        redis_url: Option<&str>,
        runtime: &RuntimeConfig,
    ) -> anyhow::Result<Self> {
        let stores = redis_stores(runtime)?;
        let database = Database::open(&state.join("socar.db"))?;
        let host = host_name(state)?;
        let address = address.unwrap_or_default();
        let Some(url) = redis_url else {
            let log = Arc::new(EmbeddedLog::open(database.clone())?);
            let bus = Bus::embedded(address, log.clone(), database.clone(), stores)?;
            return Ok(Self {
                database,
                redis: None,
                log,
                bus: Arc::new(bus),
                host,
                redis_log: None,
            });
        };
        let redis = RedisClient::new(url).context("--redis-url")?;
        let log = Arc::new(RedisLog::new(redis.clone()));
        let bus = Arc::new(Bus::redis(address, redis.clone(), stores));
        Ok(Self {
            database,
            redis: Some(redis),
            redis_log: Some(log.clone()),
            log,
            bus,
            host,
        })
    }

    /// Returns warnings about settings of the Redis server that endanger the event log; empty when it does not respond
    /// within 1 s.
    pub async fn warnings(&self) -> Vec<String> {
        let Some(log) = &self.redis_log else {
            return Vec::new();
        };
        match tokio::time::timeout(WARNINGS_TIMEOUT, log.warnings()).await {
            Ok(Ok(warnings)) => warnings,
            // A later command reports the unavailable server.
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

/// The servers of the key-value stores that the runtime configuration puts on a Redis.
fn redis_stores(runtime: &RuntimeConfig) -> anyhow::Result<Vec<Arc<RedisClient>>> {
    let urls = runtime
        .key_value_stores
        .values()
        .filter_map(|store| match store {
            KeyValueStore::Redis { url } => Some(url.as_str()),
            KeyValueStore::Spin { .. } => None,
        });
    let urls: BTreeSet<&str> = urls.collect();
    let clients = urls.into_iter().map(|url| Ok(RedisClient::new(url)?));
    clients.collect()
}

/// Returns the name of this host among the hosts that share an event log: generated once, stored in the state directory.
///
/// # Errors
/// When the state directory is not writable.
pub fn host_name(state: &Path) -> anyhow::Result<String> {
    let path = state.join("host-id");
    if let Ok(name) = std::fs::read_to_string(&path) {
        let name = name.trim();
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
    }
    let name = Trace::fresh().id().get(..16).unwrap_or("host").to_owned();
    std::fs::write(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_keeps_the_name_in_its_state_directory() {
        let state = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let name = host_name(state.path()).unwrap();
        assert_eq!(host_name(state.path()).unwrap(), name);
        assert_ne!(host_name(other.path()).unwrap(), name);
    }
}
