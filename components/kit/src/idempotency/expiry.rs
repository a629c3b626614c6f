//! The expiry of records: a list of record keys for each hour, and the sweep that deletes the lists and
//! the records of expired hours.
//!
//! A sweep works for a bounded time, and the next one continues at the slot where it stopped. One sweep works at a
//! time: it holds the [`Progress`], and a record is deleted only if it is as old as its list says. A record that
//! was made anew under the same key stays.

use super::record::KeyRecord;
use crate::{
    claim::release,
    platform::Platform,
    store::{Store, StoreError, SwapOutcome},
};
use events::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Minimum time for which a response is stored.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// One hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;
/// Key of the progress.
const PROGRESS: &str = "idempotency-swept";
/// For how long one sweep deletes records.
const BUDGET: Duration = Duration::from_millis(1000);
/// Distance in time at which the sweep that holds the progress has certainly ended.
const HELD_FOR: Duration = Duration::from_secs(120);

/// How far the records are swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// The first hour that is not swept yet.
    hour: u64,
    /// The last slot of that hour that is swept.
    slot: i64,
    /// Start of the sweep that holds the progress.
    held: Option<Timestamp>,
}

/// Adds a new record to the list of the current hour.
pub(super) async fn list<P: Platform>(platform: &P, record_key: &str) -> Result<(), StoreError> {
    let hour = platform.now().as_millis() / HOUR;
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
    let retention = u64::try_from(RETENTION.as_millis()).unwrap_or(u64::MAX);
    let expired_until = (start.as_millis() / HOUR).saturating_sub(retention / HOUR);
    let Some(mut progress) = hold(platform, start, expired_until).await? else {
        return Ok(0);
    };
    let mut deleted = 0;
    let worked = work(platform, start, expired_until, &mut progress, &mut deleted).await;
    progress.held = None;
    let value = progress.encode()?;
    platform.state().set(PROGRESS, &value).await?;
    worked.map(|()| deleted)
}

/// Takes hold of the progress; `None` if there is nothing to do, or another sweep holds it.
async fn hold<P: Platform>(
    platform: &P,
    now: Timestamp,
    expired_until: u64,
) -> Result<Option<Progress>, StoreError> {
    let state = platform.state();
    let (value, token) = state.get_for_swap(PROGRESS).await?;
    let Some(mut progress) = value.as_deref().and_then(Progress::decode) else {
        // The first sweep of all: records of earlier hours do not exist.
        let progress = Progress {
            hour: now.as_millis() / HOUR,
            slot: 0,
            held: None,
        };
        state.set(PROGRESS, &progress.encode()?).await?;
        return Ok(None);
    };
    let is_held = |held: Timestamp| now.distance(held) < HELD_FOR;
    if progress.hour >= expired_until || progress.held.is_some_and(is_held) {
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
    expired_until: u64,
    progress: &mut Progress,
    deleted: &mut u64,
) -> Result<(), StoreError> {
    let state = platform.state();
    while progress.hour < expired_until {
        let count = state.increment(&count_key(progress.hour), 0).await?;
        while progress.slot < count {
            if platform.now().distance(start) > BUDGET {
                return Ok(());
            }
            let slot = slot_key(progress.hour, progress.slot + 1);
            *deleted += u64::from(delete_slot(platform, &slot, start).await?);
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
    let is_new = |record: &KeyRecord| now.distance(record.numbered) < RETENTION;
    let is_expired = !record.is_some_and(|record| record.is_ok_and(|record| is_new(&record)));
    if is_expired {
        state.delete(&record_key).await?;
        release(platform, &record_key).await?;
    }
    state.delete(slot).await?;
    Ok(is_expired)
}

impl Progress {
    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))
    }

    /// Decodes a stored progress. Earlier releases stored the number of the hour alone.
    fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok().or_else(|| {
            let hour = std::str::from_utf8(value).ok()?.parse().ok()?;
            Some(Self {
                hour,
                slot: 0,
                held: None,
            })
        })
    }
}

fn count_key(hour: u64) -> String {
    format!("idempotency-count/{hour}")
}

fn slot_key(hour: u64, index: i64) -> String {
    format!("idempotency-slot/{hour}/{index}")
}
