//! `retry = { … }`: how often, after which pauses, and how many of all calls may be repetitions.
//!
//! Off unless a manifest asks for it: repetitions multiply from hop to hop, so somebody has to choose the hop. *What*
//! may be sent twice is not for a manifest to say, see [`crate::link`].

use std::time::Duration;

use resilience::retry::{Backoff, RetryBudget, RetryBudgetSettings};

use super::value::{count, duration, set};
use crate::document::ConfigError;
use crate::document::Value;

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Duration,
    max_backoff: Duration,
    budget: RetryBudgetSettings,
}

const MILLISECOND: Duration = Duration::from_millis(1);

// === impl RetryPolicy ===

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: 25 * MILLISECOND,
            max_backoff: 250 * MILLISECOND,
            budget: RetryBudgetSettings::default(),
        }
    }
}

impl RetryPolicy {
    /// What makes it work; nothing if a number is out of bounds, which [`read`] has made sure it is not.
    pub fn build(&self) -> Option<(Backoff, RetryBudget)> {
        let backoff = Backoff::new(self.backoff, self.max_backoff, self.attempts).ok()?;
        Some((backoff, RetryBudget::new(self.budget).ok()?))
    }
}

/// Reads `false`, `true` or a table over what was there before.
pub(super) fn read(
    before: Option<RetryPolicy>,
    written: Value,
) -> Result<Option<RetryPolicy>, ConfigError> {
    let mut retry = before.unwrap_or_default();
    if !written.is_table() {
        return Ok(written.boolean()?.value.then_some(retry));
    }
    let mut table = written.table()?;
    table.reject_renamed("pause", "backoff")?;
    table.reject_renamed("longest_pause", "max_backoff")?;
    set(&mut retry.attempts, count(&mut table, "attempts", 1..=10)?);
    let bounds = MILLISECOND..=60_000 * MILLISECOND;
    set(
        &mut retry.backoff,
        duration(&mut table, "backoff", bounds.clone())?,
    );
    set(
        &mut retry.max_backoff,
        duration(&mut table, "max_backoff", bounds)?,
    );
    retry.max_backoff = retry.max_backoff.max(retry.backoff);
    set(
        &mut retry.budget.percent,
        count(&mut table, "budget", 0..=100)?,
    );
    set(
        &mut retry.budget.minimum_per_second,
        count(&mut table, "budget_minimum", 0..=1000)?,
    );
    table.finish()?;
    Ok(Some(retry))
}
