//! Protections.

pub mod breaker;
pub mod bulkhead;
pub mod deadline;
mod guarded;
pub mod limit;
mod priority;
pub mod retry;
mod setting;

pub use guarded::{Answering, Guarded};
pub use priority::Priority;
pub use setting::BadSetting;
