//! The outcome of the delivery of an event, as a component reports it to the host or to the relay.
//!
//! | Outcome | Over HTTP | Error text of the Redis handler | The delivery |
//! | --- | --- | --- | --- |
//! | handled | 204 | none | is acknowledged |
//! | something that is needed is unavailable | 503 with `Retry-After` | starts with [`UNAVAILABLE`] | waits, and counts as no attempt |
//! | the event can never be handled | 422 | starts with [`REJECTED`] | is parked at once |
//! | the handler failed | 500 | any other text | counts as an attempt |
//!
//! Over HTTP, the component names the outcome in the header [`OUTCOME`] besides: a proxy between the relay and the
//! component gives any of these statuses itself, and says nothing about the event.

/// Header of an answer to the delivery of an event, with the name of an [`Outcome`].
pub const OUTCOME: &str = "socar-delivery";

/// Start of the error text when something that the handler needs is unavailable.
pub const UNAVAILABLE: &str = "unavailable: ";
/// Start of the error text of an event that no repetition makes acceptable.
pub const REJECTED: &str = "rejected: ";

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The event was handled.
    Handled,
    /// Something that the handler needs is unavailable.
    Unavailable,
    /// No repetition makes the event acceptable.
    Rejected,
    /// The handler failed for another reason.
    Failed,
}

// === impl Outcome ===

impl Outcome {
    const ALL: [Self; 4] = [
        Self::Handled,
        Self::Unavailable,
        Self::Rejected,
        Self::Failed,
    ];

    /// The value of [`OUTCOME`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Unavailable => "unavailable",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    /// The outcome with this name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let is_named = |outcome: &Self| outcome.name().as_bytes() == name;
        Self::ALL.into_iter().find(is_named)
    }
}
