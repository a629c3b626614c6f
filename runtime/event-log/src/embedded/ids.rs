//! Entry ids and times as the signed numbers that SQLite stores.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::entry::{EntryId, now};

/// The number of bits of a stored id that count within its millisecond.
const SEQUENCE_BITS: u32 = 20;
const SEQUENCE_MAX: u64 = (1 << SEQUENCE_BITS) - 1;

/// The largest id that this process has given out, so that it gives no id twice after a removal.
#[derive(Default)]
pub(super) struct LastId(AtomicI64);

impl LastId {
    /// The smallest id that the next entry may have.
    pub fn next(&self) -> i64 {
        pack(EntryId::new(now(), 0)).max(self.0.load(Ordering::Relaxed) + 1)
    }

    pub fn record(&self, id: i64) {
        self.0.fetch_max(id, Ordering::Relaxed);
    }
}

pub(super) fn pack(id: EntryId) -> i64 {
    const LAST: u64 = i64::MAX as u64 >> SEQUENCE_BITS;
    let packed = id.milliseconds.min(LAST) << SEQUENCE_BITS | id.sequence.min(SEQUENCE_MAX);
    i64::try_from(packed).unwrap_or(i64::MAX)
}

pub(super) fn unpack(packed: i64) -> EntryId {
    let packed = unsigned(packed);
    EntryId::new(packed >> SEQUENCE_BITS, packed & SEQUENCE_MAX)
}

/// A stored number that is never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number of rows for `LIMIT`.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The time `ago` before now, in milliseconds since 1970.
pub(super) fn milliseconds_ago(ago: Duration) -> i64 {
    stored(now().saturating_sub(milliseconds(ago)))
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time in milliseconds, as SQLite stores it.
pub(super) fn stored(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}
