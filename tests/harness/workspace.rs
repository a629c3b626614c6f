//! Paths of the repository, and folders that tests leave behind or share.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The root of the workspace, which holds `spin.toml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// The text of a file, whose path is relative to the root.
///
/// # Panics
/// When the file cannot be read, with its path.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// A folder under `target/` that stays between test runs; it is created on demand.
///
/// # Panics
/// When the folder cannot be created.
pub fn under_target(name: &str) -> PathBuf {
    let folder = root().join("target").join("tests").join(name);
    std::fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", folder.display()));
    folder
}

/// An empty state directory for a host. It shares the cache of compiled components with all others, because compiling
/// them for each host would take longer than all of its tests.
///
/// # Panics
/// When the directory cannot be created.
pub fn new_state_dir(prefix: &str) -> TempDir {
    let folder = TempDir::with_prefix(prefix)
        .unwrap_or_else(|error| panic!("cannot create a state directory: {error}"));
    std::os::unix::fs::symlink(under_target("cache"), folder.path().join("cache"))
        .unwrap_or_else(|error| panic!("cannot link to the cache: {error}"));
    folder
}
