//! Who may create what does not exist yet.
//!
//! A compare-and-swap on an absent key is not enough everywhere: Spin's SQLite provider lets two
//! creators of one absent key both win. Counting is atomic on every provider, so whoever counts to
//! one creates, and the others wait a moment for what he creates. If it does not appear he has
//! died, and the others go on; then the swap alone decides.

use crate::{Platform, Store, StoreError};
use std::time::Duration;

/// How often and how long the losers of a claim look for what the winner creates.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// Returns once it is safe to begin a swap of `key`: it exists, or its creation is ours.
///
/// # Errors
///
/// The store's silence.
pub async fn claim<P: Platform>(platform: &P, key: &str) -> Result<(), StoreError> {
    let state = platform.state();
    if state.exists(key).await? || state.increment(&counter(key), 1).await? == 1 {
        return Ok(());
    }
    for _ in 0..LOOKS {
        if state.exists(key).await? {
            return Ok(());
        }
        platform.sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

/// Lets `key`, which was deleted, be claimed anew.
///
/// # Errors
///
/// The store's silence.
pub async fn release<P: Platform>(platform: &P, key: &str) -> Result<(), StoreError> {
    platform.state().delete(&counter(key)).await
}

fn counter(key: &str) -> String {
    format!("claim/{key}")
}
