//! The HTTP conventions that the host and the guests share: trace headers, problem types, entity tags.
//!
//! The host must not depend on the SDK of the guests, and the guests not on the libraries of the host.
//! This crate therefore depends on nothing, and holds only what both sides must agree on.

#![no_std]

pub mod etag;
pub mod headers;
pub mod problem;
pub mod trace;
