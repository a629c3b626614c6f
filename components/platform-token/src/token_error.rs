//! Why a platform token is refused.

/// Why a platform token is refused. The text is for the caller, and holds no part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token has another form than a platform token.
    #[error("the token is no platform token")]
    Malformed,
    /// None of the keys has signed the token.
    #[error("the token is signed with another key")]
    Signature,
    /// The token is for another context.
    #[error("the token is for another context")]
    Audience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is valid for longer than platform tokens are, or the clocks differ too much.
    #[error("the token is valid for too long, or the clocks differ by more than a minute")]
    TooLong,
}
