//! How far a listener has come: the position of a change in the log.
//!
//! A component reads several streams, whose ids grow independently. A position therefore has one id for each stream, and
//! begins with the identity of the log's history, so that a position of another log is noticed.

use std::fmt;
use std::sync::Arc;

use event_log::EntryId;

/// How much of the identity of a history a position has, in characters.
const HISTORY_LENGTH: usize = 12;

/// The newest entry of each stream that was sent, written `<history>.<id>.<id>…` in the order of the streams' names.
///
/// While a stream has no entry that was sent, the time follows: `<history>.<id>.0-0.<since>`. It shows later what a
/// retention cannot have removed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogPosition {
    pub history: Arc<str>,
    pub ids: Vec<EntryId>,
    /// A time at which the streams without a sent entry had none either, in milliseconds since 1970; 0 if it is not known.
    pub since: u64,
}

// === impl LogPosition ===

impl LogPosition {
    pub fn new(history: &str, ids: Vec<EntryId>, since: u64) -> Self {
        Self {
            history: short(history),
            ids,
            since,
        }
    }

    /// Reads the position of a log with this history and so many streams. `None` if it is another one.
    pub fn read(text: &str, history: &str, streams: usize) -> Option<Self> {
        let mut parts = text.split('.');
        let history_of_position = parts.next()?.into();
        let ids = parts.by_ref().take(streams).map(str::parse);
        let position = Self {
            history: history_of_position,
            ids: ids.collect::<Result<_, _>>().ok()?,
            since: parts.next().map_or(Some(0), |since| since.parse().ok())?,
        };
        if parts.next().is_some() {
            return None;
        }
        let is_of_log = position.history == short(history) && position.ids.len() == streams;
        is_of_log.then_some(position)
    }

    /// Whether both positions have the same entries behind them, whenever they were taken.
    pub fn is_as_far_as(&self, other: &Self) -> bool {
        self.history == other.history && self.ids == other.ids
    }

    /// Whether the other position has entries of a stream behind it that this one has not.
    pub fn is_behind(&self, other: &Self) -> bool {
        let mut ids = self.ids.iter().zip(&other.ids);
        ids.any(|(id, other)| id < other)
    }

    /// Whether the position belongs to this history.
    pub fn is_of(&self, history: &str) -> bool {
        self.history == short(history)
    }
}

fn short(history: &str) -> Arc<str> {
    history.get(..HISTORY_LENGTH).unwrap_or(history).into()
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.history)?;
        self.ids.iter().try_for_each(|id| write!(f, ".{id}"))?;
        match self.ids.contains(&EntryId::MIN) {
            true => write!(f, ".{}", self.since),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let ids = vec![EntryId::new(7, 1), EntryId::MIN];
        let position = LogPosition::new("0123456789abcdef", ids, 5);
        let text = position.to_string();
        assert_eq!(text, "0123456789ab.7-1.0-0.5");
        let read = |text| LogPosition::read(text, "0123456789abcdef", 2);
        assert_eq!(read(&text), Some(position));
        assert_eq!(read("0123456789ab.7-1.0-0").map(|it| it.since), Some(0));
        let whole = LogPosition::new("0123456789abcdef", vec![EntryId::new(7, 1); 2], 5);
        assert_eq!(whole.to_string(), "0123456789ab.7-1.7-1");
        for foreign in [
            "",
            "7-1.0-0",
            "0123456789ab",
            "0123456789ab.7-1",
            "0123456789ab.x.0-0",
            "0123456789ab.7-1.0-0.x",
            "0123456789ab.7-1.0-0.5.6",
        ] {
            assert_eq!(read(foreign), None, "{foreign}");
        }
        assert_eq!(LogPosition::read(&text, "another history", 2), None);
    }
}
