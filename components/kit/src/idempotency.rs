//! `Idempotency-Key`, after the IETF draft draft-ietf-httpapi-idempotency-key-header: the first
//! request with a key does the work, and every later request with the same key receives its response.
//!
//! The record of a key is written before the work begins, together with the *number* of the resource
//! that the work creates. After a crash, the next request with the key looks for that resource. The
//! records are also listed by the hour, so that a sweep deletes expired ones without a search.

mod expiry;
mod key;
mod lease;
mod record;

pub use expiry::{RETENTION, sweep};
pub use key::{Acquisition, IdempotencyKey};
pub use lease::Lease;

#[cfg(test)]
mod tests;
