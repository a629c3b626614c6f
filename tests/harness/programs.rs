//! Programs that the tests run: the host under test, and programs that are installed where that is allowed.

use std::path::PathBuf;
use std::process::Command;

use crate::locks::exclusively;
use crate::workspace::{root, under_target};

/// The host under test, with the root of the workspace as its working directory.
pub fn socar() -> Command {
    let mut command = Command::new(host_binary());
    command.current_dir(root());
    command
}

/// Cargo names the binary while it runs tests. A test program that is started by hand finds the binary beside its own
/// folder.
fn host_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CARGO_BIN_EXE_socar-under-test") {
        return path.into();
    }
    let test = std::env::current_exe()
        .unwrap_or_else(|error| panic!("the path of this test is unknown: {error}"));
    test.ancestors()
        .nth(2)
        .map(|folder| folder.join("socar-under-test"))
        .unwrap_or_default()
}

/// The path of `program`. If it is missing and this user may install it, the Debian package `package` is installed.
///
/// # Panics
/// When the program is missing and cannot be installed, with the command that installs it.
pub fn ensure_program(program: &str, package: &str) -> PathBuf {
    find_or_install(program, package).unwrap_or_else(|reason| panic!("{reason}"))
}

/// The path of `program`. If it is missing and this user may install it, the Debian package `package` is installed.
///
/// # Errors
/// When the program is missing and cannot be installed, with the command that installs it.
pub fn find_or_install(program: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    let _lock = exclusively("packages");
    // Another test may have installed it while this one waited for the lock.
    if find(program).is_none() {
        install(program, package)?;
    }
    find(program).ok_or_else(|| {
        format!("package {package} was installed, but `{program}` is still not on the PATH")
    })
}

fn install(program: &str, package: &str) -> Result<(), String> {
    let remedy =
        format!("this test needs `{program}`: install it (Debian: apt-get install {package})");
    if !may_install() {
        return Err(remedy);
    }
    for arguments in [
        &["update", "-q"][..],
        &["install", "-y", "-q", "--no-install-recommends", package],
    ] {
        let output = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .map_err(|error| format!("{remedy}; apt-get did not start: {error}"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{remedy}; apt-get {arguments:?} failed: {reason}"));
        }
    }
    Ok(())
}

fn may_install() -> bool {
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    is_root && find("apt-get").is_some()
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The version of Schemathesis that the tests use.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// The path of Schemathesis, in a Python environment of its own under `target/`.
///
/// # Errors
/// When this machine has no Python, or cannot install the packages.
pub fn ensure_schemathesis() -> Result<PathBuf, String> {
    let python = find("python3").ok_or("there is no python3")?;
    let _lock = exclusively("schemathesis");
    let folder = under_target("schemathesis");
    let tool = folder.join("bin/schemathesis");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == SCHEMATHESIS) {
        return Ok(tool);
    }
    run_quietly(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    let mut install = Command::new(folder.join("bin/pip"));
    run_quietly(install.args(["install", "-q", SCHEMATHESIS]))?;
    std::fs::write(&stamp, SCHEMATHESIS).map_err(|error| error.to_string())?;
    Ok(tool)
}

fn run_quietly(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?} did not start: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
