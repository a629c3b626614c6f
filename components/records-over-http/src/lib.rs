//! Reading the records of other contexts as JSON over HTTP: the adapter of a caller whose callees are not linked.
//!
//! It exports the `records` of car, payment and reservation, and translates each call to requests to the URL variable of the
//! context: one for the newest number, and one for each number of a list. Two deployments use it: stock Spin, which composes
//! it into the caller, and a `socar` without the callees. It has no hosts and variables of its own; it inherits the caller's.

pub mod responses;
#[cfg(target_arch = "wasm32")]
mod spin;
