//! How long a host call may keep a guest waiting for a store or a server: never until the call is over.
//!
//! A guest that still waits at its deadline is ended without a word, and its caller hears no more than that it was
//! late. So every wait ends a little earlier, with an error: the guest can then undo what it must, and answer for
//! itself. A wait begun in the last moments gets half of what is left, so that several in a row leave something too.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use crate::call::Call;

/// What a guest is left with to answer, if there is twice as much.
const MARGIN: Duration = Duration::from_millis(250);

/// How long a guest may be kept waiting.
#[derive(Clone, Copy, Debug)]
pub struct HostCallTimeout(Option<Instant>);

/// Its call has too little time left to wait any longer. What was asked may or may not be done.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer within the time that the call has left")]
pub struct HostCallTimedOut;

impl HostCallTimeout {
    /// What a guest has that works on this call; without one nobody waits for it.
    pub fn of(call: Option<&Call>) -> Self {
        Self(call.map(|call| {
            let left = call.deadline.saturating_duration_since(Instant::now());
            call.deadline - MARGIN.min(left / 2)
        }))
    }

    /// When there is none left, if it ever ends.
    pub fn end(self) -> Option<Instant> {
        self.0
    }

    /// Waits for the work, as long as that may be.
    ///
    /// # Errors
    /// Those of the work, or that it took too long.
    pub async fn wait<A, E: From<HostCallTimedOut>>(
        self,
        work: impl Future<Output = Result<A, E>>,
    ) -> Result<A, E> {
        match self.0 {
            // What is ready at once, such as everything in the embedded file, sets no alarm.
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
    async fn a_guest_hears_before_its_deadline_that_nobody_answers() {
        let call = call(Duration::from_secs(60));
        let ended = tokio::time::sleep_until(call.deadline.into());
        let work = std::future::pending::<Result<(), HostCallTimedOut>>();
        tokio::select! {
            biased;
            () = ended => panic!("it was kept waiting until its deadline"),
            told = HostCallTimeout::of(Some(&call)).wait(work) => assert!(told.is_err()),
        }
    }

    #[test]
    fn whoever_begins_to_wait_at_the_last_moment_has_half_of_it() {
        let call = call(MARGIN);
        let HostCallTimeout(until) = HostCallTimeout::of(Some(&call));
        let left = call.deadline.saturating_duration_since(Instant::now());
        assert!(until.is_some_and(|until| until <= call.deadline - left / 2));
    }

    #[tokio::test]
    async fn what_is_ready_is_taken_however_late_it_is() {
        let call = call(Duration::ZERO);
        let work = std::future::ready(Ok::<_, HostCallTimedOut>(1));
        assert_eq!(
            HostCallTimeout::of(Some(&call)).wait(work).await.ok(),
            Some(1)
        );
    }
}
