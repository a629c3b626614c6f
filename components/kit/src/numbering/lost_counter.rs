//! A counter that was lost or set back, while its numbers are in use: it is raised above them.
//!
//! The search doubles its steps and then halves them, so that it costs some thirty reads for any number of aggregates. It may end at a
//! gap that a crash left. The numbers behind the gap are found in the same way once the allocations get there.

use super::{IDS, NumberSet, TOMBSTONES, load};
use crate::{
    claim,
    platform::Platform,
    report::report,
    store::{Store, StoreError},
};

/// The name of the claim under which one caller at a time raises the counter.
const RAISE: &str = "ids-raised";

/// Whether a number that was just allocated is in use. A lost counter begins with 1, and that number may be retired.
pub(super) async fn is_used<P: Platform>(
    platform: &P,
    number: u64,
    key: &impl Fn(u64) -> String,
) -> Result<bool, StoreError> {
    Ok(platform.state().exists(&key(number)).await?
        || number == 1 && load(platform, TOMBSTONES).await?.contains(number))
}

/// Raises the counter to the last of the numbers in use, from `number` on, which is one of them.
pub(super) async fn raise<P: Platform>(
    platform: &P,
    number: u64,
    key: &impl Fn(u64) -> String,
) -> Result<(), StoreError> {
    // Two callers that add their differences would leave as many numbers unused.
    claim::claim_absent(platform, RAISE).await?;
    let raised = raise_claimed(platform, number, key).await;
    // If this fails, the next caller waits for half a second.
    let _ = claim::release(platform, RAISE).await;
    raised
}

async fn raise_claimed<P: Platform>(
    platform: &P,
    number: u64,
    key: &impl Fn(u64) -> String,
) -> Result<(), StoreError> {
    let last = last_used(platform, number, key).await?;
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let counter = platform.state().increment(IDS, 0).await?;
    if counter < last {
        platform.state().increment(IDS, last - counter).await?;
        report(&format!(
            "the counter `{IDS}` was lost or set back: it stood at {counter}, and is raised to {last}"
        ));
    }
    Ok(())
}

/// A number in use from `number` on, behind which an unused one follows.
async fn last_used<P: Platform>(
    platform: &P,
    number: u64,
    key: &impl Fn(u64) -> String,
) -> Result<u64, StoreError> {
    let retired: NumberSet = load(platform, TOMBSTONES).await?;
    let is_used = async |number: u64| -> Result<bool, StoreError> {
        Ok(retired.contains(number) || platform.state().exists(&key(number)).await?)
    };
    let mut used = number.max(retired.last().unwrap_or_default());
    let mut step = 1;
    while is_used(used.saturating_add(step)).await? {
        used = used.saturating_add(step);
        step = step.saturating_mul(2);
    }
    while step > 1 {
        step /= 2;
        if is_used(used + step).await? {
            used += step;
        }
    }
    Ok(used)
}
