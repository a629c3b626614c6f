//! What guards one link: who waits, who is cut off, what is tried again and what is answered instead.
//!
//! The guard of a link starts from that of the component it leads to (its own table over the application's), and a
//! table of the link's own goes over that. LinkPolicies that leave the platform start from the application's.

use std::time::Duration;

use resilience::breaker;

use super::breaker as breaker_policy;
use super::priorities::{MethodPriorities, PriorityNames};
use super::retry::{self, RetryPolicy};
use super::value::{count, duration, duration_in, set};
use crate::document::{ConfigError, Located};
use crate::document::{Table, Value};

/// What guards one link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPolicy {
    /// `deadline` of a link: how long a call over it may take altogether; what the caller has left if absent.
    pub deadline: Option<Duration>,
    /// `concurrency` of a link: places of its own, besides those of its component; it shares those if absent.
    pub concurrency: Option<usize>,
    /// `adaptive`: whether the platform finds out by itself how many of those places can really be used.
    pub adaptive: bool,
    /// `queue_timeout`: how long a call waits for a permit; the component's deadline if absent.
    pub queue_timeout: Option<Duration>,
    /// The application's names of the levels of priority.
    pub priority_names: PriorityNames,
    /// `priority`: the order in which calls are served when not all of them can be.
    pub priority: MethodPriorities,
    /// `breaker`: when calls are cut off.
    pub breaker: Option<breaker::BreakerConfig>,
    /// `retry`: what is tried again.
    pub retry: Option<RetryPolicy>,
    /// `fallback`: what is answered instead.
    pub fallback: Fallback,
}

/// What is answered when the other side of a link gives no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// `"problem"`: the reason, as a problem document that says when to come again.
    #[default]
    Problem,
    /// `{ stale = "5m" }`: the last good answer to the same GET, if it is not older than this, marked as stale.
    Stale(Duration),
    /// `{ component = "…" }`: what this component answers, marked as its answer.
    Component(Located<String>),
}

const SECOND: Duration = Duration::from_secs(1);

// === impl LinkPolicy ===

impl Default for LinkPolicy {
    fn default() -> Self {
        Self {
            deadline: None,
            concurrency: None,
            adaptive: true,
            queue_timeout: None,
            priority_names: PriorityNames::default(),
            priority: MethodPriorities::default(),
            breaker: Some(breaker_policy::default()),
            retry: None,
            fallback: Fallback::default(),
        }
    }
}

impl LinkPolicy {
    /// Takes from a component's table what guards the links to it.
    pub(super) fn overlay(&mut self, table: &mut Table) -> Result<(), ConfigError> {
        table.reject_renamed("wait", "queue_timeout")?;
        if let Some(timeout) = duration(table, "queue_timeout", SECOND / 1000..=600 * SECOND)? {
            self.queue_timeout = Some(timeout);
        }
        if let Some(written) = table.boolean("adaptive")? {
            self.adaptive = written.value;
        }
        if let Some(written) = table.take("priority") {
            self.priority = MethodPriorities::read(written, &self.priority_names)?;
        }
        if let Some(written) = table.take("breaker") {
            self.breaker = breaker_policy::read(self.breaker.take(), written)?;
        }
        if let Some(written) = table.take("retry") {
            self.retry = retry::read(self.retry.take(), written)?;
        }
        if let Some(written) = table.take("fallback") {
            self.fallback = Fallback::read(written)?;
        }
        Ok(())
    }

    /// Reads the table of a link, with `self` for what it does not say.
    pub(super) fn of_link(mut self, mut table: Table) -> Result<Self, ConfigError> {
        self.overlay(&mut table)?;
        let bounds = SECOND / 1000..=600 * SECOND;
        set(
            &mut self.deadline,
            duration(&mut table, "deadline", bounds)?.map(Some),
        );
        set(
            &mut self.concurrency,
            count(&mut table, "concurrency", 1..=10_000)?.map(Some),
        );
        table.finish()?;
        Ok(self)
    }
}

// === impl Fallback ===

impl Fallback {
    fn read(written: Value) -> Result<Self, ConfigError> {
        const REMEDY: &str = "write \"problem\", { stale = \"5m\" } or { component = \"<id>\" }";
        if !written.is_table() {
            return match written.as_str() {
                Some("problem") => Ok(Self::Problem),
                _ => Err(written.error("there is no such fallback", REMEDY)),
            };
        }
        let mut table = written.table()?;
        let stale = table.take("stale");
        let component = table.string("component")?;
        let at = table.at().clone();
        table.finish()?;
        match (stale, component) {
            (Some(age), None) => duration_in(&age, SECOND..=24 * 3600 * SECOND).map(Self::Stale),
            (None, Some(component)) => Ok(Self::Component(component)),
            _ => Err(at.error_without_value("a fallback is one thing", REMEDY)),
        }
    }
}
