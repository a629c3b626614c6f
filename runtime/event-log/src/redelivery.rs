//! Rare redelivery of dead letters: a new version of a component may handle what an earlier one could not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::entry::now;
use super::{EntryId, EventLog, LogError, dead_letters};

/// The time between two checks whether a pass is due; the interval may have changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time between two passes over the dead letters.
const MAX_PASS_INTERVAL: Duration = Duration::from_secs(600);

/// How far the clocks of two hosts may differ, in milliseconds.
const CLOCK_TOLERANCE: u64 = 60_000;

/// The number of letters that one pass reads at a time.
const PAGE: usize = 100;

/// Redrives the dead letters that are older than the current interval, until `stop` is cancelled. Without an interval,
/// they stay where they are.
///
/// # Errors
/// Never; the result has the type of the other background tasks.
pub async fn redrive_until_cancelled(
    log: Arc<dyn EventLog>,
    current: impl Fn() -> Option<Duration>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    loop {
        tokio::select! {
            () = sleep(CHECK_INTERVAL) => {}
            () = stop.cancelled() => return Ok(()),
        }
        let Some(min_age) = current() else { continue };
        if last.elapsed() < (min_age / 4).min(MAX_PASS_INTERVAL) {
            continue;
        }
        last = Instant::now();
        match redrive_older(&*log, min_age).await {
            Ok(0) => {}
            Ok(redriven) => info!(redriven, "dead letters delivered again"),
            // The next pass finds the same letters.
            Err(error) => warn!(%error, "dead letters could not be delivered again"),
        }
    }
}

/// Redrives the letters that were parked at least `min_age` ago, and returns their number.
///
/// # Errors
/// If the log fails.
pub async fn redrive_older(log: &dyn EventLog, min_age: Duration) -> Result<u64, LogError> {
    let min_age = u64::try_from(min_age.as_millis()).unwrap_or(u64::MAX);
    let mut redriven = 0;
    let mut after = None;
    loop {
        let page = dead_letters::list(log, after, PAGE).await?;
        let old = page
            .iter()
            .take_while(|letter| is_old(letter.parked_at, now(), min_age));
        let ids: Vec<EntryId> = old.filter_map(|letter| letter.id.parse().ok()).collect();
        for id in &ids {
            match dead_letters::redrive(log, *id).await {
                Ok(is_redriven) => redriven += u64::from(is_redriven),
                // The letter waits for its group, or for an operator: another program has written it.
                Err(LogError::NoGroup(_) | LogError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        after = ids.last().copied();
        if ids.len() < PAGE {
            return Ok(redriven);
        }
    }
}

/// Whether a letter that was parked at `parked_at` is `min_age` old; all are milliseconds. A time in the future counts as
/// old: a clock has been turned back since.
fn is_old(parked_at: u64, now: u64, min_age: u64) -> bool {
    parked_at <= now.saturating_sub(min_age) || parked_at > now.saturating_add(CLOCK_TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_the_future_is_old() {
        let (now, min_age) = (1_000_000, 300_000);
        for (parked_at, expected) in [
            (now - min_age, true),
            (now - min_age + 1, false),
            (now + CLOCK_TOLERANCE, false),
            (now + CLOCK_TOLERANCE + 1, true),
        ] {
            assert_eq!(is_old(parked_at, now, min_age), expected, "{parked_at}");
        }
    }
}
