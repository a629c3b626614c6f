//! Commands for real servers.
//!
//! On the platform's server, all guests share one connection: no command that is served there blocks or depends on the
//! state of its connection. On every other server, a guest has a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};

use super::{BusError, CommandExecutor, RedisReply};
use storage::redis_client::{RedisClient, RedisClientError};
use storage::work::{CountedCommand, count_command};

/// The longest time that a reply on a dedicated connection may take; the deadline of a call is usually shorter.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The connection of all guests to the platform's server.
pub(super) struct PlatformConnection(pub Arc<RedisClient>);

/// A guest's connection to another server. As in stock Spin, a lost connection is not replaced: the guest opens
/// another one.
pub(super) struct DedicatedConnection {
    client: Arc<RedisClient>,
    connection: MultiplexedConnection,
}

// === impl PlatformConnection ===

#[async_trait]
impl CommandExecutor for PlatformConnection {
    async fn execute(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<RedisReply>, BusError> {
        answers(self.0.query(&command_line(command, arguments)).await?)
    }
}

// === impl DedicatedConnection ===

impl DedicatedConnection {
    pub async fn open(address: &str) -> Result<Self, BusError> {
        let client = RedisClient::new(address)?;
        let connection = client.dedicated(RESPONSE_TIMEOUT).await?;
        Ok(Self { client, connection })
    }

    /// The text of `INFO replication`.
    ///
    /// # Errors
    /// If the server is unavailable, or refuses the command.
    pub async fn replication_info(&self) -> Result<String, BusError> {
        let command_line = command_line("INFO", vec![b"replication".to_vec()]);
        match send(&self.client, &mut self.connection.clone(), &command_line).await? {
            Value::BulkString(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Ok(String::new()),
        }
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
