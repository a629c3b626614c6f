//! The policy of a link: timeouts, permits, priorities, breaker, retries and fallback.
//!
//! A link inherits missing keys from the component it leads to, and that from the application. A link to an external
//! host inherits from `links.outbound` of its caller, and that from the application.

use std::ops::RangeInclusive;
use std::time::Duration;

use resilience::breaker::BreakerConfig;

use super::breaker;
use super::fallback::Fallback;
use super::priorities::{MethodPriorities, PriorityNames};
use super::retry::{self, RetryPolicy};
use super::value::{MILLISECOND, count, duration, set};
use crate::document::{ConfigError, Table};

/// The policy of one link. The name of each field is that of its key.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPolicy {
    /// The time of one call including its retries; the remaining time of the caller if absent.
    pub deadline: Option<Duration>,
    /// Permits of the link's own; it shares the permits of its component if absent.
    pub concurrency: Option<usize>,
    /// Whether the host adapts the concurrency limit to what the component serves without queueing.
    pub adaptive: bool,
    /// The maximum time that a call waits for a permit; the component's deadline if absent.
    pub queue_timeout: Option<Duration>,
    /// The application's names of the levels of priority.
    pub priority_names: PriorityNames,
    /// The priority of a call in a full queue, by its HTTP method.
    pub priority: MethodPriorities,
    /// The circuit breaker; `None` without one.
    pub breaker: Option<BreakerConfig>,
    /// The retries; `None` without retries.
    pub retry: Option<RetryPolicy>,
    /// The answer when the call fails.
    pub fallback: Fallback,
}

/// The bounds of every timeout of a link.
const TIMEOUT_BOUNDS: RangeInclusive<Duration> = MILLISECOND..=Duration::from_secs(600);

impl Default for LinkPolicy {
    fn default() -> Self {
        Self {
            deadline: None,
            concurrency: None,
            adaptive: true,
            queue_timeout: None,
            priority_names: PriorityNames::default(),
            priority: MethodPriorities::default(),
            breaker: Some(breaker::default()),
            retry: None,
            fallback: Fallback::default(),
        }
    }
}

impl LinkPolicy {
    /// Takes the keys that a component's table and a link's table share.
    ///
    /// # Errors
    /// When a value is invalid.
    pub(super) fn overlay(&mut self, table: &mut Table) -> Result<(), ConfigError> {
        table.reject_renamed("wait", "queue_timeout")?;
        if let Some(timeout) = duration(table, "queue_timeout", TIMEOUT_BOUNDS)? {
            self.queue_timeout = Some(timeout);
        }
        if let Some(written) = table.boolean("adaptive")? {
            self.adaptive = written.value;
        }
        if let Some(written) = table.take("priority") {
            self.priority = MethodPriorities::read(written, &self.priority_names)?;
        }
        if let Some(written) = table.take("breaker") {
            self.breaker = breaker::read(self.breaker.take(), written)?;
        }
        if let Some(written) = table.take("retry") {
            self.retry = retry::read(self.retry.take(), written)?;
        }
        if let Some(written) = table.take("fallback") {
            self.fallback = Fallback::read(written)?;
        }
        Ok(())
    }

    /// Reads the table of a link; missing keys are inherited from `self`.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(super) fn of_link(mut self, mut table: Table) -> Result<Self, ConfigError> {
        self.overlay(&mut table)?;
        set(
            &mut self.deadline,
            duration(&mut table, "deadline", TIMEOUT_BOUNDS)?.map(Some),
        );
        set(
            &mut self.concurrency,
            count(&mut table, "concurrency", 1..=10_000)?.map(Some),
        );
        table.finish()?;
        Ok(self)
    }
}
