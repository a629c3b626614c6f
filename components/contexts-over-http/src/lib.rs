//! The interfaces between contexts, spoken as JSON over HTTP: an adapter for callers whose callee is not linked.
//!
//! It exports what car, payment and reservation export, and translates each call to a request to the URL variable of the
//! context. Two deployments use it: stock Spin, which composes it into the caller, and a `socar` without the callee, where
//! the callee runs in another process. It has no stores, hosts and variables of its own; it inherits the caller's.
//!
//! At the address of a context another server may listen: a proxy, or the front end of this platform. A 404 from such a
//! server is no statement about a car, and its 200 is no payment. So a response counts only if it carries the identifier of
//! the request, or is the problem document that the context returns in exactly that case ([`answer`]). Any other response
//! leaves the effect of the call unknown.

pub mod answer;
pub mod approvals;
pub mod holds;
pub mod records;
#[cfg(target_arch = "wasm32")]
mod spin;
