//! A `redis-server` of our own for tests, and what [`RedisClient`] does when it goes away.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot start its server fails"
)]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;

use super::{RedisClient, RedisClientError};

/// A server on a port of its own, with its files in a folder of its own; both end with the value.
pub struct RedisServer {
    process: Child,
    port: u16,
    /// Bound to the port, without listening: no other test gets the port while this server is not running. The server
    /// can bind it too, because both set `SO_REUSEADDR`; other systems than Linux do not allow that.
    _reservation: Option<TcpSocket>,
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub async fn start() -> Self {
        let reservation = TcpSocket::new_v4().unwrap();
        reservation.set_reuseaddr(true).unwrap();
        reservation.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let port = reservation.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self {
            process: spawn(port, &folder),
            port,
            _reservation: cfg!(target_os = "linux").then_some(reservation),
            folder,
        };
        assert!(server.is_serving().await, "redis-server did not start");
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Arc<RedisClient> {
        RedisClient::new(&self.url()).unwrap()
    }

    /// Kills the server without a warning.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, with the data it had appended.
    pub async fn restart(&mut self) {
        self.process = spawn(self.port, &self.folder);
        assert!(self.is_serving().await, "redis-server did not come back");
    }

    /// Stops it in its tracks: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        let sent = Command::new("kill")
            .args([signal, &process])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    async fn is_serving(&mut self) -> bool {
        let client = self.client();
        loop {
            if ping(&client).await.is_ok() {
                return true;
            }
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, folder: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
        ])
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "these tests need `redis-server` (6.2 or newer) on the PATH, \
                 from the package `redis-server` or `redis`: {error}"
            )
        })
}

pub async fn ping(client: &RedisClient) -> Result<String, RedisClientError> {
    client.query(&redis::cmd("PING")).await
}
