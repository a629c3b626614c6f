//! The principal of a request, and what it may see and do with what belongs to someone.
//!
//! The host says who sends a request ([`http_conventions::principal`]). Each context decides in its `authorization.rs`
//! what that principal may do; the rules that all of them share are here.

use crate::http::Problem;
use events::CustomerId;
use http::{HeaderMap, StatusCode};
use http_conventions::principal::{self, PRINCIPAL, Role};

/// On whose behalf a request is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The platform has no identity: every caller may do everything.
    Open,
    /// A caller that did not say who it is.
    Anonymous,
    /// The platform itself, or a context of another deployment.
    Platform,
    /// A customer.
    Customer(CustomerId),
    /// The company, or an operator, who may do what the company may; with the subject of the user.
    Company(String),
}

/// What a principal may do with an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The operation is allowed.
    Allowed,
    /// The principal may see the aggregate, and may not do this: 403.
    Forbidden,
    /// The principal may not see the aggregate, which does not exist for it: 404.
    Hidden,
}

// === impl Principal ===

impl Principal {
    /// The principal of a request. A header that is malformed gives no rights.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(PRINCIPAL).iter();
        let (only, second) = (values.next(), values.next());
        let Some(only) = only else {
            return Self::Open;
        };
        let parsed = only.to_str().ok().and_then(principal::Principal::parse);
        match parsed.filter(|_| second.is_none()) {
            None | Some(principal::Principal::Anonymous) => Self::Anonymous,
            Some(principal::Principal::Platform) => Self::Platform,
            Some(principal::Principal::User { role, subject }) => match role {
                Role::Customer => Self::Customer(CustomerId(subject.to_owned())),
                Role::Host | Role::Operator => Self::Company(subject.to_owned()),
            },
        }
    }

    /// The customer, if it is one.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Customer(customer) => Some(customer),
            _ => None,
        }
    }

    /// The subject of the user, if it is one.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Customer(CustomerId(subject)) | Self::Company(subject) => Some(subject),
            Self::Open | Self::Anonymous | Self::Platform => None,
        }
    }

    /// Whether it may see what belongs to this customer, or to the company.
    #[must_use]
    pub fn may_see(&self, owner: Option<&CustomerId>) -> bool {
        match self {
            Self::Open | Self::Platform | Self::Company(_) => true,
            Self::Customer(customer) => owner == Some(customer),
            Self::Anonymous => false,
        }
    }

    /// The owner, if it is shown to the principal: a platform without identity shows none.
    #[must_use]
    pub fn shown<'o>(&self, owner: Option<&'o CustomerId>) -> Option<&'o CustomerId> {
        match self {
            Self::Open | Self::Anonymous => None,
            _ => owner.filter(|_| self.may_see(owner)),
        }
    }
}

// === impl Access ===

impl Access {
    /// Allowed, if the condition holds; otherwise forbidden.
    #[must_use]
    pub fn allowed_if(condition: bool) -> Self {
        match condition {
            true => Self::Allowed,
            false => Self::Forbidden,
        }
    }

    /// Allowed, if the condition holds; otherwise the aggregate is hidden.
    #[must_use]
    pub fn visible_if(condition: bool) -> Self {
        match condition {
            true => Self::Allowed,
            false => Self::Hidden,
        }
    }

    /// Checks that the operation is allowed. `operation` says for people what is attempted, `unknown` makes the problem of an
    /// aggregate that does not exist.
    ///
    /// # Errors
    ///
    /// 403, or what `unknown` returns.
    pub fn require(
        self,
        operation: &str,
        unknown: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        match self {
            Self::Allowed => Ok(()),
            Self::Forbidden => Err(forbidden(operation)),
            Self::Hidden => Err(unknown()),
        }
    }
}

/// 403: the principal may not do this.
fn forbidden(operation: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "The user may not do this",
        format!("your role does not allow you {operation}; use an access token with another role"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(values: &[&'static str]) -> Principal {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PRINCIPAL, HeaderValue::from_static(value));
        }
        Principal::from_headers(&headers)
    }

    fn alice() -> CustomerId {
        CustomerId("alice".to_owned())
    }

    #[test]
    fn a_header_that_is_malformed_gives_no_rights() {
        assert_eq!(of(&[]), Principal::Open);
        assert_eq!(of(&["customer alice"]), Principal::Customer(alice()));
        assert_eq!(of(&["host company"]), Principal::Company("company".into()));
        assert_eq!(of(&["operator olga"]), Principal::Company("olga".into()));
        assert_eq!(of(&["platform"]), Principal::Platform);
        for malformed in ["", "alice", "root alice", "customer", "customer a b"] {
            assert_eq!(of(&[malformed]), Principal::Anonymous, "{malformed}");
        }
        assert_eq!(of(&["platform", "customer alice"]), Principal::Anonymous);
    }

    #[test]
    fn a_customer_sees_what_is_theirs_and_nothing_else() {
        let (customer, alice, bob) = (of(&["customer alice"]), alice(), CustomerId("bob".into()));
        assert!(customer.may_see(Some(&alice)));
        assert!(!customer.may_see(Some(&bob)) && !customer.may_see(None));
        for everything in [Principal::Open, of(&["host company"]), Principal::Platform] {
            assert!(everything.may_see(Some(&alice)) && everything.may_see(None));
        }
        assert!(!Principal::Anonymous.may_see(None));
        assert_eq!(customer.shown(Some(&bob)), None);
        assert_eq!(customer.shown(Some(&alice)), Some(&alice));
        assert_eq!(Principal::Open.shown(Some(&alice)), None);
    }
}
