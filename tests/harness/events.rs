//! The event log as the platform has written it, read directly from the Redis streams or from the embedded
//! database.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use redis::AsyncCommands;
use redis::streams::StreamRangeReply;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::client::runtime;
use crate::eventually::eventually;
use crate::platform::Platform;
use crate::workspace::read;

/// The streams that a component subscribes to, as the Redis triggers of `spin.toml` name them; without a component, all
/// streams of the platform.
///
/// # Panics
/// When `spin.toml` is invalid.
pub fn event_streams(component: Option<&str>) -> BTreeSet<String> {
    let manifest: toml::Table = read("spin.toml")
        .parse()
        .unwrap_or_else(|error| panic!("spin.toml: {error}"));
    let triggers = manifest["trigger"]["redis"].as_array();
    let triggers = triggers.into_iter().flatten().filter(|trigger| {
        component.is_none_or(|component| trigger["component"].as_str() == Some(component))
    });
    let channels = triggers.filter_map(|trigger| trigger["channel"].as_str());
    channels.map(str::to_owned).collect()
}

impl Platform {
    /// All events of a stream, oldest first.
    ///
    /// # Panics When the log cannot be read.
    pub fn events(&self, stream: &str) -> Vec<Value> {
        let entries = match self.redis_url() {
            Some(url) => redis_entries(&url, stream),
            None => embedded_entries(&self.state_dir().join("socar.db"), stream),
        };
        let entries = entries.unwrap_or_else(|error| panic!("cannot read the log: {error:#}"));
        entries
            .iter()
            .map(|entry| {
                serde_json::from_str(entry)
                    .unwrap_or_else(|error| panic!("no event in {stream} ({error}): {entry}"))
            })
            .collect()
    }

    /// The events of all streams that `wanted` selects.
    pub fn events_where(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let streams = event_streams(None);
        let events = streams.iter().flat_map(|stream| self.events(stream));
        events.filter(|event| wanted(event)).collect()
    }

    /// Waits for the event of this type and subject (such as `car/1`), and returns it.
    #[track_caller]
    pub fn wait_for_event(&self, event_type: &str, subject: &str) -> Value {
        let found = eventually(
            || self.events_where(|event| event["subject"] == subject),
            |events| events.iter().any(|event| event["type"] == event_type),
        );
        let mut of_type = found
            .into_iter()
            .filter(|event| event["type"] == event_type);
        of_type.next().unwrap_or_default()
    }
}

/// The entries from the host's database, which stores the fields of an entry one after the other, each part after
/// its length.
fn embedded_entries(file: &Path, stream: &str) -> anyhow::Result<Vec<String>> {
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    database.busy_timeout(Duration::from_secs(10))?;
    let mut statement =
        database.prepare("SELECT fields FROM socar_log_entry WHERE stream = ? ORDER BY id")?;
    let blobs = statement.query_map([stream], |row| row.get::<_, Vec<u8>>(0))?;
    blobs.map(|blob| event_in(&blob?)).collect()
}

fn event_in(fields: &[u8]) -> anyhow::Result<String> {
    let (name, rest) = part(fields)?;
    let (value, _) = part(rest)?;
    anyhow::ensure!(name == b"event", "the first field is not `event`");
    Ok(String::from_utf8(value.to_vec())?)
}

fn part(fields: &[u8]) -> anyhow::Result<(&[u8], &[u8])> {
    let (length, rest) = fields.split_first_chunk().context("an entry ends early")?;
    let length = usize::try_from(u32::from_le_bytes(*length))?;
    rest.split_at_checked(length).context("an entry ends early")
}

fn redis_entries(url: &str, stream: &str) -> anyhow::Result<Vec<String>> {
    runtime().block_on(async {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let reply: StreamRangeReply = connection.xrange_all(stream).await?;
        Ok(reply
            .ids
            .iter()
            .filter_map(|entry| entry.get("event"))
            .collect())
    })
}
