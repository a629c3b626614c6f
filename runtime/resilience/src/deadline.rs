//! Deadlines: how long a call may take by the clock on the wall, handed on from hop to hop.
//!
//! A [`Deadline`] is a point in time, not a duration: whoever receives it inherits what is left, and nobody can win
//! time by passing a call on. The [`TimeoutService`] service tightens the deadline that a request carries by its own
//! [`TimeLimit`], hands the earlier of the two on inside the request, and ends the call there.
//!
//! It ends a call that waits. It cannot end one that never yields: whoever runs foreign code must make it yield.

use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt as _};

use crate::guarded::{Answering, Guarded, always_ready};
use crate::settings::{InvalidSetting, check_duration};

/// The moment at which an answer is worth nothing any more.
///
/// The smaller of two is the earlier, so `min` is how two deadlines become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

/// How long one hop may take at most; a time that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeLimit(Duration);

/// The deadline came before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no answer within {allowed:?}")]
pub struct Elapsed {
    /// How long this hop was allowed to take: its own limit, or less if its caller had less left.
    pub allowed: Duration,
    /// Its own limit.
    pub limit: Duration,
}

// === impl Deadline ===

impl Deadline {
    /// The deadline that lies this far ahead.
    pub fn after(limit: TimeLimit) -> Self {
        Self(Instant::now() + limit.0)
    }

    /// The deadline at this moment.
    pub fn at(moment: impl Into<Instant>) -> Self {
        Self(moment.into())
    }

    /// The budget that is left; nothing once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for the outcome of `work`, which does not even begin if the deadline has passed.
    ///
    /// # Errors
    /// [`Elapsed`] when the deadline came first; `work` is dropped then.
    pub async fn run<W: Future>(self, work: W) -> Result<W::Output, Elapsed> {
        let allowed = self.remaining();
        let elapsed = Elapsed {
            allowed,
            limit: allowed,
        };
        if allowed.is_zero() {
            return Err(elapsed);
        }
        tokio::time::timeout_at(self.0, work)
            .await
            .map_err(|_| elapsed)
    }
}

// === impl TimeLimit ===

impl TimeLimit {
    /// A limit between a millisecond and a day.
    ///
    /// # Errors
    /// When it is shorter than the timers are exact, or so long that it limits nothing.
    pub fn new(limit: Duration) -> Result<Self, InvalidSetting> {
        check_duration("deadline", limit).map(|()| Self(limit))
    }

    /// How long it is.
    pub fn get(self) -> Duration {
        self.0
    }
}

// === impl Elapsed ===

impl Elapsed {
    /// Whether the hop was given less than half of its limit, so that missing the deadline says little about it.
    ///
    /// That a caller had *somewhat* less left says nothing in its favour: a hop that hangs is always called with
    /// somewhat less than its limit if its callers have the same one.
    pub fn was_hurried(&self) -> bool {
        self.allowed < self.limit / 2
    }
}

/// Puts a [`TimeoutService`] around a service.
#[derive(Clone, Debug)]
pub struct TimeoutLayer<D> {
    limit: TimeLimit,
    deadline_of: D,
}

/// A service whose calls end at their deadline.
#[derive(Clone, Debug)]
pub struct TimeoutService<S, D> {
    inner: S,
    limit: TimeLimit,
    deadline_of: D,
}

impl<D> TimeoutLayer<D> {
    /// Limits each call; `deadline_of` shows where a request carries the deadline it came with.
    pub fn new<Request>(limit: TimeLimit, deadline_of: D) -> Self
    where
        D: Fn(&mut Request) -> &mut Option<Deadline>,
    {
        Self { limit, deadline_of }
    }
}

impl<S, D: Clone> Layer<S> for TimeoutLayer<D> {
    type Service = TimeoutService<S, D>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService {
            inner,
            limit: self.limit,
            deadline_of: self.deadline_of.clone(),
        }
    }
}

impl<S, D, Request> Service<Request> for TimeoutService<S, D>
where
    S: Guarded<Request, Error: From<Elapsed>>,
    D: Fn(&mut Request) -> &mut Option<Deadline>,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        always_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let carried = (self.deadline_of)(&mut request);
        let own = Deadline::after(self.limit);
        let deadline = carried.map_or(own, |given| given.min(own));
        *carried = Some(deadline);
        let limit = self.limit.get();
        let inner = self.inner.clone();
        Box::pin(async move {
            let ended = deadline.run(inner.oneshot(request)).await;
            ended.unwrap_or_else(|elapsed| Err(Elapsed { limit, ..elapsed }.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::time::{advance, sleep};

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn limit(count: u64) -> TimeLimit {
        TimeLimit::new(millis(count)).unwrap()
    }

    /// The request of these tests is its own deadline.
    fn itself(deadline: &mut Option<Deadline>) -> &mut Option<Deadline> {
        deadline
    }

    /// A service that takes this long and answers with the budget it was given.
    fn slow(
        takes: Duration,
    ) -> impl Guarded<Option<Deadline>, Response = Duration, Error = Elapsed> {
        tower::service_fn(move |deadline: Option<Deadline>| async move {
            let budget = deadline.unwrap().remaining();
            sleep(takes).await;
            Ok(budget)
        })
    }

    async fn call(takes: u64, own: u64, given: Option<u64>) -> Result<Duration, Elapsed> {
        let service = TimeoutLayer::new(limit(own), itself).layer(slow(millis(takes)));
        service
            .oneshot(given.map(|given| Deadline::after(limit(given))))
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline_and_not_before() {
        assert!(call(99, 100, None).await.is_ok());
        let began = Instant::now();
        let elapsed = call(60_000, 100, None).await.unwrap_err();
        assert_eq!(
            elapsed,
            Elapsed {
                allowed: millis(100),
                limit: millis(100)
            }
        );
        assert!(began.elapsed() <= millis(101), "{:?}", began.elapsed());
        assert_eq!(elapsed.to_string(), "no answer within 100ms");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_hop_gets_what_is_left_and_never_more() {
        assert_eq!(call(1, 100, None).await, Ok(millis(100)));
        assert_eq!(call(1, 100, Some(40)).await, Ok(millis(40)));
        assert_eq!(call(1, 100, Some(400)).await, Ok(millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hop_that_was_given_too_little_time_is_told_from_one_that_hangs() {
        assert!(call(50, 100, Some(10)).await.unwrap_err().was_hurried());
        assert!(!call(150, 100, Some(90)).await.unwrap_err().was_hurried());
        assert!(!call(150, 100, Some(400)).await.unwrap_err().was_hurried());
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_shrinks_on_its_way_through_two_hops() {
        let below = TimeoutLayer::new(limit(80), itself).layer(slow(millis(1)));
        let middle = tower::service_fn(move |deadline: Option<Deadline>| {
            let below = below.clone();
            async move {
                sleep(millis(70)).await;
                below.oneshot(deadline).await
            }
        });
        let above = TimeoutLayer::new(limit(100), itself).layer(middle);
        assert_eq!(above.oneshot(None).await, Ok(millis(30)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_deadline_has_passed_does_not_begin() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let service = tower::service_fn(move |_: Option<Deadline>| {
            counted.fetch_add(1, SeqCst);
            std::future::ready(Ok::<_, Elapsed>(()))
        });
        let service = TimeoutLayer::new(limit(100), itself).layer(service);
        let deadline = Deadline::after(limit(5));
        advance(millis(5)).await;
        assert_eq!(deadline.remaining(), Duration::ZERO);
        assert!(service.oneshot(Some(deadline)).await.is_err());
        assert_eq!(calls.load(SeqCst), 0);
    }

    #[test]
    fn a_limit_that_limits_nothing_is_refused() {
        assert!(TimeLimit::new(Duration::ZERO).is_err());
        assert!(TimeLimit::new(Duration::from_secs(100_000)).is_err());
        assert_eq!(limit(250).get(), millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_deadlines_wins() {
        let (soon, late) = (Deadline::after(limit(10)), Deadline::after(limit(20)));
        assert_eq!(soon.min(late), soon);
        assert_eq!(late.min(soon), soon);
    }
}
