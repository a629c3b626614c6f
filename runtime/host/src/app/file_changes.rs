//! Changes of the configuration files, found by looking at them once a second.
//!
//! Kubernetes replaces the files of a ConfigMap together, by a symbolic link that leads to another directory, and events
//! of the file system about a single file miss that. A change is reported when the files have stayed the same for one
//! interval, so that none is read while it is written.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Files, with their versions.
pub struct FileChanges {
    files: Vec<PathBuf>,
    /// The versions that were reported last.
    reported: Vec<Version>,
    /// The versions at the last look.
    seen: Vec<Version>,
}

/// What changes with every replacement and every write; `None` for a file that cannot be found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version(Option<[i64; 5]>);

// === impl FileChanges ===

impl FileChanges {
    /// Watches these files. Without files there is never a change.
    pub fn of(files: Vec<PathBuf>) -> Self {
        let seen = versions(&files);
        Self {
            files,
            reported: seen.clone(),
            seen,
        }
    }

    /// Returns when files have changed. A call that is dropped loses no change.
    pub async fn changed(&mut self) {
        if self.files.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(INTERVAL).await;
            if self.look() {
                return;
            }
        }
    }

    /// Whether there is a change to report.
    fn look(&mut self) -> bool {
        let last = std::mem::replace(&mut self.seen, versions(&self.files));
        let is_new = self.seen == last && self.seen != self.reported;
        if is_new {
            self.reported.clone_from(&self.seen);
        }
        is_new
    }
}

fn versions(files: &[PathBuf]) -> Vec<Version> {
    let version = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some([
            metadata.dev().cast_signed(),
            metadata.ino().cast_signed(),
            metadata.len().cast_signed(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        ])
    };
    files.iter().map(|file| Version(version(file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_change_is_reported_once_and_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policies.toml");
        let mut changes = FileChanges::of(vec![file.clone()]);
        assert!(!changes.look());
        fs::write(&file, "a").unwrap();
        assert!(!changes.look(), "it may still be written");
        fs::write(&file, "ab").unwrap();
        assert!(!changes.look(), "it is still being written");
        assert!(changes.look());
        assert!(!changes.look());
        fs::remove_file(&file).unwrap();
        assert!(!changes.look());
        assert!(changes.look());
    }

    #[test]
    fn another_directory_behind_a_link_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("file"), "same length").unwrap();
        }
        symlink("v1", path("data")).unwrap();
        let mut changes = FileChanges::of(vec![path("data").join("file")]);
        symlink("v2", path("next")).unwrap();
        fs::rename(path("next"), path("data")).unwrap();
        assert!(!changes.look());
        assert!(changes.look());
    }
}
