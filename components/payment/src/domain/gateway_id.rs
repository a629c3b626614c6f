//! The identity of a payment gateway.

use std::fmt;

/// The identity of the built-in gateway.
const BUILT_IN: &str = "built-in";

/// Which gateway took the money: the built-in one, or the address of a remote one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayId(String);

impl GatewayId {
    /// The gateway of an installation without a payment provider.
    #[must_use]
    pub fn built_in() -> Self {
        Self(BUILT_IN.into())
    }

    /// A remote gateway, by its address. The identity is stored and logged: the address must not contain a secret.
    pub fn remote(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// The identity with this stored form; the inverse of [`Self::as_str`].
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the built-in gateway, which stores nothing and can return money at any time.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.0 == BUILT_IN
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_built_in() {
            true => write!(f, "the built-in ledger"),
            false => write!(f, "the gateway {}", self.0),
        }
    }
}
