//! The ports and HTTP as Spin provides them; compiled into components only.
//!
//! The adapters only translate; they make no decisions. Every asynchronous call races a timer.

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
pub use server::{react, serve};
pub use store::SpinStore;
pub use timeout::with_timeout;
pub use variables::{host_has_breakers, variable};
