//! The HTTP conventions that the host and the guests share: trace headers, problem types, entity tags,
//! cross-origin requests, access tokens in requests, principals, outcomes of deliveries, the path prefix of a proxy.
//!
//! The host must not depend on the SDK of the guests, and the guests not on the libraries of the host.
//! This crate therefore depends on nothing, and holds only what both sides must agree on.

#![no_std]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod authentication;
pub mod cors;
pub mod delivery;
pub mod etag;
pub mod forwarded_prefix;
pub mod headers;
pub mod identity;
pub mod principal;
pub mod problem;
pub mod trace;
