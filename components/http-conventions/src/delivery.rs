//! The outcome of the delivery of an event, as a component reports it to the host or to the relay.
//!
//! | Outcome | Over HTTP | Error text of the Redis handler | The delivery |
//! | --- | --- | --- | --- |
//! | handled | 2xx | none | is acknowledged |
//! | something that is needed is unavailable | 503 with `Retry-After` | starts with [`UNAVAILABLE`] | waits, and counts as no attempt |
//! | the event can never be handled | 422 | starts with [`REJECTED`] | is parked at once |
//! | the handler failed | any other 5xx | any other text | counts as an attempt |

/// Start of the error text when something that the handler needs is unavailable.
pub const UNAVAILABLE: &str = "unavailable: ";
/// Start of the error text of an event that no repetition makes acceptable.
pub const REJECTED: &str = "rejected: ";
