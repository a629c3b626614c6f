//! The circuit breaker: it stops calling a service that is sick, tells callers so at once, and tries again later.
//!
//! ```text
//!            a rule is broken                  the open time is over
//!   closed ───────────────────▶ open ─────────────────────────────▶ half-open
//!     ▲                          ▲                                    │   │
//!     │                          └────── too many probes failed ──────┘   │
//!     └──────────────────────── enough probes succeeded ──────────────────┘
//! ```
//!
//! *Closed*, it counts outcomes in a sliding window of calls or of time, and opens by failure rate, slow-call rate or
//! failures in a row. *Open*, it refuses, for a time that grows with each opening in a row, up to a cap. *Half-open*,
//! it lets a few probes through, and their outcomes decide. An operator may force it open, disable it, or reset it.
//!
//! What an outcome *is* only the caller can say: each call is classified as [`BreakerOutcome`]. Nothing happens by itself:
//! time is looked at when a call comes, so a breaker without calls costs nothing and its state stays where it was.
//! Words and rules follow resilience4j's `CircuitBreaker` (<https://resilience4j.readme.io/docs/circuitbreaker>),
//! whose idea goes back to M. Nygard, *Release It!*; new here are the growing open time, the eras (see `state_machine`)
//! and the bound on waiting for probes.
//!
//! The state machine itself is [`StateMachine`], a plain value; [`Breaker`] gives it a clock and a lock, held for a few
//! dozen nanoseconds (`cargo bench -p resilience` measures a whole call). Where there is neither, [`SavedState`] keeps a
//! machine from one call to the next.

mod config;
#[cfg(feature = "runtime")]
mod handle;
mod rules;
mod snapshot;
mod state_machine;
mod transition;
mod window;

use std::time::Duration;

pub use config::{BreakerConfig, BreakerSettings, OpenDuration, SlowCalls, WindowSize};
#[cfg(feature = "runtime")]
pub use handle::{Breaker, BreakerPermit, BreakerRejection};
pub use snapshot::{BreakerSnapshot, CallTotals};
pub use state_machine::{
    AdmissionDecision, AdmittedCall, RejectedCall, SavedPhase, SavedState, StateChange,
    StateMachine,
};
pub use transition::{BreakerState, Transition, TransitionReason};
pub use window::WindowCounts;

/// What a call says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerOutcome {
    /// It did what it was asked. (If it took longer than a configured [`SlowCalls::after`], it was slow all the same.)
    Success,
    /// It did, but too slowly by a measure of the caller's own.
    Slow,
    /// It did not, and that is its own fault.
    Failure,
    /// Nothing: the caller asked for something impossible, or gave it no time.
    Ignored,
}

/// Time since whatever moment a machine counts from: the birth of a [`Breaker`], or the Unix epoch.
type Timestamp = Duration;

#[cfg(test)]
#[cfg(feature = "runtime")]
mod tests;
