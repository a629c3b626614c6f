//! What lies under all components: the embedded database, the server of `--redis-url`, and the event log on one of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::bus::Bus;
use crate::trace::Trace;
use event_log::{EmbeddedLog, EventLog, RedisLog};
use storage::database::Database;
use storage::redis_client::RedisClient;

/// How long the server may take to say how it is set up: a start waits for it.
const ASK: Duration = Duration::from_secs(1);

/// The state that components share without knowing of each other.
pub struct Backends {
    /// The one embedded file.
    pub database: Arc<Database>,
    /// The server of `--redis-url`.
    pub redis: Option<Arc<RedisClient>>,
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// What components reach through `spin:redis`.
    pub bus: Arc<Bus>,
    /// The name of this host among those that share the log.
    pub host: String,
    /// The same log, if it is on the server.
    redis_log: Option<Arc<RedisLog>>,
}

impl Backends {
    /// Opens what is in the state directory; a Redis server is connected to when it is first needed.
    ///
    /// # Errors
    /// When the state directory cannot be used, or the URL is none.
    pub fn open(
        state: &Path,
        address: Option<&str>,
        redis_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        let database = Database::open(&state.join("socar.db"))?;
        let host = host_name(state)?;
        let address = address.unwrap_or_default();
        let Some(url) = redis_url else {
            let log = Arc::new(EmbeddedLog::open(database.clone())?);
            let bus = Bus::embedded(address, log.clone(), database.clone())?;
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
        let bus = Arc::new(Bus::redis(address, redis.clone()));
        Ok(Self {
            database,
            redis: Some(redis),
            redis_log: Some(log.clone()),
            log,
            bus,
            host,
        })
    }

    /// What is wrong with the server for a log that must not forget; nothing if it does not say in time.
    pub async fn warnings(&self) -> Vec<String> {
        let Some(log) = &self.redis_log else {
            return Vec::new();
        };
        match tokio::time::timeout(ASK, log.warnings()).await {
            Ok(Ok(warnings)) => warnings,
            // An absent server is told of by whoever needs it.
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

/// The name of this host among those that share a log: made up once, and kept with the state it stands for.
///
/// # Errors
/// When the state directory cannot be written to.
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
    fn a_host_keeps_its_name() {
        let state = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let name = host_name(state.path()).unwrap();
        assert_eq!(host_name(state.path()).unwrap(), name);
        assert_ne!(host_name(other.path()).unwrap(), name);
    }
}
