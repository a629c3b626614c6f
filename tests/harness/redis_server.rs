//! Redis servers of the tests, with the append-only file that the platform requires.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::process::Process;
use crate::programs::ensure_program;
use crate::reserved_port::ReservedPort;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running `redis-server` on a port of its own. Dropping it stops the server.
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    port: ReservedPort,
    fsync: &'static str,
    process: Mutex<Process>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts a server; `redis-server` is installed first where that is allowed.
    ///
    /// # Panics When `redis-server` is missing or does not start.
    pub fn start() -> Self {
        Self::start_in(new_folder(), "everysec")
    }

    /// Starts a server that a test may kill: it acknowledges a write only when the write is in the append-only
    /// file.
    ///
    /// The file is in memory where the system allows it. It outlives the process all the same, and waiting for the
    /// disk with each write would exceed every deadline on a busy machine under load.
    ///
    /// # Panics When `redis-server` is missing or does not start.
    pub fn start_durable() -> Self {
        let in_memory = TempDir::with_prefix_in("socar-redis-", "/dev/shm");
        Self::start_in(in_memory.unwrap_or_else(|_| new_folder()), "always")
    }

    fn start_in(folder: TempDir, fsync: &'static str) -> Self {
        let program = ensure_program("redis-server", "redis-server");
        let port = ReservedPort::any();
        Self {
            process: Mutex::new(run(&program, &port, fsync, folder.path())),
            program,
            port,
            fsync,
            folder,
        }
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) {
        self.process.lock().kill();
    }

    /// Starts a killed server again, on the same port and with the same data.
    ///
    /// # Panics When the server does not start.
    pub fn restart(&self) {
        *self.process.lock() = run(&self.program, &self.port, self.fsync, self.folder.path());
    }

    /// Suspends the server: it keeps its connections and answers nothing.
    pub fn suspend(&self) {
        self.process.lock().suspend();
    }

    /// Resumes a suspended server.
    pub fn resume(&self) {
        self.process.lock().resume();
    }

    /// The directory with its data, which a test may copy while it is killed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The value of `--redis-url`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.port.address())
    }
}

fn new_folder() -> TempDir {
    TempDir::with_prefix("socar-redis-")
        .unwrap_or_else(|error| panic!("no folder for Redis: {error}"))
}

/// Starts a server and waits until it accepts connections.
///
/// # Panics
/// When it does not start.
fn run(program: &Path, port: &ReservedPort, fsync: &str, folder: &Path) -> Process {
    let port = port.address().port().to_string();
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port])
        .args(["--appendonly", "yes", "--appendfsync", fsync, "--save", ""])
        .arg("--dir")
        .arg(folder);
    let process = Process::start("redis-server", command, folder);
    let ready = process.wait_for(START_TIMEOUT, |line| {
        line.contains("Ready to accept connections").then_some(())
    });
    ready.unwrap_or_else(|reason| panic!("{reason}"));
    process
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::runtime;

    #[test]
    fn a_killed_redis_restarts_with_its_data() {
        let server = RedisServer::start_durable();
        let ask = |command: &redis::Cmd| -> Option<String> {
            let client = redis::Client::open(server.url()).ok()?;
            let mut connection = client.get_connection().ok()?;
            command.query(&mut connection).ok()
        };
        let kept = ask(redis::cmd("SET").arg("kept").arg("value"));
        assert_eq!(kept.as_deref(), Some("OK"));
        server.kill();
        assert_eq!(ask(redis::cmd("GET").arg("kept")), None);
        server.restart();
        assert_eq!(ask(redis::cmd("GET").arg("kept")).as_deref(), Some("value"));
    }

    #[test]
    fn a_started_redis_has_an_append_only_file() {
        let server = RedisServer::start();
        let response: Vec<String> = runtime().block_on(async {
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
        assert_eq!(response, ["appendonly", "yes"]);
    }
}
