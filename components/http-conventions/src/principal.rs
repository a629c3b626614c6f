//! The principal of a request: on whose behalf it is made, as the host hands it on to components.
//!
//! The host verifies a caller once, at the ingress, and says in the header [`PRINCIPAL`] what it found. It removes the
//! header from everything that clients, components and other hosts send, so that a component can trust it. A request
//! without the header comes from a platform without identity, where every caller may do everything.

use core::fmt;

/// The header with the principal.
pub const PRINCIPAL: &str = "socar-principal";

/// The longest subject, in bytes.
const MAX_SUBJECT_LENGTH: usize = 255;

/// What a user may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A customer, who reserves cars.
    Customer,
    /// The company, which owns the cars.
    Host,
    /// An operator, who steers the platform and may do what the company may.
    Operator,
}

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal<S> {
    /// A caller that need not say who it is, such as a browser that asks what a page may send.
    Anonymous,
    /// The platform itself: sweeps, events, rebuilds, and contexts of another deployment.
    Platform,
    /// A user with a token.
    User {
        /// The role of the user.
        role: Role,
        /// Who the user is, as the issuer says: 1 to 255 visible ASCII characters.
        subject: S,
    },
}

/// Every role, the one with the fewest rights first.
pub const ROLES: [Role; 3] = [Role::Customer, Role::Host, Role::Operator];

// === impl Role ===

impl Role {
    /// The name in tokens and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Host => "host",
            Self::Operator => "operator",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ROLES.into_iter().find(|role| role.as_str() == name)
    }

    /// The role with the most rights among these names; other names are ignored.
    #[must_use]
    pub fn greatest<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().filter_map(Self::from_name).max()
    }
}

// === impl Principal ===

impl<'a> Principal<&'a str> {
    /// Reads the header.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        match value.split_once(' ') {
            None if value == "anonymous" => Some(Self::Anonymous),
            None if value == "platform" => Some(Self::Platform),
            None => None,
            Some((role, subject)) => {
                let role = Role::from_name(role)?;
                is_subject(subject).then_some(Self::User { role, subject })
            }
        }
    }
}

impl<S: AsRef<str>> fmt::Display for Principal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Platform => f.write_str("platform"),
            Self::User { role, subject } => {
                write!(f, "{} {}", role.as_str(), subject.as_ref())
            }
        }
    }
}

/// Whether a text can be a subject.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT_LENGTH).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn a_principal_is_read_as_it_was_written() {
        let users = ROLES.map(|role| Principal::User {
            role,
            subject: "alice:7",
        });
        for principal in users
            .into_iter()
            .chain([Principal::Anonymous, Principal::Platform])
        {
            assert_eq!(Principal::parse(&principal.to_string()), Some(principal));
        }
    }

    #[test]
    fn the_greatest_role_counts() {
        let of = |names: &[&'static str]| Role::greatest(names.iter().copied());
        assert_eq!(of(&["host", "auditor", "customer"]), Some(Role::Host));
        for none in [&[][..], &["Customer"], &["platform"]] {
            assert_eq!(of(none), None);
        }
    }

    #[test]
    fn other_texts_are_no_principal() {
        for text in [
            "",
            "alice",
            "customer",
            "customer ",
            "customer a b",
            "Customer alice",
            "admin alice",
            "platform x",
        ] {
            assert_eq!(Principal::parse(text), None, "{text}");
        }
    }
}
