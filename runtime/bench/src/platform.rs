//! The platform under test as a separate process: `socar`, started as a user starts it, with empty state.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::connection::Target;
use super::options::Options;
use super::process::Process;
use config::manifest::{App, Environment, Overrides};

/// Time limit of a start, including compilation.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Time limit of a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Environment variables of the user's shell that would change the configuration under test.
const EXCLUDED_VARIABLES: [&str; 6] = [
    "RUNTIME_CONFIG_FILE",
    "SPIN_COMPONENTS_TO_RETAIN",
    "SPIN_HTTP_LISTEN_ADDR",
    "SPIN_MAX_INSTANCE_MEMORY",
    "SOCAR_ADMIN_LISTEN",
    "SOCAR_ADMIN_TOKEN",
];

/// A running platform; dropping it kills the process.
pub struct Platform {
    child: Child,
    id: u32,
    target: Target,
    /// Keeps the pipe open: a process that writes to a closed pipe fails with `EPIPE`.
    _output: Lines<BufReader<ChildStdout>>,
}

/// State directory of one run; dropping it removes the directory.
pub struct StateDirectory(PathBuf);

/// Checks that every component is built. The benchmark builds none, because it would then measure the compiler.
///
/// # Errors
/// When the manifest is invalid or a component has not been built.
pub fn check_built(options: &Options) -> anyhow::Result<()> {
    let overrides = Overrides {
        environment: Environment::from_process(),
        ..Overrides::default()
    };
    let app = App::load(&options.from, &overrides)?;
    app.check_sources()
        .context("the benchmark builds nothing: run `up --build` first")
}

// === impl Platform ===

impl Platform {
    /// Starts the platform on a free port; returns it with its start-up time once it serves requests.
    ///
    /// # Errors
    /// When the process ends, or is not ready within 60 s.
    pub async fn start(options: &Options, state: &Path) -> anyhow::Result<(Self, Duration)> {
        let mut command = command(options, state)?;
        let started = Instant::now();
        let mut child = command.spawn().context("cannot start the platform")?;
        let id = child.id().context("the platform ended at once")?;
        let output = child.stdout.take().context("the platform has no output")?;
        let mut output = BufReader::new(output).lines();
        let ready = tokio::time::timeout(START_TIMEOUT, ready(&mut output)).await;
        let target = ready
            .with_context(|| format!("the platform was not ready within {START_TIMEOUT:?}"))??;
        let took = started.elapsed();
        let platform = Self {
            child,
            id,
            target,
            _output: output,
        };
        Ok((platform, took))
    }

    /// Returns the address at which it serves requests.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns its process.
    pub fn process(&self) -> Process {
        Process::of(self.id)
    }

    /// Stops the platform with SIGTERM, as an operator does, and waits for its end.
    ///
    /// # Errors
    /// When it does not stop within 10 s, or exits with a failure.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let kill = format!("kill -TERM {}", self.id);
        Command::new("sh").args(["-c", &kill]).status().await?;
        let ended = tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await;
        let status = ended
            .with_context(|| format!("the platform did not stop within {STOP_TIMEOUT:?}"))??;
        match status.success() {
            true => Ok(()),
            false => bail!("the platform ended with {status}"),
        }
    }
}

fn command(options: &Options, state: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(host_program()?);
    command
        .args(["up", "--quiet", "--listen", "127.0.0.1:0", "--from"])
        .arg(&options.from)
        .arg("--state-dir")
        .arg(state)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(url) = &options.redis_url {
        command.args(["--redis-url", url]);
    }
    for name in EXCLUDED_VARIABLES {
        command.env_remove(name);
    }
    Ok(command)
}

/// Returns the path of the host, which cargo places beside this program.
fn host_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok(program.with_file_name("socar"))
}

/// Builds the host in the profile of this program when cargo runs it: an existing host may be out of date.
///
/// # Errors
/// When the build fails, or neither cargo nor a built host is available.
pub async fn build_host() -> anyhow::Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        let program = host_program()?;
        let hint = "build it: cargo build --release --package socar";
        anyhow::ensure!(
            program.is_file(),
            "{} is missing; {hint}",
            program.display()
        );
        return Ok(());
    };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "socar"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.stdin(Stdio::null()).status().await;
    match status.context("cannot run cargo")?.success() {
        true => Ok(()),
        false => bail!("the host was not built"),
    }
}

async fn ready(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Target> {
    while let Some(line) = output.next_line().await? {
        if let Some(url) = line.strip_prefix("Serving ") {
            return Target::parse(url.trim());
        }
    }
    bail!("the platform did not start")
}

// === impl StateDirectory ===

impl StateDirectory {
    /// Creates an empty directory in the temporary directory of this machine.
    ///
    /// # Errors
    /// When the directory exists or cannot be created.
    pub fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("socar-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for StateDirectory {
    fn drop(&mut self) {
        // Files that cannot be removed are left to the cleanup of the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
