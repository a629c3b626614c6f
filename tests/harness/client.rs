//! A small HTTP client for tests: `platform.get("/cars").send().is(200).json()`.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::runtime::Runtime;

type Transport = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// Longer than every deadline of the platform: a response that takes longer is a fault.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// With prior knowledge, because there is no negotiation without TLS.
    Http2,
}

/// Sends requests to one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    transport: Transport,
    /// The access token that every request carries, unless the test sets another.
    token: Option<String>,
}

/// A request before it is sent.
#[derive(Debug)]
#[must_use = "nothing is request before `send`"]
pub struct RequestBuilder {
    client: Client,
    request: Request<Full<Bytes>>,
    /// The request in one line, for failure messages.
    description: String,
}

/// A response with the request that it belongs to.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    request: String,
}

/// The runtime of everything asynchronous in the harness.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Runtime::new().unwrap_or_else(|error| panic!("no runtime for the harness: {error}"))
    })
}

// === impl Client ===

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:3000`.
    pub fn new(base: &str, protocol: Protocol) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let transport = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .http2_only(protocol == Protocol::Http2)
            .build(connector);
        Self {
            base: base.trim_end_matches('/').to_owned(),
            transport,
            token: None,
        }
    }

    /// The same client with an access token in every request.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The address of the server, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Begins a request to `target`, which is a path with an optional query or an absolute URL.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        let url = if target.starts_with("http://") {
            target.to_owned()
        } else {
            format!("{}{target}", self.base)
        };
        let description = format!("{method} {target}");
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .body(Full::default())
            .unwrap_or_else(|error| panic!("{url} is no URL: {error}"));
        RequestBuilder {
            client: self.clone(),
            request,
            description,
        }
    }
}

// === impl RequestBuilder ===

impl RequestBuilder {
    /// Adds a header.
    ///
    /// # Panics When the name or the value is invalid.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed = http::HeaderName::try_from(name)
            .ok()
            .zip(http::HeaderValue::try_from(value).ok());
        let Some((name, value)) = parsed else {
            panic!("`{name}: {value}` is no header")
        };
        self.request.headers_mut().append(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a body of this media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        if body.len() < 500 {
            self.description = format!("{} {}", self.description, String::from_utf8_lossy(&body));
        }
        *self.request.body_mut() = Full::new(body);
        self.header("content-type", media_type)
    }

    /// Sends the request and waits for the whole response.
    ///
    /// # Panics When there is no whole response.
    #[track_caller]
    pub fn send(self) -> Response {
        let request = self.description.clone();
        self.try_send()
            .unwrap_or_else(|error| panic!("{request} got no response: {error}"))
    }

    /// Sends the request, and returns the head and the body of its response, and the request in one line.
    #[track_caller]
    pub(crate) fn begin(self) -> (http::response::Parts, Incoming, String) {
        let signed = self.with_token_of_client();
        let signed = signed.unwrap_or_else(|error| panic!("no header for the token: {error}"));
        let request = signed.description;
        // The timer needs the runtime.
        let exchange = async {
            let exchange = signed.client.transport.request(signed.request);
            tokio::time::timeout(TIMEOUT, exchange).await
        };
        match runtime().block_on(exchange) {
            Ok(Ok(response)) => {
                let (head, body) = response.into_parts();
                (head, body, request)
            }
            Ok(Err(error)) => panic!("{request} got no response: {}", with_causes(error)),
            Err(_) => panic!("{request} got no response within {TIMEOUT:?}"),
        }
    }

    /// The request with the access token of its client, unless the test sets another.
    fn with_token_of_client(mut self) -> Result<Self, String> {
        if let (Some(token), Entry::Vacant(vacant)) = (
            &self.client.token,
            self.request
                .headers_mut()
                .entry(http::header::AUTHORIZATION),
        ) {
            let value = http::HeaderValue::try_from(format!("Bearer {token}"));
            vacant.insert(value.map_err(|error| error.to_string())?);
        }
        Ok(self)
    }

    /// Like [`RequestBuilder::send`], for tests in which the server may be down.
    ///
    /// # Errors When there is no whole response within a minute.
    pub fn try_send(self) -> Result<Response, String> {
        let Self {
            client,
            request,
            description,
        } = self.with_token_of_client()?;
        let exchange = async {
            let response = client
                .transport
                .request(request)
                .await
                .map_err(with_causes)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(with_causes)?.to_bytes();
            Ok(Response::of(&head, body, description))
        };
        runtime().block_on(async {
            tokio::time::timeout(TIMEOUT, exchange)
                .await
                .unwrap_or_else(|_| Err(format!("no response within {TIMEOUT:?}")))
        })
    }
}

/// The messages of an error and of its causes; hyper's own message lacks the reason.
fn with_causes(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

// === impl Response ===

impl Response {
    pub(crate) fn of(head: &http::response::Parts, body: Bytes, request: String) -> Self {
        Self {
            status: head.status.as_u16(),
            headers: head.headers.clone(),
            body,
            request,
        }
    }

    /// Expects a status.
    ///
    /// # Panics When the status differs, with the request and the response.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The body as JSON.
    ///
    /// # Panics When the body is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the response is not JSON ({error}): {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header that must exist.
    ///
    /// # Panics When the header is missing.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.optional_header(name)
            .unwrap_or_else(|| panic!("the response has no header {name}: {self}"))
    }

    /// The value of a header, if it exists and is text.
    pub fn optional_header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Expects a problem document (RFC 9457) of this platform's type `slug`, and returns it.
    ///
    /// # Panics When the response is anything else, with the request and the response.
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self}"
        );
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("https://socar.dev/problems/{slug}"),
            "{self}"
        );
        assert_eq!(problem["status"], status, "{self}");
        let title = problem["title"].as_str().unwrap_or_default();
        assert!(!title.is_empty(), "a problem has a title: {self}");
        problem
    }

    /// Expects a 503 problem document of any type, with a `Retry-After` between 1 and 60 seconds.
    ///
    /// # Panics
    /// When the response is anything else, with the request and the response.
    #[track_caller]
    pub fn assert_retry_later(&self) {
        assert_eq!(self.status, 503, "{self}");
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self}"
        );
        let seconds: u64 = self.header("retry-after").parse().unwrap_or(0);
        assert!((1..=60).contains(&seconds), "{self}");
    }

    /// Expects a problem document with the status 422 that names `field`.
    ///
    /// # Panics When the response is anything else, with the request and the response.
    #[track_caller]
    pub fn invalid_field(&self, field: &str) {
        let problem = self.problem(422, "invalid-field");
        assert_eq!(problem["field"], field, "{self}");
        assert_eq!(problem["errors"][0]["field"], field, "{self}");
        let message = problem["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "an invalid field is explained: {self}");
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.request)?;
        writeln!(f, "=> {}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(
                f,
                "   {name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            )?;
        }
        write!(f, "   {}", String::from_utf8_lossy(&self.body))
    }
}
