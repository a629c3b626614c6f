//! Programs that the tests need beside cargo, installed where that is allowed.

use std::path::PathBuf;
use std::process::Command;

use crate::locks::exclusively;

/// The path of `program`, after installing the Debian package `package` if it is missing and this user may.
///
/// # Panics
/// When it is missing and cannot be installed, with what to do about it.
pub fn ensure_program(program: &str, package: &str) -> PathBuf {
    if let Some(path) = find(program) {
        return path;
    }
    let _lock = exclusively("packages");
    // Somebody may have installed it while we waited.
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
        let done = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap_or_else(|error| panic!("{remedy}; apt-get did not start: {error}"));
        assert!(
            done.status.success(),
            "{remedy}; apt-get {arguments:?} failed: {}",
            String::from_utf8_lossy(&done.stderr)
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
