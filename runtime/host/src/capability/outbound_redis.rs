//! `spin:redis`: connections to Redis servers, and to the address of the platform's event log.
//!
//! This module checks the allowed hosts of the manifest and converts values; [`crate::bus`] executes the commands.

use std::sync::{Arc, LazyLock};

use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;
use wasmtime::component::{Accessor, Resource};

use super::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};

use super::{Capabilities, View};
use crate::bus::{BusConnection, BusError, RedisReply};
use crate::host_call_timeout::HostCallTimeout;
use crate::log_limiter::LogLimiter;

/// The largest number of open connections of one instance.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// Commands that are refused for the same cause are one log line in ten seconds.
static REFUSALS: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

/// A guest's handle to a connection.
pub struct GuestRedisConnection {
    connection: Arc<BusConnection>,
    /// The connection counts until the guest drops the handle.
    _permit: OwnedSemaphorePermit,
}

/// What a command needs besides its connection.
struct CommandContext {
    component: Arc<str>,
    timeout: HostCallTimeout,
}

type CallResult<A> = wasmtime::Result<Result<A, Error>>;

impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        match error {
            BusError::InvalidAddress(_) => Self::InvalidAddress,
            BusError::Type => Self::TypeError,
            other => Self::Other(other.to_string()),
        }
    }
}

fn connection<T: Send + 'static>(
    accessor: &Accessor<T, Capabilities>,
    connection: &Resource<GuestRedisConnection>,
) -> wasmtime::Result<(Arc<BusConnection>, CommandContext)> {
    accessor.with(|mut access| {
        let view = access.get();
        let context = CommandContext {
            component: view.grants.component.clone(),
            timeout: view.host_call_timeout(),
        };
        Ok((view.table.get(connection)?.connection.clone(), context))
    })
}

/// Waits for a command no longer than a host call may take, and logs that it is not granted.
async fn timed<A>(
    context: CommandContext,
    command: impl Future<Output = Result<A, BusError>>,
) -> CallResult<A> {
    let reply = context.timeout.wait(command).await;
    if let Err(BusError::Denied(cause)) = &reply {
        let component = &*context.component;
        if REFUSALS.admit(&format!("{component}: {cause}")).is_some() {
            warn!(component, %cause, "redis command refused");
        }
    }
    Ok(reply.map_err(Error::from))
}

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    fn drop(&mut self, connection: Resource<GuestRedisConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send + 'static> HostConnectionWithStore<T> for Capabilities {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> CallResult<Resource<GuestRedisConnection>> {
        let (grants, permits, timeout) = accessor.with(|mut access| {
            let view = access.get();
            let timeout = view.host_call_timeout();
            (view.grants.clone(), view.redis_connections.clone(), timeout)
        });
        if !grants.allowed_hosts.allows_url(&address, "redis") {
            let component = &*grants.component;
            warn!(
                component,
                "redis connection refused: the address is not among allowed_outbound_hosts"
            );
            return Ok(Err(Error::InvalidAddress));
        }
        // Taken before the wait: several connections may be opened at the same time.
        let Ok(permit) = permits.try_acquire_owned() else {
            return Ok(Err(Error::TooManyConnections));
        };
        let opening = grants.redis.open(&address, &grants.redis_grants);
        let connection = match timeout.wait(opening).await {
            Ok(connection) => GuestRedisConnection {
                connection: Arc::new(connection),
                _permit: permit,
            },
            Err(error) => return Ok(Err(error.into())),
        };
        accessor.with(|mut access| Ok(Ok(access.get().table.push(connection)?)))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> CallResult<()> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.publish(&channel, payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Option<Vec<u8>>> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.get(&key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> CallResult<()> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.set(&key, value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<i64> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.incr(&key)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        keys: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.del(&keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.sadd(&key, &values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Vec<String>> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.smembers(&key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle)?;
        timed(context, connection.srem(&key, &values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> CallResult<Vec<RedisResult>> {
        let (connection, context) = connection(accessor, &handle)?;
        let arguments = arguments.into_iter().map(|argument| match argument {
            RedisParameter::Int64(number) => number.to_string().into_bytes(),
            RedisParameter::Binary(bytes) => bytes,
        });
        let replies = timed(context, connection.execute(&command, arguments.collect())).await?;
        Ok(replies.map(|replies| replies.into_iter().map(RedisResult::from).collect()))
    }
}

impl From<RedisReply> for RedisResult {
    fn from(answer: RedisReply) -> Self {
        match answer {
            RedisReply::Nil => Self::Nil,
            RedisReply::Status(status) => Self::Status(status),
            RedisReply::Int64(number) => Self::Int64(number),
            RedisReply::Binary(bytes) => Self::Binary(bytes),
        }
    }
}
