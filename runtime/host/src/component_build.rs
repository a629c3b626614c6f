//! `--build`: runs the build commands of the manifest, as `spin build` does.
//!
//! Commands run in a shell, one after the other. They write to the standard error of the host, so that their progress is
//! visible; standard output contains only the line with the address of the host. A command that several components share
//! runs once, and consecutive `cargo build` commands that differ only in the package run as one ([`join`]). The
//! WebAssembly target is installed first if a command needs it and it is missing. A command and the programs that it
//! starts end with the host: they are a process group.

mod join;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::output::print_error_line;
use config::manifest::{App, ComponentId};
use config::{ConfigError, Location};

/// The target that Rust components are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// How long a command may take to end after SIGTERM, before SIGKILL.
const TERMINATION_TIMEOUT: Duration = Duration::from_secs(1);

/// One command and its components.
#[derive(Debug, PartialEq, Eq)]
struct BuildStep<'a> {
    components: Vec<&'a ComponentId>,
    command: String,
    workdir: &'a Path,
    at: &'a Location,
}

/// A running command with the processes that it started.
struct ProcessGroup(Child);

/// The programs that list and install targets.
struct Toolchain {
    rustc: PathBuf,
    rustup: PathBuf,
}

/// Builds every component that has a build command. Dropping the future ends the running command.
///
/// # Errors
/// When a command fails or cannot be run. The error contains the components, the command and the reason.
pub async fn build(app: &App) -> Result<(), ConfigError> {
    let steps = plan(app);
    let toolchain = Toolchain {
        rustc: "rustc".into(),
        rustup: "rustup".into(),
    };
    if let Some(step) = steps.iter().find(|step| step.command.contains(TARGET)) {
        toolchain.ensure_target(step).await?;
    }
    let count = steps.len();
    for (index, step) in steps.iter().enumerate() {
        let (names, command) = (step.names(), &step.command);
        let number = index + 1;
        print_error_line(format_args!(
            "building {names} ({number}/{count}): {command}"
        ));
        step.run().await?;
    }
    Ok(())
}

/// The commands in the order of the manifest, each once.
fn plan(app: &App) -> Vec<BuildStep<'_>> {
    let mut steps: Vec<BuildStep<'_>> = Vec::new();
    for component in app.sources() {
        let Some(build) = &component.build else {
            continue;
        };
        for command in &build.commands {
            let shared = steps
                .iter_mut()
                .find(|step| step.command == *command && step.workdir == build.workdir);
            match shared {
                // A dependency of several components is there several times.
                Some(step) if step.components.contains(&&component.id) => {}
                Some(step) => step.components.push(&component.id),
                None => add(
                    &mut steps,
                    BuildStep {
                        components: vec![&component.id],
                        command: command.clone(),
                        workdir: &build.workdir,
                        at: build.at(),
                    },
                ),
            }
        }
    }
    steps
}

/// Adds a step, or joins it to the last one.
fn add<'a>(steps: &mut Vec<BuildStep<'a>>, step: BuildStep<'a>) {
    if let Some(last) = steps.last_mut()
        && last.workdir == step.workdir
        && let Some(command) = join::joined(&last.command, &step.command)
    {
        last.command = command;
        let ids = step.components.into_iter();
        let new: Vec<_> = ids.filter(|id| !last.components.contains(id)).collect();
        last.components.extend(new);
    } else {
        steps.push(step);
    }
}

// === impl BuildStep ===

impl BuildStep<'_> {
    fn names(&self) -> String {
        let names: Vec<&str> = self.components.iter().map(|id| id.as_str()).collect();
        names.join(", ")
    }

    async fn run(&self) -> Result<(), ConfigError> {
        let mut command = shell(&self.command);
        without_outer_cargo(&mut command);
        command
            .current_dir(self.workdir)
            .stdin(Stdio::null())
            .stdout(io::stderr());
        match status(&mut command).await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(
                &exit_reason(status),
                "correct the errors above, then start again",
            )),
            Err(error) => {
                let reason = format!("cannot be run in {}: {error}", self.workdir.display());
                Err(self.failed(&reason, "correct the command or its workdir"))
            }
        }
    }

    fn failed(&self, reason: &str, remedy: &str) -> ConfigError {
        self.at.error(
            format_args!("{:?}", self.command),
            format!("building component {} failed ({reason})", self.names()),
            remedy,
        )
    }
}

// === impl Toolchain ===

impl Toolchain {
    /// Installs the target if it is missing.
    ///
    /// # Errors
    /// When rustc or rustup cannot be run, or when the installation fails.
    async fn ensure_target(&self, step: &BuildStep<'_>) -> Result<(), ConfigError> {
        if self.has_target(step).await? {
            return Ok(());
        }
        print_error_line(format_args!("installing the target {TARGET}"));
        let mut command = Command::new(&self.rustup);
        command
            .args(["target", "add", TARGET])
            .current_dir(step.workdir)
            .stdin(Stdio::null())
            .stdout(io::stderr());
        let reason = match status(&mut command).await {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => format!(
                "`rustup target add {TARGET}` failed: {}",
                exit_reason(status)
            ),
            Err(error) => {
                format!("the target {TARGET} is missing and rustup cannot be run: {error}")
            }
        };
        Err(step.failed(
            &reason,
            &format!("install the target with `rustup target add {TARGET}`"),
        ))
    }

    /// Whether the compiler of the command has the target. The directory may have a toolchain of its own.
    async fn has_target(&self, step: &BuildStep<'_>) -> Result<bool, ConfigError> {
        let printed = Command::new(&self.rustc)
            .args(["--print", "target-libdir", "--target", TARGET])
            .current_dir(step.workdir)
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output()
            .await;
        match printed {
            Ok(output) => Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()),
            Err(error) => {
                let reason = format!("rustc cannot be run: {error}");
                Err(step.failed(&reason, "install Rust from https://rustup.rs"))
            }
        }
    }
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

/// Runs a command in a process group of its own, which ends when the future is dropped.
async fn status(command: &mut Command) -> io::Result<ExitStatus> {
    let mut group = ProcessGroup(command.process_group(0).spawn()?);
    group.0.wait().await
}

// === impl ProcessGroup ===

impl ProcessGroup {
    #[expect(unsafe_code, reason = "the system offers this as a C function only")]
    fn signal(&self, signal: libc::c_int) {
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id {
            // SAFETY: the call passes two numbers. The process is not reaped yet, so its id belongs to no other group.
            unsafe { libc::kill(-id, signal) };
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(libc::SIGTERM);
        let since = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && since.elapsed() < TERMINATION_TIMEOUT {
            std::thread::sleep(TERMINATION_TIMEOUT / 100);
        }
        self.signal(libc::SIGKILL);
    }
}

/// Removes variables that `cargo run` sets for the host. A cargo inside a build command would take the description of the
/// host's package for its own and build again what is built. With the target directory of the environment, the files
/// would not be where the `source` of the manifest expects them.
fn without_outer_cargo(command: &mut Command) {
    let is_of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| is_of_package(name) || name == "CARGO_TARGET_DIR")
        {
            command.env_remove(name);
        }
    }
}

fn exit_reason(status: ExitStatus) -> String {
    match status.code() {
        Some(127) => "the shell does not find the program".to_owned(),
        _ => status.to_string(),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
