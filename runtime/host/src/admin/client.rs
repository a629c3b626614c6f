//! The client of the admin listener: how the other commands reach a running host.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
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

/// The file in the state directory that a host locks, beside the directory itself.
const LOCK_FILE: &str = "lock";

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
    /// When no host uses the directory, or the file holds no address.
    pub fn find(state: &Path, token: &AdminToken) -> anyhow::Result<Self> {
        Self::of_state_dir(state, token)?.with_context(|| {
            format!(
                "no host uses the state directory {}: start one with `socar up`, or name another directory with --state-dir",
                state.display()
            )
        })
    }

    /// The host that uses this state directory, if one answers at the address in its file `admin`.
    ///
    /// # Errors
    /// When a host uses the directory and the file is missing, or holds no address.
    pub fn find_running(state: &Path, token: &AdminToken) -> anyhow::Result<Option<Self>> {
        let answers =
            |host: &Self| TcpStream::connect_timeout(&host.address, CONNECT_TIMEOUT).is_ok();
        Ok(Self::of_state_dir(state, token)?.filter(answers))
    }

    /// The host at the address in the file `admin`. A host that was killed leaves the file behind, and another program can
    /// have its port since then, which must not get the token.
    fn of_state_dir(state: &Path, token: &AdminToken) -> anyhow::Result<Option<Self>> {
        if !is_in_use(state)? {
            return Ok(None);
        }
        let path = state.join(ADDRESS_FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "a host uses the state directory, but its address cannot be read from {}: if the host is not just starting, \
                 restart it",
                path.display()
            )
        })?;
        let address = text.trim().parse();
        let address: SocketAddr =
            address.with_context(|| format!("{} holds no address", path.display()))?;
        Ok(Some(Self {
            client: HttpClient::default(),
            address: reachable(address),
            token: token.admin_token.clone(),
        }))
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

/// Whether a host holds a lock of this state directory: that of the directory, or of the file in it where the file system
/// locks no directories. A free lock is taken for a moment only, and shared with other commands, so that a host can start.
fn is_in_use(state: &Path) -> anyhow::Result<bool> {
    for path in [state.to_owned(), state.join(LOCK_FILE)] {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot open {} to see whether a host uses it: run the command as the user of the host",
                        path.display()
                    )
                });
            }
        };
        if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            return Ok(true);
        }
    }
    Ok(false)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_program_at_the_port_of_a_killed_host_gets_nothing() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = stranger.local_addr().unwrap();
        std::fs::write(state.join(ADDRESS_FILE), format!("{address}\n")).unwrap();
        let token = AdminToken {
            admin_token: Some("s3cret".to_owned()),
        };
        // The lock file of the killed host, and a directory that someone has cleaned up.
        for has_file in [true, false] {
            let file = state.join(LOCK_FILE);
            match has_file {
                true => drop(File::create(&file).unwrap()),
                false => std::fs::remove_file(&file).unwrap(),
            }
            let refused = RunningHost::find(state, &token).map(drop).unwrap_err();
            let refused = refused.to_string();
            assert!(
                refused.contains("no host uses the state directory")
                    && refused.contains("--state-dir"),
                "{refused}"
            );
            let found = RunningHost::find_running(state, &token).unwrap();
            assert!(found.is_none());
        }
        stranger.set_nonblocking(true).unwrap();
        assert!(stranger.accept().is_err(), "nothing may connect");
    }

    /// A command that found no host would open the files of the running one.
    #[test]
    fn a_running_host_without_its_address_is_found() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let token = AdminToken { admin_token: None };
        let lock = File::open(state).unwrap();
        lock.try_lock().unwrap();
        let found = RunningHost::find_running(state, &token).map(|host| host.is_some());
        let error = found.unwrap_err().to_string();
        assert!(error.contains("restart it"), "{error}");
        drop(lock);
        assert!(RunningHost::find_running(state, &token).unwrap().is_none());
    }

    #[tokio::test]
    async fn each_lock_of_a_host_shows_that_it_runs() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let file = state.join(LOCK_FILE);
        File::create(&file).unwrap();
        for locked in [state, file.as_path()] {
            assert!(!is_in_use(state).unwrap());
            // The look before has left it free.
            let lock = File::open(locked).unwrap();
            lock.try_lock().unwrap();
            assert!(is_in_use(state).unwrap(), "{}", locked.display());
        }
    }
}
