//! How long a host call may wait for a store or a server.
//!
//! A guest that still waits at its deadline is ended, and its caller learns only of the timeout. So every wait ends
//! earlier, with an error: the guest can then undo what it must, and respond itself. A wait that starts shortly before
//! the deadline gets half of the remaining time, so that several waits in a row leave some time too.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use crate::call::Call;

/// The time that a guest keeps for its response, if at least twice as much is left.
const MARGIN: Duration = Duration::from_millis(250);

/// The end of the waits of one call.
#[derive(Clone, Copy, Debug)]
pub struct HostCallTimeout(Option<Instant>);

/// The call has too little time left to wait any longer. The requested operation may or may not be done.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer within the time that the call has left")]
pub struct HostCallTimedOut;

impl HostCallTimeout {
    /// The timeout for the waits of this call. Without a call there is none.
    pub fn of(call: Option<&Call>) -> Self {
        Self(call.map(|call| {
            let left = call.deadline.saturating_duration_since(Instant::now());
            call.deadline - RESPONSE_MARGIN.min(left / 2)
        }))
    }

    /// The end of the wait, if there is one.
    pub fn end(self) -> Option<Instant> {
        self.0
    }

    /// Waits for the work until the timeout.
    ///
    /// # Errors
    /// Those of the work, and [`HostCallTimedOut`].
    pub async fn wait<A, E: From<HostCallTimedOut>>(
        self,
        work: impl Future<Output = Result<A, E>>,
    ) -> Result<A, E> {
        match self.0 {
            // A result that is ready, such as any from the embedded file, needs no timer.
            Some(until) => match timeout_at(until.into(), work).await {
                Ok(done) => done,
                Err(_) => Err(HostCallTimedOut.into()),
            },
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Trace;

    fn call(left: Duration) -> Call {
        Call::incoming(Trace::fresh(), left)
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_call_times_out_before_the_deadline_of_the_guest() {
        let call = call(Duration::from_secs(60));
        let ended = tokio::time::sleep_until(call.deadline.into());
        let work = std::future::pending::<Result<(), HostCallTimedOut>>();
        tokio::select! {
            biased;
            () = ended => panic!("the host call waited until the deadline"),
            told = HostCallTimeout::of(Some(&call)).wait(work) => assert!(told.is_err()),
        }
    }

    #[test]
    fn a_late_wait_gets_half_of_the_remaining_time() {
        let call = call(MARGIN);
        let HostCallTimeout(until) = HostCallTimeout::of(Some(&call));
        let left = call.deadline.saturating_duration_since(Instant::now());
        assert!(until.is_some_and(|until| until <= call.deadline - left / 2));
    }

    #[tokio::test]
    async fn a_ready_result_is_returned_after_the_deadline() {
        let call = call(Duration::ZERO);
        let work = std::future::ready(Ok::<_, HostCallTimedOut>(1));
        assert_eq!(
            HostCallTimeout::of(Some(&call)).wait(work).await.ok(),
            Some(1)
        );
    }
}
