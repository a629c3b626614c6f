//! How Spin provides the ports: compiled into components only.
//!
//! Nothing here decides; it translates. Every wait is raced against a sleep, because stock Spin
//! bounds neither chained calls nor Redis nor key-value calls.

mod client;
mod platform;
mod server;
mod store;

pub use client::{CallError, HttpClient};
pub use platform::SpinPlatform;
pub use server::{react, serve};
pub use store::SpinStore;

use futures::future::{Either, select};
use std::{pin::pin, time::Duration};

/// The value of an application variable; empty when it is undefined.
pub async fn variable(name: &str) -> String {
    spin_sdk::variables::get(name).await.unwrap_or_default()
}

/// Whether the host cuts off sick links between components by itself. `socar` says so; wherever
/// nobody does, the components guard themselves.
pub async fn host_has_breakers() -> bool {
    variable("link_breakers").await == "host"
}

/// `work`'s output, or `None` when `timeout` goes by first.
pub async fn with_timeout<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(spin_sdk::time::sleep(timeout))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}
