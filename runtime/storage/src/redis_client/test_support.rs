//! A `redis-server` of our own for tests, and what [`RedisClient`] does when it goes away.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot start its server fails"
)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::{RedisClient, RedisClientError};

/// A server on a free port, with its files in a folder of its own; both end with the value.
pub struct RedisServer {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub async fn start() -> Self {
        // A port that was free a moment ago may be taken by now; then the server exits, and the
        // next port is tried.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let folder = tempfile::tempdir().unwrap();
            let process = spawn(port, &folder);
            let mut server = Self {
                process,
                port,
                folder,
            };
            if server.is_serving().await {
                return server;
            }
        }
        panic!("redis-server did not start on any of ten free ports");
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
