//! How the other commands of this program reach a running host: by the address in its state directory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::header::AUTHORIZATION;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::ADDRESS_FILE;
use crate::cli::AdminToken;
use crate::client::Client;
use crate::problem::full;

/// How long an answer may take: a reload compiles.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running host.
pub struct RunningHost {
    client: Client,
    address: SocketAddr,
    token: Option<String>,
}

impl RunningHost {
    /// The host that runs with this state.
    ///
    /// # Errors
    /// When none does, as far as its files tell.
    pub fn find(state: &Path, token: &AdminToken) -> anyhow::Result<Self> {
        let path = state.join(ADDRESS_FILE);
        let Ok(text) = std::fs::read_to_string(&path) else {
            bail!(
                "no socar runs with the state in {}: start it with `socar up`, or name another with --state-dir",
                state.display()
            );
        };
        let address = text.trim().parse();
        let address: SocketAddr =
            address.with_context(|| format!("{} holds no address", path.display()))?;
        Ok(Self {
            client: Client::default(),
            address: reachable(address),
            token: token.admin_token.clone(),
        })
    }

    /// Looks.
    ///
    /// # Errors
    /// When the host does not answer, or refuses; the message is its own.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, "").await
    }

    /// Does something; `body` is JSON or empty.
    ///
    /// # Errors
    /// As [`RunningHost::get`].
    pub async fn post(&self, path: &str, body: &str) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> anyhow::Result<Value> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(full(body.to_owned()))?;
        let answer = self.client.send(request, PATIENCE, None).await;
        let answer = answer.with_context(|| {
            format!("no socar answers at {}: is it still running?", self.address)
        })?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body)
            .with_context(|| format!("what answers at {} is no socar", self.address))?;
        match status.is_success() {
            true => Ok(body),
            false => bail!("{status}: {}", body["detail"].as_str().unwrap_or_default()),
        }
    }
}

/// Where a host that listens everywhere can be reached from the machine it is on.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
