//! How a call over a link ended.

/// The end of a call, as evidence of the health of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerOutcome {
    /// The call succeeded. It counts as slow all the same if it took at least the configured
    /// [`SlowCalls::after`](super::SlowCalls::after).
    Success,
    /// The call succeeded, but took too long by a measure of the caller.
    Slow,
    /// The call failed, and the service is the cause.
    Failure,
    /// The call is no evidence of the health of the service: for example, the request was invalid, or its caller gave it no time.
    Ignored,
}
