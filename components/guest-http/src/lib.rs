//! Requests and responses of WASI HTTP as plain values; compiled into components only.
//!
//! Every call of the host costs more than a lookup in a store. The conversions of the SDK ask for the same headers twice,
//! and for options that a received request does not have; these ask once, and only for what a handler can use.

#[cfg(target_arch = "wasm32")]
mod spin;

#[cfg(target_arch = "wasm32")]
pub use spin::{
    request::{BodyChunks, receive},
    response::respond,
};
