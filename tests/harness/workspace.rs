//! Where things are in the repository.

use std::path::{Path, PathBuf};

/// The workspace's folder, which holds `spin.toml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// The text of a file of the repository.
///
/// # Panics
/// When it cannot be read, naming it.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// A folder for what tests leave between runs, under `target/` and made on demand.
///
/// # Panics
/// When it cannot be made.
pub fn under_target(name: &str) -> PathBuf {
    let folder = root().join("target").join("tests").join(name);
    std::fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    folder
}
