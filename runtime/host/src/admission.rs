//! How many calls of one component may run, and how many may wait: the rest is refused on the spot.
//!
//! Waiting is in order of arrival and never past the caller's deadline. A refusal costs next to nothing, so that an
//! overloaded component keeps its time for the calls it has let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The door of one component.
pub struct Admission {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    places: usize,
}

/// The right to run; given back when dropped.
pub type Permit = OwnedSemaphorePermit;

/// Too many run and too many wait, or the deadline came before the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// One place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl Admission {
    /// Lets `concurrency` calls run and `queue` more wait.
    pub fn new(concurrency: usize, queue: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            places: queue,
        }
    }

    /// Waits for the right to run.
    ///
    /// # Errors
    /// [`Refused`] when there is no place to wait, or the deadline comes first.
    pub async fn admit(&self, deadline: Instant) -> Result<Permit, Refused> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.queue_up()?;
        match tokio::time::timeout_at(deadline.into(), self.running.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Refused),
        }
    }

    fn queue_up(&self) -> Result<Place<'_>, Refused> {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < self.places {
            return Ok(Place(&self.waiting));
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        Err(Refused)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::time::Duration;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn a_call_beyond_the_queue_is_refused_at_once() {
        let admission = Admission::new(1, 1);
        let _running = admission.admit(later()).await.unwrap();
        let mut waiting = Box::pin(admission.admit(later()));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(
            admission
                .admit(later())
                .now_or_never()
                .map(|it| it.is_err()),
            Some(true)
        );
    }

    #[tokio::test]
    async fn the_end_of_one_call_lets_the_next_one_in() {
        let admission = Admission::new(1, 1);
        let running = admission.admit(later()).await.unwrap();
        let waiting = admission.admit(later());
        drop(running);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_past_his_deadline() {
        let admission = Admission::new(1, 1);
        let _running = admission.admit(later()).await.unwrap();
        assert_eq!(admission.admit(Instant::now()).await.err(), Some(Refused));
    }

    #[tokio::test]
    async fn a_caller_who_gave_up_leaves_his_place_to_another() {
        let admission = Admission::new(1, 1);
        let _running = admission.admit(later()).await.unwrap();
        let mut gives_up = Box::pin(admission.admit(later()));
        assert!(gives_up.as_mut().now_or_never().is_none());
        drop(gives_up);
        let mut next = Box::pin(admission.admit(later()));
        assert!(
            next.as_mut().now_or_never().is_none(),
            "the place was not given back"
        );
    }
}
