//! The deadline of a call: the instant after which its answer has no value.
//!
//! A [`Deadline`] is an instant and not a duration, so a call that is passed on keeps what is left of its time budget
//! and cannot gain time. The caller carries it from hop to hop; an expired deadline fails the call.

use std::time::Duration;

use tokio::time::Instant;

/// The instant at which a call must have its answer.
///
/// The smaller of two deadlines is the earlier one, so `min` combines two deadlines into the one that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at this instant.
    pub fn at(instant: impl Into<Instant>) -> Self {
        Self(instant.into())
    }

    /// The time that is left; zero once the deadline has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn after(milliseconds: u64) -> Deadline {
        Deadline::at(Instant::now() + Duration::from_millis(milliseconds))
    }

    #[tokio::test(start_paused = true)]
    async fn the_remaining_time_shrinks_to_zero() {
        let deadline = after(10);
        advance(Duration::from_millis(4)).await;
        assert_eq!(deadline.remaining(), Duration::from_millis(6));
        advance(Duration::from_millis(60)).await;
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_deadlines_applies() {
        let (early, late) = (after(10), after(20));
        assert_eq!(early.min(late), early);
        assert_eq!(late.min(early), early);
    }
}
