//! The library of the guests: everything that every context needs and that no business rule is part of.
//!
//! Read [`aggregate`] first: load, decide, compare-and-swap, publish. It uses two ports, [`Store`] and
//! [`Platform`]; `spin` implements them for components, [`memory`] for native tests. [`http`] holds the
//! conventions of the HTTP surface: HAL, problem details, validators, paging. Nothing here names a
//! context.

pub mod aggregate;
pub mod breaker;
pub mod claim;
pub mod http;
pub mod idempotency;
pub mod listing;
pub mod memory;
pub mod numbering;
pub mod origin;
pub mod outbox;
pub mod platform;
pub mod records;
#[cfg(target_arch = "wasm32")]
pub mod spin;
pub mod store;
mod stored;
pub mod unavailable;

pub use aggregate::{Aggregates, ChangeError, Decision, Persistent, Versioned};
pub use breaker::{Breaker, BreakerOpen};
pub use listing::Lookup;
pub use origin::Origin;
pub use platform::{LogError, Platform};
pub use records::ReadError;
pub use store::{Store, StoreError, SwapOutcome};
pub use unavailable::{Effect, Unavailable};
