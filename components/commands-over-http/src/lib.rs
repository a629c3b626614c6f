//! Commands to other contexts as JSON over HTTP: the adapter of a caller whose callee is not linked.
//!
//! It exports `socar:car/holds` and `socar:payment/approvals`, and translates each call to a request to the URL variable of
//! the context. Two deployments use it: stock Spin, which composes it into the caller, and a `socar` without the callee,
//! where the callee runs in another process. It has no stores, hosts and variables of its own; it inherits the caller's.
//!
//! At the address of a context another server may listen: a proxy, or the front end of this platform. A 404 from such a
//! server is no statement about a car, and its 200 is no payment. So a response counts only if it carries the identifier of
//! the request, or is the problem document that the context returns in exactly that case ([`answer`]). Any other response
//! leaves the effect of the call unknown.

pub mod answer;
pub mod approvals;
pub mod holds;
#[cfg(target_arch = "wasm32")]
mod spin;
