//! Waiting for an unavailable log.

use std::time::Duration;

use resilience::retry::Backoff;
use tokio::time::sleep;

use super::super::DeliveryContext;
use crate::Position;

/// The delays between attempts to reach an unavailable log.
const RECONNECT_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Acknowledges until the log has confirmed it: an event that was handled once should not be handled again.
pub(super) async fn acknowledge(context: &DeliveryContext, group: &str, positions: &[Position]) {
    let mut failures = 0_u32;
    while let Err(error) = context.log.acknowledge(group, positions).await {
        context.log_unavailable(&error, failures == 0);
        failures += 1;
        sleep(reconnect_delay(failures)).await;
    }
    if failures > 0 {
        context.log_available();
    }
}

pub(super) fn reconnect_delay(failures: u32) -> Duration {
    RECONNECT_BACKOFF.delay(failures)
}
