//! Access tokens: those of a host on this machine, and those of an OpenID provider that a test controls.

mod authorization_server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access_token::{NewToken, SigningKey, now};
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use parking_lot::Mutex;
use platform_token::SigningKeys;
use serde_json::json;

use crate::programs::socar;
use crate::stub_server::{Responder, StubServer};
pub use authorization_server::CLIENT_ID;
use authorization_server::{AuthorizationServer, parameters};

/// The audience of the tokens.
const AUDIENCE: &str = "socar";

/// A token of `socar token`, for the host with this state directory.
///
/// # Panics
/// When the command fails.
pub fn local_token(state_dir: &Path, role: &str, subject: &str) -> String {
    let output = socar()
        .args(["token", "--role", role, "--subject", subject])
        .arg("--state-dir")
        .arg(state_dir)
        .output()
        .unwrap_or_else(|error| panic!("socar did not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The value of `Authorization` by which a part of the platform with this key calls a context.
///
/// # Panics
/// When the key is empty.
pub fn platform_authorization(key: &str, context: &str) -> String {
    let keys = SigningKeys::read(key).unwrap_or_else(|| panic!("an empty key"));
    format!("Bearer {}", keys.sign(context, now()))
}

/// An OpenID provider of a test.
#[derive(Debug)]
pub struct TokenIssuer {
    server: StubServer<Mutex<IssuerState>>,
    state: Arc<Mutex<IssuerState>>,
}

pub(crate) struct IssuerState {
    url: String,
    /// The keys, of which the last one signs.
    keys: Vec<SigningKey>,
    /// The public keys of another program, which are served instead.
    foreign_keys: Option<String>,
    delay: Duration,
    /// The number of requests for keys so far.
    requests: usize,
    authorization: AuthorizationServer,
}

/// What the provider answers: a document, a redirection, or an error of the token endpoint.
enum Answer {
    Document(String),
    Redirection(String),
    Refusal(&'static str),
    Nothing,
}

// === impl TokenIssuer ===

impl TokenIssuer {
    /// A provider with one key.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(IssuerState {
            url: String::new(),
            keys: vec![new_key()],
            foreign_keys: None,
            delay: Duration::ZERO,
            requests: 0,
            authorization: AuthorizationServer::default(),
        }));
        let server = StubServer::start(&state);
        state.lock().url = format!("http://{}", server.address());
        Self { server, state }
    }

    /// The URL by which a host trusts this provider.
    pub fn url(&self) -> String {
        self.state.lock().url.clone()
    }

    /// A token for one hour.
    ///
    /// # Panics
    /// When the key does not sign.
    pub fn token(&self, role: &str, subject: &str) -> String {
        self.token_for(role, subject, AUDIENCE, 3600)
    }

    /// A token for this audience that expires in this number of seconds.
    ///
    /// # Panics
    /// When the key does not sign.
    pub fn token_for(&self, role: &str, subject: &str, audience: &str, seconds: i64) -> String {
        let state = self.state.lock();
        signed(
            state.signing_key(),
            &state.url,
            role,
            subject,
            audience,
            seconds,
        )
    }

    /// Lets this user sign in on the page, with access tokens for this number of seconds.
    pub fn sign_in(&self, role: &str, subject: &str, seconds: i64) {
        let authorization = &mut self.state.lock().authorization;
        authorization.user = Some((role.to_owned(), subject.to_owned()));
        authorization.lifetime = seconds;
    }

    /// The requests for tokens so far, by grant type and outcome, such as `refresh_token granted`.
    pub fn token_requests(&self) -> Vec<String> {
        self.state.lock().authorization.token_requests.clone()
    }

    /// How often a user has signed out.
    pub fn sign_outs(&self) -> usize {
        self.state.lock().authorization.sign_outs
    }

    /// Signs with a new key from now on, and withdraws the old ones.
    pub fn rotate(&self) {
        self.state.lock().keys = vec![new_key()];
    }

    /// The public keys that verify its tokens: a JSON Web Key Set.
    pub fn public_keys(&self) -> String {
        self.state.lock().public_keys().unwrap_or_default()
    }

    /// Serves these public keys, with which it signs nothing.
    pub fn serve_keys(&self, keys: &str) {
        self.state.lock().foreign_keys = Some(keys.to_owned());
    }

    /// Delays every answer.
    pub fn answer_after(&self, delay: Duration) {
        self.state.lock().delay = delay;
    }

    /// The number of requests for keys so far.
    pub fn requests(&self) -> usize {
        self.state.lock().requests
    }

    /// Refuses every connection.
    pub fn close(&mut self) {
        self.server.close();
    }

    /// Accepts connections again.
    pub fn open(&mut self) {
        self.server.open();
    }
}

fn new_key() -> SigningKey {
    let key = SigningKey::generate().and_then(|key| SigningKey::from_pkcs8(&key));
    key.unwrap_or_else(|error| panic!("no key: {error}"))
}

impl std::fmt::Debug for IssuerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

impl Responder for Mutex<IssuerState> {
    type Body = Full<Bytes>;

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let (delay, answer) = {
            let mut state = self.lock();
            let answer = state.answer(&head.uri, &body.unwrap_or_default());
            (state.delay, answer)
        };
        tokio::time::sleep(delay).await;
        answer.into_response()
    }
}

// === impl Answer ===

impl Answer {
    fn into_response(self) -> Response<Full<Bytes>> {
        let (status, body, location) = match self {
            Self::Document(document) => (StatusCode::OK, document, None),
            Self::Redirection(target) => (StatusCode::FOUND, String::new(), Some(target)),
            Self::Refusal(error) => {
                let body = json!({"error": error, "error_description": "a secret"});
                (StatusCode::BAD_REQUEST, body.to_string(), None)
            }
            Self::Nothing => (StatusCode::NOT_FOUND, String::new(), None),
        };
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        if let Some(Ok(target)) = location.map(HeaderValue::try_from) {
            response.headers_mut().insert(LOCATION, target);
        }
        response
    }
}

// === impl IssuerState ===

impl IssuerState {
    fn answer(&mut self, target: &http::Uri, body: &[u8]) -> Answer {
        let query = parameters(target.query().unwrap_or_default().as_bytes());
        match target.path() {
            "/.well-known/openid-configuration" => {
                let at = |path: &str| format!("{}/{path}", self.url);
                let document = json!({
                    "issuer": self.url,
                    "jwks_uri": at("keys"),
                    "authorization_endpoint": at("authorize"),
                    "token_endpoint": at("token"),
                    "end_session_endpoint": at("sign-out"),
                });
                Answer::Document(document.to_string())
            }
            "/keys" => {
                self.requests += 1;
                self.public_keys().map_or(Answer::Nothing, Answer::Document)
            }
            "/authorize" => {
                let target = self.authorization.authorize(&self.url, &query);
                target.map_or(Answer::Nothing, Answer::Redirection)
            }
            "/sign-out" => {
                let target = self.authorization.sign_out(&query);
                target.map_or(Answer::Nothing, Answer::Redirection)
            }
            "/token" => {
                let (key, url) = (&self.keys[self.keys.len() - 1], &self.url);
                let sign = |role: &str, subject: &str, seconds| {
                    signed(key, url, role, subject, AUDIENCE, seconds)
                };
                let granted = self.authorization.token(&parameters(body), sign);
                granted.map_or_else(Answer::Refusal, |it| Answer::Document(it.to_string()))
            }
            _ => Answer::Nothing,
        }
    }

    fn signing_key(&self) -> &SigningKey {
        &self.keys[self.keys.len() - 1]
    }

    fn public_keys(&self) -> Option<String> {
        let foreign = self.foreign_keys.clone();
        foreign.or_else(|| self.keys.last().map(SigningKey::public_set))
    }
}

/// A token of the issuer `url`, which expires in this number of seconds.
fn signed(
    key: &SigningKey,
    url: &str,
    role: &str,
    subject: &str,
    audience: &str,
    seconds: i64,
) -> String {
    let issued = now();
    let token = key.sign(&NewToken {
        issuer: url,
        audience,
        subject,
        roles: &[role],
        issued,
        expires: issued.saturating_add_signed(seconds),
    });
    token.unwrap_or_else(|error| panic!("no token: {error}"))
}
