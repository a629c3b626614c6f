//! What keeps one sick service from making others sick, and an overloaded one from helping nobody.
//!
//! One module is one protection. Each knows nothing of the others, nor of HTTP or Wasm: what an outcome means, how
//! much a request matters and where it carries its deadline, the caller says. Each is a handle that gives out permits,
//! so that a caller can hold one until the last byte of an answer has left. Settings are checked once ([`InvalidSetting`]); a guard never meets a bad number.
//! All time is tokio's, so that tests can pause it. Nothing is logged or counted here beyond a few totals: every
//! handle has a `snapshot`, and breakers and limits tell an observer what changes.
//!
//! Without the feature `runtime` only the breaker's [`breaker::StateMachine`] is left, free of tokio: components
//! use it on hosts that protect nobody.
//!
//! # The order in which a call meets them
//!
//! 1. **The fallback** (the host's) stands around everything, because it answers for whoever below says no.
//! 2. **[`deadline`]** of the whole call: everything below it, waiting in line included, comes out of one budget,
//!    which the request carries along.
//! 3. **[`bulkhead`]**: whoever cannot be served soon hears so before he costs anything. It stands before the retry,
//!    so that a call keeps its place while it is tried again, and retries never outnumber the places.
//! 4. **[`retry`]**: each further attempt passes all that follows, so that the breaker counts it and may end it.
//! 5. **[`breaker`]**: no attempt on a service that is known to be sick. It stands outside the deadline of the
//!    attempt, because a missed deadline is the failure that it most needs to see.
//! 6. **[`limit`]** watches what gets through, where it measures the service and nothing else, and tells the bulkhead
//!    how many places there should be.
//! 7. **[`deadline`]** of the attempt: what is left of the budget, or less.

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
