//! Authorization: the credentials or the token that a registry asks for.
//!
//! The first request goes without credentials. The answer 401 says how the registry wants to be asked; the value of
//! `Authorization` is then kept for later requests to the registry, and to no other host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use url::Url;

use crate::challenge::Challenge;
use crate::credentials::{CredentialStore, Credentials};
use crate::failure::Failure;
use crate::reference::Reference;
use crate::transport::{RegistryRequest, Transport, retry_after, shown_host};

/// The longest answer of a token server.
const MAX_TOKEN_ANSWER: usize = 256 << 10;

/// What authorizes the requests to one registry.
pub struct Authorization {
    registry: String,
    credential_key: String,
    repository: String,
    store: CredentialStore,
    value: Mutex<Option<HeaderValue>>,
}

/// The answer of a token server. Both names are in use.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

// === impl Authorization ===

impl Authorization {
    /// Requests for this application, with the credentials of this store.
    pub fn new(reference: &Reference, store: CredentialStore) -> Self {
        Self {
            registry: reference.registry().to_owned(),
            credential_key: reference.credential_key().to_owned(),
            repository: reference.repository().to_owned(),
            store,
            value: Mutex::new(None),
        }
    }

    /// The value of the header, once the registry has asked for it.
    pub fn value(&self) -> Option<HeaderValue> {
        self.value.lock().clone()
    }

    /// Obtains what the answer 401 asks for.
    ///
    /// # Errors
    /// When there are no credentials, they are refused, or the token server cannot be used.
    pub async fn answer(
        &self,
        transport: &Transport,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<(), Failure> {
        let credentials = self.store.find(&self.credential_key).await?;
        let value = match (Challenge::of(headers), credentials) {
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }),
                credentials,
            ) => {
                let action = match *method {
                    Method::GET | Method::HEAD => "pull",
                    _ => "pull,push",
                };
                let scope =
                    scope.unwrap_or_else(|| format!("repository:{}:{action}", self.repository));
                let url = self.token_url(&realm, service.as_deref(), &scope)?;
                self.token(transport, url, credentials).await?
            }
            (_, Some(credentials)) => sensitive(&basic(&credentials))?,
            (_, None) => return Err(self.without_credentials()),
        };
        *self.value.lock() = Some(value);
        Ok(())
    }

    /// The failure of a request that the registry refuses with 401 although it was authorized.
    pub fn refused(&self) -> Failure {
        let Self { registry, .. } = self;
        Failure::permanent(format_args!(
            "{registry} refuses the credentials of {} (401): log in again with `docker login {registry}`, as a user who may do this",
            self.store.shown()
        ))
    }

    fn without_credentials(&self) -> Failure {
        let Self { registry, .. } = self;
        Failure::permanent(format_args!(
            "{registry} asks for credentials (401), and {} has none for it: log in with `docker login {registry}`, or correct the name",
            self.store.shown()
        ))
    }

    fn token_url(&self, realm: &str, service: Option<&str>, scope: &str) -> Result<Url, Failure> {
        let mut url = Url::parse(realm).map_err(|_| {
            let Self { registry, .. } = self;
            Failure::permanent(format_args!(
                "{registry} names a token server without a usable address: check its configuration"
            ))
        })?;
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", scope);
        drop(query);
        Ok(url)
    }

    async fn token(
        &self,
        transport: &Transport,
        url: Url,
        credentials: Option<Credentials>,
    ) -> Result<HeaderValue, Failure> {
        let server = shown_host(&url);
        let mut request = RegistryRequest::new(Method::GET, url);
        let has_credentials = credentials.is_some();
        if let Some(credentials) = credentials {
            let value = sensitive(&basic(&credentials))?;
            request.headers.insert(AUTHORIZATION, value);
        }
        let response = transport.send(request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(match has_credentials {
                    true => self.refused(),
                    false => self.without_credentials(),
                });
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let failure = Failure::transient(
                    format_args!("the token server {server} answers {status}"),
                    "try again later",
                );
                return Err(failure.after(retry_after(response.headers())));
            }
            status => {
                return Err(Failure::permanent(format_args!(
                    "the token server {server} answers {status}: check the name of the application"
                )));
            }
        }
        let what = format!("the answer of the token server {server}");
        let answer = transport.read(response, MAX_TOKEN_ANSWER, &what).await?;
        let token = serde_json::from_slice::<TokenAnswer>(&answer).ok();
        let token = token.and_then(|it| it.token.or(it.access_token));
        let value = token.and_then(|token| sensitive(&format!("Bearer {token}")).ok());
        value.ok_or_else(|| {
            Failure::permanent(format_args!("{what} has no token: check the registry"))
        })
    }
}

fn basic(Credentials { user, secret }: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

/// A value that is not written into logs.
fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Failure::permanent("a header cannot carry the token: check the registry"))?;
    value.set_sensitive(true);
    Ok(value)
}
