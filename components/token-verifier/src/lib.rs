//! Verification of access tokens, for contexts whose host does not verify them.
//!
//! It exports `socar:identity/tokens`. Stock Spin composes it into each context; `socar` verifies tokens itself and calls it
//! for no request. The cryptography is in this component alone. It has no grants of its own, and inherits the variables of
//! its caller, which name the issuer, the audience and the public keys.
//!
//! The keys are a variable: the component calls no issuer. Settings that are incomplete or malformed refuse every token.

#[cfg(target_arch = "wasm32")]
mod spin;
mod verification;

pub use verification::{Refusal, Settings, User, verify};
