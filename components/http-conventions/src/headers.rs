//! The names of our own headers, in lower case.

/// Marks a response that the host itself gives to a call which it did not send. The host removes the
/// header from every other response; stock Spin never sets it.
pub const NOT_SENT: &str = "socar-not-sent";
