//! The state directory, which one host at a time uses.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::private_directory;

/// The state directory; locked until this value is dropped.
pub struct LockedStateDir {
    /// Its absolute path.
    pub path: PathBuf,
    /// Two hosts in one state directory would claim each other's events.
    _lock: File,
}

// === impl LockedStateDir ===

impl LockedStateDir {
    /// Creates the directory if necessary, and locks it.
    ///
    /// # Errors
    /// When it cannot be created, or another host uses it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        private_directory::create(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock(path)?,
        })
    }
}

fn lock(state_dir: &Path) -> anyhow::Result<File> {
    let path = state_dir.join("lock");
    let file = File::create(&path).with_context(|| {
        format!(
            "cannot write {}: choose another state directory with --state-dir",
            path.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another socar: stop it, or choose another state directory with --state-dir",
            state_dir.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
