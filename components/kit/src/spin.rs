//! The ports and HTTP as Spin provides them; compiled into components only.
//!
//! The adapters only translate; they make no decisions. Every asynchronous call races a timer.

use crate::http::bearer::Receiver;

mod authentication;
pub mod calls;
mod client;
mod platform;
mod remote;
mod server;
mod store;
mod timeout;
mod variables;

pub use client::{CallError, HttpClient};
pub use platform::SpinPlatform;
pub use remote::RemoteContext;
pub use server::{ContextNames, react, serve};
pub use store::SpinStore;
pub use timeout::with_timeout;
pub use variables::{host_has_breakers, variable};

/// The context of this component at the present time.
fn receiver(context: &'static str) -> Receiver {
    let now = now();
    Receiver { context, now }
}

/// The present time, in seconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
