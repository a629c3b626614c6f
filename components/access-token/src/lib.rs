//! Access tokens: JSON Web Tokens after RFC 9068, by which a caller proves who it is.
//!
//! The library `jsonwebtoken` checks signatures and dates; this crate decides what it is asked: which algorithms, which
//! key, which issuer and audience. It knows neither HTTP nor where keys come from, so that a host and a component can use
//! it alike. [`verify`] is the function to read first.
//!
//! | A token is refused | Because |
//! | --- | --- |
//! | longer than [`MAX_LENGTH`] | its size must not cost anything |
//! | of another type than `at+jwt` | an ID token or a logout token is no access token (RFC 9068, 4) |
//! | with an algorithm besides RS256, ES256, EdDSA | a symmetric key could be the public one; `none` has no key |
//! | with another algorithm than its key has | the key decides, never the token |
//! | with a name twice in one object | two readers could read two tokens |
//! | with `crit`, `cty`, `enc` or `zip` | nested, encrypted and extended tokens are not supported |
//!
//! A key that a token carries or points at (`jwk`, `jku`, `x5c`, `x5u`) is never used.

mod keys;
mod object;
mod signing;
mod token_error;
#[cfg(any(test, feature = "vectors"))]
pub mod vectors;
mod verification;

pub use keys::{KeySet, KeySetError};
pub use signing::{NewToken, SigningError, SigningKey};
pub use token_error::TokenError;
pub use verification::{Expected, LEEWAY, MAX_LENGTH, VerifiedToken, now, verify};

#[cfg(test)]
mod tests;
