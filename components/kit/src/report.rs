//! Tells the operator the cause of a failure that a client must not see: inner addresses, keys and other details.

/// Writes a cause to standard error, which the host logs. The same cause is written once in five seconds by one
/// instance.
#[cfg(target_arch = "wasm32")]
pub fn report(cause: &str) {
    use std::{cell::RefCell, time::Duration, time::Instant};

    const INTERVAL: Duration = Duration::from_secs(5);
    thread_local! {
        static LAST: RefCell<Option<(String, Instant)>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        let is_recent = |(text, at): &(String, Instant)| text == cause && at.elapsed() < INTERVAL;
        if !last.as_ref().is_some_and(is_recent) {
            eprintln!("{cause}");
            *last = Some((cause.to_owned(), Instant::now()));
        }
    });
}

/// Native tests look at return values.
#[cfg(not(target_arch = "wasm32"))]
pub fn report(_: &str) {}
