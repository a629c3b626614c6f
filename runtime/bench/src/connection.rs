//! One HTTP/1.1 connection that is kept, without Nagle's delay, to a platform on this machine.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How much of an unexpected answer is shown.
const SHOWN: usize = 200;

/// Where the platform is.
#[derive(Clone, Debug)]
pub struct Target {
    address: SocketAddr,
    host: HeaderValue,
}

/// A connection; broken ones are replaced when they are needed next.
pub struct Connection {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: String,
    body: Option<String>,
    expected: StatusCode,
}

/// What came back, with the status that was expected.
#[derive(Debug)]
pub struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

// === impl Target ===

impl Target {
    /// Reads `http://127.0.0.1:3000`; other machines are nobody's to put load on.
    ///
    /// # Errors
    /// When it is no such URL.
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
            bail!("`{url}` is not on this machine, and no other is measured");
        }
        let host = HeaderValue::from_str(authority.as_str())?;
        Ok(Self { address, host })
    }

    /// Its socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
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
    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// When there is no answer, or one with another status than expected.
    pub async fn ask(&mut self, ask: Ask) -> anyhow::Result<Answer> {
        let shown =
            |error: anyhow::Error, ask: &str| error.context(format!("{ask} was not answered"));
        let line = format!("{} {}", ask.method, ask.path);
        let expected = ask.expected;
        let (status, answer) = self
            .exchange(ask)
            .await
            .map_err(|error| shown(error, &line))?;
        if status != expected {
            bail!("{line} answered {status}: {}", answer.excerpt());
        }
        Ok(answer)
    }

    async fn exchange(&mut self, ask: Ask) -> anyhow::Result<(StatusCode, Answer)> {
        // Taken out while it is in use: an exchange that is given up half-way must not be continued.
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.open().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(self.request(ask)?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        let answer = Answer {
            headers: head.headers,
            body,
        };
        Ok((head.status, answer))
    }

    fn request(&self, ask: Ask) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(HOST, self.target.host.clone());
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        request.body(Full::from(ask.body.unwrap_or_default()))
    }

    async fn open(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with its sender; what went wrong is told to whoever asked.
        tokio::spawn(connection);
        Ok(sender)
    }
}

// === impl Ask ===

impl Ask {
    /// `GET`, to be answered 200.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            expected: StatusCode::OK,
        }
    }

    /// `POST` of a JSON text, to be answered 201.
    pub fn post(path: impl Into<String>, body: String) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body: Some(body),
            expected: StatusCode::CREATED,
        }
    }

    /// `PATCH` with a JSON text, to be answered 200.
    pub fn patch(path: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            method: Method::PATCH,
            path: path.into(),
            body: Some(body.into()),
            expected: StatusCode::OK,
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The number at the end of `Location`: what the new thing is called.
    ///
    /// # Errors
    /// When there is none.
    pub fn new_id(&self) -> anyhow::Result<u64> {
        let location = self
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let id = location.and_then(|url| url.rsplit('/').next()?.parse().ok());
        id.with_context(|| format!("no number at the end of Location: {location:?}"))
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// When it is something else.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("not as expected: {}", self.excerpt()))
    }

    fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.chars().take(SHOWN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_measured() {
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
    fn an_id_is_what_location_ends_with() {
        let answer = |location: &'static str| Answer {
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
