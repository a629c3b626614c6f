//! The connection that all callers of a client share, and how its loss is noticed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisConnectionInfo, RedisError};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::CONNECT_TIMEOUT;
use super::gathering_stream::GatheringStream;

/// The time without a reply after which an abandoned command marks its connection as hung.
const HUNG_AFTER: Duration = Duration::from_secs(1);

/// The age from which a connection is replaced whose server does not serve its commands, so that it is not done with each of them.
const REPLACED_AFTER: Duration = Duration::from_secs(1);

/// Whether a client is connected.
#[derive(Default)]
pub(super) enum ConnectionState {
    /// Before the first command.
    #[default]
    New,
    /// The latest attempt to connect failed.
    Disconnected {
        since: Instant,
        error: RedisError,
    },
    Connected(SharedConnection),
}

/// A connection and the flag that reports its loss.
#[derive(Clone)]
pub(super) struct SharedConnection {
    pub connection: MultiplexedConnection,
    opened: Instant,
    lost: Arc<AtomicBool>,
    /// Absent if redis-rs keeps it.
    _driver: Option<Arc<Driver>>,
}

/// The task that sends and receives for a connection. It ends with the last user, even while a hung server owes replies.
struct Driver(AbortHandle);

/// A command whose reply is awaited. A caller that reaches its own deadline drops the command before
/// [`super::RESPONSE_TIMEOUT`] has shown that the server hangs; the drop marks the connection then.
pub(super) struct InFlightCommand {
    /// The flag of its connection, until the reply has arrived.
    lost: Option<Arc<AtomicBool>>,
    since: Instant,
}

// === impl SharedConnection ===

impl SharedConnection {
    pub async fn open(
        client: &Client,
        settings: AsyncConnectionConfig,
    ) -> Result<Self, RedisError> {
        let lost = Arc::new(AtomicBool::new(false));
        let on_push = lost.clone();
        let settings = settings.set_push_sender(move |push: redis::PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                on_push.store(true, Ordering::Release);
            }
            Ok::<(), redis::aio::SendError>(())
        });
        let info = client.get_connection_info();
        let (connection, driver) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let open = open_gathering(host, *port, info.redis_settings(), settings);
                let opened = timeout(CONNECT_TIMEOUT, open).await;
                let timed_out = |_| RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
                let (connection, driver) = opened.map_err(timed_out)??;
                (connection, Some(Arc::new(driver)))
            }
            _ => {
                let open = client.get_multiplexed_async_connection_with_config(&settings);
                (open.await?, None)
            }
        };
        Ok(Self {
            connection,
            opened: Instant::now(),
            lost,
            _driver: driver,
        })
    }

    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Notes an error on this connection. A hung server sends no more replies on it. A server that became a replica, or whose
    /// password was changed, may serve a new connection: the address may lead to its successor.
    pub fn note_error(&self, error: &RedisError) {
        let may_succeed_on_another = matches!(error.code(), Some("READONLY" | "NOAUTH"))
            && self.opened.elapsed() >= REPLACED_AFTER;
        if error.is_io_error() || error.is_unrecoverable_error() || may_succeed_on_another {
            self.mark_lost();
        }
    }

    /// Makes the next command open a new connection.
    fn mark_lost(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

/// Opens a connection whose commands are gathered.
async fn open_gathering(
    host: &str,
    port: u16,
    redis: &RedisConnectionInfo,
    settings: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Driver), RedisError> {
    let socket = connect_to_any(lookup_host((host, port)).await?).await?;
    socket.set_nodelay(true)?;
    let stream = GatheringStream::new(socket);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(redis, stream, settings).await?;
    let driver = tokio::spawn(driver);
    Ok((connection, Driver(driver.abort_handle())))
}

/// Connects to the address that accepts first: one of them may lead nowhere.
pub(super) async fn connect_to_any(
    addresses: impl Iterator<Item = SocketAddr>,
) -> io::Result<TcpStream> {
    let attempts: Vec<_> = addresses
        .map(|address| Box::pin(TcpStream::connect(address)))
        .collect();
    if attempts.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the host has no address",
        ));
    }
    let (socket, _) = select_ok(attempts).await?;
    Ok(socket)
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl InFlightCommand ===

impl InFlightCommand {
    pub fn on(connection: &SharedConnection) -> Self {
        Self {
            lost: Some(connection.lost.clone()),
            since: Instant::now(),
        }
    }

    /// Reports that the reply, or an error, has arrived.
    pub fn completed(mut self) {
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
