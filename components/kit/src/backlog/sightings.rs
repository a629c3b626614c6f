//! The sightings: which entries earlier sweeps have seen, and for how long by their own clocks.

use crate::sighted_age::SightedAge;
use events::Timestamp;
use http_conventions::etag::fingerprint;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Key of the sightings in the outbox store.
pub(super) const KEY: &str = "sightings";
/// The sightings of all entries.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sightings {
    /// The last key that the sweep before this one read, if it did not read all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    after: String,
    #[serde(default)]
    entries: BTreeMap<String, Sighting>,
}

/// The sightings of one entry with one value.
#[derive(Debug, Serialize, Deserialize)]
struct Sighting {
    /// Fingerprint of the value.
    value: u64,
    clocks: SightedAge,
}

impl Sightings {
    /// Decodes a stored value. One that cannot be read is forgotten: all ages begin anew.
    pub(super) fn decode(value: Option<&[u8]>) -> Self {
        let read = value.and_then(|value| serde_json::from_slice(value).ok());
        read.unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// At most `most` of the sorted `keys`, behind those of the last selection.
    pub(super) fn select(&mut self, keys: &[&String], most: usize) -> Vec<String> {
        let start = match keys.len() > most {
            true => keys.partition_point(|key| **key <= self.after),
            false => 0,
        };
        let (before, behind) = keys.split_at(start);
        let selected = behind.iter().chain(before).take(most);
        let selected: Vec<String> = selected.map(|key| (*key).clone()).collect();
        self.after = match keys.len() > most {
            true => selected.last().cloned().unwrap_or_default(),
            false => String::new(),
        };
        selected
    }

    /// Adds a sighting at the time `now` of this host, and returns the age of the entry.
    pub(super) fn observe(
        &mut self,
        key: &str,
        value: &[u8],
        host: &str,
        now: Timestamp,
    ) -> Duration {
        let value = fingerprint(value);
        let sighting = self.entries.entry(key.to_owned());
        let sighting = sighting.or_insert_with(|| Sighting::new(value));
        if sighting.value != value {
            *sighting = Sighting::new(value);
        }
        sighting.clocks.observe(host, now)
    }

    /// Forgets the entries whose keys are not among the sorted `keys`.
    pub(super) fn retain(&mut self, keys: &[&String]) {
        self.entries
            .retain(|key, _| keys.binary_search(&key).is_ok());
    }
}

impl Sighting {
    fn new(value: u64) -> Self {
        Self {
            value,
            clocks: SightedAge::default(),
        }
    }
}
