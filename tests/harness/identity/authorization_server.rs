//! The endpoints of an OpenID provider where users sign in and out: the authorization-code flow with PKCE, and refresh
//! tokens that are used once.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The name of the page at the provider.
pub const CLIENT_ID: &str = "socar-page";

/// What the endpoints know.
#[derive(Debug, Default)]
pub(crate) struct AuthorizationServer {
    /// The user who signs in, with a role.
    pub user: Option<(String, String)>,
    /// The lifetime of access tokens, in seconds.
    pub lifetime: i64,
    /// The requests for tokens so far, by grant type and outcome.
    pub token_requests: Vec<String>,
    /// How often a user has signed out.
    pub sign_outs: usize,
    codes: BTreeMap<String, AuthorizedCode>,
    refresh_tokens: Vec<String>,
    issued: usize,
}

#[derive(Debug)]
struct AuthorizedCode {
    challenge: String,
    redirect_uri: String,
    nonce: String,
}

type Parameters = BTreeMap<String, String>;

/// The parameters of a query or a form.
pub(crate) fn parameters(encoded: &[u8]) -> Parameters {
    let pairs = form_urlencoded::parse(encoded);
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

// === impl AuthorizationServer ===

impl AuthorizationServer {
    /// Where the user is led with a code, or with an error if no user signs in. `None` for a request that this provider
    /// refuses to redirect.
    pub fn authorize(&mut self, issuer: &str, request: &Parameters) -> Option<String> {
        let get = |name: &str| request.get(name).cloned().unwrap_or_default();
        let is_flow = get("response_type") == "code"
            && get("client_id") == CLIENT_ID
            && get("code_challenge_method") == "S256"
            && get("scope").split(' ').any(|scope| scope == "openid");
        let redirect_uri = request.get("redirect_uri").filter(|_| is_flow)?;
        let outcome = match &self.user {
            None => ("error", "access_denied".to_owned()),
            Some(_) => {
                let code = self.new_secret("code");
                let authorized = AuthorizedCode {
                    challenge: get("code_challenge"),
                    redirect_uri: redirect_uri.clone(),
                    nonce: get("nonce"),
                };
                self.codes.insert(code.clone(), authorized);
                ("code", code)
            }
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair(outcome.0, &outcome.1)
            .append_pair("state", &get("state"))
            .append_pair("iss", issuer)
            .finish();
        Some(format!("{redirect_uri}?{query}"))
    }

    /// The answer to a form of the token endpoint; `sign` makes an access token for a role and a subject.
    ///
    /// # Errors
    /// The name of the error.
    pub fn token(
        &mut self,
        form: &Parameters,
        sign: impl FnOnce(&str, &str, i64) -> String,
    ) -> Result<Value, &'static str> {
        let grant = form.get("grant_type").cloned().unwrap_or_default();
        let granted = self.granted(&grant, form);
        let outcome = granted.as_ref().err().copied().unwrap_or("granted");
        self.token_requests.push(format!("{grant} {outcome}"));
        let nonce = granted?;
        let (role, subject) = self.user.clone().ok_or("invalid_grant")?;
        let refresh_token = self.new_secret("refresh");
        self.refresh_tokens.push(refresh_token.clone());
        let mut answer = json!({
            "access_token": sign(&role, &subject, self.lifetime),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh_token,
            "scope": "openid",
        });
        if let Some(nonce) = nonce {
            // The page reads the nonce and verifies nothing.
            let parts = [
                json!({"alg": "none"}),
                json!({"sub": subject, "nonce": nonce}),
            ];
            let parts = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
            answer["id_token"] = json!(format!("{}.", parts.join(".")));
        }
        Ok(answer)
    }

    /// Where a user is led who has signed out.
    pub fn sign_out(&mut self, request: &Parameters) -> Option<String> {
        let is_page = request.get("client_id").map(String::as_str) == Some(CLIENT_ID);
        let target = request
            .get("post_logout_redirect_uri")
            .filter(|_| is_page)?;
        self.sign_outs += 1;
        self.user = None;
        Some(target.clone())
    }

    /// The nonce of a code, if the grant is valid. Codes and refresh tokens are used once.
    fn granted(&mut self, grant: &str, form: &Parameters) -> Result<Option<String>, &'static str> {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        if get("client_id") != CLIENT_ID {
            return Err("invalid_client");
        }
        match grant {
            "authorization_code" => {
                let code = self.codes.remove(get("code")).ok_or("invalid_grant")?;
                let digest = Sha256::digest(get("code_verifier"));
                let is_asked_by_client = BASE64_URL_SAFE_NO_PAD.encode(digest) == code.challenge;
                match is_asked_by_client && get("redirect_uri") == code.redirect_uri {
                    true => Ok(Some(code.nonce)),
                    false => Err("invalid_grant"),
                }
            }
            "refresh_token" => {
                let position = self
                    .refresh_tokens
                    .iter()
                    .position(|token| token == get("refresh_token"));
                self.refresh_tokens.remove(position.ok_or("invalid_grant")?);
                Ok(None)
            }
            _ => Err("unsupported_grant_type"),
        }
    }

    fn new_secret(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}-{}&+", self.issued)
    }
}
