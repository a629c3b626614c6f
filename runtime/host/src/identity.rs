//! Identity: who sends a request, by its access token.
//!
//! A client sends `Authorization: Bearer` with a token of the configured issuer: one on this machine ([`local`]), whose
//! key is in the state directory, or an OpenID provider ([`oidc`]), whose keys are fetched and cached. The host verifies
//! the token once, at the ingress, and hands the result on as the [`principal`](crate::principal) of the call. A token
//! that was verified is remembered by its digest until it expires or the keys change ([`verified_tokens`]), so that a
//! client with many requests costs one signature.
//!
//! Without a configured issuer the platform is *open*: every client may do everything. That is for one machine, so that a
//! host that other machines reach does not start so unless its operator asks for it.

pub mod authorization_code;
pub mod local;
mod mode;
pub mod oidc;
mod verified_tokens;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access_token::{Expected, KeySet, SigningKey, TokenError, VerifiedToken, now};
use anyhow::{Context as _, bail};
use config::policy::IdentityPolicy;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use http_conventions::authentication::{self, CredentialsError};
use http_conventions::principal::Role;
use metrics::counter;
use platform_token::SigningKeys;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::cli::IdentityOptions;
use crate::principal::CallPrincipal;
use crate::problem::Problem;
use authorization_code::PublicClient;
pub use mode::IdentityMode;
use oidc::OidcIssuer;
use verified_tokens::{AcceptedToken, VerifiedTokens};

/// The value of `--identity` for tokens that are signed by a key in the state directory.
pub const LOCAL: &str = "local";

/// The claim with the roles, unless the manifest names another.
const ROLES_CLAIM: &str = "roles";

/// What the page asks an OpenID provider for, unless the manifest says otherwise.
const SCOPES: &str = "openid";

/// Decides who sends a request.
pub struct Identity {
    expected: Expected,
    keys: IssuerKeys,
    /// How a page signs its users in.
    mode: IdentityMode,
    /// The page, as an OpenID provider knows it.
    public_client: Option<PublicClient>,
    /// Signs the tokens of users whom a page on this machine names; absent where other machines reach the platform.
    sign_in_key: Option<SigningKey>,
    /// The keys of other parts of the platform.
    platform_keys: Vec<SigningKeys>,
    verified: VerifiedTokens,
}

/// Where the keys of the issuer are.
enum IssuerKeys {
    /// In the state directory: they never change.
    Local(Arc<KeySet>),
    /// At an OpenID provider.
    Oidc(Arc<OidcIssuer>),
}

/// Opens the identity that the options name, or else the manifest. `None` is an open platform.
///
/// # Errors
/// When the identity cannot be used, or other machines could reach a platform without one.
pub fn open(
    options: &IdentityOptions,
    policy: &IdentityPolicy,
    listen: SocketAddr,
    state_dir: &Path,
) -> anyhow::Result<Option<Arc<Identity>>> {
    let issuer = options.identity.as_ref().or(policy.issuer.as_ref());
    let Some(issuer) = issuer else {
        check_open(options, listen)?;
        return Ok(None);
    };
    let roles_claim = policy.roles.clone();
    let roles_claim = roles_claim.unwrap_or_else(|| ROLES_CLAIM.to_owned());
    let audience = options.audience.as_ref().or(policy.audience.as_ref());
    let client_id = options.client_id.as_ref().or(policy.client_id.as_ref());
    let mut sign_in_key = None;
    let (expected, keys) = match issuer.as_str() {
        LOCAL => {
            let key = local::signing_key(state_dir)?;
            let expected = Expected {
                issuer: local::ISSUER.to_owned(),
                audience: local::AUDIENCE.to_owned(),
                roles_claim: ROLES_CLAIM.to_owned(),
            };
            info!("identity: tokens of `socar token` with the key in the state directory");
            let keys = IssuerKeys::Local(Arc::new(key.keys()));
            sign_in_key = listen.ip().to_canonical().is_loopback().then_some(key);
            (expected, keys)
        }
        url => {
            let expected = Expected {
                issuer: url.to_owned(),
                audience: audience.cloned().with_context(|| {
                    format!("--identity {url} needs --audience: the name by which the issuer calls this platform in `aud`")
                })?,
                roles_claim,
            };
            info!(
                issuer = url,
                audience = expected.audience,
                "identity: tokens of an OpenID provider"
            );
            (expected, IssuerKeys::Oidc(OidcIssuer::new(url)?))
        }
    };
    register_metrics();
    let mode = match &keys {
        IssuerKeys::Local(_) => IdentityMode::Local,
        IssuerKeys::Oidc(_) => IdentityMode::Issuer {
            issuer: expected.issuer.clone(),
            client_id: client_id.cloned(),
        },
    };
    let public_client = client_id.map(|id| PublicClient {
        id: id.clone(),
        scopes: policy.scopes.as_deref().unwrap_or(SCOPES).to_owned(),
    });
    Ok(Some(Arc::new(Identity {
        expected,
        keys,
        mode,
        public_client,
        sign_in_key,
        platform_keys: policy
            .platform_keys()
            .filter_map(SigningKeys::read)
            .collect(),
        verified: VerifiedTokens::default(),
    })))
}

/// Checks that only this machine reaches an open platform, unless the operator allows more; says that it is open.
fn check_open(options: &IdentityOptions, listen: SocketAddr) -> anyhow::Result<()> {
    match (listen.ip().to_canonical().is_loopback(), options.open) {
        (true, _) => info!(
            "open: no identity is configured, and every program of this machine may do everything"
        ),
        (false, true) => warn!(
            "open: no identity is configured, and everyone who reaches {listen} may do everything"
        ),
        (false, false) => bail!(
            "--listen {listen}: other machines could use the platform, and no identity is configured; pass --identity \
             (`local`, or the URL of an issuer), listen on 127.0.0.1:{}, or allow it with --open (or SOCAR_OPEN=true)",
            listen.port()
        ),
    }
    Ok(())
}

// === impl Identity ===

impl Identity {
    /// Fetches the keys of the issuer for the first time. Without them the host starts all the same: requests are refused
    /// until the issuer answers.
    pub async fn prepare(&self) {
        if let IssuerKeys::Oidc(issuer) = &self.keys {
            issuer.refresh().await;
        }
    }

    /// How a page signs its users in.
    pub fn mode(&self) -> &IdentityMode {
        &self.mode
    }

    /// The OpenID provider, and the page as it knows it; `None` if no page signs its users in there.
    pub fn provider(&self) -> Option<(&Arc<OidcIssuer>, &PublicClient)> {
        match &self.keys {
            IssuerKeys::Oidc(issuer) => Some((issuer, self.public_client.as_ref()?)),
            IssuerKeys::Local(_) => None,
        }
    }

    /// Signs the tokens of users whom a page on this machine names; `None` where no page may do so.
    pub fn sign_in_key(&self) -> Option<&SigningKey> {
        self.sign_in_key.as_ref()
    }

    /// The user who sends a request with these headers.
    ///
    /// # Errors
    /// The problem to respond with: no token, a token that is refused, or no keys.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<CallPrincipal, Problem> {
        let accepted = self.counted(self.user(bearer(headers))).await?;
        Ok(accepted.principal)
    }

    /// The user who sends a request with these headers, and for how long its token is still accepted: for a response that
    /// can outlive the token.
    ///
    /// # Errors
    /// The problem to respond with: no token, a token that is refused, or no keys.
    pub async fn authenticate_for_time(
        &self,
        headers: &HeaderMap,
    ) -> Result<(CallPrincipal, Duration), Problem> {
        let accepted = self.counted(self.user(bearer(headers))).await?;
        let remaining = accepted.remaining().unwrap_or_default();
        Ok((accepted.principal, remaining))
    }

    /// The principal of a request to a component: a user, or another part of the platform.
    ///
    /// # Errors
    /// The problem to respond with: no token, a token that is refused, or no keys.
    pub async fn authenticate_call(
        &self,
        headers: &HeaderMap,
        component: &str,
    ) -> Result<CallPrincipal, Problem> {
        let token = bearer(headers);
        match token {
            Ok(token) if self.is_platform_token(token, component) => {
                self.counted(async { Ok(CallPrincipal::platform()) }).await
            }
            token => Ok(self.counted(self.user(token)).await?.principal),
        }
    }

    async fn counted<T>(
        &self,
        authenticated: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let authenticated = authenticated.await;
        count(match &authenticated {
            Ok(_) => AuthenticationOutcome::Accepted,
            Err(Problem::TokenRequired) => AuthenticationOutcome::Missing,
            Err(Problem::IdentityUnavailable) => AuthenticationOutcome::Unavailable,
            Err(_) => AuthenticationOutcome::Refused,
        });
        authenticated
    }

    async fn user(&self, token: Result<&[u8], Problem>) -> Result<AcceptedToken, Problem> {
        let token = std::str::from_utf8(token?).map_err(|_| TokenError::Malformed)?;
        if token.len() > access_token::MAX_LENGTH {
            return Err(TokenError::TooLong.into());
        }
        let digest = Sha256::digest(token.as_bytes()).into();
        let keys = self.current_keys().await?;
        if let Some(accepted) = self.verified.find(&digest, &keys) {
            return Ok(accepted);
        }
        let (verified, keys) = match access_token::verify(token, &keys, &self.expected) {
            // The issuer may have a new key.
            Err(TokenError::UnknownKey) => {
                let keys = self.refreshed_keys().await?;
                (access_token::verify(token, &keys, &self.expected), keys)
            }
            verified => (verified, keys),
        };
        let verified = verified?;
        let accepted = AcceptedToken {
            principal: principal_of(&verified)?,
            expires: verified.expires,
        };
        self.verified.remember(digest, accepted.clone(), &keys);
        Ok(accepted)
    }

    /// Whether another part of the platform made the token for this component.
    fn is_platform_token(&self, sent: &[u8], component: &str) -> bool {
        let Ok(sent) = std::str::from_utf8(sent) else {
            return false;
        };
        let mut keys = self.platform_keys.iter();
        keys.any(|keys| keys.verify(sent, component, now()).is_ok())
    }

    async fn current_keys(&self) -> Result<Arc<KeySet>, Problem> {
        match &self.keys {
            IssuerKeys::Local(keys) => Ok(keys.clone()),
            IssuerKeys::Oidc(issuer) => issuer.keys().await.ok_or(Problem::IdentityUnavailable),
        }
    }

    async fn refreshed_keys(&self) -> Result<Arc<KeySet>, Problem> {
        if let IssuerKeys::Oidc(issuer) = &self.keys {
            issuer.refresh().await;
        }
        self.current_keys().await
    }
}

/// The token of a request.
fn bearer(headers: &HeaderMap) -> Result<&[u8], Problem> {
    let values = headers.get_all(AUTHORIZATION).iter();
    authentication::bearer(values.map(HeaderValue::as_bytes)).map_err(|error| match error {
        CredentialsError::Missing => Problem::TokenRequired,
        CredentialsError::Repeated => TokenError::Malformed.into(),
    })
}

/// The user of a verified token, with the greatest of its roles.
fn principal_of(token: &VerifiedToken) -> Result<CallPrincipal, Problem> {
    let role = Role::greatest(token.roles.iter().map(String::as_str));
    let role = role.ok_or(Problem::RoleRequired)?;
    let user = CallPrincipal::user(role, &token.subject);
    user.ok_or_else(|| TokenError::Claim.into())
}

/// How an authentication ended: the label `outcome` of the metric.
#[derive(Clone, Copy, Debug)]
enum AuthenticationOutcome {
    Accepted,
    Missing,
    Refused,
    Unavailable,
}

fn register_metrics() {
    use AuthenticationOutcome::{Accepted, Missing, Refused, Unavailable};
    for outcome in [Accepted, Missing, Refused, Unavailable] {
        add(outcome, 0);
    }
}

fn count(outcome: AuthenticationOutcome) {
    add(outcome, 1);
}

fn add(outcome: AuthenticationOutcome, number: u64) {
    let outcome = match outcome {
        AuthenticationOutcome::Accepted => "accepted",
        AuthenticationOutcome::Missing => "missing",
        AuthenticationOutcome::Refused => "refused",
        AuthenticationOutcome::Unavailable => "unavailable",
    };
    counter!("socar_authentications_total", "outcome" => outcome).increment(number);
}

#[cfg(test)]
mod tests;
