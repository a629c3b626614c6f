//! Exclusive creation of a key that does not exist yet.
//!
//! A compare-and-swap of an absent key is not exclusive everywhere: Spin's SQLite provider lets two
//! concurrent creators of one absent key both succeed. Counters are atomic on every provider, so the
//! caller whose increment returns one creates the key, and every other caller waits for it to appear. If
//! it does not appear in time, the creator is assumed to have crashed; then only the swap protects the key.

use crate::{
    platform::Platform,
    store::{Store, StoreError},
};
use std::time::Duration;

/// Number of times that a loser of the claim looks for the key.
const MAX_POLLS: u32 = 20;
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Whether the key of a claim exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Another caller has created it.
    Exists,
    /// This caller creates it, because it is the first one, or because the first one did not create it within 500 ms.
    Granted,
}

/// Returns when a swap of `key` may begin: the key exists, this caller is its creator, or the creator
/// did not create it within 500 ms.
///
/// # Errors
///
/// The store failed.
pub async fn claim<P: Platform>(platform: &P, key: &str) -> Result<Claim, StoreError> {
    match platform.state().exists(key).await? {
        true => Ok(Claim::Exists),
        false => claim_absent(platform, key).await,
    }
}

/// As [`claim`], for a key that the caller has just found absent.
///
/// # Errors
///
/// The store failed.
pub async fn claim_absent<P: Platform>(platform: &P, key: &str) -> Result<Claim, StoreError> {
    let state = platform.state();
    if state.increment(&counter_key(key), 1).await? == 1 {
        return Ok(Claim::Granted);
    }
    for _ in 0..MAX_POLLS {
        if state.exists(key).await? {
            return Ok(Claim::Exists);
        }
        platform.sleep(POLL_INTERVAL).await;
    }
    Ok(Claim::Granted)
}

/// Permits a new claim of `key` after its deletion.
///
/// # Errors
///
/// The store failed.
pub async fn release<P: Platform>(platform: &P, key: &str) -> Result<(), StoreError> {
    platform.state().delete(&counter_key(key)).await
}

fn counter_key(key: &str) -> String {
    format!("claim/{key}")
}
