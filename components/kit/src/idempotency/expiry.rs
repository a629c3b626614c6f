//! The expiry of records: a list of record keys for each hour, and the sweep that deletes the lists and
//! the records of expired hours.

use crate::{
    claim::release,
    platform::Platform,
    store::{Store, StoreError},
};
use std::time::Duration;

/// Minimum time for which a response is stored.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// One hour, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;
/// Key of the first hour that is not swept yet.
const SWEPT_UNTIL: &str = "idempotency-swept";

/// Adds a new record to the list of the current hour.
pub(super) async fn list<P: Platform>(platform: &P, record_key: &str) -> Result<(), StoreError> {
    let hour = platform.now().as_millis() / HOUR;
    let state = platform.state();
    let index = state.increment(&count_key(hour), 1).await?;
    state
        .set(&slot_key(hour, index), record_key.as_bytes())
        .await
}

/// Deletes the records that are older than [`RETENTION`] and returns their number.
///
/// # Errors
///
/// The store failed; the next sweep tries again.
pub async fn sweep<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let now = platform.now().as_millis() / HOUR;
    let retention = u64::try_from(RETENTION.as_millis()).unwrap_or(u64::MAX) / HOUR;
    let state = platform.state();
    let swept_until: u64 = match state.get(SWEPT_UNTIL).await? {
        Some(hour) => String::from_utf8_lossy(&hour).parse().unwrap_or(now),
        None => {
            state.set(SWEPT_UNTIL, now.to_string().as_bytes()).await?;
            now
        }
    };
    let mut deleted = 0;
    for hour in swept_until..now.saturating_sub(retention) {
        deleted += sweep_hour(platform, hour).await?;
        let next = (hour + 1).to_string();
        state.set(SWEPT_UNTIL, next.as_bytes()).await?;
    }
    Ok(deleted)
}

async fn sweep_hour<P: Platform>(platform: &P, hour: u64) -> Result<u64, StoreError> {
    let state = platform.state();
    let mut deleted = 0;
    for index in 1..=state.increment(&count_key(hour), 0).await? {
        let slot = slot_key(hour, index);
        if let Some(record_key) = state.get(&slot).await? {
            let record_key = String::from_utf8_lossy(&record_key).into_owned();
            state.delete(&record_key).await?;
            release(platform, &record_key).await?;
            state.delete(&slot).await?;
            deleted += 1;
        }
    }
    state.delete(&count_key(hour)).await?;
    Ok(deleted)
}

fn count_key(hour: u64) -> String {
    format!("idempotency-count/{hour}")
}

fn slot_key(hour: u64, index: i64) -> String {
    format!("idempotency-slot/{hour}/{index}")
}
