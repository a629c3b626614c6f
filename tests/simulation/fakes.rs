//! Fakes of the ports: the traits that the Spin adapters implement, over values in memory. Each call is a
//! scheduling point, at which faults are injected.

mod calls;
mod contexts;
mod gateway;
mod platform;
mod store;
mod view;
mod with_breaker;

pub use contexts::{Contexts, StoreSnapshots};
pub use gateway::GatewayAccount;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The output of a future that never waits.
pub fn poll_ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call that should not wait waits"),
    }
}
