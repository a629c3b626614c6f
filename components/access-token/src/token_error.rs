//! Why a token is refused.

/// Why a token is refused. The text is for the caller, and holds no part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than the limit.
    #[error("the token is longer than 8192 bytes")]
    TooLong,
    /// The token does not have three parts in base64url, the first two of which are JSON objects.
    #[error("the token is no signed JSON Web Token")]
    Malformed,
    /// A name is there twice in one object.
    #[error("the token has a name twice")]
    DuplicateName,
    /// The token is of another type than `at+jwt`.
    #[error("the token is no access token: its type is not at+jwt")]
    Type,
    /// The token is nested, encrypted, compressed, or needs an extension.
    #[error("the token needs an extension that is not supported")]
    Extension,
    /// The algorithm is not allowed, or not that of the key.
    #[error("the algorithm of the token is not allowed")]
    Algorithm,
    /// No key of the issuer has the identifier in the token.
    #[error("the key of the token is unknown")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature of the token is wrong")]
    Signature,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Another issuer made the token.
    #[error("the token is of another issuer")]
    Issuer,
    /// The token is meant for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// A required claim is absent or has another form.
    #[error("the token lacks a claim, or a claim has a wrong form")]
    Claim,
}
