//! The platform as a process of its own: `socar`, started as a user starts it, with empty state.

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

/// How long a start may take, everything compiled.
const START: Duration = Duration::from_secs(60);

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);

/// Settings of the user's shell that would make this another platform than the one described.
const NOT_OURS: [&str; 6] = [
    "RUNTIME_CONFIG_FILE",
    "SPIN_COMPONENTS_TO_RETAIN",
    "SPIN_HTTP_LISTEN_ADDR",
    "SPIN_MAX_INSTANCE_MEMORY",
    "SOCAR_ADMIN_LISTEN",
    "SOCAR_ADMIN_TOKEN",
];

/// A running platform, killed when it is dropped.
pub struct Platform {
    child: Child,
    id: u32,
    target: Target,
    /// Kept open: a program whose output nobody takes is told so.
    _output: Lines<BufReader<ChildStdout>>,
}

/// A directory for the state of one run, removed when it is dropped.
pub struct Scratch(PathBuf);

/// Makes sure that there is something to start, without building it: a benchmark that compiles measures the compiler.
///
/// # Errors
/// When the manifest is wrong or a component has not been built.
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
    /// Starts the platform on a free port; returns when it serves, with the time that took.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(options: &Options, state: &Path) -> anyhow::Result<(Self, Duration)> {
        let mut command = command(options, state)?;
        let started = Instant::now();
        let mut child = command.spawn().context("cannot start the platform")?;
        let id = child.id().context("the platform ended at once")?;
        let output = child.stdout.take().context("the platform has no output")?;
        let mut output = BufReader::new(output).lines();
        let ready = tokio::time::timeout(START, ready(&mut output)).await;
        let target =
            ready.with_context(|| format!("the platform was not ready within {START:?}"))??;
        let took = started.elapsed();
        let platform = Self {
            child,
            id,
            target,
            _output: output,
        };
        Ok((platform, took))
    }

    /// Where it serves.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The process it is.
    pub fn process(&self) -> Process {
        Process::of(self.id)
    }

    /// Asks it to stop, as an operator does, and waits until it has.
    ///
    /// # Errors
    /// When it does not, or says that something failed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let kill = format!("kill -TERM {}", self.id);
        Command::new("sh").args(["-c", &kill]).status().await?;
        let ended = tokio::time::timeout(STOP, self.child.wait()).await;
        let status =
            ended.with_context(|| format!("the platform did not stop within {STOP:?}"))??;
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
    for name in NOT_OURS {
        command.env_remove(name);
    }
    Ok(command)
}

/// The host beside this program, as cargo builds them.
fn host_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok(program.with_file_name("socar"))
}

/// Builds the host in the profile of this program, if cargo runs it: the one beside it may be older, or not be there.
///
/// # Errors
/// When the build fails, or there is neither cargo nor a host.
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

// === impl Scratch ===

impl Scratch {
    /// An empty directory among the temporary files of this machine.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("socar-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever tidies temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
