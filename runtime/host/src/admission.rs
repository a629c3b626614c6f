//! How many calls may run, and how many may queue_timeout: the rest is refused on the spot.
//!
//! Each component has a admission, and each link that was given places of its own has another: whoever comes that way cannot
//! take the places of the others, and when it is he who makes the component slow, it is his admission that narrows.
//!
//! The places are a [`Bulkhead`], so that whoever matters more goes first. How many of them can really be used, an
//! adaptive [`Limit`] finds out by watching how long calls take; the manifest's `concurrency` is only the most. Nobody
//! waits past his deadline.

use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::Duration;

use config::policy::PriorityNames;
use metrics::{Counter, counter};
use resilience::bulkhead::{self, Bulkhead};
use resilience::deadline::Deadline;
use resilience::limit::{self, AdaptiveLimit, LimitOutcome, ObservedCall};
use resilience::{InvalidSetting, Priority};

use crate::call::Call;
use crate::problem::Problem;

pub use resilience::bulkhead::{BulkheadPermit, BulkheadSnapshot};

/// A admission of a component.
pub struct Admission {
    bulkhead: Bulkhead,
    limit: Option<AdaptiveLimit>,
    /// What it is a admission of, and the name of that, for who counts.
    labels: (&'static str, Arc<str>),
    /// Refusals by priority, the least first; made when the admission is shown or refuses for the first time.
    shed: OnceLock<Box<[Counter]>>,
    /// The names of the priorities.
    priorities: PriorityNames,
}

/// How many places there are behind a admission, and how long one waits for them.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// Calls that run at the same time.
    pub concurrency: usize,
    /// Callers that wait for one of them to end.
    pub queue: usize,
    /// How long each of them waits.
    pub queue_timeout: Duration,
    /// Whether fewer run at once when that is all the component can take.
    pub adaptive: bool,
    /// The priorities that are told apart.
    pub priorities: PriorityNames,
}

/// Too many run and too many wait, or the deadline came before the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionRejection {
    /// When it makes sense to come again.
    pub retry_after: Duration,
}

/// One admitted call, observed by the adaptive limit. Dropped without a record, it does not count.
pub struct CallObservation {
    permit: Option<ObservedCall>,
    /// The external wait of the call before.
    external_wait: Duration,
}

/// How much longer than one call for each processor calls may take on average before there are too many. What a call
/// waits for outside of the platform is not counted, so this is about the processors (and the disk) alone.
const TOLERANCE: f64 = 1.5;

/// Calls for each processor that may run at once before it is known how long they take, and after a pause.
const INITIAL_CONCURRENCY: usize = 8;

// === impl Admission ===

impl Admission {
    /// Lets calls in, as many as there are places.
    ///
    /// # Errors
    /// When a number is out of bounds.
    pub fn new(places: AdmissionConfig) -> Result<Self, InvalidSetting> {
        let AdmissionConfig {
            concurrency,
            queue,
            queue_timeout,
            adaptive: is_adaptive,
            priorities,
        } = places;
        let bulkhead = Bulkhead::new(bulkhead::BulkheadSettings {
            concurrency,
            queue_capacity: queue,
            queue_timeout,
            priority_levels: priorities.iter().len(),
        })?;
        let limit = match is_adaptive {
            true => Some(adaptive(concurrency, bulkhead.clone())?),
            false => None,
        };
        Ok(Self {
            bulkhead,
            limit,
            labels: ("component", Arc::default()),
            shed: OnceLock::new(),
            priorities,
        })
    }

    /// The same admission, labels refusals are counted as those of this component or link.
    #[must_use]
    pub fn named(mut self, labels: &'static str, name: Arc<str>) -> Self {
        self.labels = (labels, name);
        self
    }

    /// Shows its numbers from now on, even if it refuses nobody.
    pub fn register_metrics(&self) {
        self.shed();
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`AdmissionRejection`] when there is no place to wait, or it takes too long.
    pub async fn admit(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<BulkheadPermit, AdmissionRejection> {
        let entered = self.bulkhead.acquire(priority, deadline).await;
        entered.map_err(|refused| self.reject(priority, refused))
    }

    fn reject(
        &self,
        priority: Priority,
        refused: bulkhead::BulkheadRejection,
    ) -> AdmissionRejection {
        if let Some(counter) = self.shed().get(priority.level()) {
            counter.increment(1);
        }
        let bulkhead::BulkheadRejection { retry_after, .. } = refused;
        AdmissionRejection { retry_after }
    }

    /// A later admission of the same name goes on counting where this one has ended.
    fn shed(&self) -> &[Counter] {
        let (labels, name) = &self.labels;
        self.shed.get_or_init(|| {
            let counters = self.priorities.iter().map(|priority| {
                let labels = [
                    (*labels, name.to_string()),
                    ("priority", priority.to_owned()),
                ];
                counter!("socar_calls_shed_total", &labels)
            });
            counters.collect()
        })
    }

    /// Observes an admitted call for the adaptive limit.
    pub fn observe(&self, call: &Call) -> CallObservation {
        CallObservation {
            permit: self.limit.as_ref().map(AdaptiveLimit::observe),
            external_wait: call.external_wait(),
        }
    }

    /// Who is where. The places are those that the limit leaves.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        self.bulkhead.snapshot()
    }
}

// === impl CallObservation ===

impl CallObservation {
    /// Records how long the call took, without the time that it waited for remote hosts.
    pub fn record<R>(self, call: &Call, result: &Result<R, Problem>) {
        let Some(permit) = self.permit else {
            return;
        };
        let waited = call.external_wait().saturating_sub(self.external_wait);
        permit.excluding(waited).record(match result {
            Ok(_) => LimitOutcome::Success,
            Err(Problem::DeadlineExceeded { .. }) => LimitOutcome::Dropped,
            Err(_) => LimitOutcome::Ignored,
        });
    }
}

fn adaptive(most: usize, bulkhead: Bulkhead) -> Result<AdaptiveLimit, InvalidSetting> {
    let processors = available_parallelism().map_or(1, usize::from);
    let initial = (processors * INITIAL_CONCURRENCY).min(most);
    bulkhead.resize(initial);
    let settings = limit::LimitSettings {
        initial,
        minimum: processors.min(most),
        maximum: most,
        tolerance: TOLERANCE,
        ..limit::LimitSettings::default()
    };
    AdaptiveLimit::new(settings, move |limit| bulkhead.resize(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::time::Instant;

    const HIGH: Priority = Priority::from_level(2).unwrap();

    fn admission(concurrency: usize, queue: usize) -> Admission {
        Admission::new(AdmissionConfig {
            concurrency,
            queue,
            queue_timeout: Duration::from_secs(60),
            adaptive: true,
            priorities: PriorityNames::default(),
        })
        .unwrap()
    }

    fn later() -> Deadline {
        Deadline::at(Instant::now() + Duration::from_secs(60))
    }

    #[tokio::test]
    async fn a_call_beyond_the_queue_is_refused_at_once() {
        let admission = admission(1, 1);
        let _running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let mut waiting = Box::pin(admission.admit(Priority::LOWEST, later()));
        assert!(waiting.as_mut().now_or_never().is_none());
        let refused = admission.admit(Priority::LOWEST, later()).now_or_never();
        assert_eq!(refused.map(|it| it.is_err()), Some(true));
    }

    #[tokio::test]
    async fn a_higher_priority_call_displaces_a_lower_one() {
        let admission = admission(1, 1);
        let running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let mut low = Box::pin(admission.admit(Priority::LOWEST, later()));
        assert!(low.as_mut().now_or_never().is_none());
        let mut high = Box::pin(admission.admit(HIGH, later()));
        assert!(high.as_mut().now_or_never().is_none());
        assert!(low.await.is_err(), "nobody made room");
        drop(running);
        assert!(high.await.is_ok());
    }

    #[tokio::test]
    async fn the_end_of_one_call_lets_the_next_one_in() {
        let admission = admission(1, 1);
        let running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let waiting = admission.admit(Priority::LOWEST, later());
        drop(running);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_past_his_deadline() {
        let admission = admission(1, 1);
        let _running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let now = Deadline::at(Instant::now());
        assert!(admission.admit(HIGH, now).await.is_err());
    }

    #[tokio::test]
    async fn a_call_that_waits_until_its_deadline_begins_an_overload() {
        let admission = admission(1, 1);
        let _running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let soon = Deadline::at(Instant::now() + Duration::from_millis(150));
        assert!(admission.admit(Priority::LOWEST, soon).await.is_err());
        // In an overload nobody waits for as long as he would in calm times.
        let waiting = admission.admit(Priority::LOWEST, later());
        assert!(waiting.await.is_err());
    }

    #[tokio::test]
    async fn a_caller_who_gave_up_leaves_his_place_to_another() {
        let admission = admission(1, 1);
        let _running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let mut gives_up = Box::pin(admission.admit(Priority::LOWEST, later()));
        assert!(gives_up.as_mut().now_or_never().is_none());
        drop(gives_up);
        let mut next = Box::pin(admission.admit(Priority::LOWEST, later()));
        assert!(
            next.as_mut().now_or_never().is_none(),
            "the place was not given back"
        );
    }
}
