//! What every guest needs and no business knows.
//!
//! Read [`aggregate`] first: load, decide, swap, announce. It stands on two ports, [`Store`] and
//! [`Platform`], which [`spin`] provides in a component and [`memory`] in native tests. [`http`]
//! speaks the manners of the HTTP surface: HAL, problems, validators, paging. Nothing here names a
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
#[cfg(target_arch = "wasm32")]
pub mod spin;
pub mod store;

pub use aggregate::{Aggregates, ChangeError, Decision, Persistent, Versioned};
pub use breaker::{Breaker, BreakerOpen};
pub use listing::Lookup;
pub use origin::Origin;
pub use platform::{LogError, Platform};
pub use store::{Store, StoreError, SwapOutcome};
