//! The time of a response, in its `Date` header.
//!
//! hyper renews its own header when the clock reaches the next second: after a clock that was ahead is corrected, every
//! response would have the wrong date until the clock has caught up.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::DATE;
use http::{HeaderMap, HeaderValue};

thread_local! {
    /// The second that was last formatted on this thread, and its header.
    static FORMATTED: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Sets the date of a response, unless its component has set one.
pub(super) fn set(headers: &mut HeaderMap) {
    if !headers.contains_key(DATE)
        && let Some(date) = at(SystemTime::now())
    {
        headers.insert(DATE, date);
    }
}

/// The header for this time (RFC 9110, 6.6.1); `None` for a clock before 1970 or beyond the year 9999.
fn at(time: SystemTime) -> Option<HeaderValue> {
    /// The first second of the year 10000, which has no form.
    const END: u64 = 253_402_300_800;
    let second = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    if second >= END {
        return None;
    }
    FORMATTED.with_borrow_mut(|formatted| {
        if let Some((of, date)) = formatted
            && *of == second
        {
            return Some(date.clone());
        }
        let date = HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()?;
        *formatted = Some((second, date.clone()));
        Some(date)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_date_follows_a_clock_that_is_set_back() {
        let second = |number| UNIX_EPOCH + Duration::from_secs(number);
        let header = |number| at(second(number)).unwrap();
        assert_eq!(header(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(header(784_111_717), "Sun, 06 Nov 1994 08:48:37 GMT");
        assert_eq!(header(784_111_717), "Sun, 06 Nov 1994 08:48:37 GMT");
    }

    #[test]
    fn a_clock_without_a_form_sets_no_date() {
        assert_eq!(at(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(at(UNIX_EPOCH + Duration::from_secs(253_402_300_800)), None);
    }

    #[test]
    fn the_date_of_a_component_is_kept() {
        let own = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        let mut headers = HeaderMap::from_iter([(DATE, own.clone())]);
        set(&mut headers);
        assert_eq!(headers.get(DATE), Some(&own));
        let mut headers = HeaderMap::new();
        set(&mut headers);
        let date = headers.get(DATE).unwrap().to_str().unwrap();
        assert!(httpdate::parse_http_date(date).is_ok());
    }
}
