//! The client of the admin listener: how the other commands reach a running host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::ADDRESS_FILE;
use crate::bearer_token::bearer_token;
use crate::body::full;
use crate::cli::AdminToken;
use crate::client::HttpClient;

/// How long a response may take: a reload compiles components.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection to a host of this machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A running host.
pub struct RunningHost {
    client: HttpClient,
    address: SocketAddr,
    token: Option<String>,
}

impl RunningHost {
    /// The host that uses this state directory, by the address in its file `admin`.
    ///
    /// # Errors
    /// When the file is missing or holds no address.
    pub fn find(state: &Path, token: &AdminToken) -> anyhow::Result<Self> {
        let path = state.join(ADDRESS_FILE);
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail!(
                "no host uses the state directory {}: start one with `socar up`, or name another directory with --state-dir",
                state.display()
            );
        };
        let address = text.trim().parse();
        let address: SocketAddr =
            address.with_context(|| format!("{} holds no address", path.display()))?;
        Ok(Self {
            client: HttpClient::default(),
            address: reachable(address),
            token: token.admin_token.clone(),
        })
    }

    /// The host that uses this state directory, if one answers at the address in its file `admin`. A host that was
    /// killed leaves the file behind.
    ///
    /// # Errors
    /// When the file holds no address.
    pub fn find_running(state: &Path, token: &AdminToken) -> anyhow::Result<Option<Self>> {
        if !state.join(ADDRESS_FILE).exists() {
            return Ok(None);
        }
        let host = Self::find(state, token)?;
        let connected = TcpStream::connect_timeout(&host.address, CONNECT_TIMEOUT);
        Ok(connected.is_ok().then_some(host))
    }

    /// Sends a request and returns the JSON of the response, or `None` if the host answers that there is no such
    /// resource.
    ///
    /// # Errors
    /// As [`RunningHost::get`].
    pub async fn find_resource(&self, method: Method, path: &str) -> anyhow::Result<Option<Value>> {
        match self.request(method, path, "").await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, body) => checked(status, body).map(Some),
        }
    }

    /// Sends GET and returns the JSON of the response.
    ///
    /// # Errors
    /// When the host is not reachable, or its response is an error; the message is that of the response.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, "").await
    }

    /// Sends POST and returns the JSON of the response; `body` is JSON or empty.
    ///
    /// # Errors
    /// As [`RunningHost::get`].
    pub async fn post(&self, path: &str, body: &str) -> anyhow::Result<Value> {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> anyhow::Result<Value> {
        let (status, body) = self.request(method, path, body).await?;
        checked(status, body)
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: &str,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            let token = bearer_token("--admin-token (or SOCAR_ADMIN_TOKEN)", token)?;
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(full(body.to_owned()))?;
        let response = self.client.send(request, RESPONSE_TIMEOUT, None).await;
        let response = response.with_context(|| {
            format!("no host answers at {}: is it still running?", self.address)
        })?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body).with_context(|| {
            format!(
                "the server at {} is not a host of this program",
                self.address
            )
        })?;
        Ok((status, body))
    }
}

fn checked(status: StatusCode, body: Value) -> anyhow::Result<Value> {
    match status.is_success() {
        true => Ok(body),
        false => bail!("{status}: {}", body["detail"].as_str().unwrap_or_default()),
    }
}

/// The address by which this machine reaches a host that listens on every interface.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
