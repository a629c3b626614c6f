//! The expiry of records: a list of record keys for each hour, and the sweep that deletes the lists and
//! the records of expired hours.
//!
//! No clock says which hour it is: the hour ends when sweeps have seen it for as long ([`SightedAge`]), so that a host whose
//! clock is days ahead deletes nothing early, and no later record stays behind.
//!
//! A sweep works for a bounded time, and the next one continues at the slot where it stopped. One sweep works at a
//! time: it holds the [`Progress`], and a record is deleted only by the list that it was entered in. A record that
//! was made anew under the same key stays.

use super::record::KeyRecord;
use crate::{
    claim::release,
    platform::Platform,
    sighted_age::SightedAge,
    store::{Store, StoreError, SwapOutcome},
};
use events::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Minimum time for which a response is stored.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// One hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;
/// The number of whole hours that are kept before the present one.
const RETAINED_HOURS: u64 = 24;
/// Key of the progress.
const PROGRESS: &str = "idempotency-swept";
/// Time between two looks of one host at the present hour.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// For how long one sweep deletes records.
const BUDGET: Duration = Duration::from_millis(1000);
/// Distance in time at which the sweep that holds the progress has certainly ended.
const HELD_FOR: Duration = Duration::from_secs(120);

/// How far the records are swept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// The first hour that is not swept yet.
    hour: u64,
    /// The last slot of that hour that is swept.
    slot: i64,
    /// Start of the sweep that holds the progress.
    held: Option<Timestamp>,
    /// The present hour. Absent in the progress of earlier releases, whose hours were those of the clock.
    #[serde(default)]
    present: u64,
    /// For how long sweeps have seen the present hour.
    #[serde(default, skip_serializing_if = "SightedAge::is_empty")]
    age: SightedAge,
}

/// The list of the present hour.
pub(super) async fn list<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let progress = platform.state().get(PROGRESS).await?;
    let progress = progress.as_deref().and_then(Progress::decode);
    let present = progress.map(|progress| progress.present);
    Ok(present
        .filter(|hour| *hour > 0)
        .unwrap_or_else(|| hour_of_clock(platform)))
}

/// Enters a new record in its list.
pub(super) async fn enter<P: Platform>(
    platform: &P,
    list: Option<u64>,
    record_key: &str,
) -> Result<(), StoreError> {
    let hour = list.unwrap_or_else(|| hour_of_clock(platform));
    let state = platform.state();
    let index = state.increment(&count_key(hour), 1).await?;
    state
        .set(&slot_key(hour, index), record_key.as_bytes())
        .await
}

/// Deletes records that are older than [`RETENTION`] and returns their number.
///
/// # Errors
///
/// The store failed; a later sweep continues.
pub async fn sweep<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let start = platform.now();
    let Some(mut progress) = hold(platform, start).await? else {
        return Ok(0);
    };
    let mut deleted = 0;
    let worked = work(platform, start, &mut progress, &mut deleted).await;
    progress.held = None;
    let value = progress.encode()?;
    platform.state().set(PROGRESS, &value).await?;
    worked.map(|()| deleted)
}

/// Takes hold of the progress; `None` if there is nothing to do, or another sweep holds it.
async fn hold<P: Platform>(platform: &P, now: Timestamp) -> Result<Option<Progress>, StoreError> {
    let state = platform.state();
    let (value, token) = state.get_for_swap(PROGRESS).await?;
    let Some(mut progress) = value.as_deref().and_then(Progress::decode) else {
        // The first sweep of all: records of earlier hours do not exist.
        let progress = Progress::since(hour_of_clock(platform));
        state.set(PROGRESS, &progress.encode()?).await?;
        return Ok(None);
    };
    let is_held = |held: Timestamp| now.distance(held) < HELD_FOR;
    if progress.held.is_some_and(is_held) {
        return Ok(None);
    }
    let has_changed = progress.observe(platform, now);
    if progress.hour >= progress.expired_until() {
        if has_changed {
            let value = progress.encode()?;
            // If this look is lost, the hour ends somewhat later.
            let _ = state.compare_and_swap(token, &value).await?;
        }
        return Ok(None);
    }
    progress.held = Some(now);
    let value = progress.encode()?;
    let is_mine = state.compare_and_swap(token, &value).await? == SwapOutcome::Written
        // A provider may report a conflict although it wrote the value.
        || state.get(PROGRESS).await?.as_ref() == Some(&value);
    Ok(is_mine.then_some(progress))
}

/// Deletes the slots from `progress` on, until all expired hours are done or the time is up.
async fn work<P: Platform>(
    platform: &P,
    start: Timestamp,
    progress: &mut Progress,
    deleted: &mut u64,
) -> Result<(), StoreError> {
    let state = platform.state();
    while progress.hour < progress.expired_until() {
        let count = state.increment(&count_key(progress.hour), 0).await?;
        while progress.slot < count {
            if platform.now().distance(start) > BUDGET {
                return Ok(());
            }
            let slot = slot_key(progress.hour, progress.slot + 1);
            *deleted += u64::from(delete_slot(platform, &slot, progress.hour, start).await?);
            progress.slot += 1;
        }
        state.delete(&count_key(progress.hour)).await?;
        progress.hour += 1;
        progress.slot = 0;
    }
    Ok(())
}

/// Deletes a slot and its record, and returns whether it deleted a record.
async fn delete_slot<P: Platform>(
    platform: &P,
    slot: &str,
    hour: u64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let state = platform.state();
    let Some(record_key) = state.get(slot).await? else {
        return Ok(false);
    };
    let record_key = String::from_utf8_lossy(&record_key).into_owned();
    let record = state.get(&record_key).await?;
    let record = record.as_deref().map(KeyRecord::decode);
    // A record that cannot be read is of no use to any request.
    let is_new = |record: &KeyRecord| match record.list {
        Some(list) => list != hour,
        None => now.distance(record.numbered) < RETENTION,
    };
    let is_expired = !record.is_some_and(|record| record.is_ok_and(|record| is_new(&record)));
    if is_expired {
        state.delete(&record_key).await?;
        release(platform, &record_key).await?;
    }
    state.delete(slot).await?;
    Ok(is_expired)
}

impl Progress {
    /// Nothing before this hour is left.
    fn since(hour: u64) -> Self {
        Self {
            hour,
            slot: 0,
            held: None,
            present: hour,
            age: SightedAge::default(),
        }
    }

    /// The first hour that is not expired.
    fn expired_until(&self) -> u64 {
        self.present.saturating_sub(RETAINED_HOURS)
    }

    /// Adds a look at the present hour unless the last one is recent, and ends the hour if it was seen for long enough.
    /// Returns whether it did.
    fn observe<P: Platform>(&mut self, platform: &P, now: Timestamp) -> bool {
        let host = platform.host();
        if self.present == 0 {
            let latest = self.hour + RETAINED_HOURS + 1;
            self.present = hour_of_clock(platform).clamp(self.hour, latest);
        } else if self.age.is_recent(&host, now, LOOK_INTERVAL) {
            return false;
        }
        if self.age.observe_hours(&host, now) >= Duration::from_millis(HOUR) {
            self.present += 1;
            self.age = SightedAge::default();
            self.age.observe_hours(&host, now);
        }
        true
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))
    }

    /// Decodes a stored progress. Earlier releases stored the number of the hour alone.
    fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok().or_else(|| {
            let hour = std::str::from_utf8(value).ok()?.parse().ok()?;
            Some(Self {
                present: 0,
                ..Self::since(hour)
            })
        })
    }
}

fn hour_of_clock<P: Platform>(platform: &P) -> u64 {
    platform.now().as_millis() / HOUR
}

fn count_key(hour: u64) -> String {
    format!("idempotency-count/{hour}")
}

fn slot_key(hour: u64, index: i64) -> String {
    format!("idempotency-slot/{hour}/{index}")
}
