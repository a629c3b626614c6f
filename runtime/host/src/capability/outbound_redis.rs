//! `spin:redis`: connections to Redis servers, and to the address of the platform's event log.
//!
//! This module checks the allowed hosts of the manifest and converts values; [`crate::bus`] executes the commands.

use std::sync::Arc;

use tracing::warn;
use wasmtime::component::{Accessor, Resource};

use super::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};

use super::{Capabilities, View};
use crate::bus::{BusConnection, BusError, RedisReply};
use crate::host_call_timeout::HostCallTimeout;

/// The largest number of open connections of one instance.
const MAX_CONNECTIONS: usize = 64;

/// A guest's handle to a connection.
pub struct GuestRedisConnection(Arc<BusConnection>);

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
) -> wasmtime::Result<(Arc<BusConnection>, HostCallTimeout)> {
    accessor.with(|mut access| {
        let view = access.get();
        Ok((
            view.table.get(connection)?.0.clone(),
            view.host_call_timeout(),
        ))
    })
}

/// Waits for a command no longer than a host call may take.
async fn timed<A>(
    timeout: HostCallTimeout,
    command: impl Future<Output = Result<A, BusError>>,
) -> CallResult<A> {
    Ok(timeout.wait(command).await.map_err(Error::from))
}

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    fn drop(&mut self, connection: Resource<GuestRedisConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        *self.redis_connections -= 1;
        Ok(())
    }
}

impl<T: Send + 'static> HostConnectionWithStore<T> for Capabilities {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> CallResult<Resource<GuestRedisConnection>> {
        let (grants, open, timeout) = accessor.with(|mut access| {
            let view = access.get();
            let timeout = view.host_call_timeout();
            (view.grants.clone(), *view.redis_connections, timeout)
        });
        if !grants.allowed_hosts.allows_url(&address, "redis") {
            let component = &*grants.component;
            warn!(
                component,
                "redis connection refused: the address is not among allowed_outbound_hosts"
            );
            return Ok(Err(Error::InvalidAddress));
        }
        if open >= MAX_CONNECTIONS {
            return Ok(Err(Error::TooManyConnections));
        }
        let connection = match timeout.wait(grants.redis.open(&address)).await {
            Ok(connection) => GuestRedisConnection(Arc::new(connection)),
            Err(error) => return Ok(Err(error.into())),
        };
        accessor.with(|mut access| {
            let view = access.get();
            *view.redis_connections += 1;
            Ok(Ok(view.table.push(connection)?))
        })
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> CallResult<()> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.publish(&channel, payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Option<Vec<u8>>> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.get(&key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        value: Vec<u8>,
    ) -> CallResult<()> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.set(&key, value)).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<i64> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.incr(&key)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        keys: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.del(&keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.sadd(&key, &values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
    ) -> CallResult<Vec<String>> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.smembers(&key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        key: String,
        values: Vec<String>,
    ) -> CallResult<u32> {
        let (connection, timeout) = connection(accessor, &handle)?;
        timed(timeout, connection.srem(&key, &values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<GuestRedisConnection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> CallResult<Vec<RedisResult>> {
        let (connection, timeout) = connection(accessor, &handle)?;
        let arguments = arguments.into_iter().map(|argument| match argument {
            RedisParameter::Int64(number) => number.to_string().into_bytes(),
            RedisParameter::Binary(bytes) => bytes,
        });
        let replies = timed(timeout, connection.execute(&command, arguments.collect())).await?;
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
