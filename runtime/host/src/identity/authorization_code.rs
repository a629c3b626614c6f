//! The authorization-code flow by which the page signs its users in at an OpenID provider (RFC 6749, 4.1), with PKCE (RFC
//! 7636).
//!
//! The page keeps the verifier and the tokens; the host knows the endpoints of the provider, and passes on what the page
//! sends there. The page then connects to no other origin, which its content security policy forbids, and a provider
//! need not allow the origin of the page at its token endpoint. The host stores and logs no code and no token.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parameters that the page gives a request for authorization, all of them.
const AUTHORIZATION: [&str; 4] = ["redirect_uri", "state", "nonce", "code_challenge"];
/// The parameter that the page gives to sign a user out.
const SIGN_OUT: [&str; 1] = ["post_logout_redirect_uri"];

/// The longest value of a parameter, in bytes.
const MAX_VALUE: usize = 512;
/// The longest name of an error that is passed on, in bytes.
const MAX_ERROR: usize = 64;

/// A public client of a provider: the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicClient {
    /// By which name the provider knows it.
    pub id: String,
    /// What it asks for.
    pub scopes: String,
}

/// What the page has of the provider, and wants an access token for.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "grant_type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grant {
    /// The code of a user who has just signed in.
    AuthorizationCode {
        /// The code.
        code: String,
        /// What proves that the page itself has asked for the code.
        code_verifier: String,
        /// Where the provider has sent the code.
        redirect_uri: String,
    },
    /// A token for the renewal of the access token.
    RefreshToken {
        /// The token.
        refresh_token: String,
    },
}

/// The answer of a token endpoint (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3). Other members are dropped.
#[derive(Serialize, Deserialize)]
pub struct GrantedTokens {
    access_token: String,
    token_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// With the nonce of the request, for the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

// === impl PublicClient ===

impl PublicClient {
    /// The address at the provider where a user signs in; `None` if the query of the page lacks a parameter, or has an
    /// unusable one.
    pub fn authorization(&self, endpoint: &Uri, query: &str) -> Option<String> {
        let given = forwarded(query, &AUTHORIZATION)?;
        let fixed = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("scope", self.scopes.as_str()),
            ("code_challenge_method", "S256"),
        ];
        Some(with_query(endpoint, &format!("{}&{given}", form(&fixed))))
    }

    /// The address at the provider where a user signs out; `None` as for [`Self::authorization`].
    pub fn sign_out(&self, endpoint: &Uri, query: &str) -> Option<String> {
        let given = forwarded(query, &SIGN_OUT)?;
        let fixed = form(&[("client_id", self.id.as_str())]);
        Some(with_query(endpoint, &format!("{fixed}&{given}")))
    }

    /// The body of a request to the token endpoint.
    pub fn token_request(&self, grant: &Grant) -> String {
        let client = ("client_id", self.id.as_str());
        match grant {
            Grant::AuthorizationCode {
                code,
                code_verifier,
                redirect_uri,
            } => form(&[
                ("grant_type", "authorization_code"),
                client,
                ("code", code),
                ("code_verifier", code_verifier),
                ("redirect_uri", redirect_uri),
            ]),
            Grant::RefreshToken { refresh_token } => form(&[
                ("grant_type", "refresh_token"),
                client,
                ("refresh_token", refresh_token),
            ]),
        }
    }
}

/// The name of the error in the answer of a token endpoint (RFC 6749, 5.2), if it is one that may be shown.
pub fn error_name(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct ErrorResponse {
        error: String,
    }
    let ErrorResponse { error } = serde_json::from_slice(body).ok()?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let may_be_shown = !error.is_empty() && error.len() <= MAX_ERROR && error.bytes().all(is_name);
    may_be_shown.then_some(error)
}

/// These parameters of a query, as they are encoded there; `None` if one is missing, repeated or malformed.
fn forwarded(query: &str, names: &[&str]) -> Option<String> {
    let pairs: Vec<_> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let parameters = names.iter().map(|name| {
        let mut values = pairs.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next().filter(|(_, value)| is_encoded(value))?;
        values.next().is_none().then(|| format!("{name}={value}"))
    });
    Some(parameters.collect::<Option<Vec<_>>>()?.join("&"))
}

/// Whether a value can stand in a query as it is.
fn is_encoded(value: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    (1..=MAX_VALUE).contains(&value.len()) && value.bytes().all(is_allowed)
}

fn form(parameters: &[(&str, &str)]) -> String {
    let encoded = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED)));
    encoded.collect::<Vec<_>>().join("&")
}

fn with_query(endpoint: &Uri, query: &str) -> String {
    match endpoint.query() {
        Some(_) => format!("{endpoint}&{query}"),
        None => format!("{endpoint}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> PublicClient {
        PublicClient {
            id: "socar page".into(),
            scopes: "openid offline_access".into(),
        }
    }

    #[test]
    fn a_user_signs_in_at_the_provider_with_the_parameters_of_the_page() {
        let endpoint: Uri = "https://issuer.example/authorize".parse().unwrap();
        let query = "state=s&nonce=n&code_challenge=c-_~.&redirect_uri=https%3A%2F%2Fa%2F";
        assert_eq!(
            client().authorization(&endpoint, query).as_deref(),
            Some(
                "https://issuer.example/authorize?response_type=code&client_id=socar%20page&\
                 scope=openid%20offline_access&code_challenge_method=S256&\
                 redirect_uri=https%3A%2F%2Fa%2F&state=s&nonce=n&code_challenge=c-_~."
            )
        );
        // No other parameter gets through, and none is overridden.
        let more = format!("{query}&scope=admin&client_id=other&prompt=none");
        let with_more = client().authorization(&endpoint, &more);
        assert_eq!(with_more, client().authorization(&endpoint, query));
        for wrong in [
            "",
            "state=s&nonce=n&code_challenge=c",
            &format!("{query}&state=t"),
            &query.replace("state=s", "state="),
            &query.replace("state=s", "state=a+b"),
            &query.replace("state=s", "state=a\"b"),
            &query.replace("state=s", &format!("state={}", "s".repeat(513))),
        ] {
            assert_eq!(client().authorization(&endpoint, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_may_have_a_query_of_its_own() {
        let endpoint: Uri = "https://issuer.example/logout?tenant=a".parse().unwrap();
        let signed_out =
            client().sign_out(&endpoint, "post_logout_redirect_uri=https%3A%2F%2Fa%2F");
        let expected = "https://issuer.example/logout?tenant=a&client_id=socar%20page&\
                        post_logout_redirect_uri=https%3A%2F%2Fa%2F";
        assert_eq!(signed_out.as_deref(), Some(expected));
    }

    #[test]
    fn a_grant_becomes_a_form() {
        let read = |json: &str| serde_json::from_str::<Grant>(json);
        let code = r#"{"grant_type":"authorization_code","code":"a&b","code_verifier":"v","redirect_uri":"https://a/"}"#;
        assert_eq!(
            client().token_request(&read(code).unwrap()),
            "grant_type=authorization_code&client_id=socar%20page&code=a%26b&code_verifier=v&redirect_uri=https%3A%2F%2Fa%2F"
        );
        let refresh = r#"{"grant_type":"refresh_token","refresh_token":"r"}"#;
        assert_eq!(
            client().token_request(&read(refresh).unwrap()),
            "grant_type=refresh_token&client_id=socar%20page&refresh_token=r"
        );
        for wrong in [
            r#"{"grant_type":"password","username":"a","password":"b"}"#,
            r#"{"grant_type":"refresh_token","refresh_token":"r","scope":"admin"}"#,
            r#"{"grant_type":"authorization_code","code":"a"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_name_of_an_error_is_shown() {
        let of = |body: &str| error_name(body.as_bytes());
        assert_eq!(
            of(r#"{"error":"invalid_grant","error_description":"secret"}"#).as_deref(),
            Some("invalid_grant")
        );
        for hidden in ["", "{}", r#"{"error":""}"#, r#"{"error":"<b>"}"#] {
            assert_eq!(of(hidden), None, "{hidden}");
        }
    }
}
