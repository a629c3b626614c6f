//! The outcome of a sweep whose tasks do not stop each other.
//!
//! A value that cannot be read, or a store that fails for one key, must not keep a sweep from everything
//! else. A sweep therefore notes each failure, continues, and reports the failures at its end.

use crate::{
    change_error::ChangeError,
    http::{CORRUPT_STATE, Problem},
    platform::LogError,
    store::StoreError,
};
use http::StatusCode;

/// Seconds until the next sweep, for `Retry-After`.
const RETRY_AFTER: u64 = 5;

/// Why one task of a sweep failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SweepFailure {
    /// A store or the log is unavailable; a later sweep succeeds.
    #[error("{0}")]
    Unavailable(String),
    /// A stored value cannot be read; every sweep fails until it is repaired.
    #[error("{0}")]
    Unreadable(String),
}

/// The failures of one sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepFailures {
    count: usize,
    /// The first failure; an unreadable value is told rather than an unavailable store.
    first: Option<SweepFailure>,
}

impl SweepFailures {
    /// Notes the failure of a task, and returns its result.
    pub fn check<T, E: Into<SweepFailure>>(&mut self, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(output) => Some(output),
            Err(error) => {
                self.add(error.into());
                None
            }
        }
    }

    fn add(&mut self, failure: SweepFailure) {
        self.count += 1;
        let is_told_rather = matches!(failure, SweepFailure::Unreadable(_));
        match &self.first {
            Some(SweepFailure::Unreadable(_)) => {}
            Some(_) if !is_told_rather => {}
            _ => self.first = Some(failure),
        }
    }

    /// The summary of a sweep without failures.
    ///
    /// # Errors
    ///
    /// 500 if a stored value cannot be read, else 503 with `Retry-After`. In both cases everything else was
    /// swept.
    pub fn into_result<T>(self, summary: T) -> Result<T, Problem> {
        let count = self.count;
        match self.first {
            None => Ok(summary),
            Some(SweepFailure::Unavailable(text)) => {
                Err(Problem::unavailable(with_count(&text, count), RETRY_AFTER))
            }
            Some(SweepFailure::Unreadable(text)) => Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                CORRUPT_STATE,
                "A stored value cannot be read",
                with_count(&text, count),
            )),
        }
    }
}

fn with_count(text: &str, count: usize) -> String {
    match count {
        1 => text.to_owned(),
        count => format!("{text} ({count} failures in this sweep)"),
    }
}

impl From<StoreError> for SweepFailure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LogError> for SweepFailure {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl<R> From<ChangeError<R>> for SweepFailure {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Corrupt(..) | ChangeError::Refused(_) => {
                Self::Unreadable(error.to_string())
            }
            ChangeError::Store(_) | ChangeError::Contended(_) => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_value_is_reported_rather_than_an_unavailable_store() {
        let mut failures = SweepFailures::default();
        failures.check::<(), _>(Err(StoreError("down".into())));
        failures.check::<(), _>(Err(SweepFailure::Unreadable(
            "`car/5` cannot be read".into(),
        )));
        failures.check::<(), _>(Err(StoreError("down".into())));
        let problem = failures.into_result(()).unwrap_err();
        assert_eq!(problem.status, 500);
        let response = problem.into_response("/internal/sweep");
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(
            body.contains("`car/5` cannot be read (3 failures in this sweep)"),
            "{body}"
        );
    }

    #[test]
    fn an_unavailable_store_is_a_503() {
        let mut failures = SweepFailures::default();
        failures.check::<(), _>(Err(StoreError("down".into())));
        assert_eq!(failures.into_result(()).unwrap_err().status, 503);
        assert!(SweepFailures::default().into_result(()).is_ok());
    }
}
