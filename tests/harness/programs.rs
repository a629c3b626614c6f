//! Programs that the tests run: the host under test, and programs that are installed where that is allowed.

use std::path::PathBuf;
use std::process::Command;

use crate::locks::exclusively;
use crate::workspace::root;

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
    if let Some(path) = find(program) {
        return path;
    }
    let _lock = exclusively("packages");
    // Another test may have installed it while this one waited for the lock.
    if find(program).is_none() {
        install(program, package);
    }
    find(program).unwrap_or_else(|| {
        panic!("package {package} was installed, but `{program}` is still not on the PATH")
    })
}

fn install(program: &str, package: &str) {
    let remedy =
        format!("this test needs `{program}`: install it (Debian: apt-get install {package})");
    assert!(may_install(), "{remedy}");
    for arguments in [
        &["update", "-q"][..],
        &["install", "-y", "-q", "--no-install-recommends", package],
    ] {
        let output = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap_or_else(|error| panic!("{remedy}; apt-get did not start: {error}"));
        assert!(
            output.status.success(),
            "{remedy}; apt-get {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
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
