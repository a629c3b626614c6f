//! The Redis servers that guests reach through `spin:redis`: the platform's own address, or any other server.
//!
//! Guests publish events with `XADD` and `PUBLISH` on the address in `spin.toml`. The host serves that address itself:
//! from the event log and two tables ([`embedded`]), or through the server of `--redis-url` ([`redis`]). The address is
//! then only a name. Every other address is a real connection, as in stock Spin.
//!
//! Whatever leads to a server with the event log or a key-value store is guarded: [`guard`] checks each command against
//! the grants of the component, also when the address has another name or selects another database.
//!
//! Each typed function of the interface is a Redis command with arguments.

pub mod embedded;
mod guard;
pub mod redis;
mod server_identity;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use self::embedded::EmbeddedServer;
use self::redis::{DedicatedConnection, PlatformConnection};
use self::server_identity::{GuardedServer, leads_to_any};
use crate::availability::BackendError;
use crate::host_call_timeout::HostCallTimedOut;
use config::policy::RedisGrants;
use config::without_credentials;
use event_log::{EmbeddedLog, LogError};
use storage::database::{CommitWatermark, Database, DatabaseError};
use storage::redis_client::{RedisClient, RedisClientError, canonical_address};

/// One item of a reply; nested replies are flattened, as in stock Spin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisReply {
    Nil,
    Status(String),
    Int64(i64),
    Binary(Vec<u8>),
}

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("`{0}` is not a redis address")]
    InvalidAddress(String),
    #[error("the value is of another type")]
    Type,
    /// The error reply of the server, or of the host in its place.
    #[error("{0}")]
    Refused(String),
    /// The component may not do this.
    #[error("{0}")]
    Denied(String),
    #[error(transparent)]
    Redis(RedisClientError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    HostCallTimedOut(#[from] HostCallTimedOut),
}

/// Opens the Redis connections of guests.
pub struct Bus {
    /// The platform's address, in canonical form.
    address: Option<String>,
    platform: PlatformServer,
    /// The servers with the event log or a key-value store.
    guarded: Vec<GuardedServer>,
}

enum PlatformServer {
    Embedded(Arc<EmbeddedServer>, Arc<Database>),
    Redis(Arc<RedisClient>),
}

/// A connection that a guest has opened.
pub struct BusConnection {
    server: Box<dyn CommandExecutor>,
    /// The embedded database, if a command must wait until its earlier writes are durable: the server is outside of
    /// this process.
    after: Option<Arc<Database>>,
    /// The grants of the component, if the server is guarded.
    grants: Option<Arc<RedisGrants>>,
}

/// A server that executes commands.
#[async_trait]
trait CommandExecutor: Send + Sync {
    async fn execute(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisReply>, BusError>;
}

// === impl Bus ===

impl Bus {
    /// Serves the address from this log and this database. The key-value stores of the runtime configuration are on the
    /// servers in `stores`.
    ///
    /// # Errors
    /// If the tables cannot be created.
    pub fn embedded(
        address: &str,
        log: Arc<EmbeddedLog>,
        database: Arc<Database>,
        stores: Vec<Arc<RedisClient>>,
    ) -> Result<Self, DatabaseError> {
        Ok(Self {
            address: canonical_address(address),
            platform: PlatformServer::Embedded(
                Arc::new(EmbeddedServer::open(log, database.clone())?),
                database,
            ),
            guarded: stores.into_iter().map(GuardedServer::new).collect(),
        })
    }

    /// Serves the address through this server. The key-value stores of the runtime configuration are on the servers in
    /// `stores`.
    pub fn redis(address: &str, client: Arc<RedisClient>, stores: Vec<Arc<RedisClient>>) -> Self {
        let guarded = std::iter::once(client.clone()).chain(stores);
        Self {
            address: canonical_address(address),
            platform: PlatformServer::Redis(client),
            guarded: guarded.map(GuardedServer::new).collect(),
        }
    }

    /// Opens a connection of a component with these grants. The caller has checked that it may use the address.
    ///
    /// # Errors
    /// If the text is not an address, the server of another address cannot be reached, or it cannot be told whether it
    /// is a guarded one.
    pub async fn open(
        &self,
        address: &str,
        grants: &Arc<RedisGrants>,
    ) -> Result<BusConnection, BusError> {
        let canonical = canonical_address(address);
        if canonical.is_none() {
            return Err(BusError::InvalidAddress(without_credentials(address)));
        }
        if canonical != self.address {
            let after = match &self.platform {
                PlatformServer::Embedded(_, database) => Some(database.clone()),
                PlatformServer::Redis(_) => None,
            };
            let server = DedicatedConnection::open(address).await?;
            let is_guarded = leads_to_any(&self.guarded, &server).await?;
            return Ok(BusConnection {
                server: Box::new(server),
                after,
                grants: is_guarded.then(|| grants.clone()),
            });
        }
        let server: Box<dyn CommandExecutor> = match &self.platform {
            PlatformServer::Embedded(embedded, _) => Box::new(embedded.clone()),
            PlatformServer::Redis(client) => Box::new(PlatformConnection(client.clone())),
        };
        Ok(BusConnection {
            server,
            after: None,
            grants: Some(grants.clone()),
        })
    }
}

// === impl BusConnection ===

impl BusConnection {
    /// Publishes a message on the channel. On the embedded platform address it is not stored: the append to the stream
    /// has already woken the consumers.
    ///
    /// # Errors
    /// As [`BusConnection::execute`].
    pub async fn publish(&self, channel: &str, payload: Vec<u8>) -> Result<(), BusError> {
        let arguments = vec![channel.into(), payload];
        self.execute("PUBLISH", arguments).await.map(drop)
    }

    /// Returns the value of a key, or `None` if it has no value.
    ///
    /// # Errors
    /// As [`BusConnection::execute`], or if the key holds no string.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BusError> {
        match self.one("GET", vec![key.into()]).await? {
            RedisReply::Binary(value) => Ok(Some(value)),
            RedisReply::Nil => Ok(None),
            RedisReply::Status(_) | RedisReply::Int64(_) => Err(BusError::Type),
        }
    }

    /// Writes a value, and replaces an earlier one.
    ///
    /// # Errors
    /// As [`BusConnection::execute`].
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), BusError> {
        self.execute("SET", vec![key.into(), value]).await.map(drop)
    }

    /// Adds one to a counter, and returns the sum.
    ///
    /// # Errors
    /// As [`BusConnection::execute`], or if the key holds no number.
    pub async fn incr(&self, key: &str) -> Result<i64, BusError> {
        match self.one("INCR", vec![key.into()]).await? {
            RedisReply::Int64(sum) => Ok(sum),
            RedisReply::Nil | RedisReply::Status(_) | RedisReply::Binary(_) => Err(BusError::Type),
        }
    }

    /// Removes keys, and returns how many existed.
    ///
    /// # Errors
    /// As [`BusConnection::execute`].
    pub async fn del(&self, keys: &[String]) -> Result<u32, BusError> {
        self.count("DEL", bytes(keys)).await
    }

    /// Adds members to a set, and returns how many are new.
    ///
    /// # Errors
    /// As [`BusConnection::execute`], or if the key holds no set.
    pub async fn sadd(&self, key: &str, members: &[String]) -> Result<u32, BusError> {
        self.count("SADD", keyed(key, members)).await
    }

    /// Removes members of a set, and returns how many existed.
    ///
    /// # Errors
    /// As [`BusConnection::execute`], or if the key holds no set.
    pub async fn srem(&self, key: &str, members: &[String]) -> Result<u32, BusError> {
        self.count("SREM", keyed(key, members)).await
    }

    /// Returns the members of a set.
    ///
    /// # Errors
    /// As [`BusConnection::execute`], or if the key holds no set of texts.
    pub async fn smembers(&self, key: &str) -> Result<Vec<String>, BusError> {
        let answer = self.execute("SMEMBERS", vec![key.into()]).await?;
        let text = |answer| match answer {
            RedisReply::Binary(member) => String::from_utf8(member).map_err(|_| BusError::Type),
            RedisReply::Nil | RedisReply::Status(_) | RedisReply::Int64(_) => Err(BusError::Type),
        };
        answer.into_iter().map(text).collect()
    }

    /// Executes any command.
    ///
    /// # Errors
    /// If the component may not use a key of the command, if the server cannot be reached or replies with an error, or
    /// if the embedded server does not know the command.
    pub async fn execute(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisReply>, BusError> {
        if let Some(grants) = &self.grants {
            guard::check(grants, command, &arguments)?;
        }
        if let Some(database) = &self.after {
            CommitWatermark::from_now(database).wait_durable().await?;
        }
        self.server.execute(command, arguments).await
    }

    async fn one(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<RedisReply, BusError> {
        let answer = self.execute(command, arguments).await?;
        answer.into_iter().next().ok_or(BusError::Type)
    }

    async fn count(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<u32, BusError> {
        match self.one(command, arguments).await? {
            RedisReply::Int64(count) => u32::try_from(count).map_err(|_| BusError::Type),
            RedisReply::Nil | RedisReply::Status(_) | RedisReply::Binary(_) => Err(BusError::Type),
        }
    }
}

// === impl BusError ===

impl BackendError for BusError {
    fn is_unavailable(&self) -> bool {
        match self {
            Self::Redis(_) | Self::HostCallTimedOut(_) => true,
            Self::Log(error) => !matches!(error, LogError::Damaged(_)),
            Self::InvalidAddress(_) | Self::Type | Self::Refused(_) | Self::Denied(_) => false,
        }
    }
}

impl From<RedisClientError> for BusError {
    fn from(error: RedisClientError) -> Self {
        match error {
            RedisClientError::ErrorReply(refusal) if refusal.code() == Some("WRONGTYPE") => {
                Self::Type
            }
            RedisClientError::ErrorReply(refusal) => Self::Refused(refusal.to_string()),
            RedisClientError::InvalidAddress(error) => Self::InvalidAddress(error.to_string()),
            RedisClientError::Unavailable { .. } => Self::Redis(error),
        }
    }
}

impl From<rusqlite::Error> for BusError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<DatabaseError> for BusError {
    fn from(error: DatabaseError) -> Self {
        Self::Log(error.into())
    }
}

fn bytes(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.clone().into_bytes()).collect()
}

fn keyed(key: &str, members: &[String]) -> Vec<Vec<u8>> {
    let mut arguments = vec![key.as_bytes().to_vec()];
    arguments.extend(bytes(members));
    arguments
}
