//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use harness::root;

/// Folders that hold build products, state or packages of others.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", ".socar"];

/// Every file below a folder whose path is absolute, in alphabetical order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let is_skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
        match path.is_dir() {
            true if !is_skipped => found.extend(files_below(&path)),
            true => {}
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Every file below a folder with this extension.
pub fn files_with(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = files_below(folder);
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

/// The path of a file relative to the root of the repository.
pub fn relative(path: &Path) -> String {
    let relative = path.strip_prefix(root()).unwrap_or(path);
    relative.to_string_lossy().into_owned()
}
