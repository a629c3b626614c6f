//! A Redis server, reached over one multiplexed connection that reconnects by itself.
//!
//! All callers share the connection. A command waits at most [`CONNECT_TIMEOUT`] for a connection and
//! [`RESPONSE_TIMEOUT`] for its reply. The client notices a lost connection when the server closes it, not when the next
//! command fails, so the first command after a restart of Redis gets a new connection. While the server is unreachable,
//! commands fail at once instead of each waiting for its own attempt to connect.
//!
//! The client never repeats a command whose reply was lost: only the caller knows whether that is safe.

mod address;
mod connection;
mod error;
mod gathering_stream;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, ScriptInvocation};

use crate::work::{CountedCommand, count_command, count_commands};

use self::connection::{ConnectionState, InFlightCommand, SharedConnection};

pub use self::address::canonical_address;
pub use self::error::RedisClientError;

/// The longest time that opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time that a reply may take; longer than the pause of a server that waits for its disk.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The time for which a failed connection attempt counts for all callers.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);

/// The number of commands that may be queued for the socket before callers wait.
const PIPELINE_CAPACITY: usize = 512;

/// A client of one Redis server.
pub struct RedisClient {
    /// Opens the shared connection. RESP3 has push messages, which report the loss of the connection.
    resp3: Client,
    /// Opens dedicated connections. With RESP2, guests get the replies that stock Spin gives them.
    resp2: Client,
    address: String,
    state: Mutex<ConnectionState>,
    /// Held while connecting, so that one caller connects for all.
    connecting: tokio::sync::Mutex<()>,
}

impl RedisClient {
    /// A client of the server at `redis://[user:password@]host[:port][/database]`. It connects with the first command.
    ///
    /// # Errors
    /// [`RedisClientError::InvalidAddress`] if the text is not such an address.
    pub fn new(address: &str) -> Result<Arc<Self>, RedisClientError> {
        let (resp3, resp2) = address::clients(address)?;
        Ok(Arc::new(Self {
            address: resp3.get_connection_info().addr().to_string(),
            resp3,
            resp2,
            state: Mutex::new(ConnectionState::default()),
            connecting: tokio::sync::Mutex::new(()),
        }))
    }

    /// The address of the server, without credentials and database.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Runs one command.
    ///
    /// # Errors
    /// If the server is unavailable or replies with an error.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisClientError> {
        let mut shared = self.connection().await?;
        let in_flight = InFlightCommand::on(&shared);
        count_command(CountedCommand::Plain);
        let reply = command.query_async(&mut shared.connection).await;
        in_flight.completed();
        self.check(&shared, reply)
    }

    /// Runs several commands in one round trip, and discards their replies. Without commands, it does nothing.
    ///
    /// # Errors
    /// If the server is unavailable or replies to a command with an error.
    pub async fn pipeline(&self, commands: &[Cmd]) -> Result<(), RedisClientError> {
        if commands.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command.clone()).ignore();
        }
        let mut shared = self.connection().await?;
        let in_flight = InFlightCommand::on(&shared);
        count_commands(CountedCommand::Plain, commands.len());
        let reply = pipeline.query_async(&mut shared.connection).await;
        in_flight.completed();
        self.check(&shared, reply)
    }

    /// Runs a script. The server keeps its text after the first time.
    ///
    /// # Errors
    /// If the server is unavailable, or the script fails.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RedisClientError> {
        let mut shared = self.connection().await?;
        let in_flight = InFlightCommand::on(&shared);
        count_command(CountedCommand::Script);
        let reply = script.invoke_async(&mut shared.connection).await;
        in_flight.completed();
        reply.map_err(|error| {
            shared.note_error(&error);
            RedisClientError::classify_script(&self.address, error)
        })
    }

    /// Opens a connection that is not shared, for commands that block or that change the state of their connection.
    /// A reply on it may take up to `response_timeout`.
    ///
    /// # Errors
    /// If the server is unavailable or replies with an error.
    pub async fn dedicated(
        &self,
        response_timeout: Duration,
    ) -> Result<MultiplexedConnection, RedisClientError> {
        self.resp2
            .get_multiplexed_async_connection_with_config(&settings(response_timeout))
            .await
            .map_err(|error| self.not_connected(error))
    }

    /// The meaning of an error on one of the connections of this client.
    pub fn error(&self, source: RedisError) -> RedisClientError {
        RedisClientError::classify(&self.address, source)
    }

    async fn connection(&self) -> Result<SharedConnection, RedisClientError> {
        if let Some(shared) = self.current()? {
            return Ok(shared);
        }
        let _turn = self.connecting.lock().await;
        // Another caller may have connected meanwhile.
        if let Some(shared) = self.current()? {
            return Ok(shared);
        }
        let connected = SharedConnection::open(&self.resp3, settings(RESPONSE_TIMEOUT)).await;
        match connected {
            Ok(shared) => {
                *self.state.lock() = ConnectionState::Connected(shared.clone());
                Ok(shared)
            }
            Err(error) => {
                *self.state.lock() = ConnectionState::Disconnected {
                    since: Instant::now(),
                    error: error.clone(),
                };
                Err(self.not_connected(error))
            }
        }
    }

    /// The connection if there is one, or the error of an attempt within the last [`RECONNECT_INTERVAL`].
    fn current(&self) -> Result<Option<SharedConnection>, RedisClientError> {
        match &*self.state.lock() {
            ConnectionState::Connected(shared) if !shared.is_lost() => Ok(Some(shared.clone())),
            ConnectionState::Disconnected { since, error }
                if since.elapsed() < RECONNECT_INTERVAL =>
            {
                Err(self.not_connected(error.clone()))
            }
            _ => Ok(None),
        }
    }

    fn check<T>(
        &self,
        shared: &SharedConnection,
        reply: Result<T, RedisError>,
    ) -> Result<T, RedisClientError> {
        reply.map_err(|error| {
            shared.note_error(&error);
            self.error(error)
        })
    }

    fn not_connected(&self, source: RedisError) -> RedisClientError {
        RedisClientError::not_connected(&self.address, source)
    }
}

fn settings(response_timeout: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response_timeout))
        .set_pipeline_buffer_size(PIPELINE_CAPACITY)
}
