//! What a component may do on a server that holds the event log or a key-value store.
//!
//! Such a server holds the data of all components and of the host. A component appends to its own streams and uses keys
//! that begin with its own prefixes; its key-value stores have an interface of their own. A command whose keys are not
//! known here is refused, because it may reach anything.

use super::BusError;
use config::policy::RedisGrants;

/// The keys in the arguments of a command.
#[derive(Clone, Copy)]
enum KeyPositions {
    None,
    First,
    All,
    /// Every other argument, from the first on.
    Alternating,
    /// The first argument is a channel.
    Channel,
    /// The first argument is a stream that is appended to.
    AppendedStream,
    /// The first argument is a stream that is read.
    Stream,
}

/// The served commands, in groups with the same positions of keys. None of them blocks or depends on the state of its
/// connection.
const COMMANDS: [(KeyPositions, &[&str]); 7] = [
    (KeyPositions::None, &["PING"]),
    (
        KeyPositions::First,
        &[
            "DECR",
            "DECRBY",
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
            "PEXPIRE",
            "PTTL",
            "RPOP",
            "RPUSH",
            "SADD",
            "SET",
            "SISMEMBER",
            "SMEMBERS",
            "SREM",
        ],
    ),
    (KeyPositions::All, &["DEL", "EXISTS", "MGET"]),
    (KeyPositions::Alternating, &["MSET"]),
    (KeyPositions::Channel, &["PUBLISH"]),
    (KeyPositions::AppendedStream, &["XADD"]),
    (KeyPositions::Stream, &["XLEN", "XRANGE"]),
];

/// Checks a command of a component before it is sent.
///
/// # Errors
/// When the component may not use a key or stream of the command, or when the command is not served.
pub(super) fn check(
    grants: &RedisGrants,
    command: &str,
    arguments: &[Vec<u8>],
) -> Result<(), BusError> {
    let groups = COMMANDS.iter();
    let mut found = groups.filter(|(_, names)| contains(names, command));
    let Some((positions, _)) = found.next() else {
        return Err(BusError::Denied(format!(
            "`{}` is not served by the server of the event log and the key-value stores: use another server",
            shown(command.as_bytes()),
        )));
    };
    let first = arguments.first();
    match positions {
        KeyPositions::None => Ok(()),
        KeyPositions::First => check_keys(grants, command, first),
        KeyPositions::All => check_keys(grants, command, arguments),
        KeyPositions::Alternating => check_keys(grants, command, arguments.iter().step_by(2)),
        KeyPositions::Channel | KeyPositions::Stream => check_stream(grants, command, first),
        KeyPositions::AppendedStream => {
            check_stream(grants, command, first)?;
            match arguments.get(1) {
                Some(id) if id != b"*" => Err(BusError::Denied(format!(
                    "`{command}` takes a stream, `*` and fields here: ids and trimming are the host's"
                ))),
                _ => Ok(()),
            }
        }
    }
}

fn contains(names: &[&str], command: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(command))
}

fn check_keys<'a>(
    grants: &RedisGrants,
    command: &str,
    keys: impl IntoIterator<Item = &'a Vec<u8>>,
) -> Result<(), BusError> {
    let mut keys = keys.into_iter();
    match keys.find(|key| !grants.allows_key(key)) {
        None => Ok(()),
        Some(key) => Err(BusError::Denied(format!(
            "`{command}` of the key `{}` is not granted: `redis_keys` in the component's tool.socar table lists the \
             beginnings of its keys, and a key-value store is reached through its own interface",
            shown(key)
        ))),
    }
}

fn check_stream(
    grants: &RedisGrants,
    command: &str,
    name: Option<&Vec<u8>>,
) -> Result<(), BusError> {
    match name {
        Some(name) if !grants.allows_stream(name) => {
            let granted: Vec<_> = grants.streams().map(|it| format!("`{it}`")).collect();
            let granted = match granted.is_empty() {
                true => "none".to_owned(),
                false => granted.join(", "),
            };
            Err(BusError::Denied(format!(
                "`{command}` of `{}` is not granted: `publishes` in the component's tool.socar table lists its streams, \
                 which are {granted}",
                shown(name)
            )))
        }
        // The server answers a command without arguments.
        _ => Ok(()),
    }
}

/// The largest part of a name in an error, in bytes.
const LONGEST_SHOWN: usize = 100;

fn shown(name: &[u8]) -> String {
    let part = name.get(..LONGEST_SHOWN).unwrap_or(name);
    String::from_utf8_lossy(part).into_owned()
}
