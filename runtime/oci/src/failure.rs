//! Failures of single requests, and how often a request is repeated.

use std::fmt;
use std::time::Duration;

use anyhow::{anyhow, bail};
use tracing::debug;

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// A later attempt may succeed.
    Transient(TransientFailure),
    /// Every attempt would fail.
    Permanent(anyhow::Error),
}

/// A failure that may pass.
#[derive(Debug)]
pub struct TransientFailure {
    /// What happened, and to what.
    problem: String,
    /// What to do when it does not pass.
    remedy: &'static str,
    /// How long the registry asks to wait.
    after: Option<Duration>,
}

/// The bounds of every request.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The time to connect.
    pub connect: Duration,
    /// The time without any progress: no byte sent or received.
    pub stall: Duration,
    /// The time of one attempt.
    pub attempt: Duration,
    /// The number of attempts.
    pub attempts: u32,
    /// The longest pause before the second attempt; it doubles before each further one.
    pub backoff: Duration,
    /// The longest pause that a registry can ask for.
    pub retry_after: Duration,
}

// === impl Failure ===

impl Failure {
    /// A failure that may pass.
    pub fn transient(problem: impl fmt::Display, remedy: &'static str) -> Self {
        Self::Transient(TransientFailure {
            problem: problem.to_string(),
            remedy,
            after: None,
        })
    }

    /// A failure that does not pass.
    pub fn permanent(text: impl fmt::Display) -> Self {
        Self::Permanent(anyhow!("{text}"))
    }

    /// The same failure, with the time that the registry asks to wait.
    #[must_use]
    pub fn after(self, after: Option<Duration>) -> Self {
        match self {
            Self::Transient(transient) => Self::Transient(TransientFailure { after, ..transient }),
            permanent => permanent,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Permanent(error)
    }
}

// === impl RequestLimits ===

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            attempt: Duration::from_secs(15 * 60),
            attempts: 3,
            backoff: Duration::from_millis(500),
            retry_after: Duration::from_secs(10),
        }
    }
}

impl RequestLimits {
    /// Makes attempts until one succeeds or fails for good. The work must be the same however often it is done.
    ///
    /// # Errors
    /// The permanent failure, or the last of the transient ones.
    pub async fn retry<T, F>(&self, mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pause = self.backoff;
        let mut number = 1;
        loop {
            let ended = tokio::time::timeout(self.attempt, attempt()).await;
            let failure = match ended {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Failure::Permanent(error))) => return Err(error),
                Ok(Err(Failure::Transient(failure))) => failure,
                Err(_) => bail!(
                    "the transfer was not complete after {} s: use a faster connection",
                    self.attempt.as_secs()
                ),
            };
            let asked = failure.after.unwrap_or_default();
            if number == self.attempts || asked > self.retry_after {
                return Err(failure.into_error(number));
            }
            debug!(problem = failure.problem, number, "the request is repeated");
            tokio::time::sleep(asked.max(pause.mul_f64(0.5 + fastrand::f64() / 2.0))).await;
            pause *= 2;
            number += 1;
        }
    }
}

// === impl TransientFailure ===

impl TransientFailure {
    fn into_error(self, attempts: u32) -> anyhow::Error {
        let Self {
            problem, remedy, ..
        } = self;
        match (self.after, attempts) {
            (Some(after), 1) => {
                anyhow!("{problem} and asks to wait {} s: {remedy}", after.as_secs())
            }
            (_, 1) => anyhow!("{problem}: {remedy}"),
            (_, attempts) => anyhow!("{problem} ({attempts} attempts): {remedy}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn retried(outcomes: &[fn() -> Result<u32, Failure>]) -> (anyhow::Result<u32>, usize) {
        let limits = RequestLimits::default();
        let attempts = Cell::new(0);
        let attempt = || {
            let number = attempts.replace(attempts.get() + 1);
            std::future::ready(outcomes[number]())
        };
        let ended = limits.retry(attempt).await;
        (ended, attempts.get())
    }

    const DOWN: fn() -> Result<u32, Failure> = || Err(Failure::transient("it is down", "start it"));

    #[tokio::test(start_paused = true)]
    async fn a_transient_failure_is_repeated_and_a_permanent_one_is_not() {
        let (ended, attempts) = retried(&[DOWN, DOWN, || Ok(7)]).await;
        assert_eq!((ended.unwrap(), attempts), (7, 3));
        let (ended, attempts) = retried(&[|| Err(Failure::permanent("refused"))]).await;
        assert_eq!(
            (ended.unwrap_err().to_string(), attempts),
            ("refused".to_owned(), 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_and_pauses_are_bounded() {
        let started = tokio::time::Instant::now();
        let (ended, attempts) = retried(&[DOWN; 9]).await;
        assert_eq!(attempts, 3);
        let error = ended.unwrap_err().to_string();
        assert_eq!(error, "it is down (3 attempts): start it");
        assert!(started.elapsed() < Duration::from_secs(2));
        let busy = || {
            let failure = Failure::transient("it is busy", "wait");
            Err(failure.after(Some(Duration::from_secs(3600))))
        };
        let (ended, attempts) = retried(&[busy]).await;
        assert_eq!(attempts, 1);
        let error = ended.unwrap_err().to_string();
        assert_eq!(error, "it is busy and asks to wait 3600 s: wait");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_never_ends_is_ended() {
        let limits = RequestLimits::default();
        let ended: anyhow::Result<()> = limits.retry(std::future::pending).await;
        let error = ended.unwrap_err().to_string();
        assert!(error.contains("not complete after 900 s"), "{error}");
    }
}
