//! In-memory fakes of the ports [`Store`](crate::Store) and [`Platform`](crate::Platform), for native
//! tests and the simulation.
//!
//! They assume of the hosts what the contract tests check: single calls are atomic, a swap succeeds
//! exactly if the value is unchanged, and appended events keep their order. The clock advances only when a
//! test advances it, or by one millisecond per reading if it is set to tick.

mod platform;
mod store;

pub use platform::MemoryPlatform;
pub use store::{MemoryCasToken, MemorySnapshot, MemoryStore};
