//! The backlog: the entries of the outbox store, each with its age.
//!
//! The age of an entry is the time during which sweeps have seen it unchanged, by the clock of the sweep.
//! The time in an entry is not used: it comes from the clock of another call, perhaps on another host, and
//! the two clocks may differ by hours. Each sweep therefore continues the [`Sightings`] of the sweeps before
//! it, which are one value beside the entries.
//!
//! One sweep lists the keys of the store once, for all its tasks.

mod sightings;

use crate::{
    platform::Platform,
    store::{Store, StoreError},
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use sightings::Sightings;
use std::time::Duration;

/// Maximum number of entries that one sweep reads. The next sweep continues behind them.
const MAX_ENTRIES: usize = 1000;
/// Number of concurrent reads: enough to hide the latency of a remote store.
const CONCURRENT_READS: usize = 16;

/// One entry of the outbox store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogEntry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// The time during which sweeps have seen this key with this value.
    pub age: Duration,
}

/// The entries of the outbox store at the beginning of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    keys: Vec<String>,
    entries: Vec<BacklogEntry>,
}

impl Backlog {
    /// Lists the outbox store, and reads the entries whose keys start with one of `prefixes`. Of more than
    /// a thousand entries it reads a thousand, other ones in each sweep.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn load<P: Platform>(platform: &P, prefixes: &[&str]) -> Result<Self, StoreError> {
        let outbox = platform.outbox();
        let mut keys = outbox.keys().await?;
        keys.sort_unstable();
        let has_sightings = keys.iter().any(|key| key == sightings::KEY);
        let mut sightings = match has_sightings {
            true => Sightings::decode(outbox.get(sightings::KEY).await?.as_deref()),
            false => Sightings::default(),
        };
        let is_aged = |key: &&String| prefixes.iter().any(|prefix| key.starts_with(prefix));
        let aged: Vec<&String> = keys.iter().filter(is_aged).collect();
        let selected = sightings.select(&aged, MAX_ENTRIES);
        let mut values = stream::iter(selected)
            .map(async |key: String| Ok::<_, StoreError>((outbox.get(&key).await?, key)))
            .buffered(CONCURRENT_READS);
        let (host, now) = (platform.host(), platform.now());
        let mut entries = Vec::new();
        while let Some((value, key)) = values.try_next().await? {
            // An entry that was deleted meanwhile is finished.
            if let Some(value) = value {
                let age = sightings.observe(&key, &value, &host, now);
                entries.push(BacklogEntry { key, value, age });
            }
        }
        sightings.retain(&aged);
        if !sightings.is_empty() {
            outbox.set(sightings::KEY, &sightings.encode()).await?;
        } else if has_sightings {
            outbox.delete(sightings::KEY).await?;
        }
        if !entries.is_empty() {
            // The first entry varies from sweep to sweep, so that no entry on which a sweep spends all its
            // time is always before the same others.
            let first = usize::try_from(now.as_millis()).unwrap_or_default() % entries.len();
            entries.rotate_left(first);
        }
        drop(values);
        Ok(Self { keys, entries })
    }

    /// The entries whose keys start with `prefix`, with the rest of their keys.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &BacklogEntry)> {
        let of_prefix = move |entry| rest_of_key(entry, prefix);
        self.entries.iter().filter_map(of_prefix)
    }

    /// Every key of the store, in ascending order, also of entries that were not read.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

fn rest_of_key<'a>(entry: &'a BacklogEntry, prefix: &str) -> Option<(&'a str, &'a BacklogEntry)> {
    Some((entry.key.strip_prefix(prefix)?, entry))
}

#[cfg(test)]
mod tests;
