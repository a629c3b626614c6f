//! Access to the admin listener: programs of this machine, clients with the token, or operators with an access token; never
//! a page in a browser.
//!
//! A browser on the operator's machine reaches the loopback interface on behalf of any open page. Two headers reveal
//! it. It adds `Origin` to every request except a simple GET. A page whose own host name was resolved to 127.0.0.1 (DNS
//! rebinding), so that it may read responses, sends that name in `Host`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::bail;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use subtle::ConstantTimeEq as _;

use super::response::AdminError;
use crate::bearer_token::{bearer_token, without_newline};
use crate::identity::Identity;
use crate::operator_resources::LOCAL_PROGRAM;

/// Decides which requests are admitted.
pub struct AdminGuard {
    token: Option<String>,
    /// Whether programs of this machine need no token.
    is_open: bool,
    /// Who sends a request with an access token, on a platform with identity.
    identity: Option<Arc<Identity>>,
}

/// The actor of a client with the token of the listener.
const TOKEN_HOLDER: &str = "admin-token";

impl AdminGuard {
    /// The rules for a listener at this address.
    ///
    /// # Errors
    /// When the token is empty, or other machines can reach the address and there is neither a token nor an identity.
    pub fn new(
        address: SocketAddr,
        token: Option<String>,
        identity: Option<Arc<Identity>>,
    ) -> anyhow::Result<Self> {
        let token = token.map(|token| {
            bearer_token("--admin-token (or SOCAR_ADMIN_TOKEN)", &token)?;
            anyhow::Ok(without_newline(&token).to_owned())
        });
        let token = token.transpose()?;
        let is_loopback = address.ip().is_loopback();
        if token.is_none() && identity.is_none() && !is_loopback {
            bail!(
                "--admin-listen {address}: other machines could control the platform; set a token with \
                 --admin-token (or SOCAR_ADMIN_TOKEN), or listen on 127.0.0.1:{}",
                address.port()
            );
        }
        Ok(Self {
            is_open: token.is_none() && is_loopback,
            token,
            identity,
        })
    }

    /// Admits or refuses a request with these headers, and says who sends it.
    ///
    /// # Errors
    /// The response for a refused request: 401 or 403.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<String, AdminError> {
        let refused = match self.check(headers) {
            // An access token says more than that a program of this machine sends the request.
            Ok(LOCAL_PROGRAM) if headers.contains_key(AUTHORIZATION) => None,
            Ok(actor) => return Ok(actor.to_owned()),
            Err(refused) => Some(refused),
        };
        let is_of_browser = headers.contains_key(ORIGIN);
        match (&self.identity, refused) {
            (Some(identity), _) if !is_of_browser && headers.contains_key(AUTHORIZATION) => {
                let principal = identity.authenticate(headers).await;
                let principal = principal.map_err(|_| AdminError::unauthorized())?;
                let operator = principal.operator().map(str::to_owned);
                operator.ok_or_else(|| AdminError::forbidden("the token is not of an operator"))
            }
            (_, Some(refused)) => Err(refused),
            (_, None) => Ok(LOCAL_PROGRAM.to_owned()),
        }
    }

    /// Admits or refuses a request without an access token.
    fn check(&self, headers: &HeaderMap) -> Result<&'static str, AdminError> {
        if headers.contains_key(ORIGIN) {
            return Err(AdminError::forbidden(
                "browsers may not control the platform",
            ));
        }
        match &self.token {
            Some(token) if has_token(headers, token) => Ok(TOKEN_HOLDER),
            None if self.is_open && !addresses_this_machine(headers) => Err(AdminError::forbidden(
                "use an IP address such as 127.0.0.1, or localhost, as host",
            )),
            None if self.is_open => Ok(LOCAL_PROGRAM),
            _ => Err(AdminError::unauthorized()),
        }
    }
}

fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    sent.is_some_and(|(_, sent)| sent.ct_eq(token.as_bytes()).into())
}

fn addresses_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const LOOPBACK: &str = "127.0.0.1:0";

    fn guard(address: &str, token: Option<&str>) -> anyhow::Result<AdminGuard> {
        AdminGuard::new(address.parse().unwrap(), token.map(str::to_owned), None)
    }

    fn status(guard: &AdminGuard, headers: &[(HeaderName, &'static str)]) -> u16 {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        match guard.check(&headers.collect()) {
            Ok(_) => 200,
            Err(refusal) => refusal.into_response().status().as_u16(),
        }
    }

    #[test]
    fn an_address_beyond_loopback_requires_a_token() {
        assert!(guard(LOOPBACK, None).is_ok());
        assert!(guard("[::1]:0", None).is_ok());
        assert!(guard("0.0.0.0:0", None).is_err());
        assert!(guard("0.0.0.0:0", Some(" ")).is_err());
        assert!(guard("0.0.0.0:0", Some("secret")).is_ok());
    }

    #[test]
    fn a_partial_token_is_refused() {
        let guard = guard("0.0.0.0:0", Some("secret")).unwrap();
        let host = (HOST, "admin.example:1");
        assert_eq!(status(&guard, std::slice::from_ref(&host)), 401);
        for (sent, expected) in [
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("Bearer secre", 401),
            ("Bearer secrets", 401),
            ("Bearer Secret", 401),
            ("Basic secret", 401),
            ("secret", 401),
        ] {
            let found = status(&guard, &[host.clone(), (AUTHORIZATION, sent)]);
            assert_eq!(found, expected, "{sent}");
        }
    }

    #[test]
    fn a_request_of_a_browser_is_refused_even_with_the_token() {
        let origin = (ORIGIN, "http://127.0.0.1:3000");
        let host = (HOST, "127.0.0.1:1");
        let open = guard(LOOPBACK, None).unwrap();
        assert_eq!(status(&open, &[host.clone(), origin.clone()]), 403);
        let closed = guard(LOOPBACK, Some("secret")).unwrap();
        let token = (AUTHORIZATION, "Bearer secret");
        assert_eq!(status(&closed, &[host, token, origin]), 403);
    }

    #[test]
    fn a_rebound_host_name_is_refused() {
        let guard = guard(LOOPBACK, None).unwrap();
        for (host, expected) in [
            ("127.0.0.1:1", 200),
            ("[::1]:1", 200),
            ("localhost:1", 200),
            ("evil.example:1", 403),
        ] {
            assert_eq!(status(&guard, &[(HOST, host)]), expected, "{host}");
        }
        assert_eq!(status(&guard, &[]), 403);
    }
}
