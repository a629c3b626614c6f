//! How many of the calls of a link may be retries.
//!
//! An account in hundredths of a retry. Every call deposits its share of one, and time deposits a few per second, for
//! links with few calls. Deposits fade: a quiet, healthy hour does not save up for a storm. Instead of remembering
//! when each was made, as Finagle does, the whole account fades exponentially; its balance with no withdrawals is
//! the same, and there is nothing to keep but a number.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::settings::{InvalidSetting, check_range};

/// The retries that the calls of one link may share. Clones are the same budget.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Shared>);

/// What may be set. The defaults are Finagle's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetSettings {
    /// How many percent of the calls may be retries.
    pub percent: u32,
    /// Retries per second that are always allowed.
    pub minimum_per_second: u32,
    /// How long a deposit lasts, on average.
    pub ttl: Duration,
}

#[derive(Debug)]
struct Shared {
    settings: RetryBudgetSettings,
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    /// What may be spent now, in hundredths of a retry.
    balance: f64,
    /// When the balance was last brought up to date.
    updated: Instant,
}

/// In hundredths, so that adding up percentages stays exact.
const ONE_RETRY: f64 = 100.0;

// === impl Budget ===

impl RetryBudget {
    /// A budget that holds what the minimum has saved up.
    ///
    /// # Errors
    /// When a number is out of bounds.
    pub fn new(settings: RetryBudgetSettings) -> Result<Self, InvalidSetting> {
        check_range("budget.percent", settings.percent, 0..=1000)?;
        check_range(
            "budget.minimum_per_second",
            settings.minimum_per_second,
            0..=10_000,
        )?;
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        check_range("budget.ttl", settings.ttl, second..=minute)?;
        let balance = settings.saved_up();
        let account = Account {
            balance,
            updated: Instant::now(),
        };
        Ok(Self(Arc::new(Shared {
            settings,
            account: Mutex::new(account),
        })))
    }

    /// A call is made for the first time.
    pub fn deposit(&self) {
        let settings = &self.0.settings;
        let mut account = self.0.account.lock();
        account.update(settings);
        account.balance += f64::from(settings.percent);
    }

    /// Whether a call may be made again.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let mut account = self.0.account.lock();
        account.update(&self.0.settings);
        let is_covered = account.balance >= ONE_RETRY;
        if is_covered {
            account.balance -= ONE_RETRY;
        }
        is_covered
    }
}

// === impl Settings ===

impl RetryBudgetSettings {
    /// What the minimum amounts to in the long run, with nothing withdrawn.
    fn saved_up(&self) -> f64 {
        f64::from(self.minimum_per_second) * self.ttl.as_secs_f64() * ONE_RETRY
    }
}

impl Default for RetryBudgetSettings {
    fn default() -> Self {
        Self {
            percent: 20,
            minimum_per_second: 10,
            ttl: Duration::from_secs(10),
        }
    }
}

// === impl Account ===

impl Account {
    /// The balance moves towards what the minimum would save up; whatever is above or below that fades.
    fn update(&mut self, settings: &RetryBudgetSettings) {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.updated).as_secs_f64();
        let kept = (-passed / settings.ttl.as_secs_f64()).exp();
        let saved_up = settings.saved_up();
        self.balance = saved_up + (self.balance - saved_up) * kept;
        self.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    fn budget(percent: u32, minimum_per_second: u32) -> RetryBudget {
        RetryBudget::new(RetryBudgetSettings {
            percent,
            minimum_per_second,
            ttl: 10 * SECOND,
        })
        .unwrap()
    }

    fn withdraw_all(budget: &RetryBudget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_calls_may_be_retries() {
        let budget = budget(20, 0);
        assert!(!budget.withdraw(), "nobody has called yet");
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(withdraw_all(&budget), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_failures_is_retried_by_that_share_and_no_more() {
        let budget = budget(20, 0);
        let mut retried = 0;
        for _ in 0..10_000 {
            budget.deposit();
            retried += usize::from(budget.withdraw());
            advance(SECOND / 100).await;
        }
        assert!((1980..=2000).contains(&retried), "{retried} of 10000");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_with_few_calls_has_its_minimum() {
        let budget = budget(20, 2);
        assert_eq!(withdraw_all(&budget), 20, "what ten seconds have saved up");
        advance(SECOND).await;
        assert_eq!(withdraw_all(&budget), 1);
        advance(600 * SECOND).await;
        // A hair below 20 units are there: the account nears its balance without ever reaching it.
        assert!(withdraw_all(&budget) >= 19);
    }

    #[tokio::test(start_paused = true)]
    async fn deposits_fade() {
        let budget = budget(100, 0);
        (0..100).for_each(|_| budget.deposit());
        advance(10 * SECOND).await;
        assert_eq!(withdraw_all(&budget), 36);
        (0..100).for_each(|_| budget.deposit());
        advance(100 * SECOND).await;
        assert_eq!(withdraw_all(&budget), 0);
    }

    #[test]
    fn a_budget_out_of_bounds_is_refused() {
        let good = RetryBudgetSettings::default();
        for (name, bad) in [
            (
                "budget.percent",
                RetryBudgetSettings {
                    percent: 1001,
                    ..good
                },
            ),
            (
                "budget.minimum_per_second",
                RetryBudgetSettings {
                    minimum_per_second: 10_001,
                    ..good
                },
            ),
            (
                "budget.ttl",
                RetryBudgetSettings {
                    ttl: Duration::ZERO,
                    ..good
                },
            ),
        ] {
            assert_eq!(RetryBudget::new(bad).unwrap_err().setting, name);
        }
    }
}
