//! A platform with the saboteur on it, and a healthy neighbour of the same code.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use harness::{Answer, Ask, Client, Process, Protocol, root, socar, under_target};
use http::Method;
use tempfile::TempDir;

/// Compiling takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running host; it ends when dropped.
pub struct Saboteur {
    process: Process,
    client: Client,
    url: String,
    _state: TempDir,
}

impl Saboteur {
    /// The one that tests share which do not need it for themselves.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Saboteur> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A host of one's own, with more arguments.
    pub fn start(arguments: &[&str]) -> Self {
        ensure_built();
        let state = TempDir::with_prefix("saboteur-").expect("a folder for the state");
        let cache = state.path().join("cache");
        std::os::unix::fs::symlink(under_target("cache"), cache).expect("a link to the cache");
        let process = Process::start("socar", command(state.path(), arguments), state.path());
        let url = process.wait_for(PATIENCE, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let url = url.unwrap_or_else(|reason| panic!("{reason}"));
        Self {
            client: Client::new(&url, Protocol::Http1),
            process,
            url,
            _state: state,
        }
    }

    /// Gives an order and waits for the answer.
    #[track_caller]
    pub fn order(&self, order: &str) -> Answer {
        self.get(order).send()
    }

    /// An order that is yet to be sent.
    pub fn get(&self, order: &str) -> Ask {
        self.ask(Method::GET, order)
    }

    pub fn ask(&self, method: Method, order: &str) -> Ask {
        self.client.ask(method, order)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the host has logged.
    pub fn log(&self) -> String {
        self.process.said_since(0)
    }

    /// Asks the host to stop, and says how it ended.
    pub fn terminate(&self) -> ExitStatus {
        self.process.terminate()
    }

    pub fn state(&self) -> &Path {
        self._state.path()
    }
}

fn command(state: &Path, arguments: &[&str]) -> Command {
    let mut command = socar();
    command.args([
        "up",
        "-f",
        "tests/saboteur/spin.toml",
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
    ]);
    command.arg(state).args(arguments);
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
