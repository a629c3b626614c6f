//! The keys `publishes` and `redis_keys` of a component: what it may use of the servers that hold the event log and
//! the key-value stores.
//!
//! On such a server lie the data of all components. A component appends to its own streams, and reaches its own
//! key-value stores through their interface; everything else there needs one of these keys.

use std::collections::BTreeSet;

use crate::document::{ConfigError, Located, Table, Value};

/// What a component may use of the servers that hold the event log and the key-value stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisGrants {
    /// `publishes`: the streams that it appends to, each with the channel of the same name.
    streams: Vec<Located<String>>,
    /// The stream `socar.<id>`, without `publishes`.
    default_stream: Option<String>,
    /// `redis_keys`: the beginnings of the keys that it uses.
    key_prefixes: Vec<Located<String>>,
}

/// The beginning of the names of all streams and keys of the platform.
const PLATFORM_PREFIX: &str = "socar.";

/// The streams and keys of the host itself, by their beginning.
const HOST_PREFIXES: [&str; 3] = ["socar.log:", "socar.readiness", "socar.redrive."];

/// The streams of the host itself.
const HOST_STREAMS: [&str; 2] = ["socar.dead", "socar.platform"];

impl RedisGrants {
    /// Takes the two keys out of the policy table of a component.
    ///
    /// # Errors
    /// When a value is no list of names.
    pub(crate) fn take(id: &str, policy: &mut Option<Table>) -> Result<Self, ConfigError> {
        let own = format!("{PLATFORM_PREFIX}{id}");
        let own = (!is_of_host(&own)).then_some(own);
        let Some(table) = policy else {
            return Ok(Self::with_default(own));
        };
        let Some(written) = table.take("publishes") else {
            return Ok(Self {
                key_prefixes: table.strings("redis_keys")?,
                ..Self::with_default(own)
            });
        };
        let streams = written.array()?.into_iter().map(Value::string);
        let streams: Vec<_> = streams.collect::<Result<_, _>>()?;
        for stream in &streams {
            if stream.value.is_empty() || is_of_host(&stream.value) {
                return Err(stream.error(
                    "a component cannot append to this stream",
                    "name a stream of the component; those of the host are the host's alone",
                ));
            }
        }
        Ok(Self {
            streams,
            default_stream: None,
            key_prefixes: table.strings("redis_keys")?,
        })
    }

    fn with_default(default_stream: Option<String>) -> Self {
        Self {
            default_stream,
            ..Self::default()
        }
    }

    /// Whether the component may append to the stream, read it, and send messages on the channel of its name.
    pub fn allows_stream(&self, name: &[u8]) -> bool {
        self.streams().any(|stream| stream.as_bytes() == name)
    }

    /// Whether the component may read and write the key.
    pub fn allows_key(&self, name: &[u8]) -> bool {
        let mut prefixes = self.key_prefixes.iter();
        prefixes.any(|prefix| name.starts_with(prefix.value.as_bytes()))
    }

    /// The streams that the component may append to.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        let written = self.streams.iter().map(|stream| stream.value.as_str());
        written.chain(self.default_stream.as_deref())
    }

    /// Checks that no name leads into a key-value store with one of these labels.
    ///
    /// # Errors
    /// For the first name that does.
    pub(crate) fn check(&self, labels: &BTreeSet<String>) -> Result<(), ConfigError> {
        for prefix in &self.key_prefixes {
            let reserved = std::iter::once(PLATFORM_PREFIX.to_owned());
            let mut reserved = reserved.chain(labels.iter().map(|label| key_prefix(label)));
            if let Some(taken) = reserved.find(|taken| overlap(taken, &prefix.value)) {
                return Err(prefix.error(
                    format!("these keys include those that begin with `{taken}`, which belong to the platform"),
                    "write a prefix that no other key has, such as `counters:`",
                ));
            }
        }
        for stream in &self.streams {
            let mut labels = labels.iter();
            if let Some(label) = labels.find(|label| stream.value.starts_with(&key_prefix(label))) {
                return Err(stream.error(
                    format!("this name is a key of the key-value store `{label}`"),
                    "give the stream another name",
                ));
            }
        }
        Ok(())
    }
}

/// The beginning of the keys of a key-value store.
fn key_prefix(label: &str) -> String {
    format!("{label}:")
}

fn is_of_host(name: &str) -> bool {
    HOST_STREAMS.contains(&name) || HOST_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
