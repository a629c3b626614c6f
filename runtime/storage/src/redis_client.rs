//! A Redis server, reached over one multiplexed connection that heals itself.
//!
//! Whoever asks shares the connection; nobody waits for it longer than [`CONNECT_TIMEOUT`] plus
//! [`RESPONSE_TIMEOUT`]. A lost connection is noticed when the server closes it, not when the next command
//! fails, so after a restart of Redis the first command finds a fresh one. While the server is
//! away, commands fail at once instead of each waiting its turn to find out.
//!
//! A command whose answer was lost is never repeated here: only the caller knows whether that is
//! safe.

#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo,
    ProtocolVersion, RedisError, ScriptInvocation, ServerErrorKind,
};

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an answer may take; above the pause of a server that waits for its disk.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a caller must have waited in vain, before he left, for the connection to count as hung.
const HUNG_AFTER: Duration = Duration::from_secs(1);

/// How long a refused connection stands for everybody's.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);

/// Commands that may be queued for the socket before callers wait.
const PIPELINE_CAPACITY: usize = 512;

/// One Redis server.
pub struct RedisClient {
    /// For the shared connection: RESP3, whose pushes include the news that it was lost.
    client: Client,
    /// For connections of their own: RESP2, so that guests see the answers stock Spin gives them.
    resp2: Client,
    address: String,
    state: Mutex<ConnectionState>,
    /// Held while connecting, so that one caller does it for all.
    connecting: tokio::sync::Mutex<()>,
}

enum ConnectionState {
    Disconnected {
        since: Instant,
        error: Option<RedisError>,
    },
    Connected(SharedConnection),
}

#[derive(Clone)]
struct SharedConnection {
    connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

/// A question on its way. A caller whose own time is over leaves before [`RESPONSE_TIMEOUT`] has told anybody that the server
/// hangs: what he has seen of it counts.
struct InFlightCommand {
    lost: Option<Arc<AtomicBool>>,
    since: Instant,
}

/// What went wrong with a Redis server.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    #[error("`{address}` is no usable redis address")]
    InvalidAddress { address: String, source: RedisError },
    /// The server cannot be reached, or did not answer: what was asked may or may not be done.
    #[error("redis at {address} is unavailable")]
    Unavailable { address: String, source: RedisError },
    /// The server answered that it will not do it.
    #[error("redis refused: {0}")]
    ErrorReply(RedisError),
}

// === impl RedisClient ===

impl RedisClient {
    /// The server at `redis://[user:password@]host[:port][/database]`. Nothing is connected yet.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(address: &str) -> Result<Arc<Self>, RedisClientError> {
        let (client, resp2) =
            clients(address).map_err(|source| RedisClientError::InvalidAddress {
                address: without_password(address),
                source,
            })?;
        Ok(Arc::new(Self {
            address: client.get_connection_info().addr().to_string(),
            client,
            resp2,
            state: Mutex::new(ConnectionState::Disconnected {
                since: Instant::now(),
                error: None,
            }),
            connecting: tokio::sync::Mutex::new(()),
        }))
    }

    /// Runs one command.
    ///
    /// # Errors
    /// If the server is unavailable or refuses.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisClientError> {
        let mut shared = self.shared().await?;
        let in_flight = InFlightCommand::through(&shared);
        let answer = command.query_async(&mut shared.connection).await;
        in_flight.completed();
        self.classify(&shared, answer)
    }

    /// Runs a script, which the server keeps after the first time.
    ///
    /// # Errors
    /// If the server is unavailable, or the script fails.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RedisClientError> {
        let mut shared = self.shared().await?;
        let in_flight = InFlightCommand::through(&shared);
        let answer = script.invoke_async(&mut shared.connection).await;
        in_flight.completed();
        self.classify(&shared, answer)
    }

    /// A connection that nobody shares, for commands that wait or that change the connection.
    ///
    /// # Errors
    /// If the server is unavailable or refuses.
    pub async fn dedicated(
        &self,
        respond: Duration,
    ) -> Result<MultiplexedConnection, RedisClientError> {
        self.resp2
            .get_multiplexed_async_connection_with_config(&settings(respond))
            .await
            .map_err(|error| self.error(error))
    }

    /// What an error from one of our connections means.
    pub fn error(&self, source: RedisError) -> RedisClientError {
        if is_unavailable(&source) {
            RedisClientError::Unavailable {
                address: self.address.clone(),
                source,
            }
        } else {
            RedisClientError::ErrorReply(source)
        }
    }

    async fn shared(&self) -> Result<SharedConnection, RedisClientError> {
        if let Some(shared) = self.current()? {
            return Ok(shared);
        }
        let _turn = self.connecting.lock().await;
        if let Some(shared) = self.current()? {
            return Ok(shared);
        }
        let lost = Arc::new(AtomicBool::new(false));
        let noticed = lost.clone();
        let settings = settings(RESPONSE_TIMEOUT).set_push_sender(move |push: redis::PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                noticed.store(true, Ordering::Release);
            }
            Ok::<(), redis::aio::SendError>(())
        });
        let connected = self
            .client
            .get_multiplexed_async_connection_with_config(&settings)
            .await;
        match connected {
            Ok(connection) => {
                let shared = SharedConnection { connection, lost };
                *self.state.lock() = ConnectionState::Connected(shared.clone());
                Ok(shared)
            }
            Err(error) => {
                *self.state.lock() = ConnectionState::Disconnected {
                    since: Instant::now(),
                    error: Some(error.clone()),
                };
                Err(self.error(error))
            }
        }
    }

    /// The connection if it lives, the error if the server was found away just now.
    fn current(&self) -> Result<Option<SharedConnection>, RedisClientError> {
        match &*self.state.lock() {
            ConnectionState::Connected(shared) if !shared.lost.load(Ordering::Acquire) => {
                Ok(Some(shared.clone()))
            }
            ConnectionState::Disconnected {
                since,
                error: Some(error),
            } if since.elapsed() < RECONNECT_INTERVAL => Err(self.error(error.clone())),
            ConnectionState::Connected(_) | ConnectionState::Disconnected { .. } => Ok(None),
        }
    }

    fn classify<T>(
        &self,
        shared: &SharedConnection,
        answer: Result<T, RedisError>,
    ) -> Result<T, RedisClientError> {
        answer.map_err(|error| {
            // A hung server answers nothing on this connection any more, and one that turned
            // into a replica may have a successor at the same address.
            if error.is_io_error() || error.is_unrecoverable_error() {
                shared.lost.store(true, Ordering::Release);
            }
            self.error(error)
        })
    }
}

// === impl InFlightCommand ===

impl InFlightCommand {
    fn through(shared: &SharedConnection) -> Self {
        Self {
            lost: Some(shared.lost.clone()),
            since: Instant::now(),
        }
    }

    fn completed(mut self) {
        self.lost = None;
    }
}

impl Drop for InFlightCommand {
    fn drop(&mut self) {
        if let Some(lost) = &self.lost
            && self.since.elapsed() >= HUNG_AFTER
        {
            lost.store(true, Ordering::Release);
        }
    }
}

// === impl RedisClientError ===

impl RedisClientError {
    /// Whether the same may well succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

fn is_unavailable(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Io => true,
        ErrorKind::Server(kind) => {
            matches!(
                kind,
                BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain
            )
        }
        // A script that is still running, a full memory: passing states of a server, too.
        _ => matches!(
            error.code(),
            Some("BUSY" | "OOM" | "MISCONF" | "NOREPLICAS")
        ),
    }
}

fn clients(address: &str) -> Result<(Client, Client), RedisError> {
    let info = address
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let speaking = |protocol| {
        let settings = info.redis_settings().clone().set_protocol(protocol);
        Client::open(info.clone().set_redis_settings(settings))
    };
    Ok((
        speaking(ProtocolVersion::RESP3)?,
        speaking(ProtocolVersion::RESP2)?,
    ))
}

fn settings(respond: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(respond))
        .set_pipeline_buffer_size(PIPELINE_CAPACITY)
}

/// The form in which addresses are compared: the server and its database, without credentials.
/// `None` if it is no redis address.
pub fn canonical_address(address: &str) -> Option<String> {
    let info = address.into_connection_info().ok()?;
    Some(format!("{}/{}", info.addr(), info.redis_settings().db()))
}

/// An address as it may be shown.
fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => address.to_owned(),
    }
}
