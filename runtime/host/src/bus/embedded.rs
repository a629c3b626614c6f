//! The commands that the host executes itself, in place of a Redis server.
//!
//! Streams are those of the event log, in a separate namespace. Strings and sets are in two tables ([`values`]). Every
//! other command is rejected with its name, so that no guest relies on an effect that did not happen.

mod values;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use self::values::{SetCondition, ValueTables};
use super::{BusError, CommandExecutor, RedisReply};
use event_log::{EmbeddedLog, Entry, EntryId, EventLog, Fields};
use storage::database::{Database, DatabaseError};

/// The host in place of a Redis server.
pub(super) struct EmbeddedServer {
    log: Arc<EmbeddedLog>,
    values: ValueTables,
}

/// A command and its arguments.
struct Command {
    command: String,
    arguments: std::vec::IntoIter<Vec<u8>>,
}

type CommandResult = Result<Vec<RedisReply>, BusError>;

// === impl EmbeddedServer ===

impl EmbeddedServer {
    pub fn open(log: Arc<EmbeddedLog>, database: Arc<Database>) -> Result<Self, DatabaseError> {
        Ok(Self {
            log,
            values: ValueTables::open(database)?,
        })
    }

    async fn xadd(&self, mut call: Command) -> CommandResult {
        let stream = call.text()?;
        if call.text()? != "*" {
            return Err(call
                .refused("takes a stream, `*` and fields here: ids and trimming are the host's"));
        }
        let mut fields = Fields::new();
        while let Some(name) = call.arguments.next() {
            let name = String::from_utf8(name).map_err(|_| call.refused("takes texts as names"))?;
            fields.push((name, Bytes::from(call.bytes()?)));
        }
        if fields.is_empty() {
            return Err(call.wrong_number());
        }
        let id = self.log.append(&stream, &fields).await?;
        Ok(vec![RedisReply::Binary(id.to_string().into_bytes())])
    }

    async fn xrange(&self, mut call: Command) -> CommandResult {
        let stream = call.text()?;
        let from = call.bound("-", EntryId::MIN, 0)?;
        let to = call.bound("+", EntryId::MAX, u64::MAX)?;
        let limit = match call.option()?.as_deref() {
            None => usize::MAX,
            Some("COUNT") => usize::try_from(call.integer()?).unwrap_or(0),
            Some(_) => return Err(call.syntax()),
        };
        call.end()?;
        let entries = self.log.range(&stream, from, to, limit).await?;
        Ok(entries.into_iter().flat_map(flat).collect())
    }

    async fn exists(&self, mut call: Command) -> CommandResult {
        let mut count = 0;
        for key in call.rest()? {
            let stream = String::from_utf8_lossy(&key);
            let is_there = self.values.exists(&key)? || self.log.length(&stream).await? > 0;
            count += i64::from(is_there);
        }
        integer(count)
    }

    fn set(&self, mut call: Command) -> CommandResult {
        let (key, value) = (call.bytes()?, call.bytes()?);
        let (mut condition, mut time_to_live) = (SetCondition::Always, None);
        while let Some(option) = call.option()? {
            match &*option {
                "NX" => condition = SetCondition::IfAbsent,
                "XX" => condition = SetCondition::IfPresent,
                "EX" => time_to_live = Some(Duration::from_secs(call.positive()?)),
                "PX" => time_to_live = Some(Duration::from_millis(call.positive()?)),
                _ => return Err(call.syntax()),
            }
        }
        Ok(vec![
            match self.values.set(&key, &value, condition, time_to_live)? {
                true => RedisReply::Status("OK".to_owned()),
                false => RedisReply::Nil,
            },
        ])
    }

    /// Adds one, or subtracts it if `sign` is -1.
    fn step(&self, mut call: Command, sign: i64) -> CommandResult {
        let key = call.bytes()?;
        call.end()?;
        integer(self.values.add(&key, sign)?)
    }

    /// Adds the amount in the command, or subtracts it if `sign` is -1.
    fn step_by(&self, mut call: Command, sign: i64) -> CommandResult {
        let (key, amount) = (call.bytes()?, call.integer()?);
        call.end()?;
        let delta = amount.checked_mul(sign).ok_or_else(|| call.syntax())?;
        integer(self.values.add(&key, delta)?)
    }
}

#[async_trait]
impl CommandExecutor for Arc<EmbeddedServer> {
    async fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> CommandResult {
        let mut call = Command::new(command, arguments);
        match &*call.command {
            "PING" => Ok(vec![match call.arguments.next() {
                None => RedisReply::Status("PONG".to_owned()),
                Some(message) => RedisReply::Binary(message),
            }]),
            "PUBLISH" => {
                let (channel, _message) = (call.text()?, call.bytes()?);
                call.end()?;
                integer(i64::try_from(self.log.group_count(&channel)).unwrap_or(i64::MAX))
            }
            "XADD" => self.xadd(call).await,
            "XRANGE" => self.xrange(call).await,
            "XLEN" => {
                let length = self.log.length(&call.text()?).await?;
                call.end()?;
                integer(i64::try_from(length).unwrap_or(i64::MAX))
            }
            "GET" => {
                let value = self.values.get(&call.bytes()?)?;
                call.end()?;
                Ok(vec![value.map_or(RedisReply::Nil, RedisReply::Binary)])
            }
            "SET" => self.set(call),
            "INCR" => self.step(call, 1),
            "INCRBY" => self.step_by(call, 1),
            "DECR" => self.step(call, -1),
            "DECRBY" => self.step_by(call, -1),
            "DEL" => integer(self.values.delete(&call.rest()?)?),
            "EXISTS" => self.exists(call).await,
            "SADD" => integer(self.values.add_members(&call.bytes()?, &call.rest()?)?),
            "SREM" => integer(self.values.remove_members(&call.bytes()?, &call.rest()?)?),
            "SMEMBERS" => {
                let members = self.values.members(&call.bytes()?)?;
                call.end()?;
                Ok(members.into_iter().map(RedisReply::Binary).collect())
            }
            _ => Err(call.refused(
                "is not served in embedded mode: start the host with --redis-url, or use another address",
            )),
        }
    }
}

// === impl Command ===

impl Command {
    fn new(command: &str, arguments: Vec<Vec<u8>>) -> Self {
        Self {
            command: command.to_ascii_uppercase(),
            arguments: arguments.into_iter(),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, BusError> {
        self.arguments.next().ok_or_else(|| self.wrong_number())
    }

    fn text(&mut self) -> Result<String, BusError> {
        String::from_utf8(self.bytes()?).map_err(|_| self.refused("takes texts"))
    }

    fn integer(&mut self) -> Result<i64, BusError> {
        let text = self.text()?;
        let number = text.parse();
        number.map_err(|_| BusError::Refused(format!("ERR `{text}` is not an integer")))
    }

    fn positive(&mut self) -> Result<u64, BusError> {
        let number = u64::try_from(self.integer()?)
            .ok()
            .filter(|number| *number > 0);
        number.ok_or_else(|| self.refused("takes an expiry above 0"))
    }

    /// An end of a range: its symbol, an id, or the milliseconds of an id.
    fn bound(&mut self, symbol: &str, end: EntryId, sequence: u64) -> Result<EntryId, BusError> {
        let text = self.text()?;
        if text == symbol {
            return Ok(end);
        }
        let id = match text.contains('-') {
            true => text.parse(),
            false => text
                .parse()
                .map(|milliseconds| EntryId::new(milliseconds, sequence)),
        };
        id.map_err(|_| BusError::Refused(format!("ERR `{text}` is not a stream id")))
    }

    /// The next argument in capitals, if there is one.
    fn option(&mut self) -> Result<Option<String>, BusError> {
        if self.arguments.len() == 0 {
            return Ok(None);
        }
        Ok(Some(self.text()?.to_ascii_uppercase()))
    }

    /// All remaining arguments, at least one.
    fn rest(&mut self) -> Result<Vec<Vec<u8>>, BusError> {
        let rest: Vec<_> = self.arguments.by_ref().collect();
        if rest.is_empty() {
            Err(self.wrong_number())
        } else {
            Ok(rest)
        }
    }

    fn end(&mut self) -> Result<(), BusError> {
        match self.arguments.next() {
            None => Ok(()),
            Some(_) => Err(self.wrong_number()),
        }
    }

    fn wrong_number(&self) -> BusError {
        BusError::Refused(format!(
            "ERR wrong number of arguments for `{}`",
            self.command
        ))
    }

    fn syntax(&self) -> BusError {
        self.refused("was given an option that is not served in embedded mode")
    }

    fn refused(&self, because: &str) -> BusError {
        BusError::Refused(format!("ERR `{}` {because}", self.command))
    }
}

fn integer(number: i64) -> CommandResult {
    Ok(vec![RedisReply::Int64(number)])
}

fn flat(entry: Entry) -> Vec<RedisReply> {
    let id = RedisReply::Binary(entry.id.to_string().into_bytes());
    let fields = entry.fields.into_iter().flat_map(|(name, value)| {
        [
            RedisReply::Binary(name.into_bytes()),
            RedisReply::Binary(value.into()),
        ]
    });
    std::iter::once(id).chain(fields).collect()
}
