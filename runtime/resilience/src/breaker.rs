//! The circuit breaker: stops calls to a failing service, rejects them immediately, and probes the service later.
//!
//! ```text
//!            a rule is violated               the open duration elapses
//!   closed ───────────────────▶ open ─────────────────────────────▶ half-open
//!     ▲                          ▲                                    │   │
//!     │                          └────── too many probes failed ──────┘   │
//!     └──────────────────────── enough probes succeeded ──────────────────┘
//! ```
//!
//! - *Closed*: calls pass. Their outcomes are counted in a sliding window of calls or of time. The breaker opens by
//!   failure rate, by slow-call rate or by consecutive failures.
//! - *Open*: calls are rejected for a duration that grows with each opening in a row, up to a maximum.
//! - *Half-open*: a few calls pass as probes. Their outcomes decide whether the breaker closes or opens again.
//!
//! An operator can force a breaker open, disable it, or reset it.
//!
//! The caller classifies the outcome of each call as a [`BreakerOutcome`]. A breaker has no timer: it compares timestamps
//! when a call arrives, so a breaker without calls costs nothing and keeps its state. Terms and rules follow
//! resilience4j's `CircuitBreaker` (<https://resilience4j.readme.io/docs/circuitbreaker>), whose idea goes back to
//! M. Nygard, *Release It!*. Three things are added: the growing open duration, the generations (see
//! [`state_machine`]) and the timeout of probes.
//!
//! [`StateMachine`] is a plain value. [`Breaker`] adds a clock and a lock, which is held for a few dozen nanoseconds
//! (`cargo bench -p resilience` measures a whole call). Where a clock or a lock is not available, a [`SavedState`] keeps
//! the state machine from one call to the next.

mod config;
mod counts;
mod decision;
#[cfg(feature = "runtime")]
mod handle;
mod open_duration;
mod outcome;
mod probes;
mod rules;
mod saved_state;
mod snapshot;
mod state_machine;
mod transition;
mod window;

pub use config::{BreakerConfig, BreakerSettings, SlowCalls, WindowSize};
pub use counts::WindowCounts;
pub use decision::{AdmissionDecision, AdmittedCall, RejectedCall, StateChange};
#[cfg(feature = "runtime")]
pub use handle::{Breaker, BreakerPermit, BreakerRejection};
pub use open_duration::OpenDuration;
pub use outcome::BreakerOutcome;
pub use saved_state::{SavedPhase, SavedState};
pub use snapshot::{BreakerSnapshot, CallTotals};
pub use state_machine::StateMachine;
pub use transition::{BreakerState, Transition, TransitionReason};

#[cfg(test)]
#[cfg(feature = "runtime")]
mod tests;
