//! Protections for calls between services: a failing service must not make its callers fail, and an overloaded service
//! must still serve what it can.
//!
//! Each module is one protection. It knows neither the other protections, nor HTTP, nor Wasm: the caller gives it the
//! outcome, the priority and the deadline of a call. Settings are checked once, when a protection is created
//! ([`InvalidSetting`]). All clocks are tokio's, so tests can pause them. Nothing is logged here, and only a few totals
//! are counted: bulkheads and breakers have a `snapshot`, breakers and limits report their changes to an observer.
//!
//! | Module | Protection |
//! |---|---|
//! | [`deadline`] | the instant at which a call must have its answer |
//! | [`bulkhead`] | a bounded number of concurrent calls, and a bounded queue that is ordered by [`Priority`] |
//! | [`retry`] | the delays before further attempts, and a budget for them |
//! | [`breaker`] | no calls to a failing service, until probes show that it has recovered |
//! | [`limit`] | the number of concurrent calls that a service can serve without queueing |
//!
//! # The order in which a call meets them
//!
//! The host composes them as plain async functions, in this order:
//!
//! 1. **The fallback** of the host comes first, because it answers for every failure and rejection below.
//! 2. **The deadline** of the whole call. Everything below, the wait for a permit included, uses the same time budget.
//! 3. **The bulkhead.** A call that cannot be served soon is rejected before it has cost anything. The bulkhead comes
//!    before the retry: a call keeps its permit while it is retried, so retries never exceed the permits.
//! 4. **The retry.** Each further attempt passes everything below, so the breaker counts it and can end it.
//! 5. **The breaker.** It makes no attempt on a service that is known to fail. It comes before the deadline of the
//!    attempt, because it must see an expired deadline as a failure.
//! 6. **The adaptive limit** observes the attempts that pass, where it measures the service and nothing else. It sets the
//!    number of permits of the bulkhead.
//! 7. **The deadline** of the attempt: the rest of the time budget, or less.
//!
//! ```
//! use std::time::Duration;
//!
//! use resilience::Priority;
//! use resilience::breaker::{Breaker, BreakerConfig, BreakerOutcome};
//! use resilience::bulkhead::{Bulkhead, BulkheadSettings};
//! use resilience::deadline::Deadline;
//! use resilience::limit::{AdaptiveLimit, LimitOutcome, LimitSettings};
//! use tokio::time::{Instant, timeout};
//!
//! # async fn pay() -> u32 { 10 }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bulkhead = Bulkhead::new(BulkheadSettings::default())?;
//! let permits = bulkhead.clone();
//! let limit = AdaptiveLimit::new(LimitSettings::default(), move |limit| permits.resize(limit))?;
//! let breaker = Breaker::new("reservation -> payment", BreakerConfig::default(), |transition| {
//!     println!("{}: {} ({})", transition.link, transition.to, transition.reason);
//! });
//!
//! let deadline = Deadline::at(Instant::now() + Duration::from_secs(2));
//! let permit = bulkhead.acquire(Priority::LOWEST, deadline).await?;
//! let attempt = breaker.acquire()?;
//! let observed = limit.observe();
//! let answer = timeout(deadline.remaining(), pay()).await;
//! observed.record(match answer {
//!     Ok(_) => LimitOutcome::Success,
//!     Err(_) => LimitOutcome::Dropped,
//! });
//! attempt.record(match answer {
//!     Ok(_) => BreakerOutcome::Success,
//!     Err(_) => BreakerOutcome::Failure,
//! });
//! drop(permit);
//! # Ok(())
//! # }
//! ```
//!
//! # Without a runtime
//!
//! Without the feature `runtime`, which is on by default, only [`breaker::StateMachine`] is left. It needs neither tokio
//! nor a clock. Components use it on hosts that have no breaker.

pub mod breaker;
#[cfg(feature = "runtime")]
pub mod bulkhead;
#[cfg(feature = "runtime")]
pub mod deadline;
#[cfg(feature = "runtime")]
pub mod limit;
#[cfg(feature = "runtime")]
mod priority;
#[cfg(feature = "runtime")]
pub mod retry;
mod settings;
mod timestamp;

#[cfg(feature = "runtime")]
pub use priority::Priority;
pub use settings::InvalidSetting;
