//! Timeout of a host call: how long a guest may wait for a store or a server, within the deadline of its call.
//!
//! A guest that still waits at its deadline is terminated, and its caller only learns that the deadline was exceeded.
//! Every wait therefore ends somewhat earlier, with an error: the guest can then compensate and respond itself. A wait
//! that starts shortly before the deadline gets half of the remaining time, so that consecutive waits also leave some.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use crate::availability::{Availability, BackendError};
use crate::call::Call;

/// Time that is left to the guest for its response, when at least twice as much remains.
const RESPONSE_MARGIN: Duration = Duration::from_millis(250);

/// End of the time that a guest may wait in host calls.
#[derive(Clone, Debug)]
pub struct HostCallTimeout {
    end: Option<Instant>,
    /// Learns which of the host calls failed because a backend is unavailable.
    availability: Availability,
}

/// The remaining time of the call is too short to wait any longer. The requested operation may have been executed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no response within the time that the call has left")]
pub struct HostCallTimedOut;

impl HostCallTimeout {
    /// Returns the timeout for a guest that works on this call; without a call there is no timeout.
    pub fn of(call: Option<&Call>) -> Self {
        let end = call.map(|call| {
            let left = call.deadline.saturating_duration_since(Instant::now());
            call.deadline - RESPONSE_MARGIN.min(left / 2)
        });
        Self {
            end,
            availability: call
                .map(|call| call.availability.clone())
                .unwrap_or_default(),
        }
    }

    /// Returns the end of the wait; `None` means without limit.
    pub fn end(&self) -> Option<Instant> {
        self.end
    }

    /// The same call, which ends at the timeout at the latest.
    #[must_use]
    pub fn bound(self, mut call: Call) -> Call {
        if let Some(end) = self.end {
            call.deadline = call.deadline.min(end);
        }
        call
    }

    /// Waits for `work`, at most until the timeout.
    ///
    /// # Errors
    /// The error of `work`, or [`HostCallTimedOut`].
    pub async fn wait<A, E: From<HostCallTimedOut> + BackendError>(
        &self,
        work: impl Future<Output = Result<A, E>>,
    ) -> Result<A, E> {
        let done = match self.end {
            // Work that is ready immediately, such as an access to the embedded database, never arms the timer.
            Some(until) => match timeout_at(until.into(), work).await {
                Ok(done) => done,
                Err(_) => Err(HostCallTimedOut.into()),
            },
            None => work.await,
        };
        if done.as_ref().is_err_and(BackendError::is_unavailable) {
            self.availability.note_unavailable(None);
        }
        done
    }
}

impl BackendError for HostCallTimedOut {
    fn is_unavailable(&self) -> bool {
        true
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
        let timeout = HostCallTimeout::of(Some(&call));
        tokio::select! {
            biased;
            () = ended => panic!("the host call waited until the deadline"),
            result = timeout.wait(work) => assert!(result.is_err()),
        }
    }

    #[test]
    fn a_host_call_shortly_before_the_deadline_waits_half_of_the_remaining_time() {
        let call = call(RESPONSE_MARGIN);
        let until = HostCallTimeout::of(Some(&call)).end();
        let left = call.deadline.saturating_duration_since(Instant::now());
        assert!(until.is_some_and(|until| until <= call.deadline - left / 2));
    }

    #[tokio::test]
    async fn a_call_knows_that_a_host_call_timed_out() {
        let call = call(Duration::from_millis(20));
        let work = std::future::pending::<Result<(), HostCallTimedOut>>();
        assert!(!call.availability.is_impaired());
        let waited = HostCallTimeout::of(Some(&call)).wait(work).await;
        assert!(waited.is_err() && call.nested().availability.is_impaired());
    }

    #[tokio::test]
    async fn a_ready_result_is_returned_even_after_the_deadline() {
        let call = call(Duration::ZERO);
        let work = std::future::ready(Ok::<_, HostCallTimedOut>(1));
        assert_eq!(
            HostCallTimeout::of(Some(&call)).wait(work).await.ok(),
            Some(1)
        );
    }
}
