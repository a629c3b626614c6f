//! The state directory, which one host at a time uses.

use std::fs::{File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::app_config::AppConfig;
use crate::cli::UpOptions;

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
    pub fn open(options: &UpOptions, config: &AppConfig) -> anyhow::Result<Self> {
        let configured = options.state_dir.clone();
        let configured = configured.or_else(|| config.runtime.state_dir.clone());
        let path = configured.unwrap_or_else(|| config.app.root.join(".socar"));
        let path = std::path::absolute(path)?;
        create_private(&path).with_context(|| {
            format!(
                "cannot create the state directory {}: choose another one with --state-dir",
                path.display()
            )
        })?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Creates the directory for this user only: it holds the data of the customers. An existing one keeps its permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
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
