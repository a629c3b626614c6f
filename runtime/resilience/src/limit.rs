//! The adaptive limit: finds out how many calls at once a service can take, and admits no more.
//!
//! A fixed number is right for one machine, one load and one version of the service. This one watches how long calls
//! take. What they take while hardly any run is the *baseline*. As long as the average stays close to that, the limit
//! doubles with each window in which it was used; closer to `tolerance` times the baseline, it grows by an eighth, and by
//! no more than one; beyond, it shrinks by the ratio of the two, at most by half; and calls that were lost to a deadline
//! shrink it by their share. A service is thus kept where it is busy but does not queue. After a pause, the limit is no
//! larger than in the beginning: a crowd that comes then is let in step by step.
//!
//! The gradient is that of Netflix' `GradientLimit`, shrinking for lost calls that of its `AIMDLimit`
//! (<https://github.com/Netflix/concurrency-limits>); measuring the baseline at the minimum of concurrency is how
//! Envoy's adaptive concurrency filter does it
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter>); growing
//! fast, then slowly, and starting anew after a pause is what TCP does (RFC 5681, sections 3.1 and 4.1).
//! Where this one differs: growth stops at the tolerance instead of beyond it, and a measurement, which sheds load,
//! is only made while the limit is reached *and* calls have taken too long for some time or nothing is known yet. A
//! service that is well never loses a call to it.
//!
//! There is no queue here. Let a [`AdaptiveLimit`] either refuse by itself ([`AdaptiveLimit::acquire`]), or only watch
//! ([`AdaptiveLimit::observe`]) and tell others what it found, through its observer.

mod estimator;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::settings::{InvalidSetting, check_duration, check_range};
use estimator::{Estimator, ObservedCall};

/// The limit of one service. Clones are the same limit.
#[derive(Clone)]
pub struct AdaptiveLimit(Arc<Shared>);

/// What may be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitSettings {
    /// The limit to begin with, at first and after a pause.
    pub initial: usize,
    /// The limit is never smaller. Calls that run in such company are what the baseline is measured by, so it must
    /// be a number that the service surely takes without queueing; the number of processors, if it computes.
    pub minimum: usize,
    /// The limit is never larger.
    pub maximum: usize,
    /// How many times the baseline calls may take on average before there are too many.
    pub tolerance: f64,
    /// How often the limit is adapted.
    pub window: Duration,
    /// But not before so many calls have ended; or as many as the limit, if they take long.
    pub samples: u32,
    /// How long calls may take too long before the baseline is doubted, and how long a pause is.
    pub remeasure_after: Duration,
}

/// What a call says about the load of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOutcome {
    /// It was answered, and the time it took counts.
    Success,
    /// It was not, for want of time or capacity.
    Dropped,
    /// Nothing: for instance, it failed at once.
    Ignored,
}

/// The right to make one call. Dropped without an outcome, it says nothing.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once admits nothing"]
pub struct LimitPermit {
    limit: AdaptiveLimit,
    /// Nothing once the outcome was recorded.
    ticket: Option<ObservedCall>,
}

struct Shared {
    /// The estimator counts time from here.
    birth: Instant,
    estimator: Mutex<Estimator>,
    observer: Box<dyn Fn(usize) + Send + Sync>,
    /// What the observer was told last; locked while it is told.
    told: Mutex<usize>,
}

// === impl Limit ===

impl AdaptiveLimit {
    /// A limit that has yet to find out. The observer hears of new limits, on the thread of a call that brought one
    /// about, and holds up that call while it runs. It is told one at a time and the present one last; while it is busy
    /// it may miss some in between. It may use the limit.
    ///
    /// # Errors
    /// When a setting is out of its bounds, or the three limits are not in order.
    pub fn new(
        settings: LimitSettings,
        observer: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<Self, InvalidSetting> {
        settings.check()?;
        Ok(Self(Arc::new(Shared {
            birth: Instant::now(),
            estimator: Mutex::new(Estimator::new(settings)),
            observer: Box::new(observer),
            told: Mutex::new(settings.initial),
        })))
    }

    /// Watches a call that somebody else has let in.
    pub fn observe(&self) -> LimitPermit {
        let now = self.0.birth.elapsed();
        let ticket = self.learning(|estimator| estimator.enter(now));
        self.permit(ticket)
    }

    fn current(&self) -> usize {
        self.0.estimator.lock().limit()
    }

    fn permit(&self, ticket: ObservedCall) -> LimitPermit {
        LimitPermit {
            limit: self.clone(),
            ticket: Some(ticket),
        }
    }

    fn end(&self, ticket: ObservedCall, outcome: LimitOutcome) {
        let now = self.0.birth.elapsed();
        self.learning(|estimator| estimator.leave(ticket, outcome, now));
    }

    /// Tells the observer if that brings another limit about.
    fn learning<T>(&self, step: impl FnOnce(&mut Estimator) -> T) -> T {
        let mut estimator = self.0.estimator.lock();
        let before = estimator.limit();
        let result = step(&mut estimator);
        let after = estimator.limit();
        drop(estimator);
        if after != before {
            self.tell();
        }
        result
    }

    /// Tells the observer until it knows the present limit. Nobody waits for it but who tells: if somebody else does at
    /// the moment, he will look again when he is done.
    fn tell(&self) {
        loop {
            let Some(mut told) = self.0.told.try_lock() else {
                return;
            };
            let present = self.current();
            if *told != present {
                *told = present;
                (self.0.observer)(present);
                continue;
            }
            drop(told);
            // Whoever changed it just before this, could not tell.
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

// === impl Permit ===

impl LimitPermit {
    /// Leaves out time in which the call was not with the service, but waited for somebody who is no part of it.
    pub fn excluding(mut self, elsewhere: Duration) -> Self {
        self.ticket = self.ticket.map(|ticket| ticket.later_by(elsewhere));
        self
    }

    /// Tells the limit how the call ended.
    pub fn record(mut self, outcome: LimitOutcome) {
        if let Some(ticket) = self.ticket.take() {
            self.limit.end(ticket, outcome);
        }
    }
}

impl Drop for LimitPermit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.limit.end(ticket, LimitOutcome::Ignored);
        }
    }
}

// === impl Settings ===

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            initial: 20,
            minimum: 2,
            maximum: 500,
            tolerance: 2.0,
            window: Duration::from_millis(100),
            samples: 20,
            remeasure_after: Duration::from_secs(2),
        }
    }
}

impl LimitSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        check_range("minimum", self.minimum, 1..=10_000)?;
        check_range("maximum", self.maximum, self.minimum..=100_000)?;
        check_range("initial", self.initial, self.minimum..=self.maximum)?;
        check_range("tolerance", self.tolerance, 1.1..=100.0)?;
        check_duration("window", self.window)?;
        check_range("samples", self.samples, 1..=100_000)?;
        check_duration("remeasure_after", self.remeasure_after)
    }
}

#[cfg(test)]
mod tests;
