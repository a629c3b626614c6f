//! Shared backends of all components: the embedded database, the Redis server of `--redis-url`, and the event log.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::bus::Bus;
use crate::log_location;
use crate::trace::Trace;
use config::runtime_config::{KeyValueStore, RuntimeConfig};
use event_log::{EmbeddedLog, EventLog, RedisLog};
use storage::database::Database;
use storage::redis_client::RedisClient;
use storage::temporary_files;
use tracing::warn;

/// Time limit for reading the configuration of the Redis server, because the start waits for it.
const WARNINGS_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum length of the name of a host, in bytes.
const MAX_HOST_NAME: usize = 64;

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
        if let Err(error) = temporary_files::keep_in(state) {
            warn!(%error, "SQLite keeps its temporary files in a directory of the system");
        }
        let host = host_name(state)?;
        let address = address.unwrap_or_default();
        let redis = redis_url.map(RedisClient::new).transpose();
        let redis = redis.context("--redis-url")?;
        log_location::record(state, redis.as_deref())?;
        let Some(redis) = redis else {
            let log = EmbeddedLog::open(database.clone());
            // Damage that it has met is the better cause: it names the file and the remedy.
            database.check_damage()?;
            let log = Arc::new(log?);
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
            Ok(Err(error)) if !error.is_unavailable() => vec![format!(
                "it is not known whether the Redis of the event log keeps what is written to it: {error}"
            )],
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
/// A power failure can leave the file empty or full of zeros. That is no name: all hosts that it has happened to would
/// have the same one.
///
/// # Errors
/// When the state directory is not writable.
pub fn host_name(state: &Path) -> anyhow::Result<String> {
    let path = state.join("host-id");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let stored = stored.trim();
    if is_host_name(stored) {
        return Ok(stored.to_owned());
    }
    new_host_name(state)
}

/// Gives this host a new name.
///
/// # Errors
/// When the state directory is not writable.
pub fn new_host_name(state: &Path) -> anyhow::Result<String> {
    let path = state.join("host-id");
    let name = Trace::fresh().id().get(..16).unwrap_or("host").to_owned();
    write_durably(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(name)
}

/// Whether a text can be part of the name of a consumer group: `component@host`.
fn is_host_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=MAX_HOST_NAME).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_keeps_temporary_files_in_a_state_directory() {
        let state = tempfile::tempdir().unwrap();
        Backends::open(state.path(), None, None, &RuntimeConfig::default()).unwrap();
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let directory = connection
            .pragma_query_value(None, "temp_store_directory", |row| row.get::<_, String>(0));
        // That of the first state directory which a test of this process has opened.
        assert!(!directory.unwrap().is_empty());
    }

    #[test]
    fn the_client_can_use_every_address_that_the_configuration_accepts() {
        let schemes = ["redis://", "rediss://", "REDIS://", "valkey://", "unix://"];
        let users = [
            "",
            ":pw@",
            "u@",
            "u:p%40@",
            "%ff@",
            "u:%ff@",
            "a@b@",
            "u:%EA%B0%80@",
            "u:a b@",
        ];
        let hosts = [
            "h",
            "",
            "0.0.0.0",
            "0",
            "127.1",
            "[::1]",
            "[::]",
            "[0::0]",
            "[::ffff:0.0.0.0]",
            "%30.0.0.0",
            "h\u{ac00}",
        ];
        let ports = ["", ":", ":1", ":65536", ":x"];
        let ends = [
            "",
            "/",
            "/0",
            "/16",
            "/-1",
            "/x",
            "/0/",
            "/0/1",
            "?protocol=2",
            "/1?protocol=4",
            "?protocol=%33",
            "?a=b",
            "#",
            "#x",
            "/#insecure",
        ];
        let mut accepted = 0;
        for scheme in schemes {
            for (user, host) in users.iter().flat_map(|user| hosts.map(|host| (user, host))) {
                for (port, end) in ports.iter().flat_map(|port| ends.map(|end| (port, end))) {
                    let address = format!("{scheme}{user}{host}{port}{end}");
                    if config::redis_url::check(&address).is_ok() {
                        accepted += 1;
                        assert!(RedisClient::new(&address).is_ok(), "{address}");
                    }
                }
            }
        }
        assert!(accepted > 100, "{accepted}");
    }

    #[test]
    fn a_host_keeps_the_name_in_its_state_directory() {
        let state = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let name = host_name(state.path()).unwrap();
        assert_eq!(host_name(state.path()).unwrap(), name);
        assert_ne!(host_name(other.path()).unwrap(), name);
    }

    #[test]
    fn what_is_no_name_of_a_host_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("host-id");
        let long = "x".repeat(MAX_HOST_NAME + 1);
        for damaged in ["", "\n", "\0\0\0\0", "a b", "a@b", "\u{fffd}", &long] {
            std::fs::write(&file, damaged).unwrap();
            let name = host_name(state.path()).unwrap();
            assert!(is_host_name(&name), "{damaged:?}: {name:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), name);
        }
        std::fs::write(&file, "socar-0.pods_1\n").unwrap();
        assert_eq!(host_name(state.path()).unwrap(), "socar-0.pods_1");
    }
}
