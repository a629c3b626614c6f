//! Platform tokens: how a part of the platform proves to a context that it belongs to the same platform, over a network.
//!
//! The relay and contexts of other deployments share signing keys with the context that they call. Each request carries a
//! token of its own: a JSON Web Token with an HMAC (HS256), which names the called context and expires after a minute. The
//! keys themselves are never sent. A token that is recorded is worth nothing for another context, and nothing a little
//! later. [`SigningKeys::sign`] and [`SigningKeys::verify`] are the functions to read first.
//!
//! The crate `hmac` computes and compares the codes, the latter in constant time. The header is one fixed text, so that no
//! token can choose its algorithm, and an access token of a user is never a platform token; its type and its algorithm
//! are none that an access token may have.

mod claims;
mod signing_keys;
mod token_error;

pub use signing_keys::SigningKeys;
pub use token_error::TokenError;

/// How long a token is valid, in seconds.
pub const LIFETIME: u64 = 60;

/// How far two clocks may differ, in seconds.
pub const LEEWAY: u64 = 60;

/// The longest token, in bytes.
pub const MAX_LENGTH: usize = 1024;

#[cfg(test)]
mod tests;
