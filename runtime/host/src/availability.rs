//! Whether a call has reached everything that it needed: stores, servers and other components.
//!
//! A guest that fails because a store is unavailable says so in its own words, or traps. The host knows it: the host has
//! given the error to the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

/// What a call needed and did not reach. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Availability(Arc<AtomicU64>);

/// Errors that may be the fault of an unavailable backend.
pub trait BackendError {
    /// Whether the same operation may succeed when the backend is available again.
    fn is_unavailable(&self) -> bool;
}

// === impl Availability ===

impl Availability {
    /// Something was unavailable; another attempt makes no sense before `retry_after`, if that is known.
    pub fn note_unavailable(&self, retry_after: Option<Duration>) {
        let milliseconds = retry_after.unwrap_or_default().as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX - 1);
        // 0 means that everything was available.
        self.0.fetch_max(milliseconds + 1, Ordering::Relaxed);
    }

    /// Notes a response that reports an outage of the responder.
    pub fn note_response(&self, status: StatusCode, headers: &HeaderMap) {
        if is_outage(status) {
            self.note_unavailable(retry_after(headers));
        }
    }

    /// Whether something was unavailable.
    pub fn is_impaired(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// The time before which another attempt makes no sense, if it is known.
    pub fn retry_after(&self) -> Option<Duration> {
        let milliseconds = self.0.load(Ordering::Relaxed).saturating_sub(1);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }
}

/// Whether a response says that the responder, or what it needs, is unavailable for a while.
pub fn is_outage(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The value of `Retry-After`: a number of seconds, or a date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            Some(until.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_counts() {
        let availability = Availability::default();
        assert!(!availability.is_impaired());
        availability.note_unavailable(None);
        assert!(availability.is_impaired());
        assert_eq!(availability.retry_after(), None);
        for seconds in [2, 1] {
            availability
                .clone()
                .note_unavailable(Some(Duration::from_secs(seconds)));
        }
        assert_eq!(availability.retry_after(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        let wait = |value: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers)
        };
        assert_eq!(wait("20"), Some(Duration::from_secs(20)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let date = SystemTime::now() + Duration::from_secs(60);
        let left = wait(&httpdate::fmt_http_date(date)).unwrap();
        assert!(left > Duration::from_secs(55), "{left:?}");
        assert_eq!(wait("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
