//! The errors of a Redis client, by what a caller can do about them.

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

/// An error of a Redis client.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// The address does not have the form `redis://[user:password@]host[:port][/database]`. The message does not contain
    /// it, because it may hold a password.
    #[error("it is no usable redis address")]
    InvalidAddress(#[source] RedisError),
    /// The server is unreachable, takes no connection, does not serve commands at present, or has sent no usable reply: the
    /// command may or may not have been executed.
    #[error("redis at {address} is unavailable: {source}")]
    Unavailable { address: String, source: RedisError },
    /// The server replied with an error: the command was not executed.
    #[error("redis refused: {0}")]
    ErrorReply(RedisError),
}

impl RedisClientError {
    /// The meaning of an error of the server at `address`.
    pub(super) fn classify(address: &str, source: RedisError) -> Self {
        match is_unavailable(&source) {
            true => Self::unavailable(address, source),
            false => Self::ErrorReply(source),
        }
    }

    /// The meaning of an error of a script that this client has loaded: the server has lost it again if it does not know it.
    pub(super) fn classify_script(address: &str, source: RedisError) -> Self {
        match source.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::unavailable(address, source),
            _ => Self::classify(address, source),
        }
    }

    /// The meaning of an error of an attempt to connect. Whatever the server says, it has refused no command.
    pub(super) fn not_connected(address: &str, source: RedisError) -> Self {
        match source.kind() {
            ErrorKind::InvalidClientConfig => Self::InvalidAddress(source),
            _ => Self::unavailable(address, source),
        }
    }

    fn unavailable(address: &str, source: RedisError) -> Self {
        Self::Unavailable {
            address: address.to_owned(),
            source,
        }
    }

    /// The code of the server's error reply, such as `NOGROUP`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::InvalidAddress(source) | Self::Unavailable { source, .. } => source.code(),
            Self::ErrorReply(reply) => reply.code(),
        }
    }

    /// Whether the same command may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

fn is_unavailable(error: &RedisError) -> bool {
    match error.kind() {
        // No reply, or one that means nothing: a proxy that has lost its server, or another program, has sent it.
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::UnexpectedReturnType => true,
        _ => {
            // A pipeline has one for each command that failed.
            let replies = error.clone().into_server_errors();
            let mut replies = replies.iter().flat_map(|replies| replies.iter());
            replies.any(|(_, reply)| is_temporary(reply))
        }
    }
}

/// The codes of replies that say nothing about the command: the server does not serve it at present. The words of Envoy are among
/// them, which stands in front of a server.
const TEMPORARY: [&str; 16] = [
    "LOADING",
    "BUSY",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "UNBLOCKED",
    "NOAUTH",
    "WRONGPASS",
    "upstream",
    "no",
];

/// A reply with the general code `ERR` that says nothing about the command.
const TOO_MANY_CLIENTS: &str = "max number of clients";

fn is_temporary(reply: &ServerError) -> bool {
    let detail = reply.details().unwrap_or_default();
    TEMPORARY.contains(&reply.code())
        || detail.starts_with(TOO_MANY_CLIENTS)
        // Redis 6.2 puts the error of a command inside of a script into the text of another.
        || TEMPORARY.iter().any(|code| detail.contains(&format!(" -{code} ")))
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn classified(reply: &str) -> RedisClientError {
        let reply = parse_redis_value(format!("{reply}\r\n").as_bytes());
        let error = reply.and_then(redis::Value::extract_error).unwrap_err();
        RedisClientError::classify("host:6379", error)
    }

    #[test]
    fn a_server_that_serves_no_commands_at_present_is_unavailable() {
        for reply in [
            "-LOADING Redis is loading the dataset in memory",
            "-BUSY Redis is busy running a script.",
            "-OOM command not allowed when used memory > 'maxmemory'.",
            "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "-NOREPLICAS Not enough good replicas to write.",
            "-READONLY You can't write against a read only replica.",
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "-CLUSTERDOWN The cluster is down",
            "-TRYAGAIN Multiple keys request during rehashing of slot",
            "-MOVED 3999 127.0.0.1:6381",
            "-ASK 3999 127.0.0.1:6381",
            "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "-NOAUTH Authentication required.",
            "-WRONGPASS invalid username-password pair or user is disabled.",
            "-ERR max number of clients reached",
            "-ERR max number of clients + cluster connections reached",
            "-no upstream host",
            "-upstream failure",
            "-ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.",
            "-ERR Error running script (call to f_1): @user_script:1: -MASTERDOWN Link with MASTER is down.",
            // What is no reply of Redis.
            "HTTP/1.1 400 Bad Request",
            ":many",
        ] {
            let error = classified(reply);
            assert!(error.is_unavailable(), "{reply}: {error}");
        }
    }

    #[test]
    fn a_reply_about_the_command_is_a_refusal() {
        for reply in [
            "-ERR unknown command 'NOSUCH', with args beginning with:",
            "-ERR wrong number of arguments for 'get' command",
            "-ERR value is not an integer or out of range",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
            "-ERR Error running script (call to f_1): @user_script:1: user_script:1: Script attempted to access nonexistent global variable",
            "-WRONGTYPE Operation against a key holding the wrong kind of value",
            "-NOPERM this user has no permissions to run the 'config' command",
            "-NOGROUP No such consumer group 'message' for key name 'socar.car'",
            "-BUSYGROUP Consumer Group name already exists",
            "-NOSCRIPT No matching script. Please use EVAL.",
            "-EXECABORT Transaction discarded because of previous errors.",
            "-CROSSSLOT Keys in request don't hash to the same slot",
        ] {
            let error = classified(reply);
            assert!(!error.is_unavailable(), "{reply}: {error}");
        }
    }

    #[test]
    fn a_reply_of_another_form_is_no_refusal() {
        let error = redis::from_redis_value::<i64>(redis::Value::Array(Vec::new())).unwrap_err();
        let error = RedisClientError::classify("host:6379", error.into());
        assert!(error.is_unavailable(), "{error}");
    }
}
