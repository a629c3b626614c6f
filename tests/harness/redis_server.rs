//! A real Redis of the tests' own, with the append-only file that the platform asks for.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::packages::ensure_program;
use crate::process::Process;

/// A running `redis-server` on a free port; it stops when dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts one, installing `redis-server` first where that is allowed.
    ///
    /// # Panics
    /// When there is no `redis-server`, or it does not come up.
    pub fn start() -> Self {
        let program = ensure_program("redis-server", "redis-server");
        let mut complaint = String::new();
        // Another process may take the port between our looking and Redis' binding it.
        for _ in 0..5 {
            let folder = TempDir::with_prefix("socar-redis-")
                .unwrap_or_else(|error| panic!("no folder for Redis: {error}"));
            let port = free_port();
            let mut command = Command::new(&program);
            command
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args([
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "everysec",
                    "--save",
                    "",
                ])
                .arg("--dir")
                .arg(folder.path());
            let process = Process::start("redis-server", command, folder.path());
            let ready = process.wait_for(Duration::from_secs(20), |line| {
                line.contains("Ready to accept connections").then_some(())
            });
            match ready {
                Ok(()) => {
                    return Self {
                        port,
                        _process: process,
                        _folder: folder,
                    };
                }
                Err(reason) => complaint = reason,
            }
        }
        panic!("{complaint}");
    }

    /// Where it listens, as `--redis-url` wants it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .unwrap_or_else(|error| panic!("no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::runtime;

    #[test]
    fn a_redis_of_our_own_answers_and_appends() {
        let server = RedisServer::start();
        let answer: Vec<String> = runtime().block_on(async {
            let client =
                redis::Client::open(server.url()).unwrap_or_else(|error| panic!("{error}"));
            let mut connection = client
                .get_multiplexed_async_connection()
                .await
                .unwrap_or_else(|error| panic!("{error}"));
            let asked = redis::cmd("CONFIG")
                .arg("GET")
                .arg("appendonly")
                .query_async(&mut connection)
                .await;
            asked.unwrap_or_else(|error| panic!("{error}"))
        });
        assert_eq!(answer, ["appendonly", "yes"]);
    }
}
