//! A `redis-server` of our own for tests, and what [`Remote`] does when it goes away.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::*;

/// A server on a free port, with its files in a folder of its own; both end with the value.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn remote(&self) -> Arc<Remote> {
        Remote::new(&self.url()).unwrap()
    }

    /// Kills the server without a warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, with the data it had appended.
    pub(crate) async fn revive(&mut self) {
        self.process = spawn(self.port, &self.folder);
        assert!(self.is_serving().await, "redis-server did not come back");
    }

    /// Stops it in its tracks: it keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
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
        let remote = self.remote();
        loop {
            if ping(&remote).await.is_ok() {
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

async fn ping(remote: &Remote) -> Result<String, RemoteError> {
    remote.query(&redis::cmd("PING")).await
}

#[tokio::test]
async fn the_first_command_after_a_restart_succeeds() {
    let mut server = RedisServer::start().await;
    let remote = server.remote();
    ping(&remote).await.unwrap();
    server.kill();
    server.revive().await;
    // The server is back and the old connection is closed: no command has failed to learn that.
    tokio::time::sleep(AWAY).await;
    ping(&remote).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_reported_at_once_and_found_when_back() {
    let mut server = RedisServer::start().await;
    let remote = server.remote();
    ping(&remote).await.unwrap();
    server.kill();
    for _ in 0..3 {
        let asked = Instant::now();
        let error = ping(&remote).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert!(asked.elapsed() < CONNECT, "took {:?}", asked.elapsed());
    }
    server.revive().await;
    tokio::time::sleep(AWAY).await;
    ping(&remote).await.unwrap();
}

#[tokio::test]
async fn a_hung_server_costs_a_bounded_wait_and_a_new_connection() {
    let server = RedisServer::start().await;
    let remote = server.remote();
    ping(&remote).await.unwrap();
    server.freeze();
    let asked = Instant::now();
    let error = ping(&remote).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(asked.elapsed() < RESPOND + Duration::from_secs(1));
    server.thaw();
    tokio::time::sleep(AWAY).await;
    ping(&remote).await.unwrap();
}

#[tokio::test]
async fn what_the_server_refuses_is_no_unavailability() {
    let server = RedisServer::start().await;
    let error = server
        .remote()
        .query::<i64>(&redis::cmd("NOSUCH"))
        .await
        .unwrap_err();
    assert!(!error.is_unavailable());
    assert!(
        error.to_string().to_lowercase().contains("unknown command"),
        "{error}"
    );
}

#[test]
fn a_bad_address_is_shown_without_its_password() {
    let error = Remote::new("rediss://user:hidden@somewhere:6379")
        .err()
        .unwrap();
    let message = error.to_string();
    assert!(
        message.contains("somewhere") && !message.contains("hidden"),
        "{message}"
    );
}
