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

use super::published_event::PublishedEvent;
use super::store_operation::StoreOperation;
use super::{Capabilities, View};
use crate::bus::{BusConnection, BusError, RedisReply};
use crate::log_limiter::LogLimiter;
use crate::trace::Trace;

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
    operation: StoreOperation,
    /// The trace of the call that the instance works on.
    trace: Option<Trace>,
}

/// The name of the database system in spans.
const SYSTEM: &str = "redis";

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
    command: &str,
) -> wasmtime::Result<(Arc<BusConnection>, CommandContext)> {
    accessor.with(|mut access| {
        let view = access.get();
        let context = CommandContext {
            component: view.grants.component.clone(),
            operation: view.begin_operation(SYSTEM, command, &None),
            trace: view.call.map(|call| call.trace.clone()),
        };
        Ok((view.table.get(connection)?.connection.clone(), context))
    })
}

/// Waits for a command no longer than a host call may take, and logs that it is not granted.
async fn timed<A>(
    mut context: CommandContext,
    command: impl Future<Output = Result<A, BusError>>,
) -> CallResult<A> {
    Ok(executed(&mut context, command).await.map_err(Error::from))
}

async fn executed<A>(
    context: &mut CommandContext,
    command: impl Future<Output = Result<A, BusError>>,
) -> Result<A, BusError> {
    let reply = context.operation.wait(command).await;
    if let Err(BusError::Denied(cause)) = &reply {
        let component = &*context.component;
        if REFUSALS.admit(&format!("{component}: {cause}")).is_some() {
            warn!(component, %cause, "redis command refused");
        }
    }
    reply
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
        let (connection, context) = connection(accessor, &handle, "PUBLISH")?;
        timed(context, connection.publish(&channel, payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Option<Vec<u8>>> {
        let (connection, context) = connection(accessor, &handle, "GET")?;
        timed(context, connection.get(&key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> CallResult<()> {
        let (connection, context) = connection(accessor, &handle, "SET")?;
        timed(context, connection.set(&key, value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<i64> {
        let (connection, context) = connection(accessor, &handle, "INCR")?;
        timed(context, connection.incr(&key)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        keys: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle, "DEL")?;
        timed(context, connection.del(&keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle, "SADD")?;
        timed(context, connection.sadd(&key, &values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Vec<String>> {
        let (connection, context) = connection(accessor, &handle, "SMEMBERS")?;
        timed(context, connection.smembers(&key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, context) = connection(accessor, &handle, "SREM")?;
        timed(context, connection.srem(&key, &values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> CallResult<Vec<RedisResult>> {
        let (connection, mut context) = connection(accessor, &handle, &command)?;
        let arguments = arguments.into_iter().map(|argument| match argument {
            RedisParameter::Int64(number) => number.to_string().into_bytes(),
            RedisParameter::Binary(bytes) => bytes,
        });
        let mut arguments: Vec<_> = arguments.collect();
        let CommandContext {
            component, trace, ..
        } = &context;
        let event = PublishedEvent::of(&command, &mut arguments, component, trace.as_ref());
        let replies = executed(&mut context, connection.execute(&command, arguments)).await;
        if let Some(event) = event {
            event.replied(&replies);
        }
        let results = replies.map(|replies| replies.into_iter().map(RedisResult::from).collect());
        Ok(results.map_err(Error::from))
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
