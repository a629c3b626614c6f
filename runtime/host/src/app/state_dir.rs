//! The state directory, which one host at a time uses.
//!
//! The directory itself is locked, and a file in it. A file can be removed by someone who cleans up, and a second host
//! would then lock a new one; the directory goes only with all that is in it. The file remains for file systems that lock
//! no directories, as some network file systems, and for earlier versions of the host.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::admin;
use crate::private_directory;

/// The state directory; locked until this value is dropped.
pub struct LockedStateDir {
    /// Its absolute path.
    pub path: PathBuf,
    /// Two hosts in one state directory would claim each other's events.
    _locks: [File; 2],
}

// === impl LockedStateDir ===

impl LockedStateDir {
    /// Creates the directory if necessary, and locks it.
    ///
    /// # Errors
    /// When it cannot be created, or another host uses it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        private_directory::create(path)?;
        let locks = [lock_directory(path)?, lock_file(path)?];
        // A command that finds the lock held would send its token to the address of the killed host.
        admin::remove_stale_address(path);
        Ok(Self {
            path: path.to_owned(),
            _locks: locks,
        })
    }
}

fn lock_directory(state_dir: &Path) -> anyhow::Result<File> {
    let directory = File::open(state_dir)
        .with_context(|| format!("cannot open the state directory {}", state_dir.display()))?;
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => Err(in_use(state_dir)),
        // The file system locks no directories: the lock of the file holds.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(directory),
    }
}

fn lock_file(state_dir: &Path) -> anyhow::Result<File> {
    let path = state_dir.join("lock");
    let file = File::create(&path).with_context(|| {
        format!(
            "cannot write {}: choose another state directory with --state-dir",
            path.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(in_use(state_dir)),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn in_use(state_dir: &Path) -> anyhow::Error {
    anyhow!(
        "{} is in use by another socar: stop it, or choose another state directory with --state-dir",
        state_dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_at_a_time_uses_a_state_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let first = LockedStateDir::open(&path).unwrap();
        let refused = || {
            let error = LockedStateDir::open(&path).map(drop).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("is in use by another socar") && error.contains("--state-dir"),
                "{error}"
            );
        };
        refused();
        std::fs::remove_file(path.join("lock")).unwrap();
        refused();
        drop(first);
        LockedStateDir::open(&path).unwrap();
    }

    /// The new host holds the lock long before its own port is bound.
    #[test]
    fn the_address_of_a_killed_host_is_removed_under_the_lock() {
        let state = tempfile::tempdir().unwrap();
        let files = ["admin", "admin-url"].map(|name| state.path().join(name));
        for file in &files {
            std::fs::write(file, "127.0.0.1:1\n").unwrap();
        }
        let first = LockedStateDir::open(state.path()).unwrap();
        assert!(files.iter().all(|file| !file.exists()));
        // A second host must not remove the address of the first one.
        std::fs::write(&files[0], "127.0.0.1:1\n").unwrap();
        assert!(LockedStateDir::open(state.path()).is_err());
        assert!(files[0].exists());
        drop(first);
    }

    #[test]
    fn the_lock_of_an_earlier_version_holds() {
        let state = tempfile::tempdir().unwrap();
        let file = File::create(state.path().join("lock")).unwrap();
        file.try_lock().unwrap();
        assert!(LockedStateDir::open(state.path()).is_err());
    }

    #[test]
    fn a_state_directory_that_cannot_be_made_is_named_with_its_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().join("state");
        let error = LockedStateDir::open(&path).map(drop).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains(&path.display().to_string()) && error.contains("--state-dir"),
            "{error}"
        );
    }
}
