//! Persistent HTTP/1.1 connection to a platform on this machine, with `TCP_NODELAY` set.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Maximum length of the excerpt of an unexpected response body, in characters.
const EXCERPT_LENGTH: usize = 200;

/// Address of the platform under test.
#[derive(Clone, Debug)]
pub struct Target {
    address: SocketAddr,
    host: HeaderValue,
}

/// A connection; a broken one is replaced before the next request.
pub struct Connection {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// A request and the status that it must return.
#[derive(Clone, Debug)]
pub struct ExpectedRequest {
    method: Method,
    path: String,
    body: Option<String>,
    expected: StatusCode,
}

/// A response that has the expected status.
#[derive(Debug)]
pub struct ExpectedResponse {
    headers: HeaderMap,
    body: Bytes,
}

// === impl Target ===

impl Target {
    /// Parses a URL such as `http://127.0.0.1:3000`; only loopback addresses are accepted.
    ///
    /// # Errors
    /// When the text is not an HTTP URL without a path, the host name does not resolve, or the address is not a
    /// loopback address.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        let authority = uri
            .authority()
            .with_context(|| format!("`{url}` names no host"))?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" {
            bail!("`{url}`: give it as http://127.0.0.1:<port>");
        }
        let host = authority.host().trim_matches(['[', ']']);
        let mut addresses = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs();
        let found = addresses
            .as_mut()
            .ok()
            .and_then(|addresses| addresses.next());
        let address = found.with_context(|| format!("`{url}`: no such host"))?;
        if !address.ip().is_loopback() {
            bail!("`{url}` is not on this machine; only loopback addresses can be measured");
        }
        let host = HeaderValue::from_str(authority.as_str())?;
        Ok(Self { address, host })
    }

    /// Returns the socket address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When no server accepts connections at the address.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection {
            target: self.clone(),
            sender: None,
        };
        connection.sender = Some(connection.open().await?);
        Ok(connection)
    }
}

// === impl Connection ===

impl Connection {
    /// Sends a request and reads the whole response.
    ///
    /// # Errors
    /// When there is no response, or its status differs from the expected one.
    pub async fn send(&mut self, request: ExpectedRequest) -> anyhow::Result<ExpectedResponse> {
        let shown = |error: anyhow::Error, request: &str| {
            error.context(format!("{request} received no response"))
        };
        let line = format!("{} {}", request.method, request.path);
        let expected = request.expected;
        let (status, answer) = self
            .exchange(request)
            .await
            .map_err(|error| shown(error, &line))?;
        if status != expected {
            bail!("{line} answered {status}: {}", answer.excerpt());
        }
        Ok(answer)
    }

    async fn exchange(
        &mut self,
        request: ExpectedRequest,
    ) -> anyhow::Result<(StatusCode, ExpectedResponse)> {
        // The sender is taken out while it is in use: an exchange that is cancelled half-way must not be continued.
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.open().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(self.http_request(request)?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        let answer = ExpectedResponse {
            headers: head.headers,
            body,
        };
        Ok((head.status, answer))
    }

    fn http_request(&self, expected: ExpectedRequest) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(expected.method)
            .uri(expected.path)
            .header(HOST, self.target.host.clone());
        if expected.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.body(Full::from(expected.body.unwrap_or_default()))
    }

    async fn open(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The task ends when the sender is dropped; the sender reports a connection error to its caller.
        tokio::spawn(connection);
        Ok(sender)
    }
}

// === impl ExpectedRequest ===

impl ExpectedRequest {
    /// A `GET` request; the expected status is 200.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            expected: StatusCode::OK,
        }
    }

    /// A `POST` request with a JSON body; the expected status is 201.
    pub fn post(path: impl Into<String>, body: String) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body: Some(body),
            expected: StatusCode::CREATED,
        }
    }

    /// A `PATCH` request with a JSON body; the expected status is 200.
    pub fn patch(path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            method: Method::PATCH,
            path: path.into(),
            body: Some(body.into()),
            expected: StatusCode::OK,
        }
    }
}

// === impl ExpectedResponse ===

impl ExpectedResponse {
    /// Returns the identifier at the end of the `Location` header: the number of the created resource.
    ///
    /// # Errors
    /// When the header is missing or does not end with a number.
    pub fn new_id(&self) -> anyhow::Result<u64> {
        let location = self
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let id = location.and_then(|url| url.rsplit('/').next()?.parse().ok());
        id.with_context(|| format!("no number at the end of Location: {location:?}"))
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// When the body is not JSON of this type.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("unexpected response body: {}", self.excerpt()))
    }

    fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.chars().take(EXCERPT_LENGTH).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_must_be_an_http_url_of_a_loopback_address() {
        assert!(Target::parse("http://127.0.0.1:3000").is_ok());
        assert!(Target::parse("http://[::1]:3000/").is_ok());
        for url in [
            "http://192.0.2.1:3000",
            "https://127.0.0.1:3000",
            "127.0.0.1:3000",
            "http://127.0.0.1:3000/cars",
            "ftp://127.0.0.1",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_id_of_a_created_resource_is_the_end_of_its_location() {
        let answer = |location: &'static str| ExpectedResponse {
            headers: HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]),
            body: Bytes::new(),
        };
        assert_eq!(
            answer("http://127.0.0.1:3000/cars/17").new_id().unwrap(),
            17
        );
        assert_eq!(answer("/reservations/2").new_id().unwrap(), 2);
        assert!(answer("http://127.0.0.1:3000/cars/").new_id().is_err());
    }
}
