//! Admission: how many calls run, how many wait, and which are rejected.
//!
//! Each component has an admission, and each link with its own `concurrency` has another. The calls of such a link
//! cannot take the permits of other links, and if they make the component slow, only their own limit shrinks.
//!
//! The permits are those of a [`Bulkhead`], which serves higher priorities first. An adaptive limit finds out how many
//! of them can be used, from the durations of the calls; the manifest's `concurrency` is the upper bound. No call waits
//! past its deadline, and a call that has waited so long that it cannot finish in time is rejected instead of started.

mod typical_duration;

use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use config::policy::PriorityNames;
use metrics::{Counter, counter};
use resilience::bulkhead::{self, Bulkhead};
use resilience::deadline::Deadline;
use resilience::limit::{self, AdaptiveLimit, LimitOutcome, ObservedCall};
use resilience::{InvalidSetting, Priority};

use crate::call::Call;
use crate::problem::Problem;

pub use resilience::bulkhead::{BulkheadPermit, BulkheadSnapshot};
use typical_duration::TypicalDuration;

/// The admission of a component, or of a link with its own permits.
pub struct Admission {
    bulkhead: Bulkhead,
    limit: Option<AdaptiveLimit>,
    /// The label and the name for the metrics: `component` or `link`, and which one.
    labels: (&'static str, Arc<str>),
    /// Rejections by priority, the lowest first. Registered when they are shown or counted for the first time.
    shed: OnceLock<Box<[Counter]>>,
    /// The names of the priorities.
    priorities: PriorityNames,
    /// How long a call takes.
    typical: Arc<TypicalDuration>,
}

/// The permits of an admission, and its queue.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// The most calls that run at the same time.
    pub concurrency: usize,
    /// The most calls that wait for a permit.
    pub queue: usize,
    /// The longest wait for a permit.
    pub queue_timeout: Duration,
    /// Whether the limit adapts to the durations of the calls.
    pub adaptive: bool,
    /// The names of the priorities, the lowest first.
    pub priorities: PriorityNames,
}

/// A call is rejected: the queue is full, or the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionRejection {
    /// When a retry makes sense.
    pub retry_after: Duration,
}

/// One admitted call, observed by the adaptive limit. It does not count if it is dropped without a record.
pub struct CallObservation {
    permit: Option<ObservedCall>,
    /// The external wait of the call when the observation began.
    external_wait: Duration,
    begun: Instant,
    typical: Arc<TypicalDuration>,
}

/// A call that has waited for less than this time is always started.
const MIN_QUEUE_WAIT: Duration = Duration::from_millis(100);

/// The factor by which the average duration of a call per processor may grow before the limit shrinks. Waits for remote
/// hosts do not count, so that the limit follows the load of the processors and the disk.
const TOLERANCE: f64 = 1.5;

/// The calls per processor that may run at once at the start and after a pause, before any duration is known.
const INITIAL_CONCURRENCY: usize = 8;

// === impl Admission ===

impl Admission {
    /// An admission with free permits.
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
            typical: Arc::default(),
        })
    }

    /// The same admission, with its metrics labelled as those of this component or link.
    #[must_use]
    pub fn named(mut self, labels: &'static str, name: Arc<str>) -> Self {
        self.labels = (labels, name);
        self
    }

    /// Shows the metrics from now on, even without a rejection.
    pub fn register_metrics(&self) {
        self.shed();
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// [`AdmissionRejection`] when the queue is full, the wait is too long, a call of a higher priority displaces this
    /// one, or what is left of its time is less than a call takes: at once if so little is left when it arrives, or else
    /// as soon as it has waited for the rest.
    pub async fn admit(
        &self,
        priority: Priority,
        deadline: Deadline,
    ) -> Result<BulkheadPermit, AdmissionRejection> {
        let since = Instant::now();
        let longest_wait = deadline.remaining().saturating_sub(self.typical.get());
        let start_by = Deadline::at(since + longest_wait);
        let entered = self.bulkhead.acquire(priority, start_by).await;
        let permit = entered.map_err(|refused| self.reject(priority, refused.retry_after))?;
        let typical = self.typical.get();
        let is_doomed = since.elapsed() >= MIN_QUEUE_WAIT && deadline.remaining() < typical;
        match is_doomed {
            true => Err(self.reject(priority, typical)),
            false => Ok(permit),
        }
    }

    fn reject(&self, priority: Priority, retry_after: Duration) -> AdmissionRejection {
        if let Some(counter) = self.shed().get(priority.level()) {
            counter.increment(1);
        }
        AdmissionRejection { retry_after }
    }

    /// The counters. A later admission of the same name continues them.
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
            begun: Instant::now(),
            typical: self.typical.clone(),
        }
    }

    /// The running and waiting calls, and the current limit.
    pub fn snapshot(&self) -> BulkheadSnapshot {
        self.bulkhead.snapshot()
    }
}

// === impl CallObservation ===

impl CallObservation {
    /// Records how long the call took, without the time that it waited for remote hosts.
    pub fn record<R>(self, call: &Call, result: &Result<R, Problem>) {
        if result.is_ok() {
            self.typical.record(self.begun.elapsed());
        }
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
    async fn a_call_beyond_the_queue_is_rejected_at_once() {
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
        assert!(low.await.is_err(), "the lower priority was not displaced");
        drop(running);
        assert!(high.await.is_ok());
    }

    #[tokio::test]
    async fn the_end_of_a_call_admits_the_next_one() {
        let admission = admission(1, 1);
        let running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let waiting = admission.admit(Priority::LOWEST, later());
        drop(running);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn a_call_never_waits_past_its_deadline() {
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
        // In an overload, the wait is shorter than usual.
        let waiting = admission.admit(Priority::LOWEST, later());
        assert!(waiting.await.is_err());
    }

    /// Admits a call with so much time left, and returns how long that took.
    async fn admit_with(
        admission: &Admission,
        left: Duration,
    ) -> (Result<BulkheadPermit, AdmissionRejection>, Duration) {
        let since = Instant::now();
        let deadline = Deadline::at(since + left);
        let admitted = admission.admit(Priority::LOWEST, deadline).await;
        (admitted, since.elapsed())
    }

    #[tokio::test]
    async fn a_call_that_cannot_finish_in_time_is_rejected_at_once() {
        let admission = admission(1, 4);
        admission.typical.record(Duration::from_secs(10));
        // A call that need not wait is started: its caller may know better.
        let (running, _) = admit_with(&admission, Duration::from_secs(8)).await;
        let running = running.unwrap();
        let (doomed, waited) = admit_with(&admission, Duration::from_secs(8)).await;
        assert!(doomed.unwrap_err().retry_after >= Duration::from_secs(10));
        assert!(waited < Duration::from_secs(4), "{waited:?}");
        drop(running);
    }

    #[tokio::test]
    async fn a_call_waits_only_as_long_as_it_can_still_finish_in_time() {
        let admission = admission(1, 4);
        admission.typical.record(Duration::from_secs(30));
        let (running, _) = admit_with(&admission, Duration::from_secs(60)).await;
        let (doomed, waited) = admit_with(&admission, Duration::from_millis(30_200)).await;
        assert!(doomed.is_err());
        assert!(waited >= Duration::from_millis(150), "{waited:?}");
        assert!(waited < Duration::from_secs(15), "{waited:?}");
        drop(running);
    }

    /// The average may grow while a call waits.
    #[tokio::test]
    async fn a_call_that_cannot_finish_in_time_any_more_is_not_started() {
        let admission = admission(1, 4);
        let running = admission.admit(Priority::LOWEST, later()).await.unwrap();
        let release = async {
            tokio::time::sleep(MIN_QUEUE_WAIT * 2).await;
            admission.typical.record(Duration::from_secs(90));
            drop(running);
        };
        let (doomed, ()) = tokio::join!(admission.admit(Priority::LOWEST, later()), release);
        assert!(doomed.unwrap_err().retry_after >= Duration::from_secs(90));
    }

    #[tokio::test]
    async fn a_caller_that_left_the_queue_frees_its_slot() {
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
