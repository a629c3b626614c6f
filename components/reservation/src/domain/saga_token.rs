//! The token of a saga: it distinguishes the sagas of one reservation.

/// The token of a saga; empty for a saga of an older version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaToken(String);

impl SagaToken {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
