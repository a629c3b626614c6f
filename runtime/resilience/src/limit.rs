//! The adaptive limit: estimates how many concurrent calls a service can serve without queueing them.
//!
//! A fixed limit fits one machine, one load and one version of a service. The adaptive limit observes the duration of
//! calls. The duration of a call that runs almost alone is the *baseline*.
//!
//! - While the average duration stays near the baseline, the limit doubles with each window in which it was used.
//! - While the average approaches `tolerance` times the baseline, the limit grows by an eighth, and by at most one.
//! - Above that, the limit shrinks by the ratio of the two, at most by half.
//! - Calls that were dropped at a deadline shrink the limit by their share.
//!
//! The service is thus kept busy, but does not queue. After a pause, the limit is at most its initial value: a burst
//! that follows is admitted step by step.
//!
//! The gradient is that of Netflix' `GradientLimit`, and the reduction for dropped calls that of its `AIMDLimit`
//! (<https://github.com/Netflix/concurrency-limits>). Envoy's adaptive concurrency filter measures its baseline at the
//! minimum of concurrency in the same way
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter>). Fast
//! growth, then slow growth, and a restart after a pause are the congestion control of TCP (RFC 5681, sections 3.1 and
//! 4.1). Two things differ. Growth stops at the tolerance and not beyond it. The baseline is measured, which sheds load,
//! only while the limit is reached *and* the baseline is unknown or calls have taken too long for some time. A service
//! that is not overloaded therefore never loses a call to the measurement.
//!
//! The limit has no queue and rejects no call. It reports its value to an observer, usually to
//! [`Bulkhead::resize`](crate::bulkhead::Bulkhead::resize).

mod baseline;
mod estimator;
mod outcome;
mod settings;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

pub use outcome::LimitOutcome;
pub use settings::LimitSettings;

use crate::settings::InvalidSetting;
use estimator::Estimator;
use window::MeasuredCall;

/// The adaptive limit of one service. Clones share it.
#[derive(Clone)]
pub struct AdaptiveLimit(Arc<Shared>);

/// A call in progress that the limit learns from. Dropping it counts as [`LimitOutcome::Ignored`].
#[derive(Debug)]
#[must_use = "a dropped call counts as ignored"]
pub struct ObservedCall {
    limit: AdaptiveLimit,
    /// `None` once the outcome was recorded.
    call: Option<MeasuredCall>,
}

struct Shared {
    /// The origin of the estimator's timestamps.
    created: Instant,
    estimator: Mutex<Estimator>,
    observer: Box<dyn Fn(usize) + Send + Sync>,
    /// The value that was last reported; locked while the observer runs.
    reported: Mutex<usize>,
}

// === impl AdaptiveLimit ===

impl AdaptiveLimit {
    /// A limit at its initial value.
    ///
    /// `observer` is called with each new value, on the thread of the call that changed it, and delays that call. It is
    /// never called concurrently, and its last call has the present value. It may miss values while it runs, and it may
    /// use the limit.
    ///
    /// # Errors
    /// [`InvalidSetting`] if a setting is out of bounds.
    pub fn new(
        settings: LimitSettings,
        observer: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Self, InvalidSetting> {
        settings.check()?;
        Ok(Self(Arc::new(Shared {
            created: Instant::now(),
            estimator: Mutex::new(Estimator::new(settings)),
            observer: Box::new(observer),
            reported: Mutex::new(settings.initial),
        })))
    }

    /// Observes a call that begins now.
    pub fn observe(&self) -> ObservedCall {
        let now = self.0.created.elapsed();
        let call = self.update(|estimator| estimator.begin(now));
        ObservedCall {
            limit: self.clone(),
            call: Some(call),
        }
    }

    fn current(&self) -> usize {
        self.0.estimator.lock().limit()
    }

    fn end(&self, call: MeasuredCall, outcome: LimitOutcome) {
        let now = self.0.created.elapsed();
        self.update(|estimator| estimator.end(call, outcome, now));
    }

    /// Changes the estimator, and reports the limit if it changed.
    fn update<T>(&self, step: impl FnOnce(&mut Estimator) -> T) -> T {
        let mut estimator = self.0.estimator.lock();
        let before = estimator.limit();
        let result = step(&mut estimator);
        let after = estimator.limit();
        drop(estimator);
        if after != before {
            self.report();
        }
        result
    }

    /// Calls the observer until it knows the present limit. If another thread is reporting, that thread does so: it
    /// compares the values once more when it has finished.
    fn report(&self) {
        loop {
            let Some(mut reported) = self.0.reported.try_lock() else {
                return;
            };
            let present = self.current();
            if *reported != present {
                *reported = present;
                (self.0.observer)(present);
                continue;
            }
            drop(reported);
            // A thread that changed the limit before the lock was released could not report it.
            if self.current() == present {
                return;
            }
        }
    }
}

impl fmt::Debug for AdaptiveLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("AdaptiveLimit")
            .field(&self.current())
            .finish()
    }
}

// === impl ObservedCall ===

impl ObservedCall {
    /// Excludes time from the duration of the call, such as the time that it waited for an external service.
    pub fn excluding(mut self, time: Duration) -> Self {
        self.call = self.call.map(|call| call.later_by(time));
        self
    }

    /// Records how the call ended.
    pub fn record(mut self, outcome: LimitOutcome) {
        if let Some(call) = self.call.take() {
            self.limit.end(call, outcome);
        }
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.limit.end(call, LimitOutcome::Ignored);
        }
    }
}

#[cfg(test)]
mod tests;
