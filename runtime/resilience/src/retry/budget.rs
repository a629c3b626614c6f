//! The percentage of calls that may be retries.
//!
//! The balance is kept in hundredths of a retry. Each call deposits its percentage of a retry, and time deposits a minimum
//! per second, for links with few calls. Deposits expire, so that an hour without failures does not allow a burst of
//! retries. Finagle remembers when each deposit was made. Here the whole balance decays exponentially: without
//! withdrawals it is the same on average, and it is a single number.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::settings::{InvalidSetting, check_range};

/// The retries that the calls of one link share. Clones share the budget.
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Shared>);

/// The settings of a retry budget. The defaults are those of Finagle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetSettings {
    /// Percentage of the calls that may be retries; from 0 to 1000.
    pub percent: u32,
    /// Retries per second that are always allowed; from 0 to 10 000.
    pub minimum_per_second: u32,
    /// The average time after which a deposit expires; from 1 s to 60 s.
    pub ttl: Duration,
}

#[derive(Debug)]
struct Shared {
    settings: RetryBudgetSettings,
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    /// The balance at `updated`, in hundredths of a retry.
    balance: f64,
    updated: Instant,
}

/// In hundredths, so that the sum of percentages is exact.
const ONE_RETRY: f64 = 100.0;

// === impl RetryBudget ===

impl RetryBudget {
    /// A budget with the balance that the minimum amounts to without withdrawals.
    ///
    /// # Errors
    /// [`InvalidSetting`] if a value is out of bounds.
    pub fn new(settings: RetryBudgetSettings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        let account = Account {
            balance: settings.minimum_balance(),
            updated: Instant::now(),
        };
        Ok(Self(Arc::new(Shared {
            settings,
            account: Mutex::new(account),
        })))
    }

    /// Records a first attempt.
    pub fn deposit(&self) {
        let settings = &self.0.settings;
        let mut account = self.0.account.lock();
        account.update(settings);
        account.balance += f64::from(settings.percent);
    }

    /// Pays for a retry. Returns whether the balance allows it.
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

// === impl RetryBudgetSettings ===

impl RetryBudgetSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        let minimum = self.minimum_per_second;
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        check_range("budget.percent", self.percent, 0..=1000)?;
        check_range("budget.minimum_per_second", minimum, 0..=10_000)?;
        check_range("budget.ttl", self.ttl, second..=minute)
    }

    /// The balance that the minimum amounts to in the long run, without withdrawals.
    fn minimum_balance(&self) -> f64 {
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
    /// Moves the balance towards the minimum one, by the share that the elapsed time has of the time to live.
    fn update(&mut self, settings: &RetryBudgetSettings) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        let remaining = (-elapsed / settings.ttl.as_secs_f64()).exp();
        let minimum = settings.minimum_balance();
        self.balance = minimum + (self.balance - minimum) * remaining;
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
    async fn a_percentage_of_the_calls_may_be_retries() {
        let budget = budget(20, 0);
        assert!(!budget.withdraw(), "a retry without a call");
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(withdraw_all(&budget), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn the_percentage_also_limits_the_retries_of_many_failures() {
        let budget = budget(20, 0);
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.deposit();
            retries += usize::from(budget.withdraw());
            advance(SECOND / 100).await;
        }
        assert!((1980..=2000).contains(&retries), "{retries} of 10000");
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_with_few_calls_has_the_minimum() {
        let budget = budget(20, 2);
        assert_eq!(withdraw_all(&budget), 20, "the minimum of ten seconds");
        advance(SECOND).await;
        assert_eq!(withdraw_all(&budget), 1);
        advance(600 * SECOND).await;
        // The balance approaches 20 retries without reaching them.
        assert!(withdraw_all(&budget) >= 19);
    }

    #[tokio::test(start_paused = true)]
    async fn deposits_expire() {
        let budget = budget(100, 0);
        (0..100).for_each(|_| budget.deposit());
        advance(10 * SECOND).await;
        assert_eq!(withdraw_all(&budget), 36);
        (0..100).for_each(|_| budget.deposit());
        advance(100 * SECOND).await;
        assert_eq!(withdraw_all(&budget), 0);
    }

    /// The setting that is rejected after this change of the default settings.
    fn rejected(change: impl FnOnce(&mut RetryBudgetSettings)) -> &'static str {
        let mut settings = RetryBudgetSettings::default();
        change(&mut settings);
        RetryBudget::new(settings).unwrap_err().setting
    }

    #[test]
    fn settings_out_of_bounds_are_rejected_by_name() {
        assert_eq!(rejected(|it| it.percent = 1001), "budget.percent");
        let minimum = rejected(|it| it.minimum_per_second = 10_001);
        assert_eq!(minimum, "budget.minimum_per_second");
        assert_eq!(rejected(|it| it.ttl = Duration::ZERO), "budget.ttl");
    }
}
