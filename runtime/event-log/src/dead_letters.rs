//! Dead letters: events that a group could not handle, with their error and the number of attempts.
//!
//! A dead letter is an entry of the stream [`DEAD_LETTERS`], so every reader of streams can read it. It carries the
//! whole event, because the stream that the event came from may have been trimmed. Redriving moves the letter to a
//! stream that only the failed group reads. There it is delivered, retried and, if it fails again, parked like any
//! other event, in its original lane.

use bytes::Bytes;
use serde::Serialize;

use super::entry::field;
use super::{
    DEAD_LETTERS, EVENT_FIELD, Entry, EntryId, EventLog, Fields, LANE_FIELD, LogError, Position,
};

/// The prefix of the names of the original fields.
const ORIGINAL: &str = "original.";

/// An event that one group could not handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The id of the letter.
    pub id: String,
    /// When it was parked, in milliseconds since 1970.
    pub parked_at: u64,
    /// The group that could not handle the event.
    pub group: String,
    /// The stream of the event.
    pub stream: String,
    /// The id of the event in that stream; the entry may have been removed since.
    pub entry: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The error of the last attempt.
    pub error: String,
    /// The event as it was published.
    pub event: String,
}

/// Returns up to `limit` letters after the id `after` (`None`: from the first letter), oldest first.
///
/// # Errors
/// If the log fails.
pub async fn list(
    log: &dyn EventLog,
    after: Option<EntryId>,
    limit: usize,
) -> Result<Vec<DeadLetter>, LogError> {
    let from = after.map_or(EntryId::MIN, EntryId::next);
    let entries = log.range(DEAD_LETTERS, from, EntryId::MAX, limit).await?;
    Ok(entries.iter().map(letter).collect())
}

/// Returns one letter, or `None` if it is not there.
///
/// # Errors
/// If the log fails.
pub async fn show(log: &dyn EventLog, id: EntryId) -> Result<Option<DeadLetter>, LogError> {
    let entries = log.range(DEAD_LETTERS, id, id, 1).await?;
    Ok(entries.first().map(letter))
}

/// Gives a letter back to the group that could not handle it. Returns `false` if it is not there.
///
/// # Errors
/// If the log fails.
pub async fn redrive(log: &dyn EventLog, id: EntryId) -> Result<bool, LogError> {
    log.redrive(id).await
}

/// Deletes a letter for good. Returns `false` if it is not there.
///
/// # Errors
/// If the log fails.
pub async fn discard(log: &dyn EventLog, id: EntryId) -> Result<bool, LogError> {
    log.remove(DEAD_LETTERS, id).await
}

fn letter(entry: &Entry) -> DeadLetter {
    let text = |name: &str| {
        let value = entry
            .field(name)
            .map(|value| String::from_utf8_lossy(value));
        value.unwrap_or_default().into_owned()
    };
    DeadLetter {
        id: entry.id.to_string(),
        parked_at: entry.id.milliseconds,
        group: text("group"),
        stream: text("stream"),
        entry: text("entry"),
        attempts: text("attempts").parse().unwrap_or(0),
        error: text("error"),
        event: text(&format!("{ORIGINAL}{EVENT_FIELD}")),
    }
}

/// The fields of a letter about an entry with the fields `original`.
pub(super) fn fields(
    group: &str,
    position: &Position,
    lane: &str,
    error: &str,
    attempts: u32,
    original: Fields,
) -> Fields {
    let about = [
        ("group", group.to_owned()),
        ("stream", position.stream.to_string()),
        ("entry", position.id.to_string()),
        ("attempts", attempts.to_string()),
        ("error", error.to_owned()),
        (LANE_FIELD, lane.to_owned()),
    ];
    about
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
        .chain(
            original
                .into_iter()
                .filter(|(name, _)| name != LANE_FIELD)
                .map(|(name, value)| (format!("{ORIGINAL}{name}"), value)),
        )
        .collect()
}

/// The group that a letter goes back to, and its fields there.
pub(super) fn redriven(letter: &Entry) -> Result<(String, Fields), LogError> {
    let damaged = || LogError::Damaged(DEAD_LETTERS.to_owned());
    let group = field(&letter.fields, "group").ok_or_else(damaged)?;
    let group = std::str::from_utf8(group).map_err(|_| damaged())?;
    let fields = letter
        .fields
        .iter()
        .filter_map(|(name, value)| {
            let name = name
                .strip_prefix(ORIGINAL)
                .or((name == LANE_FIELD).then_some(LANE_FIELD))?;
            Some((name.to_owned(), value.clone()))
        })
        .collect();
    Ok((group.to_owned(), fields))
}
