//! Authentication of a request by its access token (RFC 6750): where the token is, and what a refusal says.
//!
//! On `socar` the host verifies access tokens, on stock Spin the components do. Both refuse with these words.

use core::fmt;

/// The name of this platform in challenges.
const REALM: &str = "socar";

/// The start of the credentials, in lower case.
const SCHEME: &[u8] = b"bearer ";

/// Why a request is not authenticated. `R` is the reason for which a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<R> {
    /// The request has no access token.
    TokenRequired,
    /// The access token is refused. The reason holds no part of the token.
    InvalidToken(R),
    /// The access token gives no role on this platform.
    RoleRequired,
    /// Access tokens cannot be verified at the moment.
    Unavailable,
}

/// Why the credentials of a request contain no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// There are none, or they have another scheme.
    Missing,
    /// There are several.
    Repeated,
}

/// The value of `WWW-Authenticate`.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a, R>(&'a Refusal<R>);

/// The token in the values of `Authorization`.
///
/// # Errors
/// When the request does not have exactly one bearer token.
pub fn bearer<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<&'a [u8], CredentialsError> {
    let (only, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(CredentialsError::Repeated);
    }
    let split = only.and_then(|value| value.split_at_checked(SCHEME.len()));
    match split {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(without_spaces(token)),
        _ => Err(CredentialsError::Missing),
    }
}

/// A token without the spaces before it: between scheme and token, one or more may be (RFC 9110, 11.4).
fn without_spaces(token: &[u8]) -> &[u8] {
    let spaces = token.iter().take_while(|byte| **byte == b' ').count();
    token.split_at(spaces).1
}

// === impl Refusal ===

impl<R: fmt::Display> Refusal<R> {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::TokenRequired | Self::InvalidToken(_) => 401,
            Self::RoleRequired => 403,
            Self::Unavailable => 503,
        }
    }

    /// The end of the `type` of the problem document.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::TokenRequired => "token-required",
            Self::InvalidToken(_) => "invalid-token",
            Self::RoleRequired => "role-required",
            Self::Unavailable => "identity-unavailable",
        }
    }

    /// The challenge, if another token would help.
    #[must_use]
    pub const fn challenge(&self) -> Option<Challenge<'_, R>> {
        match self {
            Self::Unavailable => None,
            _ => Some(Challenge(self)),
        }
    }

    /// The seconds after which a retry makes sense, if one does.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable => Some(1),
            _ => None,
        }
    }
}

/// What happened and what to do: the `detail` of the problem document.
impl<R: fmt::Display> fmt::Display for Refusal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenRequired => f.write_str("send an access token as Authorization: Bearer …"),
            Self::InvalidToken(reason) => reason.fmt(f),
            Self::RoleRequired => {
                f.write_str("the token has none of the roles customer, host and operator")
            }
            Self::Unavailable => f.write_str("the issuer of access tokens does not answer"),
        }
    }
}

// === impl Challenge ===

/// A request without any token gets no error code (RFC 6750, 3).
impl<R: fmt::Display> fmt::Display for Challenge<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer realm=\"{REALM}\"")?;
        let error = match self.0 {
            Refusal::TokenRequired | Refusal::Unavailable => return Ok(()),
            Refusal::InvalidToken(_) => "invalid_token",
            Refusal::RoleRequired => "insufficient_scope",
        };
        write!(f, ", error=\"{error}\", error_description=\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    fn of<'a>(values: &[&'a str]) -> Result<&'a [u8], CredentialsError> {
        bearer(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn only_one_bearer_token_is_a_credential() {
        assert_eq!(of(&["Bearer a.b.c"]), Ok(&b"a.b.c"[..]));
        assert_eq!(of(&["bearer a"]), Ok(&b"a"[..]));
        assert_eq!(of(&["Bearer   a"]), Ok(&b"a"[..]));
        assert_eq!(of(&["Bearer "]), Ok(&b""[..]));
        for missing in ["", "Bearer", "Basic YWxpY2U6cw==", "a.b.c", "Bearé a"] {
            assert_eq!(of(&[missing]), Err(CredentialsError::Missing), "{missing}");
        }
        assert_eq!(of(&[]), Err(CredentialsError::Missing));
        assert_eq!(
            of(&["Bearer a", "Bearer a"]),
            Err(CredentialsError::Repeated)
        );
    }

    #[test]
    fn a_challenge_names_the_error_of_the_token() {
        let challenge = |refusal: Refusal<&str>| refusal.challenge().map(|it| it.to_string());
        assert_eq!(
            challenge(Refusal::TokenRequired).as_deref(),
            Some("Bearer realm=\"socar\"")
        );
        assert_eq!(
            challenge(Refusal::InvalidToken("the token has expired")).as_deref(),
            Some(
                "Bearer realm=\"socar\", error=\"invalid_token\", error_description=\"the token has expired\""
            )
        );
        let scope = challenge(Refusal::RoleRequired);
        assert!(scope.is_some_and(|it| it.contains("error=\"insufficient_scope\"")));
        assert_eq!(challenge(Refusal::Unavailable), None);
    }
}
