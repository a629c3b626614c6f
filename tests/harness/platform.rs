//! A running platform, and the platforms that the tests of one binary share.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use tempfile::TempDir;

use crate::admin::AdminPort;
use crate::client::{Client, Protocol, RequestBuilder};
use crate::identity::local_token;
use crate::process::Process;
use crate::setup::{Mode, Setup};

/// Includes the compilation of six components on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A failing test shows at most this many lines of the host's output, the last ones.
const MAX_LINES_SHOWN: usize = 200;

/// The `payment_limit` of the shared platforms: the built-in ledger declines larger amounts.
pub const PAYMENT_LIMIT: u64 = 1_000_000;

/// A running platform. The process ends with the last handle.
#[derive(Debug)]
pub struct Platform {
    server: Arc<Server>,
    client: Client,
    /// The index of the first line of output that belongs to this test.
    output_start: usize,
}

/// A platform that lives as long as the test binary, or the reason why it did not start.
#[derive(Debug)]
pub(crate) struct SharedServer(OnceLock<Result<Arc<Server>, String>>);

#[derive(Debug)]
struct Server {
    process: Process,
    url: String,
    setup: Setup,
}

impl Setup {
    /// Starts the platform and waits until it serves.
    ///
    /// # Panics
    /// When the platform does not start, with its output.
    pub fn start(self) -> Platform {
        let server = self.try_start().unwrap_or_else(|reason| panic!("{reason}"));
        Platform::new(server, 0)
    }

    fn try_start(mut self) -> Result<Arc<Server>, String> {
        let process = self.launch();
        let url = process.wait_for(START_TIMEOUT, url_in)?;
        Ok(Arc::new(Server {
            process,
            url,
            setup: self,
        }))
    }
}

fn url_in(line: &str) -> Option<String> {
    let start = line.find("http://")?;
    let url = line.get(start..)?.split_whitespace().next();
    url.map(str::to_owned)
}

impl SharedServer {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }
}

// === impl Platform ===

impl Platform {
    fn new(server: Arc<Server>, output_start: usize) -> Self {
        let client = Client::new(&server.url, Protocol::Http1);
        Self {
            server,
            client,
            output_start,
        }
    }

    /// The platform that the tests of this binary share: as it is shipped, except for [`PAYMENT_LIMIT`].
    ///
    /// # Panics
    /// When the platform does not start, in every test that uses it.
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

    /// A handle of a shared platform, which the first test starts.
    pub(crate) fn of(shared: &'static SharedServer, setup: impl FnOnce() -> Setup) -> Self {
        let started = shared.0.get_or_init(|| setup().try_start());
        let server = match started {
            Ok(server) => Arc::clone(server),
            Err(reason) => panic!("{reason}"),
        };
        let output_start = server.process.line_count();
        Self::new(server, output_start)
    }

    // === properties ===

    /// The URL of the platform, without a slash at the end.
    pub fn url(&self) -> &str {
        self.server.url.trim_end_matches('/')
    }

    /// The backend of the platform.
    pub fn mode(&self) -> Mode {
        self.server.setup.mode()
    }

    /// The state directory of the host.
    pub fn state_dir(&self) -> &Path {
        self.server.setup.state_dir()
    }

    /// The state directory, for a platform that is started on it later.
    pub fn state(&self) -> Arc<TempDir> {
        self.server.setup.state()
    }

    /// The URL of the Redis server, in Redis mode.
    pub fn redis_url(&self) -> Option<String> {
        self.server.setup.redis_url()
    }

    /// The admin port of the host.
    pub fn admin(&self) -> AdminPort<'_> {
        AdminPort::new(&self.client, self.state_dir())
    }

    /// The output of the host since this test began.
    pub fn output(&self) -> String {
        self.server.process.output_since(self.output_start)
    }

    // === life cycle ===

    /// Stops the host with SIGTERM, waits, and returns its exit status. The state stays for [`Platform::restart`].
    pub fn terminate(&self) -> ExitStatus {
        self.server.process.terminate()
    }

    /// Kills the host with SIGKILL. The state stays for [`Platform::restart`].
    pub fn kill(&self) {
        self.server.process.kill();
    }

    /// Fails the writes of the host beyond this size of a file, as a full disk does; see [`Process::limit_file_size`].
    pub fn limit_file_size(&self, size: Option<u64>) {
        self.server.process.limit_file_size(size);
    }

    /// Starts a stopped platform again, with its state.
    ///
    /// # Panics
    /// When the platform does not start.
    pub fn restart(&self) -> Self {
        self.server.setup.clone().start()
    }

    /// Starts a stopped platform again, with its state and at the address that its clients know.
    ///
    /// # Panics
    /// When the platform does not start.
    pub fn restart_at_its_address(&self) -> Self {
        let address = self.url().trim_start_matches("http://");
        self.server.setup.clone().listen(address).start()
    }

    /// Starts a second host with a state directory of its own, on the Redis server of the first.
    ///
    /// # Panics
    /// When the host does not start.
    pub fn start_second_host(&self) -> Self {
        self.server.setup.clone().with_new_state().start()
    }

    // === identity ===

    /// The same platform, used by a client with this access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            server: Arc::clone(&self.server),
            client: self.client.clone().with_token(token),
            output_start: self.output_start,
        }
    }

    /// The same platform, used by a user with a token of `socar token`.
    pub fn signed_in(&self, role: &str, subject: &str) -> Self {
        self.with_token(&local_token(self.state_dir(), role, subject))
    }

    // === requests ===

    /// A client of the platform that uses this protocol.
    pub fn client(&self, protocol: Protocol) -> Client {
        Client::new(&self.server.url, protocol)
    }

    /// Begins a request; see [`Client::request`].
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.client.request(method, target)
    }

    /// Asks as a browser does whether a page of another site may send a POST, which must not be allowed.
    ///
    /// # Panics
    /// When it is allowed.
    #[track_caller]
    pub fn assert_no_foreign_post(&self, target: &str) {
        let preflight = self
            .request(Method::OPTIONS, target)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .send();
        let allowed = preflight.optional_header("access-control-allow-origin");
        assert_eq!(allowed, None, "{target}");
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
    /// Prints the output of the host when the test fails.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let skipped = output.lines().count().saturating_sub(MAX_LINES_SHOWN);
            let last: Vec<_> = output.lines().skip(skipped).collect();
            eprintln!(
                "--- output of socar ({:?}):\n{}\n---",
                self.mode(),
                last.join("\n")
            );
        }
    }
}
