//! The time limit of every wait: stock Spin bounds neither chained calls nor Redis nor key-value calls.

use futures::future::{Either, select};
use std::{pin::pin, time::Duration};

/// The output of `work`; `None` if it does not finish within `timeout`.
pub async fn with_timeout<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(spin_sdk::time::sleep(timeout))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}
