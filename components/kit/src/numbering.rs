//! Numbers of aggregates, from 1, and their pages without an index.
//!
//! A counter holds the number of the last allocation. Numbers without an aggregate (a deleted car, a number
//! that a crash left unused) are *tombstones*: ranges in one small value. The n-th live number is
//! therefore arithmetic, a registration updates no index, and a page costs one read per row, for any
//! number of aggregates.

mod live;
mod lost_counter;
mod number_set;
pub mod orphans;

pub use live::LiveNumbers;
pub use number_set::NumberSet;

use crate::{
    platform::Platform,
    store::{Store, StoreError, SwapOutcome},
};

/// Key of the counter.
const IDS: &str = "ids";
/// Key of the tombstones.
const TOMBSTONES: &str = "void";
/// Number of allocations that are attempted while the counter is behind the numbers in use.
const MAX_ALLOCATIONS: u32 = 4;
/// Number of swaps that are attempted to add one tombstone.
const MAX_ATTEMPTS: u32 = 64;

/// Allocates the next number. `key` is the key under which something is stored if a number is in use: a counter that was lost
/// or set back is raised above these numbers.
///
/// # Errors
///
/// The store failed. A number may then be lost; it is never allocated twice.
pub async fn allocate<P: Platform>(
    platform: &P,
    key: impl Fn(u64) -> String,
) -> Result<u64, StoreError> {
    for _ in 0..MAX_ALLOCATIONS {
        let number = next(platform).await?;
        if !lost_counter::is_used(platform, number, &key).await? {
            return Ok(number);
        }
        lost_counter::raise(platform, number, &key).await?;
    }
    Err(StoreError(format!(
        "the counter `{IDS}` is behind the numbers in use"
    )))
}

async fn next<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let number = platform.state().increment(IDS, 1).await?;
    u64::try_from(number).map_err(|_| StoreError(format!("the counter `{IDS}` is negative")))
}

/// Removes `number` from every page by a tombstone. Idempotent.
///
/// # Errors
///
/// The store failed, or other writers changed the tombstones before every attempt.
pub async fn retire<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    update(platform, TOMBSTONES, |set| set.insert(number)).await
}

/// Removes the tombstone of `number`, if it has one: its aggregate was created after all. Idempotent.
///
/// # Errors
///
/// As [`retire`].
pub async fn reinstate<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    update(platform, TOMBSTONES, |set| set.remove(number)).await
}

/// The live numbers at this moment.
///
/// # Errors
///
/// The store failed.
pub async fn live_numbers<P: Platform>(platform: &P) -> Result<LiveNumbers, StoreError> {
    let last = platform.state().increment(IDS, 0).await?;
    let last = u64::try_from(last).unwrap_or(0);
    Ok(LiveNumbers::new(last, load(platform, TOMBSTONES).await?))
}

/// Loads a set of numbers.
async fn load<P: Platform>(platform: &P, key: &str) -> Result<NumberSet, StoreError> {
    decode(key, platform.state().get(key).await?.as_deref())
}

/// Changes a set of numbers; `change` returns whether it changed the set.
async fn update<P: Platform>(
    platform: &P,
    key: &str,
    change: impl Fn(&mut NumberSet) -> bool,
) -> Result<(), StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        let (value, token) = platform.state().get_for_swap(key).await?;
        let mut set = decode(key, value.as_deref())?;
        if !change(&mut set) {
            return Ok(());
        }
        let value = serde_json::to_vec(&set).map_err(|e| StoreError(e.to_string()))?;
        let swap = platform.state().compare_and_swap(token, &value);
        if swap.await? == SwapOutcome::Written {
            return Ok(());
        }
        // The swap may have taken place all the same; the next reading shows it.
    }
    Err(StoreError(format!("`{key}` is changed too often")))
}

fn decode(key: &str, value: Option<&[u8]>) -> Result<NumberSet, StoreError> {
    let unreadable = |error| StoreError(format!("`{key}` cannot be read: {error}"));
    value.map_or_else(
        || Ok(NumberSet::default()),
        |value| serde_json::from_slice(value).map_err(unreadable),
    )
}

#[cfg(test)]
mod tests;
