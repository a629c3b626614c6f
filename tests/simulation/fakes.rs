//! The fakes of the ports: the same traits that the Spin adapters implement, over plain values. Each
//! call is a scheduling point and a point at which faults are injected.

mod calls;
mod contexts;
mod gateway;
mod platform;
mod store;
mod view;

pub use contexts::Contexts;
pub use gateway::GatewayAccount;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The outcome of a future that does not wait.
pub fn poll_ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call that should not wait waits"),
    }
}
