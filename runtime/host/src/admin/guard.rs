//! Who may steer: whoever is on this machine, or whoever has the token; never a page in a browser.
//!
//! A browser on the operator's machine reaches the loopback interface too, on behalf of whatever page is open in it. It
//! gives itself away by the header `Origin`, which it adds to everything but plain reading; and a page that has had
//! its own name resolved to 127.0.0.1, to read as if from its own server, by that name in `Host`.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};

use anyhow::bail;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;

use super::answer::Refusal;

/// Lets requests in, or does not.
pub struct Guard {
    token: Option<String>,
}

impl Guard {
    /// Who may come in at this address.
    ///
    /// # Errors
    /// When other machines can reach the address and there is no token.
    pub fn new(address: SocketAddr, token: Option<String>) -> anyhow::Result<Self> {
        match &token {
            Some(token) if token.trim().is_empty() => {
                bail!("--admin-token is empty: make up a long one, or leave it out")
            }
            None if !address.ip().is_loopback() => bail!(
                "--admin-listen {address}: other machines could steer the platform; give a token with \
                 --admin-token (or SOCAR_ADMIN_TOKEN), or listen on 127.0.0.1:{}",
                address.port()
            ),
            _ => Ok(Self { token }),
        }
    }

    /// Lets a request with these headers in.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.contains_key(ORIGIN) {
            return Err(Refusal::forbidden("browsers may not steer the platform"));
        }
        match &self.token {
            Some(token) if !shows(headers, token) => Err(Refusal::unauthorized()),
            None if !names_this_machine(headers) => Err(Refusal::forbidden(
                "address it by number, as 127.0.0.1, or as localhost",
            )),
            _ => Ok(()),
        }
    }
}

fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    shown.is_some_and(|(_, shown)| same(shown, token.as_bytes()))
}

/// Looks at every byte whatever the first ones are, so that the time it takes tells nothing about them.
fn same(left: &[u8], right: &[u8]) -> bool {
    let pairs = left.iter().zip(right);
    let differences = pairs.fold(0, |differences, (left, right)| {
        black_box(differences | (left ^ right))
    });
    left.len() == right.len() && differences == 0
}

fn names_this_machine(headers: &HeaderMap) -> bool {
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

    fn guard(address: &str, token: Option<&str>) -> anyhow::Result<Guard> {
        Guard::new(address.parse().unwrap(), token.map(str::to_owned))
    }

    fn status(guard: &Guard, headers: &[(HeaderName, &'static str)]) -> u16 {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        match guard.check(&headers.collect()) {
            Ok(()) => 200,
            Err(refusal) => refusal.response().status().as_u16(),
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        assert!(guard(LOOPBACK, None).is_ok());
        assert!(guard("[::1]:0", None).is_ok());
        assert!(guard("0.0.0.0:0", None).is_err());
        assert!(guard("0.0.0.0:0", Some(" ")).is_err());
        assert!(guard("0.0.0.0:0", Some("secret")).is_ok());
    }

    #[test]
    fn a_token_must_be_shown_whole() {
        let guard = guard("0.0.0.0:0", Some("secret")).unwrap();
        let host = (HOST, "admin.example:1");
        assert_eq!(status(&guard, std::slice::from_ref(&host)), 401);
        for (shown, expected) in [
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("Bearer secre", 401),
            ("Bearer secrets", 401),
            ("Bearer Secret", 401),
            ("Basic secret", 401),
            ("secret", 401),
        ] {
            let found = status(&guard, &[host.clone(), (AUTHORIZATION, shown)]);
            assert_eq!(found, expected, "{shown}");
        }
    }

    #[test]
    fn a_browser_is_refused_with_or_without_a_token() {
        let origin = (ORIGIN, "http://127.0.0.1:3000");
        let host = (HOST, "127.0.0.1:1");
        let open = guard(LOOPBACK, None).unwrap();
        assert_eq!(status(&open, &[host.clone(), origin.clone()]), 403);
        let closed = guard(LOOPBACK, Some("secret")).unwrap();
        let token = (AUTHORIZATION, "Bearer secret");
        assert_eq!(status(&closed, &[host, token, origin]), 403);
    }

    #[test]
    fn a_name_that_was_pointed_here_is_refused() {
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
