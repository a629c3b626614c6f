//! The entries of a stream: growing ids, and named fields.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;

use super::{EVENT_FIELD, LANE_FIELD};

/// The fields of an entry, in order.
pub type Fields = Vec<(String, Bytes)>;

/// The id of an entry, written `<milliseconds since 1970>-<sequence>` as in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    pub milliseconds: u64,
    pub sequence: u64,
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    pub fields: Fields,
}

// === impl EntryId ===

impl EntryId {
    /// Not larger than any id.
    pub const MIN: Self = Self::new(0, 0);
    /// Not smaller than any id.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// An id from its two numbers.
    pub const fn new(milliseconds: u64, sequence: u64) -> Self {
        Self {
            milliseconds,
            sequence,
        }
    }

    /// The smallest larger id: where the next page of a range starts.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.sequence.checked_add(1) {
            Some(sequence) => Self::new(self.milliseconds, sequence),
            None => Self::new(self.milliseconds.saturating_add(1), 0),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for EntryId {
    type Err = ParseIntError;

    /// Reads an id; a missing sequence is 0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (milliseconds, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self::new(milliseconds.parse()?, sequence.parse()?))
    }
}

// === impl Entry ===

impl Entry {
    /// The value of a field, if the entry has it.
    pub fn field(&self, name: &str) -> Option<&Bytes> {
        field(&self.fields, name)
    }
}

pub(super) fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f Bytes> {
    let found = fields.iter().find(|(present, _)| present == name);
    found.map(|(_, value)| value)
}

/// The lane of an entry: its stream and the subject of its event. The entries of a stream without a subject form one
/// lane, so that they keep the order of the stream.
pub(super) fn lane(stream: &str, fields: &Fields) -> Arc<str> {
    #[derive(Deserialize)]
    struct Envelope {
        subject: String,
    }
    if let Some(lane) = field(fields, LANE_FIELD) {
        return String::from_utf8_lossy(lane).into();
    }
    let envelope =
        field(fields, EVENT_FIELD).and_then(|event| serde_json::from_slice::<Envelope>(event).ok());
    let subject = envelope.map_or_else(String::new, |envelope| envelope.subject);
    format!("{stream}\n{subject}").into()
}

/// The present time, in milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
