//! The verification of one token by the settings of the application.

use access_token::{Expected, KeySet, TokenError};
use http_conventions::principal::Role;

/// The values of the variables, as the operator wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The issuer (`iss`).
    pub issuer: String,
    /// The name of this platform in `aud`.
    pub audience: String,
    /// The public keys of the issuer: a JSON Web Key Set.
    pub keys: String,
    /// The claim with the roles; `roles` if it is empty.
    pub roles: String,
}

/// The user of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The greatest role of the user.
    pub role: Role,
    /// Who the user is.
    pub subject: String,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token is not acceptable.
    #[error("{0}")]
    Invalid(#[from] TokenError),
    /// The token gives no role.
    #[error("the token has no role of this platform")]
    WithoutRole,
    /// The settings cannot verify any token.
    #[error(
        "set the variables identity_issuer, identity_audience and identity_keys: the last one is a JSON Web Key Set with \
         a key for RS256, ES256 or EdDSA"
    )]
    Settings,
}

/// The claim with the roles, unless the settings name another.
const ROLES_CLAIM: &str = "roles";

/// Verifies a token. `keys` are those of the settings, `None` if they are unusable.
///
/// # Errors
/// Why the token is refused.
pub fn verify(token: &str, settings: &Settings, keys: Option<&KeySet>) -> Result<User, Refusal> {
    let Settings {
        issuer, audience, ..
    } = settings;
    let keys = keys.filter(|_| !issuer.is_empty() && !audience.is_empty());
    let keys = keys.ok_or(Refusal::Settings)?;
    let roles_claim = match settings.roles.as_str() {
        "" => ROLES_CLAIM,
        claim => claim,
    };
    let expected = Expected {
        issuer: issuer.clone(),
        audience: audience.clone(),
        roles_claim: roles_claim.to_owned(),
    };
    let verified = access_token::verify(token, keys, &expected)?;
    let role = Role::greatest(verified.roles.iter().map(String::as_str));
    Ok(User {
        role: role.ok_or(Refusal::WithoutRole)?,
        subject: verified.subject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use access_token::vectors::{AUDIENCE, ISSUER, Vectors};

    fn settings(vectors: &Vectors) -> Settings {
        Settings {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            keys: vectors.keys.clone(),
            roles: String::new(),
        }
    }

    fn verified(token: &str, settings: &Settings) -> Result<User, Refusal> {
        let keys = KeySet::read(settings.keys.as_bytes()).ok();
        verify(token, settings, keys.as_ref())
    }

    #[test]
    fn every_vector_is_accepted_or_refused_with_its_reason() {
        let vectors = Vectors::new(ISSUER, AUDIENCE);
        let settings = settings(&vectors);
        for vector in &vectors.tokens {
            let found = verified(&vector.token, &settings).map(|user| user.subject);
            let expected = vector.expected.map(|()| "alice".to_owned());
            assert_eq!(found, expected.map_err(Refusal::Invalid), "{}", vector.name);
        }
    }

    #[test]
    fn settings_that_are_incomplete_refuse_every_token() {
        let vectors = Vectors::new(ISSUER, AUDIENCE);
        let complete = settings(&vectors);
        let token = &vectors.accepted().token;
        assert!(verified(token, &complete).is_ok());
        let empty = String::new;
        for incomplete in [
            Settings {
                issuer: empty(),
                ..complete.clone()
            },
            Settings {
                audience: empty(),
                ..complete.clone()
            },
            Settings {
                keys: empty(),
                ..complete.clone()
            },
            Settings {
                keys: "{\"keys\":[]}".to_owned(),
                ..complete.clone()
            },
            Settings {
                keys: "no keys".to_owned(),
                ..complete
            },
        ] {
            assert_eq!(
                verified(token, &incomplete),
                Err(Refusal::Settings),
                "{incomplete:?}"
            );
        }
    }

    #[test]
    fn a_token_without_a_role_of_this_platform_is_told_apart() {
        let vectors = Vectors::new(ISSUER, AUDIENCE);
        let other_claim = Settings {
            roles: "groups".to_owned(),
            ..settings(&vectors)
        };
        let token = &vectors.accepted().token;
        assert_eq!(verified(token, &other_claim), Err(Refusal::WithoutRole));
    }
}
