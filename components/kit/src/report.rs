//! Tells the operator the cause of a failure that a client must not see: inner addresses, keys and other details.

/// Writes a cause to standard error, which the host logs. One instance writes a cause that repeats at its first, second,
/// fourth, eighth … time, so that an outage does not fill the log.
#[cfg(target_arch = "wasm32")]
pub fn report(cause: &str) {
    use std::cell::RefCell;

    thread_local! {
        static LAST: RefCell<(String, u32)> = const { RefCell::new((String::new(), 0)) };
    }
    LAST.with_borrow_mut(|(last, times)| {
        if last != cause {
            (*last, *times) = (cause.to_owned(), 0);
        }
        *times = times.saturating_add(1);
        if times.is_power_of_two() {
            eprintln!("{cause}");
        }
    });
}

/// Native tests look at return values.
#[cfg(not(target_arch = "wasm32"))]
pub fn report(_: &str) {}
