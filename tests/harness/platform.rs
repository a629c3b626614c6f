//! A running platform: how it is started, and which of them the tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use tempfile::TempDir;

use crate::client::{Client, Protocol, RequestBuilder};
use crate::components::ensure_built;
use crate::process::Process;
use crate::redis_server::RedisServer;
use crate::workspace::{read, root, under_target};

/// Compiling six components for the first time takes a while on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// The most lines of its output that a failure shows, the last ones.
const MAX_LINES_SHOWN: usize = 200;

/// The shared platforms' `payment_limit`: the built-in ledger declines anything above.
pub const PAYMENT_LIMIT: u64 = 1_000_000;

/// Where the platform keeps state and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In files of its own.
    Embedded,
    /// On a Redis.
    Redis,
}

/// What a platform of a test's own is to be started with.
#[derive(Debug, Clone)]
pub struct Setup {
    mode: Mode,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    manifest: Option<String>,
    state: Option<Arc<TempDir>>,
    redis: Option<Arc<RedisServer>>,
}

/// A running platform; the process ends with the last handle.
#[derive(Debug)]
pub struct Platform {
    server: Arc<Server>,
    client: Client,
    /// Where this test's part of the output begins.
    output_start: usize,
}

/// A shared for a platform that lives as long as the test binary, or for why it does not start.
#[derive(Debug)]
pub(crate) struct SharedServer(OnceLock<Result<Arc<Server>, String>>);

#[derive(Debug)]
struct Server {
    process: Process,
    url: String,
    setup: Setup,
}

// === impl Setup ===

impl Setup {
    /// An empty platform.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            variables: Vec::new(),
            arguments: Vec::new(),
            manifest: None,
            state: None,
            redis: None,
        }
    }

    /// A platform on this Redis, which the test may kill. [`Mode::Redis`] only.
    pub fn on(mut self, redis: &Arc<RedisServer>) -> Self {
        self.redis = Some(Arc::clone(redis));
        self
    }

    /// Sets an application variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument of `socar up`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs another manifest than the one that is shipped: what `edit` makes of it.
    pub fn manifest(mut self, edit: impl FnOnce(&str) -> String) -> Self {
        self.manifest = Some(edit(&read("spin.toml")));
        self
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// When it does not, with all it said.
    pub fn start(self) -> Platform {
        self.try_start().unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn try_start(mut self) -> Result<Platform, String> {
        ensure_built();
        if self.mode == Mode::Redis {
            self.redis
                .get_or_insert_with(|| Arc::new(RedisServer::start()));
        }
        let state = self.state.get_or_insert_with(|| Arc::new(new_folder()));
        let folder = state.path().to_path_buf();
        let process = Process::start("socar", self.command(&folder), &folder);
        let url = process.wait_for(START_TIMEOUT, url_in)?;
        let client = Client::new(&url, Protocol::Http1);
        let server = Arc::new(Server {
            process,
            url,
            setup: self,
        });
        Ok(Platform {
            server,
            client,
            output_start: 0,
        })
    }

    fn command(&self, state: &Path) -> Command {
        let mut command = socar();
        command
            .args(["up", "--listen", "127.0.0.1:0", "-f"])
            .arg(self.manifest_file(state))
            .arg("--state-dir")
            .arg(state)
            .args(&self.arguments);
        if let Some(redis) = &self.redis {
            command.args(["--redis-url", &redis.url()]);
        }
        for (name, value) in &self.variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        command
    }

    /// The shipped manifest, or the test's own beside the state, from where the components are found all the same.
    fn manifest_file(&self, state: &Path) -> PathBuf {
        let Some(text) = &self.manifest else {
            return "spin.toml".into();
        };
        let built = format!("\"{}/", root().join("target").display());
        let file = state.join("spin.toml");
        std::fs::write(&file, text.replace("\"target/", &built))
            .unwrap_or_else(|error| panic!("no manifest at {}: {error}", file.display()));
        file
    }
}

/// The host under test, to be run from the workspace's folder.
pub fn socar() -> Command {
    let mut command = Command::new(program());
    command.current_dir(root());
    command
}

/// Cargo names the binary while it runs tests; a test program that is started by hand finds it beside its own folder.
fn program() -> std::path::PathBuf {
    if let Some(path) = std::env::var_os("CARGO_BIN_EXE_socar-under-test") {
        return path.into();
    }
    let here = std::env::current_exe().unwrap_or_else(|error| panic!("where am I? {error}"));
    here.ancestors()
        .nth(2)
        .map(|folder| folder.join("socar-under-test"))
        .unwrap_or_default()
}

/// An empty state directory, except that it shares the cache of compiled components: to compile them anew for each
/// platform would cost more than all its tests.
fn new_folder() -> TempDir {
    let folder = TempDir::with_prefix("socar-state-")
        .unwrap_or_else(|error| panic!("no folder for the platform's state: {error}"));
    std::os::unix::fs::symlink(under_target("cache"), folder.path().join("cache"))
        .unwrap_or_else(|error| panic!("no link to the cache: {error}"));
    folder
}

fn url_in(line: &str) -> Option<String> {
    let from = line.find("http://")?;
    line.get(from..)?
        .split_whitespace()
        .next()
        .map(str::to_owned)
}

// === impl SharedServer ===

impl SharedServer {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }
}

// === impl Platform ===

impl Platform {
    /// The platform that tests of this binary share: as it is shipped, except for [`PAYMENT_LIMIT`].
    ///
    /// # Panics
    /// When it does not start, in every test that wants it.
    pub fn shared(mode: Mode) -> Self {
        static EMBEDDED: SharedServer = SharedServer::new();
        static REDIS: SharedServer = SharedServer::new();
        let shared = match mode {
            Mode::Embedded => &EMBEDDED,
            Mode::Redis => &REDIS,
        };
        Self::of(shared, || {
            Setup::new(mode).variable("payment_limit", &PAYMENT_LIMIT.to_string())
        })
    }

    /// The platform that lives in `shared`; the first test that comes starts it.
    pub(crate) fn of(shared: &'static SharedServer, setup: impl FnOnce() -> Setup) -> Self {
        let started = shared.0.get_or_init(|| {
            setup()
                .try_start()
                .map(|platform| Arc::clone(&platform.server))
        });
        let server = match started {
            Ok(server) => Arc::clone(server),
            Err(reason) => panic!("{reason}"),
        };
        let client = Client::new(&server.url, Protocol::Http1);
        let output_start = server.process.line_count();
        Self {
            server,
            client,
            output_start,
        }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        self.server.url.trim_end_matches('/')
    }

    /// How it keeps state.
    pub fn mode(&self) -> Mode {
        self.server.setup.mode
    }

    /// Where it keeps what is local to this host.
    pub fn state_dir(&self) -> &Path {
        self.server
            .setup
            .state
            .as_ref()
            .map_or(Path::new(""), |folder| folder.path())
    }

    /// The URL of its Redis, in Redis mode.
    pub fn redis_url(&self) -> Option<String> {
        self.server.setup.redis.as_ref().map(|redis| redis.url())
    }

    /// What it printed since this test began.
    pub fn output(&self) -> String {
        self.server.process.output_since(self.output_start)
    }

    /// Asks it to stop, waits, and returns how it ended. Its state stays for [`Platform::restart`].
    pub fn terminate(&self) -> ExitStatus {
        self.server.process.terminate()
    }

    /// Kills it, as a power cut would. Its state stays for [`Platform::restart`].
    pub fn kill(&self) {
        self.server.process.kill();
    }

    /// Starts it once more with the state that its stopped predecessor left.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self) -> Self {
        self.server.setup.clone().start()
    }

    /// Starts a second host, with a state directory of its own, on the Redis of the first.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_second_host(&self) -> Self {
        let mut setup = self.server.setup.clone();
        setup.state = None;
        setup.start()
    }

    /// A client that speaks `protocol` to it.
    pub fn client(&self, protocol: Protocol) -> Client {
        Client::new(&self.server.url, protocol)
    }

    /// Begins a request; see [`Client::request`].
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.client.request(method, target)
    }

    pub fn get(&self, target: &str) -> RequestBuilder {
        self.request(Method::GET, target)
    }

    pub fn post(&self, target: &str) -> RequestBuilder {
        self.request(Method::POST, target)
    }

    pub fn put(&self, target: &str) -> RequestBuilder {
        self.request(Method::PUT, target)
    }

    pub fn patch(&self, target: &str) -> RequestBuilder {
        self.request(Method::PATCH, target)
    }

    pub fn delete(&self, target: &str) -> RequestBuilder {
        self.request(Method::DELETE, target)
    }
}

impl Drop for Platform {
    /// The output belongs to whoever reads about the failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.output();
            let before = said.lines().count().saturating_sub(MAX_LINES_SHOWN);
            let last: Vec<_> = said.lines().skip(before).collect();
            eprintln!(
                "--- socar ({:?}) said:\n{}\n---",
                self.mode(),
                last.join("\n")
            );
        }
    }
}
