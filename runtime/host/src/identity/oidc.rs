//! The keys of an OpenID provider: discovery, cache and refresh.
//!
//! The keys are fetched when the host starts, when a token names a key that is not among them, and from time to time. At
//! most one refresh runs at a time, at most one begins in ten seconds, and one takes at most three seconds, so that
//! tokens with invented keys cost the issuer nothing. While the issuer does not answer, or answers with something else than a
//! key set, the old keys stay in use. A key set without a usable key withdraws them all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use access_token::{KeySet, KeySetError};
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use tracing::{info, warn};
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::client::{self, Connections, HttpVersion};

/// The least time between two refreshes.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

/// The age from which keys are fetched again, so that one that was withdrawn is not accepted for ever.
const MAX_AGE: Duration = Duration::from_secs(300);

/// The time of one refresh.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(3);

/// The time of one request to the token endpoint.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The requests to the token endpoint at the same time: whatever pages send, the provider gets no more of them.
const MAX_TOKEN_REQUESTS: usize = 16;

/// The longest document that is read, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// The path of the discovery document below the issuer (OpenID Connect Discovery, 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An OpenID provider.
pub struct OidcIssuer {
    /// Its name, which is a URL.
    name: String,
    discovery: Uri,
    connections: Connections,
    keys: RwLock<Option<FetchedKeys>>,
    refresh: Mutex<RefreshState>,
    token_requests: Semaphore,
}

struct FetchedKeys {
    keys: Arc<KeySet>,
    document: Bytes,
    endpoints: Endpoints,
    at: Instant,
}

/// Where the provider signs users in and out. An endpoint is absent if the provider has none, or one without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where users sign in.
    pub authorization: Option<Uri>,
    /// Where codes and refresh tokens become access tokens.
    pub token: Option<Uri>,
    /// Where users sign out.
    pub end_session: Option<Uri>,
}

/// What the refreshes so far have led to.
#[derive(Default)]
struct RefreshState {
    last: Option<Instant>,
    /// How the last one ended, which is logged when it changes.
    outcome: RefreshOutcome,
}

/// How a refresh ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RefreshOutcome {
    /// The keys were fetched. A host that has not fetched any yet says nothing when it first does.
    #[default]
    Keys,
    /// The issuer has no usable key.
    NoKeys,
    /// The issuer did not answer, or not as it should.
    Failed,
}

/// What one refresh has fetched.
struct FetchedDocuments {
    /// `None` if the issuer has no usable key.
    keys: Option<KeySet>,
    /// The document with the keys.
    document: Bytes,
    endpoints: Endpoints,
}

/// The members of the discovery document that are read.
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint: Option<String>,
    #[serde(default)]
    end_session_endpoint: Option<String>,
}

// === impl OidcIssuer ===

impl OidcIssuer {
    /// The provider with this URL; nothing is fetched yet.
    ///
    /// # Errors
    /// When the URL is unusable: keys that come over a network without TLS could be those of anyone.
    pub fn new(url: &str) -> anyhow::Result<Arc<Self>> {
        let remedy = || format!("--identity {url}: write `local`, or an https URL");
        let uri: Uri = url.parse().with_context(remedy)?;
        let host = uri.host().unwrap_or_default();
        let is_own = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        ensure!(
            uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_own),
            remedy()
        );
        ensure!(uri.query().is_none(), remedy());
        let discovery = format!("{}{DISCOVERY}", url.trim_end_matches('/'));
        Ok(Arc::new(Self {
            name: url.to_owned(),
            discovery: discovery.parse().with_context(remedy)?,
            connections: client::connections(HttpVersion::Http1),
            keys: RwLock::default(),
            refresh: Mutex::default(),
            token_requests: Semaphore::new(MAX_TOKEN_REQUESTS),
        }))
    }

    /// The keys, fetched now if there are none yet. `None` while the issuer does not answer, or has no keys.
    pub async fn keys(self: &Arc<Self>) -> Option<Arc<KeySet>> {
        match self.cached() {
            Some((keys, age)) => {
                if age > MAX_AGE && self.is_idle() {
                    let issuer = self.clone();
                    tokio::spawn(async move { issuer.refresh_in_turn().await });
                }
                Some(keys)
            }
            None => {
                self.refresh().await;
                self.cached().map(|(keys, _)| keys)
            }
        }
    }

    /// Where the provider signs users in and out. `None` while the issuer does not answer, or has no keys.
    pub async fn endpoints(self: &Arc<Self>) -> Option<Endpoints> {
        self.keys().await?;
        Some(self.keys.read().as_ref()?.endpoints.clone())
    }

    /// Sends a form to the token endpoint, and returns the status and the body of the answer. `None` if there are as many
    /// such requests as may be.
    ///
    /// # Errors
    /// When the provider does not answer in time.
    pub async fn request_token(
        &self,
        endpoint: &Uri,
        form: String,
    ) -> anyhow::Result<Option<(StatusCode, Bytes)>> {
        let Ok(_permit) = self.token_requests.try_acquire() else {
            return Ok(None);
        };
        let mut request = Request::new(full(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        let answered = async {
            let response = self.send(request).await?;
            let status = response.status();
            Ok((status, read(endpoint, response).await?))
        };
        let answered = tokio::time::timeout(TOKEN_TIMEOUT, answered).await;
        let answered = answered.unwrap_or_else(|_| bail!("{endpoint} does not answer in time"));
        answered.map(Some)
    }

    /// Returns when the keys are new, or cannot be fetched now. A caller that stops waiting does not end the refresh, for
    /// which others wait.
    pub async fn refresh(self: &Arc<Self>) {
        let issuer = self.clone();
        let refreshed = tokio::spawn(async move { issuer.refresh_in_turn().await });
        // A panic is logged by the runtime; the old keys stay.
        let _ = refreshed.await;
    }

    /// Whether a refresh may begin now.
    fn is_idle(&self) -> bool {
        let state = self.refresh.try_lock();
        state.is_ok_and(|state| state.last.is_none_or(|at| at.elapsed() >= MIN_INTERVAL))
    }

    fn cached(&self) -> Option<(Arc<KeySet>, Duration)> {
        let cached = self.keys.read();
        let cached = cached.as_ref()?;
        Some((cached.keys.clone(), cached.at.elapsed()))
    }

    async fn refresh_in_turn(&self) {
        let mut state = self.refresh.lock().await;
        if state.last.is_some_and(|at| at.elapsed() < MIN_INTERVAL) {
            return;
        }
        state.last = Some(Instant::now());
        let fetched = tokio::time::timeout(REFRESH_TIMEOUT, self.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time")));
        let outcome = match &fetched {
            Ok(fetched) if fetched.keys.is_some() => RefreshOutcome::Keys,
            Ok(_) => RefreshOutcome::NoKeys,
            Err(_) => RefreshOutcome::Failed,
        };
        let is_new = std::mem::replace(&mut state.outcome, outcome) != outcome;
        if is_new {
            self.log(outcome, fetched.as_ref().err());
        }
        if let Ok(fetched) = fetched {
            self.store(fetched);
        }
    }

    /// Logs how the refreshes end from now on.
    fn log(&self, outcome: RefreshOutcome, error: Option<&anyhow::Error>) {
        let issuer = &self.name;
        let cause = error.map(|error| format!("{error:#}"));
        match outcome {
            RefreshOutcome::Keys => info!(issuer, "the issuer answers again"),
            RefreshOutcome::NoKeys => warn!(
                issuer,
                "the issuer has no key for RS256 (2048 bits or more), ES256 or EdDSA (Ed25519): every token is refused \
                 until it has one"
            ),
            RefreshOutcome::Failed => warn!(
                issuer,
                cause, "the keys of the issuer cannot be fetched; those that are known stay in use"
            ),
        }
    }

    /// Fetches the keys, and returns their document and the endpoints with them.
    async fn fetch(&self) -> anyhow::Result<FetchedDocuments> {
        let document = self.get(&self.discovery).await?;
        let document: DiscoveryDocument =
            serde_json::from_slice(&document).context("its discovery document is unusable")?;
        ensure!(
            document.issuer == self.name,
            "its discovery document names another issuer, {}: write that name",
            document.issuer
        );
        let uri: Uri = document
            .jwks_uri
            .parse()
            .context("its jwks_uri is no URL")?;
        ensure!(self.is_protected(&uri), "its jwks_uri is without TLS");
        let endpoint = |url: Option<String>| {
            let url: Option<Uri> = url.and_then(|url| url.parse().ok());
            url.filter(|url| self.is_protected(url))
        };
        let endpoints = Endpoints {
            authorization: endpoint(document.authorization_endpoint),
            token: endpoint(document.token_endpoint),
            end_session: endpoint(document.end_session_endpoint),
        };
        let document = self.get(&uri).await?;
        let keys = match KeySet::read(&document) {
            Err(KeySetError::Empty) => None,
            keys => Some(keys?),
        };
        Ok(FetchedDocuments {
            keys,
            document,
            endpoints,
        })
    }

    /// Whether a URL is as protected as that of the issuer: with TLS, or on this machine.
    fn is_protected(&self, url: &Uri) -> bool {
        url.scheme_str() == Some("https") || url.scheme() == self.discovery.scheme()
    }

    async fn get(&self, uri: &Uri) -> anyhow::Result<Bytes> {
        let mut request = Request::new(full(""));
        *request.uri_mut() = uri.clone();
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            bail!("{uri} answers {}", response.status());
        }
        read(uri, response).await
    }

    async fn send(&self, request: Request<WasiBody>) -> anyhow::Result<Response<Incoming>> {
        let response = self.connections.request(request).await;
        response.map_err(|error| anyhow::anyhow!(client::cause(&error)))
    }

    /// Keeps the present keys if the same ones were fetched, so that tokens need not be verified again. Removes them if
    /// the issuer has none.
    fn store(&self, fetched: FetchedDocuments) {
        let mut cached = self.keys.write();
        let FetchedDocuments {
            keys,
            document,
            endpoints,
        } = fetched;
        let Some(keys) = keys else {
            *cached = None;
            return;
        };
        let at = Instant::now();
        match cached.as_mut() {
            Some(cached) if cached.document == document => {
                cached.endpoints = endpoints;
                cached.at = at;
            }
            _ => {
                *cached = Some(FetchedKeys {
                    keys: Arc::new(keys),
                    document,
                    endpoints,
                    at,
                });
            }
        }
    }
}

/// The body of a response, of bounded length.
async fn read(uri: &Uri, response: Response<Incoming>) -> anyhow::Result<Bytes> {
    let body = Limited::new(response.into_body(), MAX_DOCUMENT)
        .collect()
        .await;
    let body = body.map_err(|error| anyhow::anyhow!("{uri} cannot be read: {error}"))?;
    Ok(body.to_bytes())
}

#[cfg(test)]
mod tests;
