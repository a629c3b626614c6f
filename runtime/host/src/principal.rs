//! The principal of a call: on whose behalf it is made.
//!
//! The ingress sets it once, from the access token of the client ([`crate::identity`]). A call that no client makes has the
//! platform as its principal: a sweep, an event, a rebuild. Nested calls inherit it. A component reads it in the header
//! [`PRINCIPAL`], which the host sets when an instance gets the request, and removes from everything else, so that neither
//! a client nor a component can forge it.

use http::{HeaderMap, HeaderName, HeaderValue};
use http_conventions::principal::{self, Principal, Role};

/// The header with the principal.
pub const PRINCIPAL: HeaderName = HeaderName::from_static(principal::PRINCIPAL);

/// On whose behalf a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallPrincipal {
    /// The platform has no identity: every client may do everything. Components get no header.
    Open,
    /// The value of the header.
    Known(HeaderValue),
}

// === impl CallPrincipal ===

impl CallPrincipal {
    /// The platform itself.
    pub fn platform() -> Self {
        Self::Known(HeaderValue::from_static("platform"))
    }

    /// A client that need not say who it is.
    pub fn anonymous() -> Self {
        Self::Known(HeaderValue::from_static("anonymous"))
    }

    /// A user. `None` if no header can carry the subject.
    pub fn user(role: Role, subject: &str) -> Option<Self> {
        if !principal::is_subject(subject) {
            return None;
        }
        let header = Principal::User { role, subject }.to_string();
        HeaderValue::try_from(header).ok().map(Self::Known)
    }

    /// The value of the header for a user; `None` for every other principal.
    pub fn user_header(&self) -> Option<&str> {
        let Self::Known(value) = self else {
            return None;
        };
        let text = value.to_str().ok()?;
        matches!(Principal::parse(text)?, Principal::User { .. }).then_some(text)
    }

    /// Whether the principal sees what belongs to all customers.
    pub fn is_company(&self) -> bool {
        let Self::Known(value) = self else {
            return true;
        };
        let principal = value.to_str().ok().and_then(Principal::parse);
        let Some(Principal::User { role, .. }) = principal else {
            return false;
        };
        matches!(role, Role::Host | Role::Operator)
    }

    /// The subject of an operator, if it is one.
    pub fn operator(&self) -> Option<&str> {
        self.subject_as(Role::Operator)
    }

    /// The subject of a customer, if it is one.
    pub fn customer(&self) -> Option<&str> {
        self.subject_as(Role::Customer)
    }

    /// The subject of a user with this role.
    fn subject_as(&self, expected: Role) -> Option<&str> {
        let Self::Known(value) = self else {
            return None;
        };
        match Principal::parse(value.to_str().ok()?)? {
            Principal::User { role, subject } if role == expected => Some(subject),
            _ => None,
        }
    }

    /// Sets the header, and removes it on a platform without identity.
    pub fn set_header(&self, headers: &mut HeaderMap) {
        match self {
            Self::Open => headers.remove(PRINCIPAL),
            Self::Known(value) => headers.insert(PRINCIPAL, value.clone()),
        };
    }
}

impl Default for CallPrincipal {
    fn default() -> Self {
        Self::platform()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_header_is_replaced() {
        let forged = || {
            let mut headers = HeaderMap::new();
            headers.append(PRINCIPAL, HeaderValue::from_static("operator mallory"));
            headers.append(PRINCIPAL, HeaderValue::from_static("platform"));
            headers
        };
        let alice = CallPrincipal::user(Role::Customer, "alice").unwrap();
        for (principal, expected) in [
            (CallPrincipal::Open, vec![]),
            (CallPrincipal::anonymous(), vec!["anonymous"]),
            (alice, vec!["customer alice"]),
        ] {
            let mut headers = forged();
            principal.set_header(&mut headers);
            let found: Vec<_> = headers.get_all(PRINCIPAL).iter().collect();
            assert_eq!(found, expected);
        }
        assert_eq!(CallPrincipal::user(Role::Customer, "a b"), None);
    }

    #[test]
    fn the_company_are_its_hosts_and_operators() {
        let user = |role| CallPrincipal::user(role, "alice").unwrap();
        assert!(CallPrincipal::Open.is_company());
        assert!(user(Role::Host).is_company() && user(Role::Operator).is_company());
        assert!(!user(Role::Customer).is_company());
        assert!(!CallPrincipal::anonymous().is_company());
    }
}
