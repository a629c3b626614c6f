//! Access tokens: those of a host on this machine, and those of an OpenID provider that a test controls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access_token::{NewToken, SigningKey, now};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use parking_lot::Mutex;
use platform_token::SigningKeys;
use serde_json::json;

use crate::programs::socar;
use crate::stub_server::{Responder, StubServer};

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
        let issued = now();
        let token = state.keys[state.keys.len() - 1].sign(&NewToken {
            issuer: &state.url,
            audience,
            subject,
            roles: &[role],
            issued,
            expires: issued.saturating_add_signed(seconds),
        });
        token.unwrap_or_else(|error| panic!("no token: {error}"))
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
        let (delay, answer) = {
            let mut state = self.lock();
            let answer = state.answer(request.uri().path());
            (state.delay, answer)
        };
        tokio::time::sleep(delay).await;
        let mut response = Response::new(Full::new(answer.clone().unwrap_or_default().into()));
        if answer.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }
}

// === impl IssuerState ===

impl IssuerState {
    fn answer(&mut self, path: &str) -> Option<String> {
        match path {
            "/.well-known/openid-configuration" => {
                let keys = format!("{}/keys", self.url);
                Some(json!({"issuer": self.url, "jwks_uri": keys}).to_string())
            }
            "/keys" => {
                self.requests += 1;
                self.public_keys()
            }
            _ => None,
        }
    }

    fn public_keys(&self) -> Option<String> {
        let foreign = self.foreign_keys.clone();
        foreign.or_else(|| self.keys.last().map(SigningKey::public_set))
    }
}
