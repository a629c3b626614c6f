//! HTTP requests to a registry: no connection without TLS but to this machine, and no request without bounds.
//!
//! A transfer may take long, but not without progress: it fails when no byte moves for [`RequestLimits::stall`]. A
//! response is read up to a limit that its reader knows.

mod upload_body;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use url::Url;

use crate::failure::{Failure, RequestLimits};
use crate::reference::is_loopback;
use upload_body::{Progress, UploadBody};

/// Redirections that one request may follow.
const MAX_REDIRECTIONS: usize = 5;

const TRY_AGAIN: &str = "try again later";

/// Sends requests to a registry, and to the servers that it names for tokens and blobs.
pub struct Transport {
    connections: Client<HttpsConnector<HttpConnector>, UploadBody>,
    cleartext: Cleartext,
    limits: RequestLimits,
}

/// Whether requests may be sent without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleartext {
    /// Never.
    Denied,
    /// To this machine only.
    Loopback,
}

/// A request.
#[derive(Clone, Debug)]
pub struct RegistryRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

// === impl RegistryRequest ===

impl RegistryRequest {
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// The request in words. The query may hold a token.
    pub fn shown(&self) -> String {
        let path = self.url.path();
        format!("{} {path} of {}", self.method, shown_host(&self.url))
    }
}

/// The host of a URL, with its port if it is not the usual one.
pub fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

// === impl Transport ===

impl Transport {
    /// A transport that trusts the certificates of `tls`.
    pub fn new(tls: ClientConfig, cleartext: Cleartext, limits: RequestLimits) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits.connect));
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls);
        let connector = match cleartext {
            Cleartext::Denied => tls.https_only(),
            Cleartext::Loopback => tls.https_or_http(),
        };
        Self {
            connections: Client::builder(TokioExecutor::new())
                .build(connector.enable_http1().wrap_connector(tcp)),
            cleartext,
            limits,
        }
    }

    /// Checks that a URL leads where requests may be sent.
    ///
    /// # Errors
    /// When it needs TLS and has none.
    pub fn check(&self, url: &Url) -> Result<(), Failure> {
        let is_local = url.host_str().is_some_and(is_loopback);
        let may_be_clear = self.cleartext == Cleartext::Loopback && is_local;
        match url.scheme() {
            "https" => Ok(()),
            "http" if may_be_clear => Ok(()),
            _ => Err(Failure::permanent(format_args!(
                "{} is not reached over TLS: nothing is sent there, use a registry with TLS",
                shown_host(url)
            ))),
        }
    }

    /// Sends a request and waits for the head of its response. Redirections of a request without a body are followed;
    /// only the first host gets the credentials.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send(&self, request: RegistryRequest) -> Result<Response<Incoming>, Failure> {
        let mut request = request;
        for _ in 0..=MAX_REDIRECTIONS {
            let response = self.send_once(&request).await?;
            let is_read = matches!(request.method, Method::GET | Method::HEAD);
            let Some(target) = redirection(&request.url, &response).filter(|_| is_read) else {
                return Ok(response);
            };
            if target.origin() != request.url.origin() {
                request.headers.remove(AUTHORIZATION);
            }
            request.url = target;
        }
        Err(Failure::permanent(format_args!(
            "{} is redirected more than {MAX_REDIRECTIONS} times: check the registry and its proxies",
            request.shown()
        )))
    }

    async fn send_once(&self, request: &RegistryRequest) -> Result<Response<Incoming>, Failure> {
        self.check(&request.url)?;
        let progress = Arc::<Progress>::default();
        let body = UploadBody::new(request.body.clone(), progress.clone());
        let mut sent = Request::new(body);
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = request.url.as_str().parse().map_err(|_| {
            Failure::permanent(format_args!("{} has no usable address", request.shown()))
        })?;
        *sent.headers_mut() = request.headers.clone();
        let agent = HeaderValue::from_static(concat!("socar/", env!("CARGO_PKG_VERSION")));
        sent.headers_mut().insert(USER_AGENT, agent);
        tokio::select! {
            answered = self.connections.request(sent) => answered.map_err(|error| {
                let cause = cause(&error);
                match error.is_connect() {
                    true => unreachable(&request.url, &cause),
                    false => Failure::transient(
                        format_args!("{} got no answer ({cause})", request.shown()),
                        "check that the registry runs, and try again",
                    ),
                }
            }),
            () = progress.stalled(self.limits.stall) => Err(self.stalled(&request.shown())),
        }
    }

    /// The next piece of a response; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off or stalls; `what` is what is received.
    pub async fn next_piece(
        &self,
        response: &mut Response<Incoming>,
        what: &str,
    ) -> Result<Option<Bytes>, Failure> {
        loop {
            let next = tokio::time::timeout(self.limits.stall, response.body_mut().frame());
            match next.await {
                Err(_) => return Err(self.stalled(what)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    let cause = cause(&error);
                    return Err(Failure::transient(
                        format_args!("{what} broke off ({cause})"),
                        TRY_AGAIN,
                    ));
                }
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    // Trailers.
                    Err(_) => continue,
                },
            }
        }
    }

    /// A whole response of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is longer, breaks off or stalls; `what` is what is received.
    pub async fn read(
        &self,
        mut response: Response<Incoming>,
        limit: usize,
        what: &str,
    ) -> Result<Bytes, Failure> {
        let mut read = Vec::new();
        while let Some(piece) = self.next_piece(&mut response, what).await? {
            if read.len() + piece.len() > limit {
                return Err(Failure::permanent(format_args!(
                    "{what} is longer than {limit} bytes: it is no part of an application"
                )));
            }
            read.extend_from_slice(&piece);
        }
        Ok(read.into())
    }

    fn stalled(&self, what: &str) -> Failure {
        let seconds = self.limits.stall.as_secs_f64();
        Failure::transient(
            format_args!("{what} made no progress for {seconds} s"),
            TRY_AGAIN,
        )
    }
}

/// The target of a redirection.
fn redirection(url: &Url, response: &Response<Incoming>) -> Option<Url> {
    let is_redirection = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    location(url, response.headers()).filter(|_| is_redirection)
}

/// The address in the header `Location`, which may be relative.
pub fn location(url: &Url, headers: &HeaderMap) -> Option<Url> {
    url.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

fn unreachable(url: &Url, cause: &str) -> Failure {
    let host = shown_host(url);
    let problem = format!("cannot connect to {host} ({cause})");
    if cause.contains("certificate") {
        let remedy = "name the file of its certificate authority in SSL_CERT_FILE";
        return Failure::permanent(format_args!("{problem}: {remedy}"));
    }
    let is_local = url.host_str().is_some_and(is_loopback);
    let remedy = match is_local && url.scheme() == "https" {
        true => "start the registry, or add --insecure if it serves without TLS on this machine",
        false => "check the name of the registry, and that it runs",
    };
    Failure::transient(problem, remedy)
}

/// The causes of an error; its own text says only which part of the client has failed.
fn cause(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut source = error.source().or(Some(error));
    while let Some(cause) = source {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        source = cause.source();
    }
    texts.join(": ")
}

/// The value of `Retry-After` in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
