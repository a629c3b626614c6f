//! The guards of one link and what they have learned. They outlive the calls over the link, and a reload that does not
//! change the policy of the link.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use resilience::breaker::{Breaker, BreakerState};
use resilience::bulkhead;
use resilience::retry::Retries;

use super::fallback::LinkFallback;
use super::meters::{LinkMetrics, TransitionCounter};
use super::outcome::PendingOutcome;
use super::transitions::TransitionSender;
use crate::admission::{Admission, AdmissionConfig};
use crate::problem::Problem;
use config::policy::{LinkPolicy, MethodPriorities};

/// The guards of one link.
pub struct LinkGuards {
    name: Arc<str>,
    pub(super) deadline: Option<Duration>,
    pub(super) priorities: MethodPriorities,
    /// The link's own admission, if it does not share that of its component.
    admission: Option<Arc<Admission>>,
    breaker: Option<Breaker>,
    pub(super) retry: Option<Retries>,
    pub(super) fallback: LinkFallback,
    /// Registered at the first use: a link that never carries a call shows no metrics.
    metrics: OnceLock<LinkMetrics>,
}

// === impl LinkGuards ===

impl LinkGuards {
    pub(super) fn new(
        name: Arc<str>,
        guard: LinkPolicy,
        fallback: LinkFallback,
        sender: &TransitionSender,
    ) -> Self {
        let admission = admission(&guard, &name).map(Arc::new);
        let breaker = guard.breaker.map(|config| {
            let sender = sender.clone();
            let transitions = TransitionCounter::of(&name);
            Breaker::new(name.clone(), config, move |transition| {
                transitions.count(transition.to);
                sender.send(transition);
            })
        });

        Self {
            deadline: guard.deadline,
            priorities: guard.priority,
            admission,
            breaker,
            retry: guard.retry.and_then(|retry| retry.build()),
            fallback,
            metrics: OnceLock::new(),
            name,
        }
    }

    /// The name of the link, such as `reservation -> payment`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The breaker, if the link has one.
    pub fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// The admission of the link, if it does not share that of its component.
    pub fn admission(&self) -> Option<&Arc<Admission>> {
        self.admission.as_ref()
    }

    /// Shows the metrics of the link from now on, even if it is not used.
    pub(super) fn register_metrics(&self) {
        self.metrics();
        if let Some(admission) = &self.admission {
            admission.register_metrics();
        }
    }

    /// Takes over what an operator has ordered for the link that these guards replace.
    pub(super) fn inherit(&self, before: &Self) {
        let Some((breaker, before)) = self.breaker.as_ref().zip(before.breaker.as_ref()) else {
            return;
        };
        match before.state() {
            BreakerState::ForcedOpen => breaker.force_open(),
            BreakerState::Disabled => breaker.disable(),
            BreakerState::Closed | BreakerState::Open | BreakerState::HalfOpen => {}
        }
    }

    pub(super) fn metrics(&self) -> &LinkMetrics {
        let new = || match &self.breaker {
            Some(_) => LinkMetrics::new(&self.name).with_breaker(&self.name),
            None => LinkMetrics::new(&self.name),
        };
        self.metrics.get_or_init(new)
    }

    /// Starts an attempt, whose outcome the breaker records. There is no outcome to record without a breaker.
    pub(super) fn start_attempt(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Option<PendingOutcome>, Problem> {
        let Some(breaker) = &self.breaker else {
            return Ok(None);
        };
        let permit = breaker.acquire().map_err(|rejected| {
            self.metrics().count_cut_off();
            Problem::BreakerOpen {
                link: rejected.link,
                retry_after: rejected.retry_after,
            }
        })?;
        Ok(Some(PendingOutcome::new(permit, deadline, limit)))
    }
}

/// The admission of a link with its own `concurrency`: as many calls may wait as may run.
fn admission(guard: &LinkPolicy, link: &Arc<str>) -> Option<Admission> {
    let concurrency = guard.concurrency?;
    let config = AdmissionConfig {
        concurrency,
        queue: concurrency,
        queue_timeout: guard
            .queue_timeout
            .unwrap_or(bulkhead::BulkheadSettings::default().queue_timeout),
        adaptive: guard.adaptive,
        priorities: guard.priority_names.clone(),
    };
    let admission = Admission::new(config).ok()?;
    Some(admission.named("link", link.clone()))
}
