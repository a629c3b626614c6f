//! `retry = { … }`: the retries of a link, their backoff and their budget.
//!
//! Retries are off by default, because they multiply from hop to hop: the author of the manifest chooses the hop. The
//! host decides which requests may be sent twice; a manifest cannot change it.

use std::time::Duration;

use resilience::retry::{Backoff, Retries, RetryBudget, RetryBudgetSettings};

use super::value::{MILLISECOND, count, duration, set};
use crate::document::{ConfigError, Value};

/// The retries of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Duration,
    max_backoff: Duration,
    budget: RetryBudgetSettings,
}

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
    /// The retries with a full budget; `None` if a number is out of bounds, which [`read`] rejects.
    pub fn build(&self) -> Option<Retries> {
        Some(Retries {
            attempts: self.attempts,
            backoff: Backoff::new(self.backoff, self.max_backoff),
            budget: RetryBudget::new(self.budget).ok()?,
        })
    }
}

/// Reads `false`, `true` or a table; missing keys are inherited from `inherited`.
///
/// # Errors
/// When a key is unknown or a value is invalid.
pub(super) fn read(
    inherited: Option<RetryPolicy>,
    written: Value,
) -> Result<Option<RetryPolicy>, ConfigError> {
    let mut retry = inherited.unwrap_or_default();
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
