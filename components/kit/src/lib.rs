//! The library of the guests: everything that every context needs and that no business rule is part of.
//!
//! Read [`aggregate`] first: load, decide, compare-and-swap, publish. It uses two ports, [`Store`] and
//! [`Platform`]; `spin` implements them for components, [`memory`] for native tests. [`http`] holds the
//! conventions of the HTTP surface: HAL, problem details, validators, paging. Nothing here names a
//! context.

pub mod aggregate;
pub mod backlog;
pub mod breaker;
mod change_error;
pub mod claim;
pub mod event_failure;
pub mod http;
pub mod idempotency;
pub mod identity;
pub mod listing;
pub mod memory;
pub mod number_index;
pub mod numbering;
pub mod origin;
pub mod outbox;
pub mod platform;
pub mod principal;
pub mod records;
mod report;
pub mod shared_clock;
mod sighted_age;
#[cfg(target_arch = "wasm32")]
pub mod spin;
pub mod store;
mod stored;
pub mod sweep;
pub mod text;
pub mod unavailable;

pub use aggregate::{Aggregates, Decision, Persistent, Versioned};
pub use backlog::{Backlog, BacklogEntry};
pub use breaker::{Breaker, BreakerOpen};
pub use change_error::ChangeError;
pub use event_failure::EventFailure;
pub use listing::{ListError, Lookup};
pub use number_index::NumberIndex;
pub use origin::Origin;
pub use platform::{LogError, Platform};
pub use principal::{Access, Principal};
pub use records::ReadError;
pub use report::report;
pub use store::{Store, StoreError, SwapOutcome};
pub use sweep::{SweepFailure, SweepFailures};
pub use unavailable::{Effect, Unavailable};
