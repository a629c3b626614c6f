//! Commands for real servers.
//!
//! On the platform's server, all guests share one connection for the commands of [`SHAREABLE_COMMANDS`]. The first
//! other command of a guest, for example one that blocks or changes the state of its connection (`MULTI`, `BLPOP`,
//! `SELECT`), opens a dedicated connection for this guest.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tokio::sync::Mutex;

use super::{BusError, CommandExecutor, RedisReply};
use storage::redis_client::{RedisClient, RedisClientError};
use storage::work::{CountedCommand, count_command};

/// The longest time that a reply on a dedicated connection may take; the deadline of a call is usually shorter.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Commands that do not block and do not depend on the state of their connection.
const SHAREABLE_COMMANDS: [&str; 34] = [
    "DECR",
    "DECRBY",
    "DEL",
    "EXISTS",
    "EXPIRE",
    "GET",
    "HDEL",
    "HEXISTS",
    "HGET",
    "HLEN",
    "HMGET",
    "HSET",
    "INCR",
    "INCRBY",
    "LLEN",
    "LPOP",
    "LPUSH",
    "LRANGE",
    "MGET",
    "MSET",
    "PEXPIRE",
    "PING",
    "PTTL",
    "PUBLISH",
    "RPOP",
    "RPUSH",
    "SADD",
    "SET",
    "SISMEMBER",
    "SMEMBERS",
    "SREM",
    "XADD",
    "XLEN",
    "XRANGE",
];

/// A guest's connection to the platform's server.
pub(super) struct PlatformConnection {
    client: Arc<RedisClient>,
    /// Opened by the first command that cannot be shared.
    own: Mutex<Option<MultiplexedConnection>>,
}

/// A guest's connection to another server. As in stock Spin, a lost connection is not replaced: the guest opens
/// another one.
pub(super) struct DedicatedConnection {
    client: Arc<RedisClient>,
    connection: MultiplexedConnection,
}

// === impl PlatformConnection ===

impl PlatformConnection {
    pub fn new(client: Arc<RedisClient>) -> Self {
        Self {
            client,
            own: Mutex::new(None),
        }
    }
}

#[async_trait]
impl CommandExecutor for PlatformConnection {
    async fn execute(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisReply>, BusError> {
        let command_line = command_line(command, arguments);
        let mut own = self.own.lock().await;
        let known = own.clone();
        // An earlier command may have been MULTI, so later commands use the dedicated connection too.
        if known.is_none() && is_shareable(command) {
            drop(own);
            return answers(self.client.query(&command_line).await?);
        }
        let mut connection = match known {
            Some(connection) => connection,
            None => own
                .insert(self.client.dedicated(RESPONSE_TIMEOUT).await?)
                .clone(),
        };
        drop(own);
        let answer = send(&self.client, &mut connection, &command_line).await;
        if let Err(RedisClientError::Unavailable { .. }) = answer {
            *self.own.lock().await = None;
        }
        answers(answer?)
    }
}

// === impl DedicatedConnection ===

impl DedicatedConnection {
    pub async fn open(address: &str) -> Result<Self, BusError> {
        let client = RedisClient::new(address)?;
        let connection = client.dedicated(RESPONSE_TIMEOUT).await?;
        Ok(Self { client, connection })
    }
}

#[async_trait]
impl CommandExecutor for DedicatedConnection {
    async fn execute(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisReply>, BusError> {
        let command_line = command_line(command, arguments);
        answers(send(&self.client, &mut self.connection.clone(), &command_line).await?)
    }
}

async fn send(
    client: &RedisClient,
    connection: &mut MultiplexedConnection,
    command_line: &Cmd,
) -> Result<Value, RedisClientError> {
    count_command(CountedCommand::Plain);
    let answer = command_line.query_async(connection).await;
    answer.map_err(|error| client.error(error))
}

fn command_line(command: &str, arguments: Vec<Vec<u8>>) -> Cmd {
    let mut command_line = redis::cmd(command);
    for argument in arguments {
        command_line.arg(argument);
    }
    command_line
}

fn is_shareable(command: &str) -> bool {
    SHAREABLE_COMMANDS
        .iter()
        .any(|plain| plain.eq_ignore_ascii_case(command))
}

// === answers ===

fn answers(value: Value) -> Result<Vec<RedisReply>, BusError> {
    let mut flat = Vec::new();
    flatten(value, &mut flat)?;
    Ok(flat)
}

fn flatten(value: Value, flat: &mut Vec<RedisReply>) -> Result<(), BusError> {
    match value {
        Value::Nil => flat.push(RedisReply::Nil),
        Value::Int(number) => flat.push(RedisReply::Int64(number)),
        Value::Boolean(truth) => flat.push(RedisReply::Int64(truth.into())),
        Value::BulkString(bytes) => flat.push(RedisReply::Binary(bytes)),
        Value::SimpleString(status) => flat.push(RedisReply::Status(status)),
        Value::Okay => flat.push(RedisReply::Status("OK".to_owned())),
        Value::Double(number) => flat.push(RedisReply::Binary(number.to_string().into_bytes())),
        Value::VerbatimString { text, .. } => flat.push(RedisReply::Binary(text.into_bytes())),
        Value::Array(values) | Value::Set(values) => {
            for value in values {
                flatten(value, flat)?;
            }
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                flatten(key, flat)?;
                flatten(value, flat)?;
            }
        }
        Value::ServerError(error) => return Err(BusError::Refused(error.to_string())),
        other => {
            return Err(BusError::Refused(format!(
                "an answer that has no form here: {other:?}"
            )));
        }
    }
    Ok(())
}
