//! What keeps one sick service from making others sick, and an overloaded one from helping nobody.
//!
//! One module is one protection. Each knows nothing of the others, nor of HTTP or Wasm: what an outcome means, how
//! much a request matters and where it carries its deadline, the caller says. Each comes twice: as a handle that
//! gives out permits, for code that wants to hold one until the last byte of an answer has left, and as a
//! [`tower::Layer`] around a service. Settings are checked once ([`InvalidSetting`]); a guard never meets a bad number.
//! All time is tokio's, so that tests can pause it. Nothing is logged or counted here beyond a few totals: every
//! handle has a `snapshot`, and breakers and limits tell an observer what changes.
//!
//! Without the feature `services` only the breaker's [`breaker::StateMachine`] is left, free of tokio and tower: components
//! use it on hosts that protect nobody.
//!
//! # The order in which a call meets them
//!
//! 1. **[`fallback`]** stands around everything, because it answers for whoever below says no.
//! 2. **[`deadline`]** of the whole call: everything below it, waiting in line included, comes out of one budget,
//!    which the request carries along.
//! 3. **[`bulkhead`]**: whoever cannot be served soon hears so before he costs anything. It stands before the retry,
//!    so that a call keeps its place while it is tried again, and retries never outnumber the places.
//! 4. **[`retry`]**: each further attempt passes all that follows, so that the breaker counts it and may end it.
//! 5. **[`breaker`]**: no attempt on a service that is known to be sick. It stands outside the deadline of the
//!    attempt, because a missed deadline is the failure that it most needs to see.
//! 6. **[`limit`]** watches what gets through, where it measures the service and nothing else, and tells the bulkhead
//!    how many places there should be. (It can also refuse by itself: then it stands in the bulkhead's place.)
//! 7. **[`deadline`]** of the attempt: what is left of the budget, or less.
//!
//! Each layer's refusal is an error of its own, which the one error of the service must be able to hold
//! (`From<breaker::BreakerRejection>` and so on); the stack needs no wrapping and the fallback can tell them apart.
//!
//! ```
//! use std::time::Duration;
//! use resilience::breaker::{self, Breaker, BreakerLayer};
//! use resilience::bulkhead::{self, Bulkhead, BulkheadLayer};
//! use resilience::deadline::{self, Deadline, TimeLimit, TimeoutLayer};
//! use resilience::fallback::{Answer, Fallback, FallbackLayer};
//! use resilience::limit::{self, AdaptiveLimit, ObserveLayer};
//! use resilience::retry::{self, Backoff, RetryBudget, RetryLayer};
//! use resilience::Priority;
//! use tower::{ServiceBuilder, ServiceExt as _};
//!
//! #[derive(Clone)]
//! struct Payment {
//!     amount: u32,
//!     deadline: Option<Deadline>,
//! }
//!
//! #[derive(Debug, thiserror::Error)]
//! enum CallError {
//!     #[error(transparent)]
//!     Late(#[from] deadline::Elapsed),
//!     #[error(transparent)]
//!     Crowded(#[from] bulkhead::BulkheadRejection),
//!     #[error(transparent)]
//!     CutOff(#[from] breaker::BreakerRejection),
//!     #[error("the gateway is broken")]
//!     Broken,
//! }
//!
//! /// A payment carries a key, so that sending it twice charges once.
//! struct Keyed;
//!
//! impl retry::RetryPolicy<Payment, u32, CallError> for Keyed {
//!     fn copy(&self, payment: &Payment) -> Option<Payment> {
//!         Some(payment.clone())
//!     }
//!     fn is_worth_another(&self, result: &Result<u32, CallError>) -> bool {
//!         matches!(result, Err(CallError::Broken))
//!     }
//!     fn time_left(&self, payment: &Payment) -> Option<Duration> {
//!         payment.deadline.map(Deadline::remaining)
//!     }
//! }
//!
//! /// Whoever is cut off is told when to come again.
//! struct ComeAgain;
//!
//! impl Fallback<Payment, u32, CallError> for ComeAgain {
//!     type Memo = ();
//!     type Reason = Duration;
//!     type Substitute = String;
//!
//!     fn remember(&self, _: &Payment) {}
//!     fn accepts(&self, result: &Result<u32, CallError>) -> Option<Duration> {
//!         match result {
//!             Err(CallError::CutOff(refused)) => Some(refused.retry_after),
//!             Err(CallError::Crowded(refused)) => Some(refused.retry_after),
//!             _ => None,
//!         }
//!     }
//!     async fn answer(&self, _: (), retry_after: Duration) -> Option<String> {
//!         Some(format!("come again in {} s", retry_after.as_secs_f64().ceil()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bulkhead = Bulkhead::new(bulkhead::BulkheadConfig::default());
//! let places = bulkhead.clone();
//! let limit = AdaptiveLimit::new(limit::LimitConfig::default(), move |limit| places.resize(limit));
//! let breaker = Breaker::new(
//!     "reservation -> payment",
//!     breaker::BreakerConfig::new(breaker::BreakerSettings { consecutive_failures: Some(4), ..Default::default() })?,
//!     |it: &breaker::Transition| println!("{}: {} -> {}, {}", it.link, it.from, it.to, it.reason),
//! );
//! fn deadline_of(payment: &mut Payment) -> &mut Option<Deadline> {
//!     &mut payment.deadline
//! }
//!
//! let gateway = ServiceBuilder::new()
//!     .layer(FallbackLayer::new(ComeAgain))
//!     .layer(TimeoutLayer::new(TimeLimit::new(Duration::from_secs(5))?, deadline_of))
//!     .layer(BulkheadLayer::new(bulkhead, |_: &Payment| Priority::Paying))
//!     .layer(RetryLayer::new(
//!         Keyed,
//!         Backoff::new(Duration::from_millis(50), Duration::from_secs(1), 1)?,
//!         RetryBudget::new(Default::default())?,
//!     ))
//!     .layer(BreakerLayer::new(breaker, |result: &Result<u32, CallError>| match result {
//!         Ok(_) => breaker::BreakerOutcome::Success,
//!         // Its caller had hardly any time left; that is not the gateway's fault.
//!         Err(CallError::Late(late)) if late.was_hurried() => breaker::BreakerOutcome::Ignored,
//!         Err(_) => breaker::BreakerOutcome::Failure,
//!     }))
//!     .layer(ObserveLayer::new(limit, |result: &Result<u32, CallError>| match result {
//!         Err(CallError::Late(_)) => limit::LimitOutcome::Dropped,
//!         Err(_) => limit::LimitOutcome::Ignored,
//!         Ok(_) => limit::LimitOutcome::Success,
//!     }))
//!     .layer(TimeoutLayer::new(TimeLimit::new(Duration::from_secs(2))?, deadline_of))
//!     .service(tower::service_fn(|payment: Payment| async move {
//!         if payment.amount > 100 { Err(CallError::Broken) } else { Ok(payment.amount) }
//!     }));
//!
//! let pay = |amount| gateway.clone().oneshot(Payment { amount, deadline: None });
//! assert!(matches!(pay(10).await?, Answer::Service(10)));
//! // Two payments, tried twice each, are four failures in a row. The third is not even tried.
//! assert!(matches!(pay(500).await, Err(CallError::Broken)));
//! assert!(matches!(pay(500).await, Err(CallError::Broken)));
//! match pay(10).await? {
//!     Answer::Fallback { substitute, .. } => assert_eq!(substitute, "come again in 1 s"),
//!     Answer::Service(_) => unreachable!("the breaker is open"),
//! }
//! # Ok(())
//! # }
//! ```

pub mod breaker;
#[cfg(feature = "services")]
pub mod bulkhead;
#[cfg(feature = "services")]
pub mod deadline;
#[cfg(feature = "services")]
pub mod fallback;
#[cfg(feature = "services")]
mod guarded;
#[cfg(feature = "services")]
pub mod limit;
#[cfg(feature = "services")]
mod priority;
#[cfg(feature = "services")]
pub mod retry;
mod settings;

#[cfg(feature = "services")]
pub use guarded::{Answering, Guarded};
#[cfg(feature = "services")]
pub use priority::Priority;
pub use settings::InvalidSetting;
