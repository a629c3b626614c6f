//! A platform with the saboteur on it, and a healthy neighbour of the same code.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use harness::{
    Client, Process, Protocol, RequestBuilder, Response, read, root, socar, under_target,
};
use http::Method;
use tempfile::TempDir;

/// Compiling takes a while on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// A running host; it ends when dropped.
pub struct Saboteur {
    process: Process,
    client: Client,
    url: String,
    state_dir: TempDir,
}

impl Saboteur {
    /// The one that tests share which do not need it for themselves.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Saboteur> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A host of one's own, with more arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_on(
            new_state_dir(),
            Path::new("tests/saboteur/spin.toml"),
            arguments,
        )
    }

    /// A host with a manifest of its own: these lines are added to `[application.tool.socar]`. The test may change the
    /// manifest later ([`Saboteur::manifest`]).
    pub fn start_with(policy: &str, arguments: &[&str]) -> Self {
        let state = new_state_dir();
        let manifest = manifest_in(state.path());
        let files = manifest.with_file_name("files");
        std::fs::create_dir_all(&files).expect("a folder for the application");
        std::fs::copy(root().join(FILE), files.join("note.txt")).expect("a copy of a file");
        std::fs::write(&manifest, manifest_with(policy)).expect("a manifest");
        Self::start_on(state, &manifest, arguments)
    }

    fn start_on(state: TempDir, manifest: &Path, arguments: &[&str]) -> Self {
        ensure_built();
        let command = command(manifest, state.path(), arguments);
        let process = Process::start("socar", command, state.path());
        let url = process.wait_for(START_TIMEOUT, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let url = url.unwrap_or_else(|reason| panic!("{reason}"));
        Self {
            client: Client::new(&url, Protocol::Http1),
            process,
            url,
            state_dir: state,
        }
    }

    /// Gives an order and waits for the answer.
    #[track_caller]
    pub fn call(&self, path: &str) -> Response {
        self.get(path).send()
    }

    /// An order that is yet to be sent.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the host has logged.
    pub fn log(&self) -> String {
        self.process.output_since(0)
    }

    /// How long each kind of threads of the host has computed: see [`Process::worked`].
    pub fn cpu_ticks(&self) -> BTreeMap<String, u64> {
        self.process.cpu_ticks()
    }

    /// Asks the host to stop, and says how it ended.
    pub fn terminate(&self) -> ExitStatus {
        self.process.terminate()
    }

    /// Ends the host without a warning (SIGKILL).
    pub fn kill(&self) {
        self.process.kill();
    }

    pub fn state_dir(&self) -> &Path {
        self.state_dir.path()
    }

    /// Where it listens, for a socket of one's own.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What an operator sees at this path of the admin listener.
    #[track_caller]
    pub fn admin(&self, path: &str) -> serde_json::Value {
        self.admin_request(Method::GET, path).send().is(200).json()
    }

    /// What an operator asks the admin listener.
    pub fn admin_request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = std::fs::read_to_string(self.state_dir().join("admin")).expect("an address");
        self.client
            .request(method, &format!("http://{}{path}", address.trim()))
    }

    /// The manifest of one that was started with [`Saboteur::start_with`].
    pub fn manifest(&self) -> PathBuf {
        manifest_in(self.state_dir())
    }

    /// Runs `socar reload`, and returns whether it was done and what was said.
    pub fn reload(&self) -> (bool, String) {
        let mut command = socar();
        command
            .arg("reload")
            .arg("--state-dir")
            .arg(self.state_dir());
        let output = command.output().expect("socar starts");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    /// Sends SIGHUP.
    pub fn send_sighup(&self) {
        self.process.send_sighup();
    }

    /// A connection without a protocol.
    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).expect("a connection")
    }
}

/// The text of the saboteur's manifest, for another folder and with more policies.
pub fn manifest_with(policy: &str) -> String {
    read("tests/saboteur/spin.toml")
        .replace("../../target", &root().join("target").to_string_lossy())
        .replace("breaker = false\n", &format!("breaker = false\n{policy}\n"))
}

/// The last lines of a policy ([`Saboteur::start_with`]) by which each call to either component may take so long.
pub fn call_deadline(deadline: &str) -> String {
    ["saboteur", "neighbour"]
        .map(|it| format!("\n[component.{it}.tool.socar]\ndeadline = \"{deadline}\"\n"))
        .concat()
}

/// What the manifest lets the saboteur read.
const FILE: &str = "tests/saboteur/files/note.txt";

fn manifest_in(state: &Path) -> PathBuf {
    state.join("app").join("spin.toml")
}

fn new_state_dir() -> TempDir {
    let state = TempDir::with_prefix("saboteur-").expect("a folder for the state");
    let cache = state.path().join("cache");
    std::os::unix::fs::symlink(under_target("cache"), cache).expect("a link to the cache");
    state
}

fn command(manifest: &Path, state: &Path, arguments: &[&str]) -> Command {
    let mut command = socar();
    command
        .args(["up", "--listen", "127.0.0.1:0", "-f"])
        .arg(manifest)
        .arg("--state-dir")
        .arg(state)
        .args(arguments);
    command
}

/// Builds the saboteur once.
fn ensure_built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(root())
            .env_remove("CARGO_TARGET_DIR")
            .args([
                "build",
                "--release",
                "--target",
                "wasm32-wasip2",
                "-p",
                "saboteur",
            ]);
        let built = command.output().expect("cargo starts");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
    });
}
