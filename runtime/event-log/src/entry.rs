//! The entries of a stream: growing ids, and named fields.

use std::borrow::Cow;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{EVENT_FIELD, LANE_FIELD};

/// The fields of an entry, in order.
pub type Fields = Vec<(String, Bytes)>;

/// The id of an entry, written `<milliseconds since 1970>-<sequence>` as in Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// The largest smaller id; [`EntryId::MIN`] has none, and is its own.
    #[must_use]
    pub const fn previous(self) -> Self {
        match (
            self.sequence.checked_sub(1),
            self.milliseconds.checked_sub(1),
        ) {
            (Some(sequence), _) => Self::new(self.milliseconds, sequence),
            (None, Some(milliseconds)) => Self::new(milliseconds, u64::MAX),
            (None, None) => Self::MIN,
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

    /// The event, if the entry has one.
    pub fn event(&self) -> Option<Bytes> {
        event(&self.fields)
    }
}

/// The event in the fields of an entry. A byte order mark before it is no part of it: contexts ignore it, so the host does.
pub(super) fn event(fields: &Fields) -> Option<Bytes> {
    let event = field(fields, EVENT_FIELD)?;
    Some(event.slice_ref(without_byte_order_mark(event)))
}

/// A JSON text without the byte order mark that some programs put before it.
pub fn without_byte_order_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

pub(super) fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f Bytes> {
    let found = fields.iter().find(|(present, _)| present == name);
    found.map(|(_, value)| value)
}

/// What the log needs to know of the event of an entry.
pub(super) struct Routing {
    /// The stream and the subject of the event. The entries of a stream without a subject form one lane, so that they
    /// keep the order of the stream.
    pub lane: Arc<str>,
    /// The type of the event, if it has one.
    pub event_type: Option<Box<str>>,
}

impl Routing {
    pub fn of(stream: &str, fields: &Fields) -> Self {
        let event = event(fields);
        let envelope: Envelope<'_> = event
            .as_deref()
            .and_then(|event| serde_json::from_slice(event).ok())
            .unwrap_or_default();
        let lane = match field(fields, LANE_FIELD) {
            Some(lane) => String::from_utf8_lossy(lane).into(),
            None => format!("{stream}\n{}", envelope.subject.text().unwrap_or_default()).into(),
        };
        Self {
            lane,
            event_type: envelope.r#type.text().map(Box::from),
        }
    }
}

/// The type of an event, if it has one.
pub(super) fn event_type(event: &[u8]) -> Option<Box<str>> {
    let envelope: Envelope<'_> = serde_json::from_slice(without_byte_order_mark(event)).ok()?;
    envelope.r#type.text().map(Box::from)
}

/// The attributes of an event that the log reads.
#[derive(Default, Deserialize)]
struct Envelope<'e> {
    #[serde(default, borrow)]
    subject: Attribute<'e>,
    #[serde(default, borrow)]
    r#type: Attribute<'e>,
}

/// An attribute whose value may be anything; only a text counts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Attribute<'e> {
    Text(#[serde(borrow)] Cow<'e, str>),
    Other(IgnoredAny),
}

impl Attribute<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

impl Default for Attribute<'_> {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

/// An identity for a history that begins now.
pub(super) fn new_history() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// The present time, in milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
