//! The status of a car, derived from its bookings.

/// The status of a car, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarStatus {
    /// No booking is confirmed.
    Available,
    /// A booking is confirmed.
    Reserved,
}

impl CarStatus {
    /// The identifier that is published and returned over HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
        }
    }
}
